"""The rows of the fleet page: which scripts are shown, and in which order."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.matching import Case


__all__ = [
    "COLUMNS",
    "Row",
    "counted",
    "selected",
    "sorted_rows",
]


@dataclass(frozen=True)
class Row:
    """A script on a host, or on any host.

    :ivar assessment: `None` for a script without a rule, as is `case`.
    """

    name: str
    hostname: str | None
    state: str
    figures: Figures
    assessment: Assessment | None = None
    case: Case | None = None

    @property
    def rule(self) -> IScriptExpectation | None:
        """The rule of the script, or `None`."""
        return self.case.expectation if self.case else None

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of its rule."""
        return self.rule.tags if self.rule else ()

    @property
    def reasons(self) -> str:
        """What is wrong; or, if nothing is, all three answers."""
        each = self.assessment
        if each is None:
            return "no rule says what is expected of it"
        answers = (each.recently, each.often, each.runtime)
        wrong = [answer for answer in answers if answer.state != "ok"]
        return "; ".join(dict.fromkeys(
            answer.sentence for answer in wrong or answers))

    @property
    def brief(self) -> str:
        """What is wrong, without what the columns of the page show."""
        each = self.assessment
        if each is None:
            return ""
        missed = each.often.due - each.often.met
        said = [
            each.recently.sentence.partition(": ")[2]
            or each.recently.sentence if each.recently.state != "ok" else "",
            f"{missed} missed" if each.often.state != "ok" and missed
            else each.often.sentence if each.often.state != "ok" else "",
            each.runtime.sentence if each.runtime.state != "ok" else ""]
        return "; ".join(dict.fromkeys(filter(None, said)))


def _moment(moment: datetime.datetime | None) -> float:
    return moment.timestamp() if moment else float("inf")


def _missed(row: Row) -> int:
    often = row.assessment and row.assessment.often
    return often.met - often.due if often else 1


# The columns of the page that can be sorted by, each with a key.
COLUMNS: dict[str, Callable[[Row], Any]] = {
    "state": lambda row: -STATES.index(row.state),
    "script": lambda row: row.name,
    "host": lambda row: row.hostname or "",
    "last": lambda row: _moment(row.figures.last_started),
    "due": lambda row: _moment(
        row.assessment.recently.next_due if row.assessment else None),
    "runs": _missed,
    "duration": lambda row: -(
        row.figures.durations[0] if row.figures.durations else -1.0),
}


def selected(
    rows: Iterable[Row],
    search: str = "",
    host: str = "",
    tag: str = "",
    state: str = "",
) -> list[Row]:
    """The rows that match all filters; an empty filter matches all.

    :param search: parts of the name, the host or the tags, in any case.
    :param host: a host that a rule names.
    """
    words = search.casefold().split()
    return [
        row for row in rows
        if (not state or row.state == state)
        and (not host or row.hostname == host)
        and (not tag or tag in row.tags)
        and (not words or all(
            word in " ".join(
                (row.name, row.hostname or "", *row.tags)).casefold()
            for word in words))]


def sorted_rows(rows: Iterable[Row], column: str) -> list[Row]:
    """The rows in order of a column; rows that are equal in it stay in order.

    :param column: a key of `COLUMNS`; with a hyphen before it, in the other
        order.
    """
    return sorted(
        rows, key=COLUMNS[column.removeprefix("-")],
        reverse=column.startswith("-"))


def counted(rows: Sequence[Row]) -> dict[str, int]:
    """The number of rows in each state, the worst state first."""
    counts = Counter(row.state for row in rows)
    return {state: counts[state] for state in reversed(STATES)}
