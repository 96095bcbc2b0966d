"""Implements `IScriptActivitySet` in PostgreSQL."""

from __future__ import annotations

import datetime
import socket
import uuid
from typing import NamedTuple

from storm.exceptions import IntegrityError
from storm.expr import SQL
from storm.expr import Desc
from storm.properties import UUID
from storm.properties import DateTime
from storm.properties import Int
from storm.properties import Unicode
from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.distinct import names
from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.spread import SERVERS_COUNT
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.database.storable import checked_datetime
from canonical.launchpad.database.storable import is_storable
from canonical.launchpad.database.successes import LATEST_START
from canonical.launchpad.database.successes import NOT_AHEAD
from canonical.launchpad.database.successes import UNRECORDED
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.interfaces import FutureActivities
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import checked_str
from canonical.launchpad.interfaces import checked_text


__all__ = [
    "ScriptActivity",
    "ScriptActivitySet",
]


# Looks up the last run of each name.
LAST_IDS = f"""
    WITH RECURSIVE {names("scriptactivity")}
    SELECT (
        SELECT id FROM scriptactivity AS last
        WHERE last.name = scriptactivity_names.name
            AND {VALID} AND {NOT_AHEAD}
        ORDER BY date_started DESC LIMIT 1
    )
    FROM scriptactivity_names WHERE name IS NOT NULL
"""

# The same from several servers, each of which is asked once.
LAST_IDS_SPREAD = f"""
    {SERVERS_COUNT}
    SELECT (array_agg(id ORDER BY date_started DESC))[1]
    FROM scriptactivity
    WHERE {VALID} AND date_started <= (SELECT {LATEST_START})
    GROUP BY name
"""

# The last unrecorded success of each script.
LAST_UNRECORDED = f"""
    SELECT DISTINCT ON (name) name, hostname, date_started, date_completed
    FROM {UNRECORDED} AS run
    WHERE {VALID} AND {NOT_AHEAD}
        AND (:name::text IS NULL OR name = :name)
        AND (:hostname::text IS NULL OR hostname = :hostname)
    ORDER BY name, date_started DESC
"""

# A value, since only the server that has the rows can find them quickly, and
# it does not get a function that depends on the clock; see scaling.rst.
LATEST = f"SELECT {LATEST_START}"
FUTURE = f"""
    SELECT name, hostname, min(date_started), count(*)
    FROM scriptactivity
    WHERE {VALID} AND date_started > :latest
        AND (:name::text IS NULL OR name = :name)
    GROUP BY name, hostname
"""


@implementer(IScriptActivity)
class ScriptActivity:
    """See `IScriptActivity`."""

    __storm_table__ = "scriptactivity"

    id = Int(primary=True)
    name = Unicode(allow_none=False)
    hostname = Unicode(allow_none=False)
    date_started = DateTime(allow_none=False, tzinfo=datetime.UTC)
    date_completed = DateTime(allow_none=False, tzinfo=datetime.UTC)
    run_key = UUID()

    def __init__(
        self,
        name: str,
        hostname: str,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ):
        self.name = name
        self.hostname = hostname
        self.date_started = date_started
        self.date_completed = date_completed


@implementer(IScriptActivity)
class Success(NamedTuple):
    """See `IScriptActivity`.  It is no object of a store, which takes longer.
    """

    name: str
    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime


@implementer(IScriptActivitySet)
class ScriptActivitySet:
    """See `IScriptActivitySet`."""

    def recordSuccess(
        self,
        name: str,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
        hostname: str | None = None,
        run_key: uuid.UUID | None = None,
    ) -> ScriptActivity | Success:
        """See `IScriptActivitySet`."""
        if hostname is None:
            hostname = socket.gethostname()
        name = checked_text(IScriptActivity["name"], name)
        hostname = checked_text(IScriptActivity["hostname"], hostname)
        started = checked_datetime(
            IScriptActivity["date_started"], date_started)
        completed = checked_datetime(
            IScriptActivity["date_completed"], date_completed)
        if completed < started:
            raise ValueError(
                f"date_completed must not be before date_started:"
                f" {date_completed} is before {date_started}")
        if run_key is None:
            activity = ScriptActivity(name, hostname, started, completed)
            main_store().add(activity)
            return activity
        if not isinstance(run_key, uuid.UUID):
            raise TypeError(f"run_key must be a uuid.UUID, not {run_key!r}")
        inserted = main_store().execute(
            """
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed, run_key)
            VALUES (?, ?, ?, ?, ?)
            ON CONFLICT DO NOTHING
            """,
            (name, hostname, started, completed, str(run_key))).rowcount
        if inserted:
            return Success(name, hostname, started, completed)
        known: ScriptActivity | None = main_store().find(
            ScriptActivity, name=name, run_key=run_key).one()
        if known is None:
            raise IntegrityError(
                f"the run {run_key} of {name} cannot be recorded: another row"
                " of scriptactivity has its id or its run_key")
        return known

    def getLastActivity(
        self, name: str, hostname: str | None = None
    ) -> ScriptActivity | Success | None:
        """See `IScriptActivitySet`."""
        where = {"name": checked_str(IScriptActivity["name"], name)}
        if hostname is not None:
            where["hostname"] = checked_str(
                IScriptActivity["hostname"], hostname)
        if not all(is_storable(text) for text in where.values()):
            return None
        # Unrecorded ones first: if one is recorded meanwhile, the next
        # statement finds it.
        last: list[ScriptActivity | Success] = [
            *_last_unrecorded(name, hostname)]
        found = main_store().find(
            ScriptActivity, SQL(VALID), SQL(NOT_AHEAD), **where)
        recorded = found.order_by(Desc(ScriptActivity.date_started)).first()
        if recorded is not None:
            last.append(recorded)
        return max(last, key=_started, default=None)

    def getLastActivities(self) -> list[ScriptActivity | Success]:
        """See `IScriptActivitySet`."""
        last: dict[str, ScriptActivity | Success] = {
            each.name: each for each in _last_unrecorded(None, None)}
        ids = [id for id, in execute(LAST_IDS_SPREAD)] if is_spread() else (
            SQL(LAST_IDS))
        for each in main_store().find(
            ScriptActivity, ScriptActivity.id.is_in(ids)
        ):
            last[each.name] = max(
                each, last.get(each.name, each), key=_started)
        return [last[name] for name in sorted(last)]

    def getFutureActivities(
        self, name: str | None = None
    ) -> list[FutureActivities]:
        """See `IScriptActivitySet`."""
        if name is not None and not is_storable(name):
            return []
        (latest,) = execute(LATEST).get_one()
        return sorted(
            FutureActivities(
                name, hostname, started.astimezone(datetime.UTC), count)
            for name, hostname, started, count in execute(
                FUTURE, latest=latest, name=name))


def _last_unrecorded(
    name: str | None, hostname: str | None
) -> list[Success]:
    """The last success of each script that is not on record yet.

    :param name, hostname: `None` for any.
    """
    return [
        Success(
            name, hostname, started.astimezone(datetime.UTC),
            completed.astimezone(datetime.UTC))
        for name, hostname, started, completed in execute(
            LAST_UNRECORDED, name=name, hostname=hostname)]


def _started(activity: ScriptActivity | Success) -> datetime.datetime:
    started: datetime.datetime = activity.date_started
    return started
