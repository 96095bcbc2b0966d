"""Looks for the model that describes a history in the least bits."""

from __future__ import annotations

import itertools
import math
import operator
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.monitor.clocks import KNOWN
from canonical.launchpad.monitor.clocks import clock_changes
from canonical.launchpad.monitor.clocks import day_of_month
from canonical.launchpad.monitor.clocks import day_of_week
from canonical.launchpad.monitor.clocks import local
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import HOUR
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import SKEW
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.model import by_chance
from canonical.launchpad.monitor.inference.model import cron_bits
from canonical.launchpad.monitor.inference.model import every_bits


__all__ = [
    "FEWEST",
    "Found",
    "best",
    "explained",
]


# A history, or a part of one, needs so many runs to show a schedule.
FEWEST = 5

# The steps that divide an hour or a day, in seconds.  They are tried from this
# part of the median gap to this multiple.
STEPS = [60 * minutes for minutes in range(1, 1441) if 60 % minutes == 0 or (
    minutes % 60 == 1440 % minutes == 0)]
NEAR = 0.9, 1.4

# An anchor is rounded down to these minutes; so many are compared in full.
ROUND = 1, 5, 60
ANCHORS = 2

# Days of rest are believed if they came back over this time, days of the month
# over three months.
FORTNIGHT = 14 * DAY
MONTHS = 90 * DAY

# What a change of schedule has to save, in bits, beside one each time that the
# number of runs doubles, and one for each run of the shorter part.
CHANGE_BITS = 24.0

# A sum is far from zero if steady values come there once in a hundred times;
# see Kolmogorov, "Sulla determinazione empirica di una legge" (1933).
PEAK = 1.63

# The name of a zone costs so many bits, and half a bit for each that is better
# known.
ZONE_BITS = 6.0


class Found(NamedTuple):
    """A model, and the bits that it takes to describe a history with it.

    :ivar changed: the start of the first run of this model, if there was
        another before it: `before`.
    """

    bits: float
    model: Cron | Every
    changed: float = -math.inf
    before: Cron | Every | None = None


def explained(
    scopes: Sequence[History], timezone: str, found: Found
) -> Found:
    """What takes the least bits, in any zone, since the last change.

    :param found: the best in the time zone that is assumed.
    """
    zone, bits = _zone(max(scopes, key=len).starts, timezone)
    zoned = found if zone == timezone else best(scopes, zone)
    zoned = zoned._replace(bits=zoned.bits + bits)
    # A change of schedule may look like one of clocks, and the reverse.
    return min(_since_change(scopes, each, model) for each, model in {
        zone: zoned, timezone: found}.items())[1]


def best(scopes: Sequence[History], timezone: str) -> Found:
    """The model that takes the least bits.

    :param scopes: the runs on each host, or on all together.
    :param timezone: where cron runs.
    """
    clocks = [local(timezone, scope.starts) for scope in scopes]
    return min([Found(*every_bits(scopes)), *(
        Found(cron_bits(cron, clocks), cron)
        for cron in dict.fromkeys(_crons(max(clocks, key=len), timezone))
    )], key=operator.itemgetter(0))


def _zone(starts: Sequence[float], timezone: str) -> tuple[str, float]:
    """The zone whose clocks show the fewest times of the day, and its bits.

    Clocks that did not move within the history show as many as UTC does.
    """
    costs = {"UTC": ZONE_BITS} | {
        zone: ZONE_BITS + number / 2 for number, zone in enumerate(KNOWN)
        if clock_changes(zone, starts[0], starts[-1])} | {timezone: 0.0}

    def bits(zone: str) -> float:
        quarters = Counter(
            second % DAY // 900 for second in local(zone, starts))
        return costs[zone] - sum(count * math.log2(count / len(starts))
                                 for count in quarters.values())

    zone = min(costs, key=bits)
    return zone, costs[zone]


def _since_change(
    scopes: Sequence[History], timezone: str, found: Found
) -> tuple[float, Found]:
    """The bits of the whole history, and the model since the last change."""
    # Chance makes steps and peaks, too; those are no change.
    whole, last = min(found.bits, by_chance(scopes)), found
    for at in sorted(_places(scopes, timezone)):
        before, after = (_between(scopes, *span) for span in (
            (-math.inf, at), (at, math.inf)))
        counts = [sum(map(len, part)) for part in (before, after)]
        change = CHANGE_BITS + math.log2(sum(map(len, scopes))) + min(counts)
        if not all(counts):
            continue
        later, earlier = best(after, timezone), best(before, timezone)
        bits = earlier.bits + later.bits + change
        if bits < whole and earlier.model != later.model:
            whole, last = bits, later._replace(
                changed=at, before=earlier.model)
    if last is found:
        return whole, found
    bits, again = _since_change(
        _between(scopes, last.changed, math.inf), timezone, last)
    return whole - last.bits + bits, again


def _between(
    scopes: Sequence[History], since: float, until: float
) -> list[History]:
    """The parts of histories, but for those that are too short."""
    return [part for scope in scopes
            if len(part := scope.between(since, until)) >= FEWEST]


def _places(scopes: Sequence[History], timezone: str) -> set[float]:
    """Where a schedule may have changed: the starts of some runs.

    They are where the sums of what gaps and times of the day and of the hour
    differ from their mean are far from zero.
    """
    starts = max(scopes, key=len).starts
    seconds = local(timezone, starts)
    rows = [(0, [
        math.log(max(b - a, 1)) for a, b in itertools.pairwise(starts)])] + [
        (size, [wave(2 * math.pi * second / size) for second in seconds])
        for size in (DAY, HOUR) for wave in (math.sin, math.cos)]
    places = set()
    for size, values in rows:
        mean = sum(values) / len(values)
        sums = list(itertools.accumulate(value - mean for value in values))
        # Runs of one day depend on each other.
        far = PEAK * math.sqrt(sum(
            (value - mean) ** 2 for value in values) * max(
                size * len(starts) / max(starts[-1] - starts[0], 1), 1))
        places |= {starts[sums.index(peak) + 1] for peak in (
            min(sums[:-1]), max(sums[:-1])) if abs(peak) > far}
    return places


def _crons(seconds: Sequence[int], timezone: str) -> Iterator[Cron]:
    """The lines of a crontab that may have started these runs.

    :param seconds: what the clock showed at each start.
    """
    median = sorted(b - a for a, b in itertools.pairwise(seconds))[
        (len(seconds) - 1) // 2]
    steps = {
        step for step in STEPS if NEAR[0] * median <= step <= NEAR[1] * median
    } or {STEPS[0] if median < DAY else DAY}
    # Some hours of a day, of which none may be regular.
    steps |= {step for step in (HOUR, DAY) if step / 6 < median < 0.9 * DAY}
    for step in sorted(steps):
        for anchor in _anchors(seconds, step // 60):
            yield from _lines(seconds, timezone, step, anchor)
    # Some minutes of an hour, each the first of a cluster.
    counts = Counter((second + 2) % HOUR // 60 for second in seconds)
    some = tuple(sorted(
        minute for minute, count in counts.items()
        if 8 * count > max(counts.values())
        and counts[(minute - 1) % 60] < count / 4))
    if 60 < median <= HOUR and 1 < len(some) < 30:
        yield from _lines(seconds, timezone, HOUR, 0, some)


def _anchors(seconds: Sequence[int], size: int) -> list[int]:
    """The seconds after each so many minutes at which slots may be."""
    # A start just before a minute may be from a clock that is behind.
    minutes = Counter((second + 2) // 60 % size for second in seconds)
    # The first minutes after the longest times without a start, or nearly so.
    there = sorted(minute for minute, count in minutes.items()
                   if count > len(seconds) // 50)
    first = sorted(there, key=lambda minute: (
        minute - there[there.index(minute) - 1] - 1) % size)[-2:]

    def late(anchor: int) -> float:
        return sum(count * math.log2(1 + 60 * ((minute - anchor) % size))
                   for minute, count in minutes.items())

    return [60 * anchor for anchor in sorted(sorted({
        minute // near * near for minute in first for near in ROUND
        if near <= size}), key=late)[:ANCHORS]]


def _lines(
    seconds: Sequence[int], timezone: str, step: int, anchor: int,
    some: tuple[int, ...] = (),
) -> Iterator[Cron]:
    """The lines with slots at a step, on the hours and days that have runs.

    :param some: other minutes of the hour.
    """
    slots = range(anchor, anchor + DAY, step)
    minutes = some or tuple(sorted({slot % HOUR // 60 for slot in slots}))
    hours = [tuple(sorted({slot % DAY // HOUR for slot in slots}))]
    weekdays, days = [WEEKDAYS], [MONTH]
    distinct = {
        (second + SKEW - anchor) // step * step + anchor for second in seconds}
    if step < DAY:
        hours.append(_usual(slot % DAY // HOUR for slot in distinct))
    numbers = [slot // DAY for slot in distinct]
    span = seconds[-1] - seconds[0]
    usual = _usual(map(day_of_week, numbers))
    # One day without runs is no day of rest.
    if span > FORTNIGHT or usual == WEEKDAYS[1:6]:
        weekdays.append(usual)
    if step >= HOUR and span > MONTHS:
        days.append(_usual(map(day_of_month, numbers)))
    for each in itertools.product(hours, days, weekdays):
        if MONTH in each or WEEKDAYS in each:
            yield Cron(minutes, *each, timezone)


def _usual(values: Iterable[int]) -> tuple[int, ...]:
    """The values that come at least half as often as the commonest."""
    counts = Counter(values)
    most = max(counts.values())
    return tuple(sorted(
        value for value, count in counts.items() if 2 * count >= most))
