"""The lines of a crontab that may have started some runs."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import HOUR
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import SKEW
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import day_of_month


__all__ = [
    "STEPS",
    "candidates",
]


# The steps that divide an hour or a day, in seconds.
STEPS = [60 * minutes for minutes in range(1, 1441) if 60 % minutes == 0 or (
    minutes % 60 == 1440 % minutes == 0)]

# Steps are tried from this part of the median gap to this multiple.
NEAR = 0.45, 1.8

# So many anchors of each step are compared in full.
ANCHORS = 2

# An anchor is rounded down to these, in minutes.
ROUND = (1, 5, 15, 30, 60)

# The bits of the place in a lateness of so many minutes.
LATE = [math.log2(1 + 60 * minutes) for minutes in range(1440)]

# Days of rest are believed if they came back over this time; days of the month
# over three months.
FORTNIGHT = 14 * DAY
MONTHS = 90 * DAY


def candidates(seconds: Sequence[int], timezone: str) -> Iterator[Cron]:
    """The lines of a crontab that may have started these runs.

    :param seconds: what the clock showed at each start.
    """
    median = sorted(b - a for a, b in itertools.pairwise(seconds))[
        (len(seconds) - 1) // 2]
    steps = {
        step for step in STEPS if NEAR[0] * median <= step <= NEAR[1] * median
    } or {STEPS[0] if median < DAY else DAY}
    # Some hours of a day, of which none may be regular.
    steps |= {step for step in (HOUR, DAY) if median > step / 6}
    for step in sorted(steps):
        for anchor in _anchors(seconds, step // 60):
            yield from _lines(seconds, step, anchor, timezone)
    if 60 < median <= HOUR:
        # Some minutes of an hour, each the first of a cluster.
        counts = Counter((second + 2) % HOUR // 60 for second in seconds)
        most = max(counts.values())
        some = tuple(sorted(
            minute for minute, count in counts.items()
            if count > most / 8 and counts[(minute - 1) % 60] < count / 4))
        if 1 < len(some) < 30:
            yield from _lines(seconds, HOUR, 0, timezone, some)


def _anchors(seconds: Sequence[int], size: int) -> list[int]:
    """The seconds after each so many minutes at which slots may be."""
    # A start just before a minute may be from a clock that is behind.
    minutes = Counter((second + 2) // 60 % size for second in seconds)
    common = [minute for minute, _ in minutes.most_common(3)]
    # The first minutes after the longest times without a start, or nearly so.
    there = sorted(minute for minute, count in minutes.items()
                   if count > len(seconds) // 50)
    common += sorted(there, key=lambda minute: (
        minute - there[there.index(minute) - 1] - 1) % size)[-2:]

    def late(anchor: int) -> float:
        return (0 if anchor % 5 == 0 else 4) + sum(
            count * LATE[(minute - anchor) % size]
            for minute, count in minutes.items())

    anchors = {minute // near * near for minute in common for near in ROUND
               if near <= size}
    return [60 * anchor for anchor in sorted(
        sorted(anchors), key=late)[:ANCHORS]]


def _lines(
    seconds: Sequence[int], step: int, anchor: int, timezone: str,
    some: tuple[int, ...] = (),
) -> Iterator[Cron]:
    """The lines with slots at a step, on the hours and days that have runs.

    :param some: other minutes of the hour.
    """
    slots = range(anchor, anchor + DAY, step)
    minutes = some or tuple(sorted({slot % HOUR // 60 for slot in slots}))
    regular = tuple(sorted({slot % DAY // HOUR for slot in slots}))
    distinct = {
        (second + SKEW - anchor) // step * step + anchor for second in seconds}
    hours, weekdays, days = [regular], [WEEKDAYS], [MONTH]
    if len(regular) > 1:
        usual = _usual(slot % DAY // HOUR for slot in distinct)
        hours += [usual, tuple(range(usual[0], usual[-1] + 1))]
    numbers = [slot // DAY for slot in distinct]
    span = seconds[-1] - seconds[0]
    some = _usual((day + 4) % 7 for day in numbers)
    # One day without runs is no day of rest.
    if span > FORTNIGHT or some == WEEKDAYS[1:6]:
        weekdays.append(some)
    if step >= HOUR:
        some = _usual(map(day_of_month, numbers))
        if span > MONTHS or some == MONTH[::2]:
            days.append(some)
    for each in itertools.product(hours, days, weekdays):
        if each[1] == MONTH or each[2] == WEEKDAYS:
            yield Cron(minutes, *each, timezone)


def _usual(values: Iterable[int]) -> tuple[int, ...]:
    """The values that come at least half as often as the commonest."""
    counts = Counter(values)
    most = max(counts.values())
    return tuple(sorted(
        value for value, count in counts.items() if 2 * count >= most))
