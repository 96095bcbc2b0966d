"""A case to be assessed, and the slots at which it counts."""

from __future__ import annotations

import bisect
import datetime
import functools
from collections.abc import Iterable
from dataclasses import dataclass

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.schedule import CACHED
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "EARLIER_RUNS",
    "INSTANT",
    "Case",
    "Slots",
    "earlier_runs",
    "inquiry",
    "interval_span",
    "is_due",
    "merged",
    "patience_ends",
    "pause_at",
    "runs_counted",
    "slots_at",
    "unpaused",
]


# A learned runtime is compared with at most this many earlier runs.
EARLIER_RUNS = 200

# The least difference of two times.
INSTANT = datetime.timedelta(microseconds=1)


class Pauses(tuple[Pause, ...]):
    """Many, perhaps, and of all scripts, that are hashed only once."""

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return super().__hash__()


@dataclass(frozen=True)
class Case:
    """A script as it is expected on a host.

    :ivar hostname: `None` if any host will do.
    :ivar pauses: when nothing is expected; see `merged`.
    :ivar skew: by how much the clock of a host may be behind.
    """

    expectation: IScriptExpectation
    hostname: str | None = None
    pauses: tuple[Pause, ...] = ()
    skew: datetime.timedelta = datetime.timedelta(minutes=1)

    @functools.cached_property
    def forgiving(self) -> tuple[Pause, ...]:
        """Those of the pauses that forgive what was due before them."""
        return tuple(pause for pause in self.pauses if pause.forgives)


@dataclass(frozen=True)
class Slots:
    """The slots that are due in a window, early as they may be met.

    :ivar starts: of each.
    :ivar until: the end of the last.
    :ivar skipped: the numbers of those that do not count, from 1 on.
    :ivar due: how many do.
    """

    starts: tuple[datetime.datetime, ...]
    until: datetime.datetime
    skipped: tuple[int, ...]
    due: int


def merged(pauses: Iterable[Pause]) -> Pauses:
    """The same time in pauses that are in order and do not overlap.

    Where some overlap it is for the reason of the one that ends last.
    """
    apart: list[Pause] = []
    for pause in sorted(pauses, key=_start):
        if apart and pause.date_started <= apart[-1].date_ended:
            first = apart.pop()
            last = max(first, pause, key=lambda each: each.date_ended)
            pause = Pause(
                first.date_started, last.date_ended, last.reason,
                first.forgives or pause.forgives)
        apart.append(pause)
    return Pauses(apart)


def pause_at(
    pauses: tuple[Pause, ...], at: datetime.datetime
) -> Pause | None:
    """The one of `pauses` that is on, if there is one."""
    number = bisect.bisect_right(pauses, at, key=_start)
    if number and pauses[number - 1].date_ended > at:
        return pauses[number - 1]
    return None


def patience_ends(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    patience: datetime.timedelta,
) -> datetime.datetime:
    """When so much time has passed since then that is in no pause."""
    if since == FOREVER:
        return FOREVER
    end = since + patience
    number = bisect.bisect_right(pauses, since, key=_end)
    while number < len(pauses) and pauses[number].date_started < end:
        pause = pauses[number]
        if pause.date_ended == FOREVER:
            return FOREVER
        end += pause.date_ended - max(pause.date_started, since)
        number += 1
    return end


def is_due(
    pauses: tuple[Pause, ...],
    slot: datetime.datetime,
    grace: datetime.timedelta,
    at: datetime.datetime,
) -> bool:
    """Does a slot count, and has its grace passed?"""
    return pause_at(pauses, slot) is None and (
        patience_ends(pauses, slot, grace) <= at)


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
    """What has to be known for an assessment."""
    expectation = case.expectation
    slots = slots_at(case, at)
    return Inquiry(
        expectation.name, case.hostname, slots.starts, slots.until,
        runs_counted(expectation), slots.skipped)


def runs_counted(expectation: IScriptExpectation) -> int:
    """Over how many of the last runs there is something to be known."""
    return expectation.runs + earlier_runs(expectation)


def earlier_runs(expectation: IScriptExpectation) -> int:
    """How many of them are not judged, but learned from."""
    return EARLIER_RUNS if expectation.learned else 0


def interval_span(expectation: IScriptExpectation) -> datetime.timedelta:
    """As many whole intervals as the window has; one at least."""
    intervals = max(expectation.window // expectation.every, 1)
    return intervals * expectation.every  # type: ignore[no-any-return]


def unpaused(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
) -> datetime.timedelta:
    """How much of a time is in no pause."""
    return until - since - sum((
        min(pause.date_ended, until) - max(pause.date_started, since)
        for pause in _pauses_between(pauses, since, until)
    ), datetime.timedelta())


def _start(pause: Pause) -> datetime.datetime:
    return pause.date_started


def _end(pause: Pause) -> datetime.datetime:
    return pause.date_ended


def _pauses_between(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
) -> tuple[Pause, ...]:
    """Those that a time has something of."""
    return pauses[
        bisect.bisect_right(pauses, since, key=_end):
        bisect.bisect_left(pauses, until, key=_start)]


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
    """Intervals have no places of their own: what is paused is cut out."""
    end = at - grace
    starts = [end - span]
    skipped = []
    for pause in _pauses_between(pauses, starts[0], at):
        starts.append(max(pause.date_started, starts[0]))
        skipped.append(len(starts))
        starts.append(min(pause.date_ended, at))
    return Slots(
        tuple(starts), at, tuple(skipped),
        unpaused(pauses, end - span, end) // every)
