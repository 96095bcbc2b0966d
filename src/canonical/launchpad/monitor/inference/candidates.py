"""The lines of a crontab that may have started some runs."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from canonical.launchpad.monitor.inference.model import HOURS
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.zones import DAY
from canonical.launchpad.monitor.inference.zones import SKEW
from canonical.launchpad.monitor.inference.zones import day_of_month


__all__ = [
    "HOUR",
    "STEPS",
    "candidates",
]


HOUR = 3600

# The steps that divide an hour or a day, in seconds.
STEPS = tuple(
    60 * minutes for minutes in (
        1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480,
        720, 1440))

# Steps are tried from this part of the median gap to this multiple.
NEAR = 0.45, 1.8

# So many anchors of each step are compared in full.
ANCHORS = 2

# An anchor is rounded down to these, in minutes.
ROUND = (1, 5, 15, 30, 60)

# The bits of the place in a lateness of so many minutes.
LATE = [math.log2(1 + 60 * minutes) for minutes in range(1440)]

# A list of days of the month is believed if they came back over three months.
MONTHS = 90 * DAY
FORTNIGHT = 14 * DAY


def candidates(seconds: Sequence[int], timezone: str) -> Iterator[Cron]:
    """The lines of a crontab that may have started these runs."""
    gaps = sorted(b - a for a, b in itertools.pairwise(seconds))
    median = gaps[len(gaps) // 2]
    steps = [
        step for step in STEPS if NEAR[0] * median <= step <= NEAR[1] * median
    ] or [STEPS[-1] if median > STEPS[-1] else STEPS[0]]
    # Some hours of a day, of which none may be regular.
    steps += {
        step for step in (HOUR, DAY) if median > step / 6} - set(steps)
    for step in steps:
        for anchor in _anchors(seconds, step // 60):
            yield from _lines(seconds, step, anchor, timezone)
    if 60 < median <= HOUR:
        yield from _minute_lists(seconds, timezone)


def _anchors(seconds: Sequence[int], size: int) -> list[int]:
    """The seconds after each so many minutes at which slots may be."""
    # A start just before a minute may be from a clock that is behind.
    minutes = Counter((second + 2) // 60 % size for second in seconds)
    common = [minute for minute, _ in minutes.most_common(3)]
    # The first minutes after the longest times without a start.
    for least in (1, 1 + len(seconds) // 50):
        there = sorted(
            minute for minute, count in minutes.items() if count >= least)
        if there:
            arcs = sorted((
                (after - before - 1) % size, after) for before, after in zip(
                    [there[-1], *there], there, strict=False))
            common += [minute for _, minute in arcs[-2:]]
    counts = list(minutes.items())

    def late(anchor: int) -> float:
        return sum(count * LATE[(minute - anchor) % size]
                   for minute, count in counts)

    anchors = {minute // near * near for minute in common for near in ROUND
               if near <= size}
    return [60 * anchor for anchor in sorted(anchors, key=lambda anchor: (
        late(anchor) + (0 if anchor % 5 == 0 else 4), anchor))[:ANCHORS]]


def _lines(
    seconds: Sequence[int], step: int, anchor: int, timezone: str
) -> Iterator[Cron]:
    """The lines with slots at a step, on the hours and days that have runs."""
    distinct = sorted({
        (second + SKEW - anchor) // step * step + anchor
        for second in seconds})
    minutes = tuple(sorted({
        (anchor + number * step) % HOUR // 60
        for number in range(max(HOUR // step, 1))}))
    regular = tuple(sorted({
        (anchor + number * step) % DAY // HOUR
        for number in range(DAY // step)}))
    hours = [regular]
    if len(regular) > 1:
        usual = _usual(slot % DAY // HOUR for slot in distinct)
        hours += [usual, tuple(range(usual[0], usual[-1] + 1))]
    numbers = [slot // DAY for slot in distinct]
    weekdays, days = [WEEKDAYS], [MONTH]
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


def _minute_lists(seconds: Sequence[int], timezone: str) -> Iterator[Cron]:
    """The lines with some minutes of an hour, each the first of a cluster."""
    counts = Counter((second + 2) % HOUR // 60 for second in seconds)
    most = max(counts.values())
    minutes = tuple(sorted(
        minute for minute, count in counts.items()
        if count > most / 8 and counts[(minute - 1) % 60] < count / 4))
    if 1 < len(minutes) < 30:
        usual = _usual(second % DAY // HOUR for second in seconds)
        for hours in HOURS, usual:
            yield Cron(minutes, hours, timezone=timezone)


def _usual(values: Iterable[int]) -> tuple[int, ...]:
    """The values that come at least half as often as the one that comes most.
    """
    counts = Counter(values)
    most = max(counts.values())
    return tuple(sorted(
        value for value, count in counts.items() if 2 * count >= most))
