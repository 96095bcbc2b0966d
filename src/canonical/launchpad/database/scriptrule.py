"""Implements `IScriptRuleSet` in PostgreSQL."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.interfaces import SeenRule


__all__ = [
    "ScriptRuleSet",
]


RECORD = """
    INSERT INTO scriptrule (name, hostname, schedule, date_seen)
    SELECT name, hostname, schedule, ?
    FROM unnest(?::text[], ?::text[], ?::text[])
        AS rule (name, hostname, schedule)
    ON CONFLICT DO NOTHING
"""

SEEN = "SELECT name, hostname, schedule, date_seen FROM scriptrule"


@implementer(IScriptRuleSet)
class ScriptRuleSet:
    """See `IScriptRuleSet`."""

    def recordSeen(
        self, rules: Sequence[SeenRule], at: datetime.datetime
    ) -> bool:
        """See `IScriptRuleSet`."""
        known = self.getSeen()
        new = [each for each in rules if each not in known]
        if new:
            main_store().execute(RECORD, (
                at, [each.name for each in new],
                [each.hostname or "" for each in new],
                [each.schedule for each in new]), noresult=True)
        return bool(new)

    def getSeen(self) -> dict[SeenRule, datetime.datetime]:
        """See `IScriptRuleSet`."""
        return {
            SeenRule(name, hostname or None, schedule):
                seen.astimezone(datetime.UTC)
            for name, hostname, schedule, seen in main_store().execute(SEEN)}
