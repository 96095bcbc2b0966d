"""When answers change: does it run as often as it should?

What is counted are not the runs in a window, time and again, but what adds to
a number or takes from it, and when.
"""

from __future__ import annotations

import bisect
import datetime
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import pairwise

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import interval_span
from canonical.launchpad.monitor.moments import MOMENT
from canonical.launchpad.monitor.moments import Change
from canonical.launchpad.monitor.pauses import patience_ends
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.pauses import unpaused
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.states import intervals_met
from canonical.launchpad.monitor.states import often_state


__all__ = [
    "often_changes",
]


# From a moment on two numbers are greater by so much.
Delta = tuple[datetime.datetime, int, int]


def often_changes(
    case: Case,
    runs: Sequence[Run],
    slots: Sequence[datetime.datetime],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[Change]:
    """Whether it runs as often as it should.

    :param runs: in order of their start.
    :param slots: of its schedule, from the first that counts at the
        beginning.
    """
    expectation = case.expectation
    scheduled = expectation.schedule is not None
    # Of slots what is missed and extra; of intervals what ran and is due.
    deltas = _missed_and_extra(case, runs, slots) if scheduled else [
        *_runs_of_intervals(case, runs), *_due(case, begin, until)]
    deltas.append((begin, 0, 0))
    deltas.sort(key=MOMENT)
    missed = extra = count = due = 0
    told = None
    for at, first, second in deltas:
        if at > until:
            break
        if scheduled:
            missed += first
            extra += second
        else:
            count += first
            due += second
            met = intervals_met(due, count)
            missed, extra = due - met, count - met
        state = often_state(expectation, missed, extra)
        if state != told:
            yield Change(max(at, begin), state)
            told = state


def _missed_and_extra(
    case: Case, runs: Sequence[Run], slots: Sequence[datetime.datetime]
) -> list[Delta]:
    """How many slots are missed, and how many runs are beside them.

    What is met in time, once, is neither.
    """
    if not slots:
        return []
    expectation = case.expectation
    window, grace = expectation.window, expectation.grace
    last = next_slot(expectation.schedule, expectation.timezone, slots[-1])
    count = len(runs)
    position = bisect.bisect_left(
        runs, slots[0] - case.skew, key=operator.attrgetter("date_started"))
    deltas: list[Delta] = []
    for slot, following in pairwise([*slots, last]):
        end = following - case.skew
        completed = []
        while position < count and runs[position].date_started < end:
            completed.append(runs[position].date_completed)
            position += 1
        gone = slot + grace + window
        if len(completed) == 1 and completed[0] <= slot + grace:
            continue
        if pause_at(case.pauses, slot) is not None:
            continue
        due = min(patience_ends(case.pauses, slot, grace), gone)
        completed.sort()
        met = min([gone, *completed[:1]])
        if met > due:
            deltas += [(due, 1, 0), (met, -1, 0)]
        for at in completed[1:]:
            if at < gone:
                deltas += [(max(at, due), 0, 1), (gone, 0, -1)]
    return deltas


def _runs_of_intervals(case: Case, runs: Iterable[Run]) -> Iterator[Delta]:
    """How many runs are within the window, and in no pause."""
    stays = interval_span(case.expectation) + case.expectation.grace + INSTANT
    for _, started, completed in runs:
        # One that starts at a moment does not count before the next.
        since = max(completed, started + INSTANT)
        if since < started + stays and pause_at(case.pauses, started) is None:
            yield since, 1, 0
            yield started + stays, -1, 0


def _due(
    case: Case, begin: datetime.datetime, until: datetime.datetime
) -> Iterator[Delta]:
    """How many intervals are due, as pauses enter and leave the window."""
    every, grace = case.expectation.every, case.expectation.grace
    span = interval_span(case.expectation)
    first, last = begin - grace, until - grace
    edges = {first, last + INSTANT}
    for pause in case.pauses:
        for edge in pause.date_started, pause.date_ended:
            if edge <= last:
                edges.update(
                    each for each in (edge, edge + span)
                    if first < each <= last)
    due = 0
    # Between edges there is steadily more of it, or less, or it is the same.
    for since, following in pairwise(sorted(edges)):
        time, then = (
            unpaused(case.pauses, end - span, end)
            for end in (since, following))
        ends = [since]
        if then > time:
            ends += _steps(since + every - time % every, following, every)
        elif then < time:
            ends += _steps(since + time % every + INSTANT, following, every)
        for end in ends:
            number = unpaused(case.pauses, end - span, end) // every
            yield end + grace, 0, number - due
            due = number


def _steps(
    first: datetime.datetime,
    end: datetime.datetime,
    step: datetime.timedelta,
) -> Iterator[datetime.datetime]:
    while first < end:
        yield first
        first += step
