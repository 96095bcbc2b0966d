"""Implements `IScriptAlertSet` in PostgreSQL."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.scriptattempt_sql import bind
from canonical.launchpad.database.validation import is_storable
from canonical.launchpad.interfaces import CLAIM_MINUTES
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptAlertSet


__all__ = [
    "ScriptAlertSet",
]


# A session that holds the lock for this long is stuck.
PATIENCE = "SET LOCAL lock_timeout = '2min'"

# This mode does not block sessions that read, and they do not block it.
LOCK = "LOCK TABLE scriptalert IN SHARE ROW EXCLUSIVE MODE"

UNSETTLED = f"""
    SELECT id, channel, name, hostname, question, state, sentence,
        date_opened, date_told, date_closed, pending,
        claimed_by IS NOT NULL AND claimed_by IS DISTINCT FROM :claimant
            AND date_claimed > now() - interval '{CLAIM_MINUTES} minutes'
    FROM scriptalert WHERE date_settled IS NULL
    ORDER BY name, hostname, question, date_opened, channel
"""

LATEST = """
    SELECT id, channel, name, hostname, question, state, sentence,
        date_opened, date_told, date_closed
    FROM scriptalert WHERE (:name::text IS NULL OR name = :name)
    ORDER BY date_opened DESC, id DESC LIMIT :limit
"""

OPEN = """
    INSERT INTO scriptalert
        (channel, name, hostname, question, state, sentence, date_opened)
    SELECT * FROM unnest(
        :channels::text[], :names::text[], :hostnames::text[],
        :questions::text[], :states::text[], :sentences::text[],
        :dates_opened::timestamptz[])
"""

SET_STATE = """
    UPDATE scriptalert SET state = :state,
        date_told = CASE WHEN :state = 'critical' THEN NULL ELSE date_told END,
        pending = CASE WHEN :state = 'critical' THEN NULL ELSE pending END
    WHERE id = ANY (:ids)
"""

CLOSE = """
    UPDATE scriptalert SET
        date_closed = greatest(date_opened, :at), pending = NULL
    WHERE id = ANY (:ids) AND date_closed IS NULL
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
        main_store().execute(PATIENCE)
        main_store().execute(LOCK)

    def getUnsettled(self, claimant: str | None = None) -> list[Alert]:
        """See `IScriptAlertSet`."""
        return [
            Alert(*values, *map(_in_utc, dates))._replace(
                pending=tuple(pending or ()), is_claimed=is_claimed)
            for *values, opened, notified, closed, pending, is_claimed
            in main_store().execute(*bind(UNSETTLED, {"claimant": claimant}))
            for dates in [(opened, notified, closed)]]

    def getLatest(
        self, name: str | None = None, limit: int = 100
    ) -> list[Alert]:
        """See `IScriptAlertSet`."""
        if name is not None and not is_storable(name):
            return []
        return [
            Alert(*values, *map(_in_utc, dates))
            for *values, opened, notified, closed in main_store().execute(
                *bind(LATEST, {"name": name, "limit": limit}))
            for dates in [(opened, notified, closed)]]

    def open(self, alerts: Sequence[Alert]) -> None:
        """See `IScriptAlertSet`."""
        _execute(OPEN, {
            "channels": [each.channel for each in alerts],
            "names": [each.name for each in alerts],
            "hostnames": [each.hostname for each in alerts],
            "questions": [each.question for each in alerts],
            "states": [each.state for each in alerts],
            "sentences": [each.sentence for each in alerts],
            "dates_opened": [each.date_opened for each in alerts],
        })

    def setState(self, ids: Sequence[int], state: str) -> None:
        """See `IScriptAlertSet`."""
        _execute(SET_STATE, {"ids": list(ids), "state": state})

    def close(self, ids: Sequence[int], at: datetime.datetime) -> None:
        """See `IScriptAlertSet`."""
        _execute(CLOSE, {"ids": list(ids), "at": at})

    def claim(self, ids: Sequence[int], claimant: str) -> None:
        """See `IScriptAlertSet`."""
        _execute(CLAIM, {"ids": list(ids), "claimant": claimant})

    def release(self, ids: Sequence[int], claimant: str) -> None:
        """See `IScriptAlertSet`."""
        _execute(RELEASE, {"ids": list(ids), "claimant": claimant})

    def recordNotified(
        self,
        ids: Sequence[int],
        claimant: str,
        at: datetime.datetime,
        pending: Sequence[str] = (),
    ) -> None:
        """See `IScriptAlertSet`."""
        _execute(NOTIFIED, {
            "ids": list(ids), "claimant": claimant, "at": at,
            "pending": list(pending)})


def _in_utc(date: datetime.datetime | None) -> datetime.datetime | None:
    return date and date.astimezone(datetime.UTC)


def _execute(statement: str, values: dict[str, Any]) -> None:
    main_store().execute(*bind(statement, values))
