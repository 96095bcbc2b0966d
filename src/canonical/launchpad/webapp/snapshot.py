"""The state of all scripts at a time, computed once for all who look."""

from __future__ import annotations

import datetime
import functools
import threading
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from zope.component import getUtility

from canonical.launchpad.command.prometheus import IncidentCounts
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.monitor.registry import assess_fleet_with_cases
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.webapp.rows import Row
from canonical.launchpad.webapp.rows import counted
from canonical.launchpad.webapp.rows import sorted_rows


__all__ = [
    "Snapshot",
    "snapshot_at",
]


# How many of the last successes of a script without a rule are looked at.
RUNS = 20


@dataclass(frozen=True)
class Snapshot:
    """The state of all scripts at a time.

    :ivar number: differs for each snapshot of the process.
    :ivar at: an aware datetime.
    :ivar rows: the worst first.
    :ivar incidents: how many each script has.
    :ivar trouble: why the rules file could not be read again, or `None`.
    :ivar pages: what was made of the snapshot; emptied with it.
    :ivar making: who makes a page holds its lock.
    :ivar orders: the rows as they have been sorted, by the column.
    """

    number: int
    at: datetime.datetime
    rows: tuple[Row, ...]
    incidents: IncidentCounts
    trouble: str | None = None
    pages: dict[Any, Any] = field(default_factory=dict)
    making: dict[Any, threading.Lock] = field(default_factory=dict)
    orders: dict[str, list[Row]] = field(default_factory=dict)

    def sorted_by(self, column: str) -> list[Row]:
        """All rows in order of a column, then by name and host.

        :param column: as for `sorted_rows`.
        """
        found: list[Row] | None = self.orders.get(column)
        if found is None:
            found = self.orders[column] = sorted_rows(self._in_order, column)
        return found

    @functools.cached_property
    def _in_order(self) -> list[Row]:
        """All rows by name and host."""
        return sorted(
            self.rows, key=lambda row: (row.name, row.hostname or ""))

    @property
    def worst(self) -> str:
        """The worst state of a script with a rule; ``ok`` if there is none."""
        return next(
            (each.state for each in self.rows if each.assessment), "ok")

    @functools.cached_property
    def counts(self) -> dict[str, int]:
        """The number of scripts in each state."""
        return counted(self.rows)

    @functools.cached_property
    def hosts(self) -> list[str]:
        """The hosts that rules name."""
        return sorted({each.hostname for each in self.rows if each.hostname})

    @functools.cached_property
    def tags(self) -> list[str]:
        """The tags of rules."""
        return sorted({tag for rule in self._rules for tag in rule.tags})

    @functools.cached_property
    def timezones(self) -> list[str]:
        """The time zones of rules."""
        return sorted({rule.timezone for rule in self._rules})

    @functools.cached_property
    def _rules(self) -> list[IScriptExpectation]:
        # As `Row.rule`, which is slow for ten thousand rows.
        return [each.case.expectation for each in self.rows if each.case]

    @functools.cached_property
    def by_name(self) -> dict[str, list[Row]]:
        """The rows of each script: one for each of its hosts."""
        found: dict[str, list[Row]] = {}
        for each in self.rows:
            found.setdefault(each.name, []).append(each)
        return found


def snapshot_at(
    at: datetime.datetime, skew: datetime.timedelta
) -> tuple[Row, ...]:
    """A row for each script that has a rule or is on record."""
    expectations = registered_expectations()
    rows = [
        # What is said of many scripts together has no case.
        Row(each.name, each.hostname, each.state, each.figures, each, case)
        for each, case in assess_fleet_with_cases(expectations, at, skew)]
    unknown = getUtility(IScriptTimelineSet).getOtherNames(
        each.name for each in expectations)
    figures = getUtility(IScriptFiguresSet).getFigures([
        Inquiry(name, None, (at,), at, RUNS) for name in unknown], at)
    rows += [
        Row(name, None, "unknown", each)
        for name, each in zip(unknown, figures, strict=True)]
    return tuple(rows)
