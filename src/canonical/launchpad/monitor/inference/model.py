"""What can start a script: cron, or a timer that starts anew after each run.

A model has a text, and a length in bits.  The shorter its text, and the more
usual its numbers, the fewer bits it takes.
"""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
import math
import re
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from canonical.config.durations import rounded_text
from canonical.launchpad.monitor.matching import slot_numbers


__all__ = [
    "DAY",
    "HOUR",
    "MONTH",
    "SKEW",
    "WEEKDAYS",
    "ZONES",
    "Cron",
    "Every",
    "changes",
    "day_of_month",
    "local",
]


# In seconds, as all times here.
DAY = 86400
HOUR = 3600

# By how much the clock of a host may be behind, as `Case` has it.
SKEW = 60

MINUTES = tuple(range(60))
HOURS = tuple(range(24))
MONTH = tuple(range(1, 32))
WEEKDAYS = tuple(range(7))

# A slot is at most so many days before the next: two months of which the
# first has no such day.
BACK = 62

# The best known zone of each kind of change, the best known first.
ZONES = (
    "Europe/London", "America/New_York", "Europe/Berlin",
    "America/Los_Angeles", "America/Chicago", "Australia/Sydney",
    "Europe/Athens", "America/Denver", "America/Sao_Paulo",
    "Pacific/Auckland", "America/Halifax", "Australia/Adelaide",
    "America/Santiago", "Asia/Jerusalem", "Africa/Cairo", "America/Havana",
)

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


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

    def __str__(self) -> str:
        return self.text + (
            "" if self.timezone == "UTC" else f" in {self.timezone}")

    @property
    def text(self) -> str:
        return (
            f"{_field(self.minutes, MINUTES)} {_field(self.hours, HOURS)}"
            f" {_field(self.days, MONTH)} * {_field(self.weekdays, WEEKDAYS)}")

    @property
    def bits(self) -> float:
        """The length of the text; usual numbers are short."""
        return sum(map(_bits, self, (MINUTES, HOURS, MONTH, WEEKDAYS)))

    @property
    def spacing(self) -> float:
        """The least number of seconds between slots."""
        if len(self.hours) * len(self.minutes) > 1:
            times = [60 * hour + minute
                     for hour in self.hours for minute in self.minutes]
            return 60.0 * min(b - a for a, b in itertools.pairwise(times))
        if self.days != MONTH:
            return 30.0 * DAY / len(self.days)
        return DAY * min(
            7.0 if a == b else (b - a) % 7 for a, b in zip(
                self.weekdays, self.weekdays[1:] + self.weekdays[:1],
                strict=True))

    def slots(self, first: int, until: int) -> list[int]:
        """The slots from that of a first run until a time, in seconds.

        :param first: what the clock showed at its start; likewise `until`.
        """
        slots = _slots(*self[:4], first // DAY, (until + SKEW) // DAY)
        return slots[bisect.bisect_right(slots, first + SKEW) - 1:
                     bisect.bisect_right(slots, until + SKEW)]

    def met(self, seconds: Sequence[int]) -> dict[int, int]:
        """The numbers of the slots that are met, and how late, in seconds.

        :param seconds: what the clock showed at each start.
        """
        slots = _slots(
            *self[:4], seconds[0] // DAY, (max(seconds) + SKEW) // DAY)
        return {
            number: start - slots[number - 1] for number, start in zip(
                reversed(slot_numbers(slots, seconds, SKEW)),
                reversed(seconds), strict=True)}


class Every(NamedTuple):
    """A timer that starts anew after each run.

    :ivar period: seconds.
    :ivar after: what it is measured from: ``completion`` or ``start``.
    """

    period: float
    after: str

    def __str__(self) -> str:
        period = rounded_text(datetime.timedelta(seconds=self.period))
        return f"every {period}"

    @property
    def bits(self) -> float:
        return 6 + math.log2(max(self.period, 2))


def day_of_month(day: int) -> int:
    """That of a day since 1 January 1970."""
    return datetime.date.fromordinal(EPOCH.toordinal() + day).day


@functools.lru_cache(4)
def _slots(
    minutes: tuple[int, ...], hours: tuple[int, ...], days: tuple[int, ...],
    weekdays: tuple[int, ...], first: int, last: int
) -> list[int]:
    """From the last slot before a day to those of another, on the clock."""
    there = [
        day for day in range(first - BACK, last + 1)
        # 1 January 1970 was a Thursday.
        if (day + 4) % 7 in weekdays and (
            days == MONTH or day_of_month(day) in days)]
    times = [3600 * hour + 60 * minute for hour in hours for minute in minutes]
    return [DAY * day + time
            for day in there[bisect.bisect_left(there, first) - 1:]
            for time in times]


@functools.lru_cache(10_000)
def _field(values: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """A field of a crontab in its shortest form."""
    if values == whole:
        return "*"
    first, last = values[0], values[-1]
    steps = {b - a for a, b in itertools.pairwise(values)}
    step = steps.pop() if len(steps) == 1 else 0
    if step > 1 and first == whole[0] and last + step > whole[-1] and (
            len(values) > 2 or len(whole) == step * len(values)):
        return f"*/{step}"
    if step > 1 and len(values) > 3:
        return f"{first}-{last}/{step}"
    parts = [
        [str(value) for _, value in part] for _, part in itertools.groupby(
            enumerate(values), lambda pair: pair[1] - pair[0])]
    return ",".join(
        f"{part[0]}-{part[-1]}" if len(part) > 2 else ",".join(part)
        for part in parts)


@functools.lru_cache(10_000)
def _bits(values: tuple[int, ...], whole: tuple[int, ...]) -> float:
    """The length of a field: what people write often is short."""
    text = _field(values, whole)
    if text == "*":
        return 1.0
    if text.startswith("*/") or text == "1-5":
        return 3.0
    bits = 2.0
    for number in map(int, re.findall(r"\d+", text)):
        bits += 1.0 + (
            math.log2(len(whole)) if whole is not MINUTES or number % 5
            else 1.0 if number == 0 else 2.5 if number % 15 == 0 else 4.0)
    return bits


def local(timezone: str, times: Iterable[float]) -> list[int]:
    """What the clock of a zone showed at some times, since it showed 1970."""
    if timezone == "UTC":
        return list(map(int, times))
    seconds = list(map(int, times))
    ahead = {hour: _offset(timezone, hour)
             for hour in {second // HOUR for second in seconds}}
    return [second + ahead[second // HOUR] for second in seconds]


def changes(timezone: str, since: float, until: float) -> list[int]:
    """When the clocks of a zone moved."""
    return [
        HOUR * hour for day in range(int(since // DAY), int(until // DAY) + 1)
        if _offset(timezone, 24 * day) != _offset(timezone, 24 * day + 24)
        for hour in range(24 * day + 1, 24 * day + 25)
        if _offset(timezone, hour) != _offset(timezone, hour - 1)
        and since < HOUR * hour < until]


@functools.lru_cache(200_000)
def _offset(timezone: str, hour: float) -> int:
    """How far a clock is ahead of UTC in an hour since 1970."""
    ahead = (EPOCH + datetime.timedelta(hours=hour)).astimezone(
        ZoneInfo(timezone)).utcoffset()
    assert ahead is not None
    return round(ahead.total_seconds())
