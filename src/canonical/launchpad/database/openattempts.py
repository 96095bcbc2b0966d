"""Attempts without an end on record, and whether their processes still run."""

from __future__ import annotations

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.process import is_alive


__all__ = [
    "open_attempts",
]


# The end of one whose success is recorded is only missing.
#
# In a transaction that sees an old state of the table, the end of an attempt
# may be on record without being seen.
OPEN = """
    SELECT id, pid, process,
        current_setting('transaction_isolation') = 'read committed'
    FROM scriptattempt AS attempt
    WHERE date_ended IS NULL AND date_committed IS NULL
        AND process IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM scriptactivity AS recorded
            WHERE recorded.run_key = attempt.run_key)
"""


def open_attempts() -> dict[str, list[int]]:
    """The ids of open attempts, by what this machine knows of their processes.

    Ask before the statement that uses them: a process that is gone may have
    recorded its end just before, and that has to be seen.

    :return: ``seen``, those whose process runs; and ``gone``, those whose
        process does not.  All others nobody can know here.
    """
    ids: dict[str, list[int]] = {"seen": [], "gone": []}
    for attempt_id, pid, process, is_current in main_store().execute(OPEN):
        alive = is_alive(pid, process)
        if alive:
            ids["seen"].append(attempt_id)
        elif alive is False and is_current:
            ids["gone"].append(attempt_id)
    return ids
