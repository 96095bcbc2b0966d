"""What can start a script: cron, or a timer that starts anew after each run.

A model has a text, its slots, and a length in bits.  The shorter its text, and
the more usual its numbers, the fewer bits it takes.
"""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "DAY",
    "HOURS",
    "MINUTES",
    "MONTH",
    "WEEKDAYS",
    "Cron",
    "Every",
    "day_of_month",
    "offset",
]


DAY = 86400
MINUTES = tuple(range(60))
HOURS = tuple(range(24))
WEEKDAYS = tuple(range(7))
MONTH = tuple(range(1, 32))


class Cron(NamedTuple):
    """A line of a crontab, in a time zone.

    :ivar days: of the month.
    :ivar weekdays: 0 is Sunday.
    :ivar zone_bits: what the zone costs.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] = MONTH
    weekdays: tuple[int, ...] = WEEKDAYS
    timezone: str = "UTC"
    zone_bits: float = 0.0

    @property
    def text(self) -> str:
        return (
            f"{_field(self.minutes, MINUTES)} {_field(self.hours, HOURS)}"
            f" {_field(self.days, MONTH)} *"
            f" {_field(self.weekdays, WEEKDAYS)}")

    @property
    def bits(self) -> float:
        """The length of the text; usual numbers are short."""
        return self.zone_bits + sum(map(_bits, (
            self.minutes, self.hours, self.days, self.weekdays), (
            MINUTES, HOURS, MONTH, WEEKDAYS)))

    @property
    def spacing(self) -> float:
        """The seconds between slots that follow each other on a usual day."""
        times = self.times
        if len(times) > 1:
            return float(min(
                b - a for a, b in zip(times, times[1:], strict=False)))
        return 30.0 * DAY / len(self.days) if self.days != MONTH else (
            float(DAY) if len(self.weekdays) > 1 else 7.0 * DAY)

    @property
    def times(self) -> list[int]:
        """The slots of a day, in seconds from midnight."""
        return [3600 * hour + 60 * minute
                for hour in self.hours for minute in self.minutes]

    def runs_every_hour(self) -> bool:
        return (self.hours, self.days, self.weekdays) == (
            HOURS, MONTH, WEEKDAYS)

    def slots(self, since: float, until: float) -> list[float]:
        """The slots from one time to another, as cron(8) has them.

        :param since: seconds since 1970 UTC; likewise `until`, and all slots.
        """
        times = [float(time) for time in self.times]
        days: Sequence[int] = range(
            int(since // DAY) - 1, int(until // DAY) + 2)
        if self.weekdays != WEEKDAYS:
            # 1 January 1970 was a Thursday.
            days = [day for day in days if (day + 4) % 7 in self.weekdays]
        if self.days != MONTH:
            days = [day for day in days if day_of_month(day) in self.days]
        found = [
            DAY * day + time for day in days for time in times
        ] if self.timezone == "UTC" else list(itertools.chain.from_iterable(
            self._slots_of_day(day, times) for day in days))
        return found[bisect.bisect_left(found, since):
                     bisect.bisect_right(found, until)]

    def _slots_of_day(self, day: int, times: Sequence[float]) -> list[float]:
        """The slots of a day of a zone, by its number since 1970."""
        before = offset(self.timezone, 24 * day)
        after = offset(self.timezone, 24 * day + 24)
        if before == after:
            return [DAY * day - before + time for time in times]
        # Clocks change within the day, and cron is exact about it.
        return [slot.timestamp() for slot in slots_between(
            self.text, self.timezone, *(
                datetime.datetime.fromtimestamp(each, datetime.UTC)
                for each in (DAY * day - before, DAY * (day + 1) - after)))]


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


@functools.lru_cache(200_000)
def offset(timezone: str, hour: int, local: bool = True) -> int:
    """How far a clock is ahead of UTC, in seconds.

    :param hour: hours since 1970, by that clock or in UTC.
    """
    if timezone == "UTC":
        return 0
    zone = ZoneInfo(timezone)
    moment = EPOCH + datetime.timedelta(hours=hour)
    moment = moment.replace(tzinfo=zone) if local else moment.replace(
        tzinfo=datetime.UTC).astimezone(zone)
    ahead = moment.utcoffset()
    assert ahead is not None
    return round(ahead.total_seconds())


EPOCH = datetime.datetime(1970, 1, 1)


@functools.lru_cache(100_000)
def day_of_month(day: int) -> int:
    return (EPOCH + datetime.timedelta(days=day)).day


@functools.lru_cache(10_000)
def _field(values: tuple[int, ...], whole: tuple[int, ...]) -> str:
    """A field of a crontab in its shortest form."""
    if values == whole:
        return "*"
    first, step = values[0], _step(values)
    if step > 1 and values[-1] + step > whole[-1]:
        if first == whole[0] and (
                len(values) > 2 or len(whole) == step * len(values)):
            return f"*/{step}"
        if len(values) > 2 and first < whole[0] + step:
            return f"{first}-{whole[-1]}/{step}"
    if step > 1 and len(values) > 3:
        return f"{first}-{values[-1]}/{step}"
    parts: list[list[int]] = []
    for value in values:
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return ",".join(
        f"{part[0]}-{part[-1]}" if len(part) > 2
        else ",".join(map(str, part)) for part in parts)


def _step(values: tuple[int, ...]) -> int:
    """The step between values; 0 if it varies."""
    steps = {b - a for a, b in zip(values, values[1:], strict=False)}
    return steps.pop() if len(steps) == 1 else 0


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
