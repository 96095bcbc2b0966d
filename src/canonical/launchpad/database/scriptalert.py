"""Implements `IScriptAlertSet` in PostgreSQL."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.storable import is_storable
from canonical.launchpad.interfaces import CLAIM_MINUTES
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.interfaces import IScriptAlertSet


__all__ = [
    "ScriptAlertSet",
]


# A session that holds the lock for this long is stuck.
PATIENCE = "SET LOCAL lock_timeout = '2min'"

# This mode does not block sessions that read, and they do not block it.
LOCK = "LOCK TABLE scriptalert IN SHARE ROW EXCLUSIVE MODE"

COLUMNS = """
    id, channel, name, hostname, state, answers, date_opened, date_told,
    date_closed, date_good, date_unstable, pending
"""

UNSETTLED = f"""
    SELECT {COLUMNS},
        claimed_by IS NOT NULL AND claimed_by IS DISTINCT FROM :claimant
            AND date_claimed > now() - interval '{CLAIM_MINUTES} minutes'
    FROM scriptalert WHERE date_settled IS NULL
    ORDER BY name, hostname, date_opened, channel
"""

LATEST = f"""
    SELECT {COLUMNS}, false
    FROM scriptalert WHERE (:name::text IS NULL OR name = :name)
    ORDER BY date_opened DESC, id DESC LIMIT :limit
"""

OPENINGS = """
    SELECT channel, name, hostname, date_opened FROM scriptalert
    WHERE date_opened > :since ORDER BY date_opened
"""

CLOSINGS = """
    SELECT channel, hostname, max(date_closed) FROM scriptalert
    WHERE name = :name AND date_closed > :since GROUP BY channel, hostname
"""

OPEN = """
    INSERT INTO scriptalert (
        channel, name, hostname, state, answers, date_opened, date_unstable)
    SELECT * FROM unnest(
        :channels::text[], :names::text[], :hostnames::text[],
        :states::text[], :answers::jsonb[], :dates_opened::timestamptz[],
        :dates_unstable::timestamptz[])
"""

# Who is pending is pending for an alert as it was.
UPDATE = """
    UPDATE scriptalert SET
        pending = CASE
            WHEN scriptalert.date_told IS DISTINCT FROM changed.date_told
                OR changed.date_closed IS NOT NULL
            THEN NULL ELSE pending END,
        state = changed.state, answers = changed.answers,
        date_told = changed.date_told, date_good = changed.date_good,
        date_closed = CASE
            WHEN changed.date_closed IS NOT NULL
            THEN greatest(date_opened, changed.date_closed) END
    FROM unnest(
        :ids::bigint[], :states::text[], :answers::jsonb[],
        :dates_told::timestamptz[], :dates_good::timestamptz[],
        :dates_closed::timestamptz[]
    ) AS changed (id, state, answers, date_told, date_good, date_closed)
    WHERE scriptalert.id = changed.id AND scriptalert.date_closed IS NULL
"""

CLAIM = """
    UPDATE scriptalert SET claimed_by = :claimant, date_claimed = now()
    WHERE id = ANY (:ids)
"""

RELEASE = """
    UPDATE scriptalert SET claimed_by = NULL, date_claimed = NULL
    WHERE id = ANY (:ids) AND claimed_by = :claimant
"""

NOTIFIED = """
    UPDATE scriptalert SET
        date_told = CASE
            WHEN date_closed IS NULL OR date_told IS NULL
            THEN :at ELSE date_told END,
        date_settled = CASE
            WHEN date_closed IS NOT NULL AND :pending::text[] = '{}'
            THEN :at::timestamptz END,
        pending = nullif(:pending::text[], '{}'),
        claimed_by = NULL, date_claimed = NULL
    WHERE id = ANY (:ids) AND claimed_by = :claimant
"""


@implementer(IScriptAlertSet)
class ScriptAlertSet:
    """See `IScriptAlertSet`."""

    def lock(self) -> None:
        """See `IScriptAlertSet`."""
        execute(PATIENCE)
        execute(LOCK)

    def getUnsettled(self, claimant: str | None = None) -> list[Alert]:
        """See `IScriptAlertSet`."""
        return _alerts(UNSETTLED, claimant=claimant)

    def getOpenings(
        self, since: datetime.datetime
    ) -> dict[tuple[str, str, str | None], list[datetime.datetime]]:
        """See `IScriptAlertSet`."""
        found: dict[
            tuple[str, str, str | None], list[datetime.datetime]] = {}
        for channel, name, hostname, opened in execute(
            OPENINGS, since=since
        ):
            found.setdefault((channel, name, hostname), []).append(
                opened.astimezone(datetime.UTC))
        return found

    def getClosings(
        self, name: str, since: datetime.datetime
    ) -> dict[tuple[str, str | None], datetime.datetime]:
        """See `IScriptAlertSet`."""
        return {
            (channel, hostname): closed.astimezone(datetime.UTC)
            for channel, hostname, closed in execute(
                CLOSINGS, name=name, since=since)}

    def getLatest(
        self, name: str | None = None, limit: int = 100
    ) -> list[Alert]:
        """See `IScriptAlertSet`."""
        if name is not None and not is_storable(name):
            return []
        return _alerts(LATEST, name=name, limit=limit)

    def open(self, alerts: Sequence[Alert]) -> None:
        """See `IScriptAlertSet`."""
        execute(
            OPEN,
            channels=[each.channel for each in alerts],
            names=[each.name for each in alerts],
            hostnames=[each.hostname for each in alerts],
            states=[each.state for each in alerts],
            answers=[_as_json(each) for each in alerts],
            dates_opened=[each.date_opened for each in alerts],
            dates_unstable=[each.date_unstable for each in alerts],
        )

    def update(self, alerts: Sequence[Alert]) -> None:
        """See `IScriptAlertSet`."""
        execute(
            UPDATE,
            ids=[each.id for each in alerts],
            states=[each.state for each in alerts],
            answers=[_as_json(each) for each in alerts],
            dates_told=[each.date_told for each in alerts],
            dates_good=[each.date_good for each in alerts],
            dates_closed=[each.date_closed for each in alerts],
        )

    def claim(self, ids: Sequence[int], claimant: str) -> None:
        """See `IScriptAlertSet`."""
        execute(CLAIM, ids=list(ids), claimant=claimant)

    def release(self, ids: Sequence[int], claimant: str) -> None:
        """See `IScriptAlertSet`."""
        execute(RELEASE, ids=list(ids), claimant=claimant)

    def recordNotified(
        self,
        ids: Sequence[int],
        claimant: str,
        at: datetime.datetime,
        pending: Sequence[str] = (),
    ) -> None:
        """See `IScriptAlertSet`."""
        execute(
            NOTIFIED, ids=list(ids), claimant=claimant, at=at,
            pending=list(pending))


def _alerts(statement: str, **values: Any) -> list[Alert]:
    return [
        Alert(
            number, channel, name, hostname, state,
            tuple(BadAnswer(**each) for each in answers),
            opened.astimezone(datetime.UTC), _in_utc(notified),
            _in_utc(closed), _in_utc(good), _in_utc(unstable),
            tuple(pending or ()), is_claimed)
        for number, channel, name, hostname, state, answers, opened, notified,
            closed, good, unstable, pending, is_claimed
        in execute(statement, **values)]


def _as_json(alert: Alert) -> str:
    return json.dumps([each._asdict() for each in alert.answers])


def _in_utc(date: datetime.datetime | None) -> datetime.datetime | None:
    return date and date.astimezone(datetime.UTC)
