"""Finds the slots that are due at a time, and the runs that meet them."""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.pauses import gaps
from canonical.launchpad.monitor.pauses import is_due
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.pauses import pauses_between
from canonical.launchpad.monitor.pauses import unpaused
from canonical.launchpad.monitor.schedule import CACHED
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.schedule import slots_between
from canonical.launchpad.monitor.schedule import slots_of_period


__all__ = [
    "EARLIER_RUNS",
    "Case",
    "Slots",
    "earlier_runs",
    "inquiry",
    "interval_runs",
    "interval_span",
    "intervals_due",
    "matched",
    "reach",
    "runs_counted",
    "slot_numbers",
    "slots_at",
    "slots_of_stretch",
]


# A learned runtime is compared with at most this many earlier runs.
EARLIER_RUNS = 200


@dataclass(frozen=True)
class Case:
    """A rule on one of its hosts.

    :ivar hostname: the host; `None` if any host will do.
    :ivar pauses: the times when nothing is expected; see `merged`.
    :ivar skew: how far the clock of a host may be behind.
    :ivar after: the script that this one is after, on each of its hosts that
        matter; see `IScriptExpectation`.
    :ivar since: from when on runs are due, if it is new; see
        `canonical.launchpad.monitor.firstseen`.
    """

    expectation: IScriptExpectation
    hostname: str | None = None
    pauses: tuple[Pause, ...] = ()
    skew: datetime.timedelta = datetime.timedelta(minutes=1)
    after: tuple[Case, ...] = ()
    since: datetime.datetime | None = None

    @functools.cached_property
    def lead(self) -> datetime.timedelta:
        """How long before its slot a run may start and meet it."""
        early: datetime.timedelta = self.expectation.early
        return max(self.skew, early)

    @functools.cached_property
    def forgiving(self) -> tuple[Pause, ...]:
        """The pauses that forgive missed slots from before them."""
        return tuple(pause for pause in self.pauses if pause.forgives)


@dataclass(frozen=True)
class Slots:
    """The slots that are due in a window.

    :ivar starts: for each slot, the earliest start of a run that meets it:
        the slot minus the lead of the case.
    :ivar until: the end of the last slot.
    :ivar skipped: the numbers of slots that do not count; the first slot has
        the number 1.
    :ivar due: the number of slots that count.
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
        expectation.grace, case.pauses, case.lead, at)


def inquiry(case: Case, at: datetime.datetime) -> Inquiry:
    """The figures that an assessment needs."""
    expectation = case.expectation
    slots = slots_at(case, at)
    return Inquiry(
        expectation.name, case.hostname, slots.starts, slots.until,
        runs_counted(expectation), slots.skipped)


def slots_of_stretch(
    case: Case,
    latest: datetime.datetime | None,
    begin: datetime.datetime,
    until: datetime.datetime,
) -> list[datetime.datetime]:
    """The slots that checks during a period look at, and the next slot.

    :param latest: the latest slot that is due at the beginning.
    """
    expectation = case.expectation
    schedule = expectation.schedule, expectation.timezone
    first = begin - expectation.grace - expectation.window
    end = until - expectation.grace
    # A pause may delay when a slot is due by more than the window.
    slots = [
        slot for since, before in gaps(case.pauses, latest or first, first)
        for slot in slots_between(*schedule, since, before)]
    slots += slots_of_period(*schedule, first, end + INSTANT)
    slots.append(next_slot(*schedule, end))
    return slots


def slot_numbers(
    slots: Sequence[Any], starts: Iterable[Any], lead: Any
) -> list[int]:
    """For each start, the number of its slot: 1 for the first, 0 for none.

    :param slots: in order; with datetimes, the lead is a timedelta, and with
        seconds it is in seconds.
    """
    return [bisect.bisect_right(slots, start + lead) for start in starts]


def matched(
    slots: Sequence[datetime.datetime],
    runs: Iterable[Run],
    lead: datetime.timedelta,
) -> Iterator[tuple[datetime.datetime, list[datetime.datetime]]]:
    """Each slot, with the completions of the runs that belong to it.

    A run belongs to the last slot that is not later than its start plus the
    lead.  (An `Inquiry` makes the database match in the same way.)  The run
    that completes first meets the slot.  The others are extra.

    :param slots: in order.
    :param runs: in any order.
    :param lead: of the case.
    :return: the slots in order, each with its completions in order.
    """
    completed: dict[int, list[datetime.datetime]] = {}
    runs = list(runs)
    numbers = slot_numbers(slots, (run.date_started for run in runs), lead)
    for number, run in zip(numbers, runs, strict=True):
        completed.setdefault(number, []).append(run.date_completed)
    for number, slot in enumerate(slots, 1):
        yield slot, sorted(completed.get(number, ()))


def runs_counted(expectation: IScriptExpectation) -> int:
    """The number of last runs that an assessment needs."""
    return expectation.runs + earlier_runs(expectation)


def earlier_runs(expectation: IScriptExpectation) -> int:
    """The number of these runs that serve only to learn the usual runtime."""
    return EARLIER_RUNS if expectation.learned else 0


def interval_span(expectation: IScriptExpectation) -> datetime.timedelta:
    """The duration of all whole intervals in the window; at least one."""
    intervals = max(expectation.window // expectation.every, 1)
    return intervals * expectation.every  # type: ignore[no-any-return]


def reach(case: Case) -> datetime.timedelta:
    """How long before a check a run in its window may have started."""
    expectation = case.expectation
    window = expectation.window if expectation.schedule else (
        interval_span(expectation))
    reach: datetime.timedelta = expectation.grace + window + case.lead
    return reach


def interval_runs(
    case: Case, runs: Iterable[Run]
) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """For each run of a rule with `every`, the period in which it counts.

    :return: the begin and end of each.
    """
    stays = interval_span(case.expectation) + case.expectation.grace + INSTANT
    for _, started, completed in runs:
        # A run that takes no time counts from the next moment on.
        counts, gone = max(completed, started + INSTANT), started + stays
        if counts < gone and pause_at(case.pauses, started) is None:
            yield counts, gone


def intervals_due(
    case: Case, begin: datetime.datetime, until: datetime.datetime
) -> Iterator[tuple[datetime.datetime, int]]:
    """The number of intervals that become due at each moment of a period.

    The number is negative when a pause enters the window and removes
    intervals.  Intervals that are already due at the beginning become due
    then.
    """
    every, grace = case.expectation.every, case.expectation.grace
    span = interval_span(case.expectation)
    first, last = begin - grace, until - grace
    edges = {first, last} | {
        moment for pause in case.pauses
        for edge in (pause.date_started, pause.date_ended) if edge < last
        for moment in (edge, edge + span) if first < moment < last}
    ends = {first}
    for start, stop in itertools.pairwise(sorted(edges)):
        # Between two edges, the unpaused time grows or shrinks steadily.
        time, then = (
            unpaused(case.pauses, end - span, end) for end in (start, stop))
        for number in range(
            -(-min(time, then) // every), max(time, then) // every + 1
        ):
            end = start + abs(number * every - time)
            ends |= {end, end + INSTANT}
    due = 0
    for end in sorted(ends):
        number = unpaused(case.pauses, end - span, end) // every
        yield end + grace, number - due
        due = number


@functools.lru_cache(CACHED)
def _scheduled(
    schedule: str,
    timezone: str,
    window: datetime.timedelta,
    grace: datetime.timedelta,
    pauses: tuple[Pause, ...],
    lead: datetime.timedelta,
    at: datetime.datetime,
) -> Slots:
    until = at - grace
    slots = slots_between(
        schedule, timezone, until - window + INSTANT, until + INSTANT)
    skipped = tuple(
        number for number, slot in enumerate(slots, 1)
        if not is_due(pauses, slot, grace, at)) if pauses else ()
    return Slots(
        tuple(slot - lead for slot in slots),
        next_slot(schedule, timezone, until) - lead,
        skipped, len(slots) - len(skipped))


@functools.lru_cache(CACHED)
def _intervals(
    every: datetime.timedelta,
    span: datetime.timedelta,
    grace: datetime.timedelta,
    pauses: tuple[Pause, ...],
    at: datetime.datetime,
) -> Slots:
    """The slots of a rule with `every`.

    Intervals have no fixed starts, so pauses are cut out of the window.
    """
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
