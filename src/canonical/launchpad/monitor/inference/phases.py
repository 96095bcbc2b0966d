"""At which minutes of the hour does it start?

Several answers are tried, and each has a price: by the principle of minimum
description length, that answer is best with which a history is told in the
fewest bits.  See Rissanen, "Modeling by shortest data description" (1978).
"""

from __future__ import annotations

import bisect
import functools
import math
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.monitor.inference.matching import SOON
from canonical.launchpad.monitor.inference.matching import Times


__all__ = [
    "AGAIN",
    "EARLY",
    "EXTRA",
    "MISSED",
    "Phase",
    "field_text",
    "phase_of",
    "phases",
    "price",
]


HOUR = 3600

# What it takes to tell of a run beside the schedule, of one more for a slot,
# and of a stretch of slots without any; in bits.
EXTRA = 8.0
AGAIN = 3.0
MISSED = 7.0

# A slot that fell into the run before it.
COVERED = 0.5

# Starts may be so many seconds early.
EARLY = 10

# Starts are in phase if so many of them are within this part of the period.
MOST = 0.9
NARROW = 0.8

# From a long history so many runs tell which minutes are worth to be tried
# on all of it.
SAMPLE = 500
TRIED = 3

PERIODS = (2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 360, 720, 1440)

# A minute counts if it has this part of the starts that the fullest has.
HEAVY = 0.2


@dataclass(frozen=True)
class Phase:
    """Minutes of the hour.

    :ivar slots: of the runs, in minutes since 1970, without duplicates and
        in order.
    :ivar cost: in bits.
    :ivar exceptions: the part of it that is for runs and slots against the
        rule.
    """

    minutes: tuple[int, ...]
    slots: list[int]
    cost: float
    exceptions: float

    @functools.cached_property
    def firsts(self) -> list[int]:
        """The first slot in each hour of UTC that has any."""
        firsts: dict[int, int] = {}
        for slot in self.slots:
            firsts.setdefault(slot // 60, slot)
        return list(firsts.values())


def phases(runs: Sequence[Times], longest: float) -> list[Phase]:
    """What the minutes may be, the best first.

    :param runs: in order of their starts.
    :param longest: how long a run takes that is not stuck, in seconds.
    """
    tried: set[tuple[int, ...]] = {
        *_periods(runs), *_clusters(runs), (0,), tuple(range(60))}
    if len(runs) > SAMPLE:
        tried = {
            each.minutes
            for each in _cheapest(tried, runs[:SAMPLE], longest)[:TRIED]}
    return _cheapest(tried, runs, longest)


def _cheapest(
    tried: set[tuple[int, ...]], runs: Sequence[Times], longest: float
) -> list[Phase]:
    return sorted(
        (phase_of(minutes, runs, longest) for minutes in tried),
        key=lambda each: (each.cost, each.minutes))


def field_text(values: Sequence[int], lowest: int, highest: int) -> str:
    """Numbers as a field of a crontab has them.

    :param values: in order.
    :param lowest: the least that the field may have; likewise `highest`.
    """
    if len(values) == highest - lowest + 1:
        return "*"
    steps = {
        after - value
        for value, after in zip(values, values[1:], strict=False)}
    if len(steps) == 1 and len(values) > 1:
        step, = steps
        all_of_it = (
            values[0] - step < lowest and values[-1] + step > highest)
        if values[0] == lowest and all_of_it and (
                len(values) > 2 or (highest - lowest + 1) % step == 0):
            return f"*/{step}"
        if len(values) > 2 and step > 1 and all_of_it:
            return f"{values[0]}-{values[-1]}/{step}"
    return ",".join(_ranges(values))


def _ranges(values: Sequence[int]) -> Iterator[str]:
    start = 0
    for end in range(1, len(values) + 1):
        if end < len(values) and values[end] == values[end - 1] + 1:
            continue
        if end - start > 2:
            yield f"{values[start]}-{values[end - 1]}"
        else:
            yield from map(str, values[start:end])
        start = end


def price(text: str) -> float:
    """What it takes to tell a field, in bits."""
    cost = 0.0
    for part in text.split(","):
        if part == "*":
            continue
        if "/" in part:
            cost += 4
        elif "-" in part:
            cost += 5
        else:
            cost += 2 if part == "0" else 4
    return cost


def _periods(runs: Sequence[Times]) -> Iterator[tuple[int, ...]]:
    """Minutes that follow on each other at equal distances.

    What may start an hour late shows its minute only in longer periods.
    """
    for period in PERIODS:
        folded = sorted(run.started % (period * 60) for run in runs)
        first = _first_minute(folded, period)
        if first is not None:
            yield tuple(sorted(
                (first + number) % 60
                for number in range(0, 60, min(period, 60))))


def _first_minute(folded: Sequence[float], period: int) -> int | None:
    """The minute that starts come after, if they are in phase.

    That is the lower edge of the shortest arc that has most of them, or a
    rounder minute that is as likely to have been it.

    :param folded: sorted seconds from the start of a period.
    :param period: in minutes.
    """
    count = len(folded)
    most = math.ceil(MOST * count)
    around = [*folded, *(each + period * 60 for each in folded)]
    arc, first = min(
        (around[number + most - 1] - around[number], number)
        for number in range(count))
    if arc > NARROW * period * 60:
        return None
    edge = around[first]
    # Evenly spread starts leave more than this before them once in a
    # hundred times; and the arc may have cut off some.
    left = arc * (1 - MOST + 1 - 0.01 ** (1 / count))
    low, high = math.floor((edge - left) / 60), math.floor(edge / 60)
    early = math.floor((edge + EARLY) / 60)
    best = max(range(low, high + 1), key=lambda each: (
        _roundness(each, period), each))
    if early > high and (
            arc <= 2 * EARLY
            or _roundness(early, period) > _roundness(best, period)):
        best = early
    return best % period


def _roundness(minute: int, period: int) -> int:
    minute %= period
    for number, size in enumerate((period, 30, 15, 5)):
        if minute % size == 0:
            return 4 - number
    return 0


def _clusters(runs: Sequence[Times]) -> Iterator[tuple[int, ...]]:
    """Minutes that starts are heaped on, and those that heaps begin with."""
    heaps = Counter(int(run.started + EARLY) % HOUR // 60 for run in runs)
    enough = HEAVY * max(heaps.values())
    heavy = sorted(
        minute for minute, count in heaps.items() if count >= enough)
    yield tuple(heavy)
    yield tuple(
        minute for minute in heavy if (minute - 1) % 60 not in heavy
    ) or tuple(heavy)


def phase_of(
    minutes: tuple[int, ...],
    runs: Sequence[Times],
    longest: float,
    shift: int = 0,
) -> Phase:
    """What the minutes are worth.

    Hours without a start are not counted here: there may be none due.

    :param shift: by how many minutes the hours of the clock begin before
        those in UTC.
    """
    count = len(minutes)
    place = [bisect.bisect(minutes, minute) - 1 for minute in range(60)]
    late = exceptions = 0.0
    last: dict[str, int] = {}
    latest: int | None = None
    busy_until = -math.inf
    slots = []
    for run in runs:
        started = run.started + shift * 60
        hour, second = divmod(int(started) + EARLY, HOUR)
        where = place[second // 60]
        if where < 0:
            hour, where = hour - 1, count - 1
        number = hour * count + where
        slot = hour * 60 + minutes[where]
        late += max(started - slot * 60, 0.0)
        if last.get(run.hostname) == number:
            exceptions += AGAIN if started - slot * 60 <= SOON else EXTRA
        last[run.hostname] = number
        if latest is None or number > latest:
            slots.append(slot - shift)
            if latest is not None and number > latest + 1:
                exceptions += _missed(
                    latest, number, count,
                    slots[-2] * 60 + HOUR / count < busy_until)
            latest = number
        if run.duration <= longest:
            busy_until = max(busy_until, run.completed)
    told = price(field_text(minutes, 0, 59))
    told += len(runs) * math.log2(1 + late / len(runs) / 60)
    return Phase(minutes, slots, told + exceptions, exceptions)


def _missed(before: int, after: int, count: int, busy: bool) -> float:
    """What it takes to tell of the slots between two that were met, in bits.

    :param count: of the slots in an hour, which are numbered on and on.
    :param busy: was it still running at the first of them?
    """
    between = after - before - 1
    if between < count:
        stretches = [between]
    else:
        # Of hours that have no run at all the days will tell.
        stretches = [count - 1 - before % count, after % count]
    if busy:
        return COVERED * sum(stretches)
    return sum(MISSED + math.log2(each) for each in stretches if each)
