"""How many bits it takes to describe the runs of a script with a model.

The text of the model comes first.  Then a row says which slots are met, and a
number for each run how late it is.  Both are coded adaptively, so that no
probability has to be assumed: the code learns from what it has coded already.
(See Rissanen, "A universal prior for integers and estimation by minimum
description length", 1983, and Krichevsky and Trofimov, "The performance of
universal encoding", 1981.)  A run without a slot is coded as chance.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from itertools import pairwise

from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.model import Match
from canonical.launchpad.monitor.inference.zones import SKEW
from canonical.launchpad.monitor.inference.zones import Clock


__all__ = [
    "believed",
    "cron_bits",
    "every_bits",
    "every_of",
    "hosts_bits",
    "late_bits",
]


# Lateness is coded as its power of two, of which there are so many.
OCTAVES = 26

# The first slots are expected to be met.
MET, UNMET = 1.0, 0.1

# However often slots are unmet, one or two are no part of a schedule.
RARE = 3.0

# A run before its slot is from a clock that is behind, which is rare.
EARLY = 3.0


def believed(bits: float, scopes: Sequence[History]) -> bool:
    """Does a model describe runs much better than chance does?"""
    chance = sum(_chance(len(scope), scope.span) for scope in scopes)
    return bits < chance - max(10.0, sum(map(len, scopes)) / 2)


def _chance(count: int, span: float) -> float:
    """The length of runs that start at any time, at some rate."""
    if not count:
        return 0.0
    return count * max(math.log2(max(span, 1) / count) + 1.443, 0.0)


def cron_bits(
    cron: Cron, clocks: Sequence[Clock]
) -> tuple[float, list[Match]]:
    """The length of runs that cron starts, but for how late they are.

    :param clocks: for the runs on each host, or on all together.
    :return: with the slots that are met.
    """
    matches = [cron.matched(clock) for clock in clocks]
    gaps: Counter[int] = Counter()
    for match in matches:
        met = sorted(match.first)
        gaps.update(map(operator.sub, met[1:], met))
    # How often a slot is unmet after none, one, and more unmet slots.
    one, two = gaps[1], gaps[2]
    unmet = gaps.total() - one
    more = unmet - two
    extra = [len(clock.days) - len(match.first)
             for clock, match in zip(clocks, matches, strict=True)]
    return cron.bits + max(_binary(one, unmet), RARE * unmet) + max(
        _binary(two, more), RARE * more) + _binary(more, sum(
            count * (gap - 3) for gap, count in gaps.items() if gap > 2),
        MET, MET) + _binary(sum(len(match.first) for match in matches), sum(
            extra)) + sum(
                _chance(number, clock.seconds[-1] - clock.seconds[0])
                for number, clock in zip(extra, clocks, strict=True)), matches


def late_bits(cron: Cron, matches: Sequence[Match]) -> float:
    """The length of how late these runs are."""
    late = [each for match in matches for each in match.late()]
    # If slots are so near to each other, all runs come before their slot.
    if cron.spacing <= SKEW:
        late = [each + SKEW for each in late]
    return _lateness(late)


def every_of(scope: History, after: str) -> Every:
    """The timer that fits a host best."""
    return Every(max(sorted(_rests(scope, after))[
        (len(scope) - 1) // 2], 1.0), after)


def every_bits(every: Every, scopes: Sequence[History]) -> float:
    """The length of runs that a timer starts.

    A rest is coded as its difference from the period.  One that is far off,
    after an outage, is coded as chance.
    """
    late = [
        math.floor(rest - every.period)
        for scope in scopes for rest in _rests(scope, every.after)
        if abs(rest - every.period) < every.period / 2]
    off = sum(map(len, scopes)) - len(scopes) - len(late)
    return every.bits + _lateness(late) + _binary(len(late), off) + _chance(
        off, sum(scope.span for scope in scopes))


def _rests(scope: History, after: str) -> list[float]:
    """From each completion to the next start, or from start to start."""
    begins = scope.ends if after == "completion" else scope.starts
    return list(map(operator.sub, scope.starts[1:], begins))


def _lateness(late: Sequence[int]) -> float:
    """The length of some numbers: the octave of each, and its place there."""
    octaves = Counter(map(int.bit_length, late))
    return _adaptive(octaves.values(), OCTAVES) + sum(
        count * (octave - 1) for octave, count in octaves.items() if octave
    ) + EARLY * sum(map((0).__gt__, late))


def hosts_bits(hosts: Sequence[int]) -> float:
    """What it takes to say which run was on which host."""
    known = len(set(hosts))
    if known < 2:
        return 0.0
    changes = sum(a != b for a, b in pairwise(hosts))
    return _binary(len(hosts) - changes, changes, 0.5, 0.5) + (
        changes * math.log2(known - 1))


def _binary(
    yes: int, no: int, alpha: float = MET, beta: float = UNMET
) -> float:
    """The length of a row of two symbols, coded adaptively."""
    return (
        _log_gamma(yes + no, alpha + beta) - _log_gamma(yes, alpha)
        - _log_gamma(no, beta)) / math.log(2)


def _adaptive(counts: Iterable[int], symbols: int) -> float:
    """The length of a row of symbols, coded adaptively."""
    counts = list(counts)
    return (
        _log_gamma(sum(counts), 0.5 * symbols)
        - sum(_log_gamma(count, 0.5) for count in counts)) / math.log(2)


def _log_gamma(count: int, prior: float) -> float:
    return math.lgamma(count + prior) - math.lgamma(prior)
