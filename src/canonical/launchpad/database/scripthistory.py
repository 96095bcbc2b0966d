"""Implements `IScriptHistorySet`, each method with one SQL statement."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from zope.interface import implementer

from canonical.launchpad.database.distinct import names
from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.scriptattempt_sql import COLUMNS as ATTEMPT
from canonical.launchpad.database.spread import SERVERS_COUNT
from canonical.launchpad.database.spread import gathered
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.database.storable import is_storable
from canonical.launchpad.database.successes import NOT_AHEAD
from canonical.launchpad.database.successes import UNRECORDED
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.database.successes import successes
from canonical.launchpad.interfaces import EndedRun
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import PastAttempt
from canonical.launchpad.interfaces import Run
from canonical.launchpad.interfaces import checked_str


__all__ = [
    "ScriptHistorySet",
]


# Looks at the runs of each name once.  Without the order, the planner may
# choose to read every row.
NAMES = f"""
    WITH RECURSIVE {names("scriptactivity")}, all_names AS (
        SELECT name FROM scriptactivity_names
        UNION SELECT name FROM {UNRECORDED} AS attempt
    )
    SELECT name FROM all_names
    WHERE (:names::text[] IS NULL OR name = ANY (:names::text[]))
        AND EXISTS ({successes(
            "date_started", "run.name = all_names.name"
            " AND date_started >= :since AND date_started < :until",
            "ORDER BY date_started LIMIT 1")})
"""

# The same from several servers, each of which is asked once.
NAMES_SPREAD = f"{SERVERS_COUNT} SELECT name FROM ({{}}) AS run".format(
    " UNION ".join(
        f"SELECT name FROM {table} AS run WHERE {VALID}"
        " AND (:names::text[] IS NULL OR name = ANY (:names::text[]))"
        " AND date_started >= :since AND date_started < :until GROUP BY name"
        for table in ("scriptactivity", UNRECORDED)))

COLUMNS = "hostname, date_started, date_completed"

RUNS = successes(
    COLUMNS,
    "name = :name AND date_started >= :since AND date_started < :until"
) + "ORDER BY date_started, date_completed, hostname"


def _runs_before(run: str) -> str:
    """The text of the statement.  Each part reads an index backwards.

    A run that is both the last started and the last completed is returned
    once.
    """
    before = f"{run} AND date_started < :before AND date_completed"
    latest, last, later = (
        successes(COLUMNS, f"{before} {condition}", tail)
        for condition, tail in (
            ("<= :at", "ORDER BY date_started DESC LIMIT :count"),
            ("<= :at", "ORDER BY date_completed DESC LIMIT 1"),
            ("> :at", "")))
    return f"""
        WITH latest AS (
            SELECT * FROM ({latest}) AS either
            ORDER BY date_started DESC LIMIT :count
        )
        SELECT * FROM latest
        UNION ALL
        SELECT * FROM (
            SELECT * FROM ({last}) AS either
            ORDER BY date_completed DESC LIMIT 1
        ) AS last
        WHERE date_completed > (SELECT max(date_completed) FROM latest)
        UNION ALL
        SELECT * FROM ({later}) AS later
        ORDER BY date_started, date_completed, hostname
    """


BEFORE_ON_A_HOST = _runs_before("name = :name AND hostname = :hostname")
BEFORE_ON_ANY_HOST = _runs_before("name = :name")


# As in `IScriptFiguresSet`: an attempt whose process is gone has vanished.
ATTEMPTS = """
    SELECT hostname, date_started, date_ended, has_failed
    FROM (
        SELECT name, hostname, date_started,
            CASE WHEN is_gone THEN date_started
                ELSE least(date_committed, date_ended) END AS date_ended,
            is_gone OR coalesce(
                outcome IN ('failure', 'killed', 'vanished'), false
            ) AS has_failed
        FROM (
            SELECT *, date_ended IS NULL AND date_committed IS NULL
                AND id = ANY (:gone) AS is_gone
            FROM scriptattempt
        ) AS known
    ) AS attempt
    WHERE name = :name AND date_started < :until
        AND date_started >= :since
        AND (has_failed OR :longer_than::interval IS NOT NULL AND (
            date_ended IS NULL
            OR date_ended - date_started > :longer_than::interval))
    ORDER BY date_started
"""

LATEST_FIRST = "ORDER BY date_started DESC LIMIT :count"

# A success may have an attempt or not, so successes come from the first part.
# The last attempts include all that can be among the last runs.
LATEST = f"""
    SELECT * FROM (
        {successes(
            f"{COLUMNS} AS date_ended, 'success' AS outcome, NULL AS reason",
            f"name = :name AND {NOT_AHEAD}", LATEST_FIRST)}
        UNION ALL
        SELECT hostname, date_started, date_ended, outcome, reason
        FROM (
            SELECT {ATTEMPT} FROM scriptattempt AS attempt
            WHERE name = :name {LATEST_FIRST}
        ) AS attempt
        WHERE outcome <> 'success'
    ) AS run
    {LATEST_FIRST}
"""


@implementer(IScriptHistorySet)
class ScriptHistorySet:
    """See `IScriptHistorySet`."""

    def getNames(
        self,
        since: datetime.datetime,
        until: datetime.datetime,
        names: Sequence[str] | None = None,
    ) -> list[str]:
        """See `IScriptHistorySet`."""
        # The collation of the database may differ.
        return sorted(name for name, in execute(
            NAMES_SPREAD if is_spread() else NAMES,
            since=since, until=until, names=None if names is None else [
                name for name in names if is_storable(name)]))

    def getRuns(
        self, name: str, since: datetime.datetime, until: datetime.datetime
    ) -> list[Run]:
        """See `IScriptHistorySet`."""
        if not is_storable(checked_str(IScriptActivity["name"], name)):
            return []
        return _runs(RUNS, name=name, since=since, until=until)

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
            name=name, hostname=hostname, before=before, at=at, count=count)

    def getAttempts(
        self,
        name: str,
        since: datetime.datetime,
        until: datetime.datetime,
        longer_than: datetime.timedelta | None,
    ) -> list[PastAttempt]:
        """See `IScriptHistorySet`."""
        return [
            PastAttempt(
                hostname, started.astimezone(datetime.UTC),
                ended and ended.astimezone(datetime.UTC), has_failed)
            for hostname, started, ended, has_failed in execute(
                ATTEMPTS, **open_attempts(name), name=name, since=since,
                until=until, longer_than=longer_than)]

    def gathered(
        self,
        names: Sequence[str],
        since: datetime.datetime,
        until: datetime.datetime,
        at: datetime.datetime,
        count: int,
    ) -> AbstractContextManager[None]:
        """See `IScriptHistorySet`."""
        return gathered(names, count, since=since, until=until, at=at)

    def getLatest(self, name: str, count: int) -> list[EndedRun]:
        """See `IScriptHistorySet`."""
        if not is_storable(checked_str(IScriptActivity["name"], name)):
            return []
        return [
            EndedRun(
                hostname, started.astimezone(datetime.UTC),
                ended and ended.astimezone(datetime.UTC), outcome, reason)
            for hostname, started, ended, outcome, reason in execute(
                LATEST, **open_attempts(name), name=name, count=count)]


def _runs(statement: str, **values: Any) -> list[Run]:
    return [
        Run(hostname, started.astimezone(datetime.UTC),
            completed.astimezone(datetime.UTC))
        for hostname, started, completed in execute(statement, **values)]
