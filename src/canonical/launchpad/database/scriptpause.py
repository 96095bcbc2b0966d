"""Implements `IScriptPauseSet` in PostgreSQL."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from zope.interface import implementer

from canonical.launchpad.database.execute import execute
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import Pause


__all__ = [
    "ScriptPauseSet",
]


REASONS = {
    "cron control": "switched off by cron control",
    "snoozed": "snoozed",
}

SWITCHED_OFF = """
    SELECT name FROM scriptpause
    WHERE cause = 'cron control' AND date_ended IS NULL
"""

SWITCH_OFF = """
    INSERT INTO scriptpause (name, cause, date_started)
    SELECT name, 'cron control', :at FROM unnest(:names::text[]) AS name
    ON CONFLICT DO NOTHING
"""

SWITCH_ON = """
    UPDATE scriptpause SET date_ended = greatest(date_started, :at)
    WHERE cause = 'cron control' AND date_ended IS NULL
        AND name = ANY(:names)
"""

FORGET = """
    DELETE FROM scriptpause
    WHERE cause = 'snoozed' AND date_started >= :since AND name = :name
"""

WAKE = """
    UPDATE scriptpause SET date_ended = :since
    WHERE cause = 'snoozed' AND date_ended > :since AND name = :name
"""

SNOOZE = """
    INSERT INTO scriptpause (name, cause, date_started, date_ended)
    SELECT :name, 'snoozed', :since, :until WHERE :until > :since
"""

PAUSES = """
    SELECT name, cause, date_started, date_ended FROM scriptpause
    WHERE date_started <= :until
        AND (date_ended IS NULL OR date_ended > :since)
    ORDER BY date_started, id
"""


@implementer(IScriptPauseSet)
class ScriptPauseSet:
    """See `IScriptPauseSet`."""

    def recordSwitches(
        self, on: Sequence[str], off: Sequence[str], at: datetime.datetime
    ) -> bool:
        """See `IScriptPauseSet`."""
        known = {name for name, in execute(SWITCHED_OFF)}
        changes = [
            (statement, names) for statement, names in (
                (SWITCH_ON, known.intersection(on)),
                (SWITCH_OFF, set(off).difference(known)))
            if names]
        for statement, names in changes:
            execute(statement, at=at, names=sorted(names))
        return bool(changes)

    def snooze(
        self, name: str, since: datetime.datetime, until: datetime.datetime
    ) -> None:
        """See `IScriptPauseSet`."""
        for statement in FORGET, WAKE, SNOOZE:
            execute(statement, name=name, since=since, until=until)

    def getPauses(
        self, since: datetime.datetime, until: datetime.datetime
    ) -> dict[str, list[Pause]]:
        """See `IScriptPauseSet`."""
        pauses: dict[str, list[Pause]] = {}
        for name, cause, started, ended in execute(
            PAUSES, since=since, until=until
        ):
            pauses.setdefault(name, []).append(Pause(
                started.astimezone(datetime.UTC),
                ended.astimezone(datetime.UTC) if ended else FOREVER,
                REASONS[cause], forgives=cause == "cron control"))
        return pauses
