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
from itertools import chain
from itertools import pairwise

from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.model import SKEW
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every


__all__ = [
    "by_chance",
    "cron_bits",
    "every_bits",
    "hosts_bits",
]


# Lateness is coded as its power of two, of which there are so many.
OCTAVES = 26

# The first slots are expected to be met; of other rows nothing is expected.
MET = 1.0, 0.1
EITHER = 0.5

# However often slots are unmet, one or two are no part of a schedule.
RARE = 3.0

# A run before its slot is from a clock that is behind, which is rare.
EARLY = 3.0


def by_chance(scopes: Iterable[History]) -> float:
    """The length of all runs if they start at any time."""
    return sum(
        _chance_bits(len(scope), scope.starts[-1] - scope.starts[0])
        for scope in scopes)


def _chance_bits(count: int, span: float) -> float:
    """The length of runs that start at any time, at some rate."""
    if not count:
        return 0.0
    return count * max(math.log2(max(span, 1) / count) + 1.443, 0.0)


def cron_bits(
    cron: Cron, clocks: Sequence[Sequence[int]], least: float = math.inf
) -> float:
    """The length of runs that cron starts.

    :param clocks: what the clock showed at the start of each run, on each
        host, or on all together.
    :param least: how late the runs are is not added to a length over this.
    """
    matches = [cron.met(seconds) for seconds in clocks]
    gaps: Counter[int] = Counter()
    bits = cron.bits
    extra = 0
    for seconds, match in zip(clocks, matches, strict=True):
        numbers = sorted(match)
        gaps.update(map(operator.sub, numbers[1:], numbers))
        beside = len(seconds) - len(match)
        extra += beside
        bits += _chance_bits(beside, seconds[-1] - seconds[0])
    # How often a slot is unmet after none, one, and more unmet slots.
    unmet = gaps.total() - gaps[1]
    more = unmet - gaps[2]
    most = sum(count * (gap - 3) for gap, count in gaps.items() if gap > 2)
    bits += (
        max(_row((gaps[1], unmet), MET), RARE * unmet)
        + max(_row((gaps[2], more), MET), RARE * more)
        + _row((more, most), (1.0, 1.0))
        + _row((sum(map(len, matches)), extra), MET))
    if bits > least:
        return bits
    # If slots are so near to each other, all runs come before their slot.
    skew = SKEW if cron.spacing <= SKEW else 0
    return bits + _lateness([
        late + skew for match in matches for late in match.values()])


def every_bits(
    after: str, scopes: Sequence[History]
) -> tuple[float, Every]:
    """The length of runs that the best timer starts, and that timer.

    A rest is coded as its difference from the period.  One that is far off,
    after an outage, is coded as chance.

    :param after: what it is measured from; see `Every`.
    """
    rests = [list(map(
        operator.sub, scope.starts[1:],
        scope.ends if after == "completion" else scope.starts))
        for scope in scopes]
    busiest = max(map(sorted, rests), key=len)
    every = Every(max(busiest[len(busiest) // 2], 1.0), after)
    late = [math.floor(rest - every.period) for rest in chain(*rests)
            if abs(rest - every.period) < every.period / 2]
    off = sum(map(len, rests)) - len(late)
    return every.bits + _lateness(late) + _row((len(late), off), MET) + (
        _chance_bits(off, sum(
            scope.starts[-1] - scope.starts[0] for scope in scopes))), every


def _lateness(late: Sequence[int]) -> float:
    """The length of some numbers: the octave of each, and its place there."""
    octaves = Counter(map(int.bit_length, late))
    counts = [octaves[octave] for octave in range(OCTAVES)]
    return _row(counts, OCTAVES * [EITHER]) + sum(
        count * (octave - 1) for octave, count in octaves.items() if octave
    ) + EARLY * sum(map((0).__gt__, late))


def hosts_bits(hosts: Sequence[str]) -> float:
    """What it takes to say which run was on which host."""
    changes = sum(a != b for a, b in pairwise(hosts))
    return _row((len(hosts) - changes, changes), (EITHER, EITHER)) + (
        changes * math.log2(max(len(set(hosts)) - 1, 1)))


def _row(counts: Sequence[int], expected: Iterable[float]) -> float:
    """The length of a row of symbols, coded adaptively.

    :param counts: of each symbol, and how often each is expected before.
    """
    expected = list(expected)
    return (_log_gamma(sum(counts), sum(expected)) - sum(
        map(_log_gamma, counts, expected))) / math.log(2)


def _log_gamma(count: int, prior: float) -> float:
    return math.lgamma(count + prior) - math.lgamma(prior) if count else 0.0
