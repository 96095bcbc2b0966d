"""The history of scripts, from one statement each."""

from __future__ import annotations

import datetime
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.scriptattempt_sql import bind
from canonical.launchpad.database.validation import checked_str
from canonical.launchpad.database.validation import is_storable
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Run


__all__ = [
    "ScriptHistorySet",
]


# From each name to the next by index, and one look at its runs.
NAMES = """
    WITH RECURSIVE names AS (
        (SELECT name FROM scriptactivity ORDER BY name LIMIT 1)
        UNION ALL
        SELECT (
            SELECT next.name FROM scriptactivity AS next
            WHERE next.name > names.name ORDER BY next.name LIMIT 1
        )
        FROM names WHERE names.name IS NOT NULL
    )
    SELECT name FROM names
    WHERE (
        -- In order, else it might be thought cheap to look at every row.
        SELECT date_started FROM scriptactivity AS run
        WHERE run.name = names.name
            AND date_started >= :since AND date_started < :until
        ORDER BY date_started LIMIT 1
    ) IS NOT NULL
"""

RUNS = """
    SELECT hostname, date_started, date_completed FROM scriptactivity
    WHERE name = :name AND date_started >= :since AND date_started < :until
    ORDER BY date_started, date_completed, hostname
"""

# Few run for so long, but whether any do only a look at each can tell.
RUNS_BEFORE = """
    (
        SELECT hostname, date_started, date_completed FROM scriptactivity
        WHERE {run} AND date_started < :before AND date_completed <= :at
        ORDER BY date_started DESC LIMIT :count
    ) UNION ALL (
        SELECT hostname, date_started, date_completed FROM scriptactivity
        WHERE {run} AND date_started < :before AND date_completed > :at
    )
    ORDER BY date_started, date_completed, hostname
"""

BEFORE_ON_A_HOST = RUNS_BEFORE.format(
    run="name = :name AND hostname = :hostname")
BEFORE_ON_ANY_HOST = RUNS_BEFORE.format(run="name = :name")


@implementer(IScriptHistorySet)
class ScriptHistorySet:
    """See `IScriptHistorySet`."""

    def getNames(
        self, since: datetime.datetime, until: datetime.datetime
    ) -> list[str]:
        """See `IScriptHistorySet`."""
        text, parameters = bind(NAMES, {"since": since, "until": until})
        # The database may sort by the rules of a language.
        return sorted(
            name for name, in main_store().execute(text, parameters))

    def getRuns(
        self, name: str, since: datetime.datetime, until: datetime.datetime
    ) -> list[Run]:
        """See `IScriptHistorySet`."""
        if not is_storable(checked_str(IScriptActivity["name"], name)):
            return []
        return _runs(RUNS, {"name": name, "since": since, "until": until})

    def getRunsBefore(
        self,
        name: str,
        hostname: str | None,
        before: datetime.datetime,
        at: datetime.datetime,
        count: int,
    ) -> list[Run]:
        """See `IScriptHistorySet`."""
        return _runs(
            BEFORE_ON_ANY_HOST if hostname is None else BEFORE_ON_A_HOST,
            {"name": name, "hostname": hostname, "before": before, "at": at,
             "count": count})


def _runs(statement: str, values: dict[str, Any]) -> list[Run]:
    text, parameters = bind(statement, values)
    return [
        Run(hostname, started.astimezone(datetime.UTC),
            completed.astimezone(datetime.UTC))
        for hostname, started, completed in main_store().execute(
            text, parameters)]
