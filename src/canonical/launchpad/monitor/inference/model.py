"""What can start a script: cron, or a timer that starts anew after each run.

A model has a text, and a length in bits.  The shorter its text, and the more
usual its numbers, the fewer bits it takes.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.monitor.inference.zones import DAY
from canonical.launchpad.monitor.inference.zones import Clock
from canonical.launchpad.monitor.inference.zones import day_of_month


__all__ = [
    "HOURS",
    "MINUTES",
    "MONTH",
    "WEEKDAYS",
    "Cron",
    "Every",
]


MINUTES = tuple(range(60))
HOURS = tuple(range(24))
WEEKDAYS = tuple(range(7))
MONTH = tuple(range(1, 32))

# A slot is at most so many days before the next: two months of which the
# first has no such day.
BACK = 62


class Cron(NamedTuple):
    """A line of a crontab, in a time zone.

    :ivar days: of the month.
    :ivar weekdays: 0 is Sunday.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] = MONTH
    weekdays: tuple[int, ...] = WEEKDAYS
    timezone: str = "UTC"

    @property
    def text(self) -> str:
        return (
            f"{_field(self.minutes, MINUTES)} {_field(self.hours, HOURS)}"
            f" {_field(self.days, MONTH)} *"
            f" {_field(self.weekdays, WEEKDAYS)}")

    @property
    def bits(self) -> float:
        """The length of the text; usual numbers are short."""
        return sum(map(_bits, self, (MINUTES, HOURS, MONTH, WEEKDAYS)))

    @property
    def spacing(self) -> float:
        """The seconds between slots that follow each other on a usual day."""
        times = _times(self.minutes, self.hours)[0]
        if len(times) > 1:
            return float(min(b - a for a, b in itertools.pairwise(times)))
        return 30.0 * DAY / len(self.days) if self.days != MONTH else (
            float(DAY) if len(self.weekdays) > 1 else 7.0 * DAY)

    def runs_every_hour(self) -> bool:
        return self[1:4] == (HOURS, MONTH, WEEKDAYS)

    def matched(self, clock: Clock) -> Match:
        """For each run the number of its slot.

        A run belongs to the last slot that is not later than its start plus
        the skew.  The first run of each slot meets it.
        """
        times, upto = _times(self.minutes, self.hours)
        first = clock.days[0] - BACK
        there, before, days = _days(
            self.days, self.weekdays, first, clock.days[-1] + 2)
        each = len(times)
        numbers = [
            each * before[day - first] + there[day - first] * upto[minute]
            for day, minute in zip(clock.days, clock.minutes, strict=True)]
        return Match(
            dict(zip(reversed(numbers), reversed(clock.seconds), strict=True)),
            times, days)


class Match(NamedTuple):
    """The slots that are met.

    :ivar first: the number of each, and when its first run started.
    :ivar times: the slots of a day, in seconds; `days` are those with slots.
    """

    first: dict[int, int]
    times: Sequence[int]
    days: Sequence[int]

    def late(self) -> list[int]:
        """How late the first run of each slot is, in seconds."""
        _, times, days = self
        each = len(times)
        return [
            second - DAY * days[(number - 1) // each]
            - times[(number - 1) % each]
            for number, second in self.first.items()]


class Every(NamedTuple):
    """A timer that starts anew after each run.

    :ivar period: seconds.
    :ivar after: what it is measured from: ``completion`` or ``start``.
    """

    period: float
    after: str

    @property
    def bits(self) -> float:
        return 6 + math.log2(max(self.period, 2))


@functools.lru_cache(1000)
def _times(
    minutes: tuple[int, ...], hours: tuple[int, ...]
) -> tuple[list[int], list[int]]:
    """The slots of a day in seconds, and how many there are to each minute."""
    times = [60 * hour + minute for hour in hours for minute in minutes]
    there = set(times)
    return [60 * time for time in times], list(itertools.accumulate(
        map(there.__contains__, range(1440))))


@functools.lru_cache(1000)
def _days(
    days: tuple[int, ...], weekdays: tuple[int, ...], first: int, end: int
) -> tuple[list[bool], list[int], list[int]]:
    """Which days have slots, how many such days are before each, and they."""
    # 1 January 1970 was a Thursday.
    there = [
        (day + 4) % 7 in weekdays and (
            days == MONTH or day_of_month(day) in days)
        for day in range(first, end)]
    return there, list(itertools.accumulate(there, initial=0)), list(
        itertools.compress(range(first, end), there))


@functools.lru_cache(10_000)
def _field(values: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """A field of a crontab in its shortest form."""
    if values == whole:
        return "*"
    first, last = values[0], values[-1]
    steps = {b - a for a, b in itertools.pairwise(values)}
    step = steps.pop() if len(steps) == 1 else 0
    if step > 1 and last + step > whole[-1]:
        if first == whole[0] and (
                len(values) > 2 or len(whole) == step * len(values)):
            return f"*/{step}"
        if len(values) > 2 and first < whole[0] + step:
            return f"{first}-{whole[-1]}/{step}"
    if step > 1 and len(values) > 3:
        return f"{first}-{last}/{step}"
    parts: list[list[int]] = []
    for value in values:
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return ",".join(
        f"{part[0]}-{part[-1]}" if len(part) > 2
        else ",".join(map(str, part)) for part in parts)


@functools.lru_cache(10_000)
def _bits(values: tuple[int, ...], whole: tuple[int, ...]) -> float:
    """The length of a field: what people write often is short."""
    text = _field(values, whole)
    if text == "*":
        return 1.0
    if text.startswith("*/"):
        return 3.0 if len(whole) % int(text[2:]) == 0 else 6.0
    if text == "1-5":
        return 3.0
    return 2.0 + sum(
        1.0 + _number_bits(int(number), whole)
        for part in text.replace("/", ",").split(",")
        for number in part.split("-"))


def _number_bits(number: int, whole: tuple[int, ...]) -> float:
    if whole is MINUTES and number % 5 == 0:
        return 1.0 if number == 0 else 2.5 if number % 15 == 0 else 4.0
    return math.log2(len(whole))
