"""Attempts without an end on record: which run, and which have vanished."""

from __future__ import annotations

from collections.abc import Iterable

from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.process import is_alive


__all__ = [
    "only",
    "open_attempts",
]


# An attempt whose success is recorded has ended, even if the end itself is not
# on record.
#
# In a transaction that sees an old snapshot, the end of an attempt may be on
# record and not visible.
OPEN = """
    SELECT id, pid, process,
        current_setting('transaction_isolation') = 'read committed'
    FROM scriptattempt AS attempt
    WHERE date_ended IS NULL AND date_committed IS NULL
        AND process IS NOT NULL AND (:name::text IS NULL OR name = :name)
        AND coalesce(run_key <> ALL (ARRAY(
            SELECT run_key FROM scriptactivity
            WHERE (:name::text IS NULL OR name = :name)
                AND run_key = ANY (ARRAY(
                SELECT run_key FROM scriptattempt
                WHERE date_ended IS NULL AND date_committed IS NULL
                    AND process IS NOT NULL))
        )), true)
"""


def open_attempts(name: str | None = None) -> dict[str, list[int]]:
    """The ids of open attempts, by what this machine knows of their processes.

    Call this before the statement that uses the ids.  A process may record
    its end and exit just before the call; the statement then sees that end.

    :param name: of a script; `None` for all.
    :return: a dict with the keys ``seen``, for attempts whose process runs,
        and ``gone``, for attempts whose process has ended.  Attempts whose
        process this machine cannot see are left out.
    """
    ids: dict[str, list[int]] = {"seen": [], "gone": []}
    for attempt_id, pid, process, is_current in execute(OPEN, name=name):
        alive = is_alive(pid, process)
        if alive:
            ids["seen"].append(attempt_id)
        elif alive is False and is_current:
            ids["gone"].append(attempt_id)
    return ids


def only(names: Iterable[str]) -> str | None:
    """The name, if there is one; `None` if there are several, or none."""
    found = set(names)
    return found.pop() if len(found) == 1 else None
