"""How many bits it takes to describe the runs of a script with a model.

The text of the model comes first.  Then a row says which slots are met, and a
number for each run how late it is.  Both are coded adaptively, so that no
probability has to be assumed: the code learns from what it has coded already.
(See Rissanen, "A universal prior for integers and estimation by minimum
description length", 1983, and Krichevsky and Trofimov, "The performance of
universal encoding", 1981.)  A run without a slot is coded as chance.
"""

from __future__ import annotations

import bisect
import math
import operator
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from itertools import pairwise

from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.matching import slot_numbers


__all__ = [
    "SKEW",
    "believed",
    "chance_bits",
    "cron_bits",
    "every_bits",
    "every_of",
    "hosts_bits",
    "matched_slots",
]


# By how much the clock of a host may be behind, as `Case` has it; seconds.
SKEW = 60.0

# Lateness is coded as its power of two, of which there are so many.
OCTAVES = 26

# The first slots are expected to be met.
MET, UNMET = 1.0, 0.1

# However often slots are unmet, one or two are no part of a schedule.
RARE = 3.0

# A run before its slot is from a clock that is behind, which is rare.
EARLY = 2.0

LOG2 = math.log(2)


def chance_bits(count: int, span: float) -> float:
    """The length of runs that start at any time, at some rate."""
    if not count:
        return 0.0
    return count * max(math.log2(max(span, 1) / count) + 1.443, 0.0)


def believed(bits: float, scopes: Sequence[Sequence[float]]) -> bool:
    """Does a model describe runs much better than chance does?"""
    chance = sum(
        chance_bits(len(starts), starts[-1] - starts[0]) for starts in scopes)
    return bits < chance - max(10.0, sum(map(len, scopes)) / 2)


def matched_slots(
    cron: Cron, starts: Sequence[float], until: float
) -> tuple[list[float], list[int]]:
    """The slots of a history, and for each run the number of its slot.

    The first slot is that of the first run.

    :return: the number of a run without a slot is 0.
    """
    back = 32 if cron.days != MONTH else (
        8 if cron.weekdays != WEEKDAYS else 2)
    slots = cron.slots(starts[0] - back * DAY, until + SKEW)
    first = bisect.bisect_right(slots, starts[0] + SKEW) - 1
    slots = slots[max(first, 0):]
    return slots, slot_numbers(slots, starts, SKEW)


def cron_bits(cron: Cron, scopes: Iterable[Sequence[float]]) -> float:
    """The length of runs that cron starts.

    :param scopes: the starts on each host, or on all together; each in order.
    """
    total = cron.bits
    # If slots are so near to each other, all runs come before their slot.
    behind = int(SKEW) if cron.spacing > SKEW else 0
    gaps: Counter[int] = Counter()
    octaves: Counter[int] = Counter()
    extra, place = 0, 0.0
    for starts in scopes:
        slots, numbers = matched_slots(cron, starts, starts[-1])
        # The first run of each slot meets it.
        first = dict(zip(reversed(numbers), reversed(starts), strict=True))
        first.pop(0, None)
        met = list(first)
        gaps.update(map(operator.sub, met, met[1:]))
        late = [int(first[number] - slots[number - 1] + SKEW) - behind
                for number in met]
        place += _octaves(late, octaves, EARLY)
        beside = len(starts) - len(met)
        total += chance_bits(beside, starts[-1] - starts[0])
        extra += beside
    # How often a slot is unmet after none, one, and more unmet slots.
    unmet = [0, 0, 0]
    follows = [0, 0, 0]
    for gap, count in gaps.items():
        follows[min(gap - 1, 2)] += count
        unmet[0] += count * (gap > 1)
        unmet[1] += count * (gap > 2)
        unmet[2] += count * max(gap - 3, 0)
    total += sum(
        max(_binary(yes, no, MET, UNMET), RARE * no)
        for yes, no in zip(follows[:2], unmet[:2], strict=True))
    total += _binary(follows[2], unmet[2], MET, MET)
    total += _binary(sum(octaves.values()), extra, MET, UNMET)
    return total + place + _adaptive(octaves.values(), OCTAVES)


def _octaves(
    late: Sequence[int], octaves: Counter[int], early: float = 0.0
) -> float:
    """Count the octaves of numbers, and return the bits of the places in them.

    A negative number has the octave of its opposite, but negative.

    :param early: so many bits more for each negative number.
    """
    own = Counter(map(int.bit_length, late))
    place: float = sum(
        count * (octave - 1) for octave, count in own.items() if octave)
    for octave, count in Counter(
            each.bit_length() for each in late if each < 0).items():
        own[octave] -= count
        own[-octave] += count
        place += early * count
    octaves.update(own)
    return place


def every_of(
    starts: Sequence[float], ends: Sequence[float], after: str
) -> Every:
    """The timer that fits a host best."""
    return Every(max(sorted(_rests(starts, ends, after))[
        (len(starts) - 1) // 2], 1.0), after)


def every_bits(
    every: Every, scopes: Iterable[tuple[Sequence[float], Sequence[float]]]
) -> float:
    """The length of runs that a timer starts.

    A rest is coded as its difference from the period.  One that is far off,
    after an outage, is coded as chance.
    """
    total = every.bits
    octaves: Counter[int] = Counter()
    off, place, span = 0, 0.0, 0.0
    for starts, ends in scopes:
        span += starts[-1] - starts[0]
        late = [
            math.floor(rest - every.period)
            for rest in _rests(starts, ends, every.after)
            if abs(rest - every.period) < every.period / 2]
        off += len(starts) - 1 - len(late)
        place += _octaves(late, octaves)
    return total + _adaptive(octaves.values(), OCTAVES) + place + _binary(
        sum(octaves.values()), off, MET, UNMET) + chance_bits(off, span)


def _rests(
    starts: Sequence[float], ends: Sequence[float], after: str
) -> list[float]:
    """From each completion to the next start, or from start to start."""
    if after == "completion":
        return [start - end for end, start in zip(
            ends, starts[1:], strict=False)]
    return [b - a for a, b in pairwise(starts)]


def hosts_bits(hosts: Sequence[str]) -> float:
    """What it takes to say which run was on which host."""
    known = len(set(hosts))
    if known < 2:
        return 0.0
    changes = sum(a != b for a, b in pairwise(hosts))
    return _binary(len(hosts) - changes, changes, 0.5, 0.5) + (
        changes * math.log2(known - 1))


def _binary(yes: int, no: int, alpha: float, beta: float) -> float:
    """The length of a row of two symbols, coded adaptively."""
    return (
        _log_gamma(yes + no, alpha + beta) - _log_gamma(yes, alpha)
        - _log_gamma(no, beta)) / LOG2


def _adaptive(counts: Iterable[int], symbols: int) -> float:
    """The length of a row of symbols, coded adaptively."""
    counts = list(counts)
    return (
        _log_gamma(sum(counts), 0.5 * symbols)
        - sum(_log_gamma(count, 0.5) for count in counts)) / LOG2


def _log_gamma(count: int, prior: float) -> float:
    return math.lgamma(count + prior) - math.lgamma(prior)
