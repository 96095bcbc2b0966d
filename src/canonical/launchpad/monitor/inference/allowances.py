"""How much has to be allowed, so that what was normal raises no alarm.

Each of these looks at history as `assess` looks at figures: a slot is met by
what starts from a minute before it until a minute before the next.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
import math
import statistics
from collections import deque
from collections.abc import Sequence

from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times


__all__ = [
    "RUNS",
    "WINDOW",
    "missed_needed",
    "patience_needed",
    "rolling_means",
    "rounded_down",
    "rounded_up",
    "unmet",
]


# As an expectation has them by default; seconds for the window.
RUNS = 20
WINDOW = 86400

# By how much the clock of a host may be behind, as `Case` has it by default;
# seconds.
SKEW = 60.0

# Durations that people use, in seconds.
USUAL = (1, 2, 3, 5, 10, 15, 20, 30, 45) + tuple(
    60 * minutes for minutes in (
        1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720,
        1080, 1440, 2160, 2880))


def rounded_up(seconds: float) -> datetime.timedelta:
    """The next longer duration that people would use."""
    if seconds > USUAL[-1]:
        return datetime.timedelta(days=-(-seconds // 86400))
    return datetime.timedelta(seconds=USUAL[bisect.bisect_left(
        USUAL, seconds)])


def rounded_down(seconds: float) -> datetime.timedelta:
    """The next shorter duration that people would use, or none at all."""
    if seconds < USUAL[0]:
        return datetime.timedelta()
    if seconds > USUAL[-1]:
        return datetime.timedelta(days=seconds // 86400)
    return datetime.timedelta(
        seconds=USUAL[bisect.bisect(USUAL, seconds) - 1])


def patience_needed(
    matched: Match, runs: Sequence[Times], until: float
) -> tuple[float, float]:
    """How long after a slot a run that makes good for it completed, at most.

    Slots that nothing ran for are left out.  One before them, that was
    covered by a run, is waited for until the first of them.

    :param runs: those that `matched` is of.
    :param until: when the history ends, in seconds since 1970 UTC; what was
        covered then was patiently waited for.
    :return: seconds, for slots that have a run and for those covered by one.
    """
    starts = [run.started for run in runs]
    earliest = list(itertools.accumulate(
        (run.completed for run in reversed(runs)), min, initial=until))[::-1]
    gaps = set(matched.gaps)
    met = covered = 0.0
    gap = math.inf
    for number in reversed(range(len(matched.slots))):
        slot, run = matched.slots[number], matched.runs[number]
        if number in gaps:
            gap = slot
            continue
        if run is not None:
            met = max(met, run.completed - slot)
            gap = math.inf
        else:
            first = bisect.bisect_left(starts, slot - SKEW)
            covered = max(covered, min(earliest[first], gap) - slot)
    return met, covered


def unmet(matched: Match, runs: Sequence[Times]) -> list[float]:
    """The slots that count as missed though they are no gaps.

    They fell into the run before, or their own came so late that it counts
    for the next.  If slots are a minute from each other, what starts on time
    counts for the next as well, and so does a gap; the first has none before
    it.
    """
    starts = [run.started for run in runs]
    gaps = set(matched.gaps)
    found = []
    for number, slot in enumerate(matched.slots):
        if number in gaps or number - 1 in gaps or not number:
            continue
        until = (
            matched.slots[number + 1] if number + 1 < len(matched.slots)
            else float("inf"))
        first = bisect.bisect_left(starts, slot - SKEW)
        if first == len(starts) or starts[first] >= until - SKEW:
            found.append(slot)
    return found


def missed_needed(slots: Sequence[float]) -> int:
    """How many slots are missed in a window at most, and some to spare.

    :param slots: that were missed, in order.
    """
    worst = 0
    first = 0
    for number, slot in enumerate(slots):
        while slots[first] <= slot - WINDOW:
            first += 1
        worst = max(worst, number - first + 1)
    return worst + worst // 5


def rolling_means(runs: Sequence[Times]) -> list[float]:
    """The mean durations of the last `RUNS` runs after each, in seconds."""
    latest: deque[float] = deque(maxlen=RUNS)
    means = []
    for run in sorted(runs, key=lambda each: each.completed):
        latest.append(run.duration)
        means.append(statistics.fmean(latest))
    return means
