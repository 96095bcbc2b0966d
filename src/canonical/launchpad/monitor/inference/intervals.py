"""How regularly a script completes that goes by no clock on the wall."""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.monitor.inference.allowances import WINDOW
from canonical.launchpad.monitor.inference.allowances import rounded_up
from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.monitor.inference.matching import longest_normal
from canonical.launchpad.monitor.inference.matching import quantile


__all__ = [
    "Interval",
    "guess_interval",
    "is_steadier",
    "runs_missed",
    "spread_of",
]


# Completions are steady if most of the times between them differ by no more
# than this part of the usual one.
MOST = 0.85
STEADY = 0.5

# What is longer than so many of the usual ones is a gap; so many of them may
# be gaps, and so much of the time.
LONG = 2.5
GAPS = 0.05
AWAY = 0.5

# Durations between completions go up in such steps; seconds.
STEPS = ((60, 5), (600, 30), (3600, 60), (21600, 300), (86400, 1800),
         (604800, 7200))


@dataclass(frozen=True)
class Interval:
    """The times between completions, in seconds.

    :ivar usual: their median.
    :ivar most: what most of them do not exceed, rounded up.
    :ivar longest: the longest that is not a gap.
    :ivar gaps: when a gap began and when it ended, since 1970.
    """

    usual: float
    most: float
    longest: float
    gaps: tuple[tuple[float, float], ...]


def guess_interval(runs: Sequence[Times]) -> Interval | None:
    """The time between completions, if it is steady."""
    by_completion = sorted(runs, key=lambda run: run.completed)
    pairs = list(zip(by_completion, by_completion[1:], strict=False))
    between = [after.completed - run.completed for run, after in pairs]
    usual = statistics.median(between)
    low, high = quantile(between, 1 - MOST), quantile(between, MOST)
    if not usual or high - low > STEADY * usual:
        return None
    longest = longest_normal(runs)
    normal, gaps = [], []
    for (run, after), time in zip(pairs, between, strict=True):
        # It was at work, and not away, in that part of the time.
        busy = after.duration if after.duration <= longest else 0.0
        if time - busy > LONG * usual:
            gaps.append((run.completed, after.completed))
        else:
            normal.append(time)
    away = sum(after - before for before, after in gaps)
    if (len(gaps) > max(GAPS * len(between), 1)
            or away > AWAY * sum(between)):
        return None
    return Interval(
        usual, _step_up(quantile(normal, 0.9)), max(normal), tuple(gaps))


def is_steadier(guess: Guess, runs: Sequence[Times]) -> bool:
    """Do the starts follow on each other, rather than on the slots?

    If they do not drift all over the time between slots, then no.
    """
    slots = guess.matched.slots
    late = spread_of(guess.matched.lateness)
    spacing = statistics.median(
        after - slot for slot, after in zip(slots, slots[1:], strict=False))
    if late < 0.25 * spacing:
        return False
    by_host: dict[str, list[Times]] = {}
    for run in runs:
        by_host.setdefault(run.hostname, []).append(run)
    following = [
        pair for each in by_host.values()
        for pair in zip(each, each[1:], strict=False)]
    steadiest = min(
        spread_of(after.started - run.completed for run, after in following),
        spread_of(after.started - run.started for run, after in following))
    return late > 2 * steadiest


def spread_of(values: Iterable[float]) -> float:
    """The distance between the quartiles."""
    first, _, third = statistics.quantiles(values, n=4)
    return third - first


def runs_missed(
    interval: Interval,
    runs: Sequence[Times],
    every: float,
    grace: float,
) -> int:
    """By how many runs a window falls short at most, if no gap is in it.

    Figures are worst just before a completion, and just after a start has
    left the window.
    """
    count = max(int(WINDOW // every), 1)
    span = grace + count * every
    starts = [run.started for run in runs]
    completed = sorted(run.completed for run in runs)
    worst = 0
    moments = [*completed, *(start + span + 0.001 for start in starts)]
    for at in moments:
        since = at - span
        if since < starts[0] or at > completed[-1] or any(
                before < at and since < after
                for before, after in interval.gaps):
            continue
        ran = (
            bisect.bisect_left(completed, at)
            - bisect.bisect_left(starts, since))
        worst = max(worst, count - ran)
    return worst


def _step_up(seconds: float) -> float:
    for limit, step in STEPS:
        if seconds < limit:
            return -(-seconds // step) * step
    return rounded_up(seconds).total_seconds()
