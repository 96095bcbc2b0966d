"""Which slots are due at a time, and which runs meet them."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass

from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.pauses import is_due
from canonical.launchpad.monitor.pauses import pauses_between
from canonical.launchpad.monitor.pauses import unpaused
from canonical.launchpad.monitor.schedule import CACHED
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "EARLIER_RUNS",
    "Case",
    "Slots",
    "earlier_runs",
    "inquiry",
    "interval_span",
    "runs_counted",
    "slots_at",
]


# A learned runtime is compared with at most this many earlier runs.
EARLIER_RUNS = 200


@dataclass(frozen=True)
class Case:
    """A rule on one of its hosts.

    :ivar hostname: `None` if any host will do.
    :ivar pauses: when nothing is expected; see `merged`.
    :ivar skew: how much the clock of a host may be behind.
    """

    expectation: IScriptExpectation
    hostname: str | None = None
    pauses: tuple[Pause, ...] = ()
    skew: datetime.timedelta = datetime.timedelta(minutes=1)

    @functools.cached_property
    def forgiving(self) -> tuple[Pause, ...]:
        """The pauses that forgive what was due before them."""
        return tuple(pause for pause in self.pauses if pause.forgives)


@dataclass(frozen=True)
class Slots:
    """The slots that are due in a window.

    :ivar starts: from when on each may be met, which is earlier by the skew.
    :ivar until: when the last ends.
    :ivar skipped: the numbers, from 1, of slots that do not count.
    :ivar due: how many count.
    """

    starts: tuple[datetime.datetime, ...]
    until: datetime.datetime
    skipped: tuple[int, ...]
    due: int


def slots_at(case: Case, at: datetime.datetime) -> Slots:
    """The slots that are due at a time: their grace has passed."""
    expectation = case.expectation
    if expectation.schedule is None:
        return _intervals(
            expectation.every, interval_span(expectation), expectation.grace,
            case.pauses, at)
    return _scheduled(
        expectation.schedule, expectation.timezone, expectation.window,
        expectation.grace, case.pauses, case.skew, at)


def inquiry(case: Case, at: datetime.datetime) -> Inquiry:
    """The figures that an assessment needs."""
    expectation = case.expectation
    slots = slots_at(case, at)
    return Inquiry(
        expectation.name, case.hostname, slots.starts, slots.until,
        runs_counted(expectation), slots.skipped)


def runs_counted(expectation: IScriptExpectation) -> int:
    """How many of the last runs an assessment looks at."""
    return expectation.runs + earlier_runs(expectation)


def earlier_runs(expectation: IScriptExpectation) -> int:
    """How many of these are learned from, and not judged."""
    return EARLIER_RUNS if expectation.learned else 0


def interval_span(expectation: IScriptExpectation) -> datetime.timedelta:
    """The time of all whole intervals in the window; at least one."""
    intervals = max(expectation.window // expectation.every, 1)
    return intervals * expectation.every  # type: ignore[no-any-return]


@functools.lru_cache(CACHED)
def _scheduled(
    schedule: str,
    timezone: str,
    window: datetime.timedelta,
    grace: datetime.timedelta,
    pauses: tuple[Pause, ...],
    skew: datetime.timedelta,
    at: datetime.datetime,
) -> Slots:
    until = at - grace
    slots = slots_between(
        schedule, timezone, until - window + INSTANT, until + INSTANT)
    skipped = tuple(
        number for number, slot in enumerate(slots, 1)
        if not is_due(pauses, slot, grace, at)) if pauses else ()
    return Slots(
        tuple(slot - skew for slot in slots),
        next_slot(schedule, timezone, until) - skew,
        skipped, len(slots) - len(skipped))


@functools.lru_cache(CACHED)
def _intervals(
    every: datetime.timedelta,
    span: datetime.timedelta,
    grace: datetime.timedelta,
    pauses: tuple[Pause, ...],
    at: datetime.datetime,
) -> Slots:
    """Intervals have no fixed places, so pauses are cut out of the time."""
    end = at - grace
    starts = [end - span]
    skipped = []
    for pause in pauses_between(pauses, starts[0], at):
        starts.append(max(pause.date_started, starts[0]))
        skipped.append(len(starts))
        starts.append(min(pause.date_ended, at))
    return Slots(
        tuple(starts), at, tuple(skipped),
        unpaused(pauses, end - span, end) // every)
