"""Was the schedule of a script changed within its history?

What came after the last change is what there is to learn from.  As with the
minutes, that answer is best with which all is told in the fewest bits: one
schedule with many exceptions, or two with few.
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.guessing import guess_of
from canonical.launchpad.monitor.inference.guessing import naming
from canonical.launchpad.monitor.inference.hosts import guess_on_hosts
from canonical.launchpad.monitor.inference.intervals import Interval
from canonical.launchpad.monitor.inference.intervals import guess_interval
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.monitor.inference.matching import latest_normal
from canonical.launchpad.monitor.inference.matching import longest_normal
from canonical.launchpad.monitor.inference.matching import match
from canonical.launchpad.monitor.inference.phases import EARLY
from canonical.launchpad.monitor.inference.phases import EXTRA
from canonical.launchpad.monitor.inference.phases import MISSED
from canonical.launchpad.monitor.inference.plausible import FEWEST_RUNS
from canonical.launchpad.monitor.inference.plausible import why_not
from canonical.launchpad.monitor.inference.slots import slots_of


__all__ = [
    "Changed",
    "changed_interval",
    "changed_schedule",
    "is_doubtful",
]


# The schedule that holds now is looked for in the last parts of the time.
PARTS = (0.5, 0.25, 0.125, 0.0625)

# An exception to it weighs as much as so many runs that are as they should
# be, where it is asked since when it holds.  Where exceptions are rare, it may
# be since one of the last of them.
WEIGHTS = (2, 8)
LAST = 3

# An interval is another if it is so many times as long, or as short.
OTHER_INTERVAL = 1.5

# So many runs before a change tell whether it was a drift, which differs from
# the slots by less than this part of the time between them.
NEAR = 5
SLOW = 0.1

# What it takes to tell that it was changed, besides when, and the least that
# it takes to tell another schedule; in bits.
CHANGE = 8.0
OTHER_SCHEDULE = 3.0

# Where there was no order before, it takes no more for each run since then, or
# that is by chance.
SURE = 5.0

# What starts so late is told in more bits than this, for each run; then it is
# worth a look whether the slots are elsewhere.
LATE = 1.0


@dataclass(frozen=True)
class Changed:
    """The last change of a schedule.

    :ivar first: the number of the first run after it.
    :ivar before: what held before, if that can be told.
    :ivar after: what holds since then, if there are runs enough to tell.
    """

    first: int
    before: Guess | None
    after: Guess | None


def changed_schedule(
    runs: Sequence[Times], whole: Guess
) -> Changed | None:
    """The last change, if there was one.

    :param runs: in order of their starts.
    :param whole: what fits all of them best.
    """
    if not is_doubtful(whole):
        return None
    change = CHANGE + math.log2(len(runs))
    best = None
    cost = whole.cost
    misfit = _first_misfit(runs)
    for first in _candidates(runs, misfit):
        after = guess_on_hosts(runs[first:])
        if after.cost + change >= cost or why_not(after, runs[first:]):
            continue
        before = guess_on_hosts(runs[:first])
        together = before.cost + _gap_cost(before, runs, first) + (
            change + after.cost)
        if (together >= cost
                or _misfit(before, runs[first:]) < after.cost + change
                or _drifts(runs, first, after)):
            continue
        told = None if why_not(before, runs[:first]) else before
        if told or after.cost <= SURE * (len(runs) - first):
            cost = together
            best = Changed(first, told, after)
    return _of_late(runs, misfit, cost - change) or best


def _candidates(runs: Sequence[Times], misfit: int) -> Iterator[int]:
    """The runs since which another schedule may hold.

    :param misfit: see `_first_misfit`.
    """
    firsts = {misfit}
    for recent in _recent(runs):
        guess = guess_on_hosts(recent)
        if not why_not(guess, recent):
            signs = _schedule_signs(guess, runs)
            firsts |= _firsts(signs, runs) | _last_exceptions(signs, runs)
    for first in sorted(firsts):
        if 0 < first <= len(runs) - FEWEST_RUNS:
            yield first


def _gap_cost(before: Guess, runs: Sequence[Times], first: int) -> float:
    """What it takes to tell that nothing ran before a change, in bits."""
    last, start = runs[first - 1].started, runs[first].started
    missed = [
        slot for slot in slots_of(
            before.schedule, before.timezone, last, start)
        if last < slot <= start - EARLY]
    return MISSED + math.log2(len(missed)) if missed else 0.0


def _of_late(
    runs: Sequence[Times], first: int, cost: float
) -> Changed | None:
    """A change with fewer runs since then than there have to be.

    :param cost: with what else it was, but for that of a change.
    """
    if not len(runs) - FEWEST_RUNS < first < len(runs):
        return None
    before, after = guess_on_hosts(runs[:first]), guess_on_hosts(runs[first:])
    told = min(after.cost, EXTRA * (len(runs) - first))
    if before.cost + _gap_cost(before, runs, first) + told >= cost or why_not(
            before, runs[:first]):
        return None
    return Changed(first, before, None)


def changed_interval(runs: Sequence[Times]) -> int | None:
    """The number of the first run after the time between them was changed.

    :param runs: in order of their starts.
    """
    whole = guess_interval(runs)
    for recent in _recent(runs):
        interval = guess_interval(recent)
        if interval is None or whole is not None and (
                1 / OTHER_INTERVAL < interval.usual / whole.usual
                < OTHER_INTERVAL):
            continue
        for first in sorted(_firsts(_interval_signs(interval, runs), runs)):
            after = runs[first:]
            if len(after) >= len(recent) and guess_interval(after) is not None:
                return first
    return None


def is_doubtful(guess: Guess) -> bool:
    """Could all be told in less, as by two schedules?"""
    late = sum(max(each, 0.0) for each in guess.matched.lateness)
    return guess.exceptions + naming(guess.zone) > CHANGE + OTHER_SCHEDULE or (
        late > 60 * (2 ** LATE - 1) * len(guess.matched.lateness))


def _recent(runs: Sequence[Times]) -> Iterator[Sequence[Times]]:
    span = runs[-1].started - runs[0].started
    for part in PARTS:
        since = runs[-1].started - part * span
        recent = runs[bisect.bisect_left(
            runs, since, key=lambda run: run.started):]
        if len(recent) >= FEWEST_RUNS:
            yield recent


def _misfit(before: Guess, runs: Sequence[Times]) -> float:
    """What it takes to tell runs with what was known before, in bits."""
    same = guess_of(before.schedule, before.zone, runs)
    return same.cost - same.told


def _drifts(runs: Sequence[Times], first: int, after: Guess) -> bool:
    """Did starts near a slot come to it step by step?

    What drifts slowly seems to keep a schedule for a while, and then another.
    Of the host of the first run.
    """
    starts = [
        run.started for run in runs[:first]
        if run.hostname == runs[first].hostname][-NEAR:]
    slots = after.matched.slots
    if len(starts) < 3 or len(slots) < 2:
        return False
    step, spacing = map(statistics.median, map(_steps, (starts, slots)))
    if abs(step - spacing) > SLOW * spacing:
        return False
    before = slots_of(
        after.schedule, after.timezone, starts[0], slots[0] + EARLY)
    return statistics.median(
        before[bisect.bisect(before, start)] - start for start in starts
        if start < before[-1]) < 60 + NEAR * abs(step - spacing)


def _steps(times: Sequence[float]) -> list[float]:
    return [
        after - time for time, after in zip(times, times[1:], strict=False)]


def _firsts(
    signs: Sequence[tuple[float, bool]], runs: Sequence[Times]
) -> set[int]:
    """The runs that a rule may hold since, for each of the weights.

    :param signs: moments, in order, that speak for it or against it.
    """
    firsts = set()
    for weight in WEIGHTS:
        sums = best = 0
        since = runs[-1].started
        for moment, good in reversed(signs):
            sums += 1 if good else -weight
            if sums > best:
                best, since = sums, moment
        firsts.add(bisect.bisect_left(
            runs, since, key=lambda run: run.started))
    return firsts - {0, len(runs)}


def _last_exceptions(
    signs: Sequence[tuple[float, bool]], runs: Sequence[Times]
) -> set[int]:
    """The runs after the last moments that speak against a rule."""
    moments = [moment for moment, good in signs if not good][-LAST:]
    return {
        bisect.bisect(runs, moment, key=lambda run: run.started)
        for moment in moments} - {0, len(runs)}


def _first_misfit(runs: Sequence[Times]) -> int:
    """The first of those runs at the end, a few, that are not as before."""
    before = guess_on_hosts(runs[:1 - FEWEST_RUNS])
    fitting = [
        moment for moment, good in _schedule_signs(before, runs) if good]
    return bisect.bisect(
        runs, max(fitting, default=-math.inf), key=lambda run: run.started)


def _schedule_signs(
    guess: Guess, runs: Sequence[Times]
) -> list[tuple[float, bool]]:
    slots = slots_of(
        guess.schedule, guess.timezone, runs[0].started, runs[-1].started)
    matched = match(
        slots, runs, longest_normal(runs),
        latest_normal(guess.matched.lateness))
    against = {*matched.again, *matched.extra}
    return sorted([
        *((run.started, run not in against) for run in runs),
        *((matched.slots[stretch[-1]], False)
          for stretch in matched.stretches()),
    ])


def _interval_signs(
    interval: Interval, runs: Sequence[Times]
) -> list[tuple[float, bool]]:
    by_completion = sorted(runs, key=lambda run: run.completed)
    return sorted(
        (after.started, 0.5 * interval.usual
         <= after.completed - run.completed <= interval.longest)
        for run, after in zip(by_completion, by_completion[1:], strict=False))
