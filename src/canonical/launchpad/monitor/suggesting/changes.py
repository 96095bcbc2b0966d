"""Was the schedule of a script changed within its history?

What came after the last change is what there is to learn from.  As with the
minutes, that answer is best with which all is told in the fewest bits: one
schedule with many exceptions, or two with few.
"""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.monitor.suggesting.guessing import Guess
from canonical.launchpad.monitor.suggesting.guessing import slots_of
from canonical.launchpad.monitor.suggesting.hosts import guess_on_hosts
from canonical.launchpad.monitor.suggesting.intervals import Interval
from canonical.launchpad.monitor.suggesting.intervals import guess_interval
from canonical.launchpad.monitor.suggesting.intervals import spread_of
from canonical.launchpad.monitor.suggesting.matching import Times
from canonical.launchpad.monitor.suggesting.matching import latest_normal
from canonical.launchpad.monitor.suggesting.matching import longest_normal
from canonical.launchpad.monitor.suggesting.matching import match
from canonical.launchpad.monitor.suggesting.phases import EXTRA
from canonical.launchpad.monitor.suggesting.plausible import FEWEST_RUNS
from canonical.launchpad.monitor.suggesting.plausible import why_not


__all__ = [
    "Changed",
    "changed_interval",
    "changed_schedule",
]


# The schedule that holds now is looked for in the last parts of the time.
PARTS = (0.5, 0.25, 0.125)

# An exception to it weighs as much as so many runs that are as they should
# be, where it is asked since when it holds.  Where exceptions are rare, it may
# be since one of the last of them.
WEIGHTS = (2, 8)
LAST = 3

# How many steps tell what is usual before a change and after it.
NEAR = 20

# What it takes to tell when it was changed, and the least that it takes to
# tell another schedule; in bits.
CHANGE = 10.0
OTHER_SCHEDULE = 3.0

# What starts so late is told in more bits than this, for each run; then it is
# worth a look whether the slots are elsewhere.
LATE = 1.5


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
    if not _is_doubtful(whole):
        return None
    tried = set()
    best = None
    cost = whole.cost
    for recent in _recent(runs):
        guess = guess_on_hosts(recent)
        if why_not(guess, recent):
            continue
        signs = _schedule_signs(guess, runs)
        for first in {*_firsts(signs, runs), *_last_exceptions(signs, runs)}:
            if first in tried or len(runs) - first < FEWEST_RUNS:
                continue
            tried.add(first)
            after = guess_on_hosts(runs[first:])
            if after.cost + CHANGE >= cost or why_not(after, runs[first:]):
                continue
            before = guess_on_hosts(runs[:first])
            together = before.cost + CHANGE + after.cost
            if together >= cost or _are_alike(before, after):
                continue
            is_known = not why_not(before, runs[:first])
            if is_known or _jumps(runs, first):
                cost = together
                best = Changed(first, before if is_known else None, after)
    return _changed_of_late(runs, cost) or best


def _changed_of_late(runs: Sequence[Times], cost: float) -> Changed | None:
    """A change with fewer runs since then than there have to be.

    :param cost: with what else it was.
    """
    first = _first_misfit(runs)
    if first == len(runs):
        return None
    before, after = guess_on_hosts(runs[:first]), guess_on_hosts(runs[first:])
    told = min(after.cost, EXTRA * (len(runs) - first))
    if before.cost + CHANGE + told >= cost or why_not(before, runs[:first]):
        return None
    return Changed(first, before, None)


def changed_interval(runs: Sequence[Times]) -> int | None:
    """The number of the first run after the time between them was changed.

    :param runs: in order of their starts, without a steady interval in all.
    """
    for recent in _recent(runs):
        interval = guess_interval(recent)
        if interval is None:
            continue
        for first in _firsts(_interval_signs(interval, runs), runs):
            after = runs[first:]
            if len(after) >= len(recent) and guess_interval(after) is not None:
                return first
    return None


def _is_doubtful(guess: Guess) -> bool:
    """Could all be told in less, if there was a change?"""
    late = sum(max(each, 0.0) for each in guess.matched.lateness)
    return guess.exceptions > CHANGE + OTHER_SCHEDULE or (
        late > 60 * (2 ** LATE - 1) * len(guess.matched.lateness))


def _recent(runs: Sequence[Times]) -> Iterator[Sequence[Times]]:
    span = runs[-1].started - runs[0].started
    for part in PARTS:
        since = runs[-1].started - part * span
        recent = runs[bisect.bisect_left(
            runs, since, key=lambda run: run.started):]
        if len(recent) >= FEWEST_RUNS:
            yield recent


def _are_alike(one: Guess, other: Guess) -> bool:
    return (one.schedule, one.timezone) == (other.schedule, other.timezone)


def _jumps(runs: Sequence[Times], first: int) -> bool:
    """Is the step to a run unlike those before it, and those after?

    What drifts slowly seems to keep a schedule for a while, and then another.
    """
    steps = [
        after.started - run.started
        for run, after in zip(runs, runs[1:], strict=False)]
    step = steps[first - 1]
    usual = (
        statistics.median(steps[max(first - 1 - NEAR, 0):first - 1] or [step]),
        statistics.median(steps[first:first + NEAR]))
    return min(abs(step - each) for each in usual) > (
        60 + 4 * spread_of(steps))


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
        runs, max(fitting), key=lambda run: run.started)


def _schedule_signs(
    guess: Guess, runs: Sequence[Times]
) -> list[tuple[float, bool]]:
    slots = slots_of(
        guess.schedule, guess.timezone, runs[0].started, runs[-1].started)
    matched = match(
        slots, runs, longest_normal(runs),
        latest_normal(guess.matched.lateness))
    return sorted([
        *((run.started, True) for run in matched.runs if run),
        *((matched.slots[stretch[-1]], False)
          for stretch in matched.stretches()),
        *((run.started, False) for run in matched.extra),
    ])


def _interval_signs(
    interval: Interval, runs: Sequence[Times]
) -> list[tuple[float, bool]]:
    by_completion = sorted(runs, key=lambda run: run.completed)
    return sorted(
        (after.started, 0.5 * interval.usual
         <= after.completed - run.completed <= interval.longest)
        for run, after in zip(by_completion, by_completion[1:], strict=False))
