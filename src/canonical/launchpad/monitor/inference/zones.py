"""What the clocks of time zones showed, and when they moved."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo


__all__ = [
    "DAY",
    "SKEW",
    "ZONES",
    "Clock",
    "changes",
    "clock",
    "day_of_month",
]


DAY = 86400

# By how much the clock of a host may be behind, as `Case` has it; seconds.
SKEW = 60

# The best known zone of each kind of change, the best known first.
ZONES = (
    "Europe/London", "America/New_York", "Europe/Berlin",
    "America/Los_Angeles", "America/Chicago", "Australia/Sydney",
    "Europe/Athens", "America/Denver", "America/Sao_Paulo",
    "Pacific/Auckland", "America/Halifax", "Australia/Adelaide",
    "America/Santiago", "Asia/Jerusalem", "Africa/Cairo", "America/Havana",
)

EPOCH = datetime.datetime(1970, 1, 1)


class Clock(NamedTuple):
    """What the clock of a zone showed when runs started.

    :ivar seconds: since it showed the begin of 1970.
    :ivar days: likewise, with the skew added; and `minutes` of that day.
    """

    seconds: list[int]
    days: list[int]
    minutes: list[int]


def clock(timezone: str, starts: Sequence[float]) -> Clock:
    seconds = list(map(int, starts))
    if timezone != "UTC":
        seconds = [second + offset(timezone, second // 3600)
                   for second in seconds]
    minutes = [(second + SKEW) // 60 for second in seconds]
    return Clock(
        seconds, [minute // 1440 for minute in minutes],
        [minute % 1440 for minute in minutes])


@functools.lru_cache(200_000)
def offset(timezone: str, hour: int) -> int:
    """How far a clock is ahead of UTC in an hour since 1970, in seconds."""
    ahead = (EPOCH + datetime.timedelta(hours=hour)).replace(
        tzinfo=datetime.UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    assert ahead is not None
    return round(ahead.total_seconds())


def changes(timezone: str, since: float, until: float) -> list[int]:
    """When the clocks of a zone moved.

    :param since: seconds since 1970 UTC; likewise `until`, and each change.
    """
    return [
        at for at in _changes(timezone, int(since // DAY), int(until // DAY))
        if since < at < until]


@functools.lru_cache(1000)
def _changes(timezone: str, first: int, last: int) -> list[int]:
    return [
        3600 * hour + 3600 for day in range(first, last + 1)
        if offset(timezone, 24 * day) != offset(timezone, 24 * day + 24)
        for hour in range(24 * day, 24 * day + 24)
        if offset(timezone, hour) != offset(timezone, hour + 1)]


@functools.lru_cache(100_000)
def day_of_month(day: int) -> int:
    return (EPOCH + datetime.timedelta(days=day)).day
