"""The history of scripts, from one statement each."""

from __future__ import annotations

import datetime

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
        text, parameters = bind(
            RUNS, {"name": name, "since": since, "until": until})
        return [
            Run(hostname, started.astimezone(datetime.UTC),
                completed.astimezone(datetime.UTC))
            for hostname, started, completed in main_store().execute(
                text, parameters)]
