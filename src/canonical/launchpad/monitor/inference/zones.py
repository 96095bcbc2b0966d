"""The time zones of the world, told apart by what their clocks did."""

from __future__ import annotations

import bisect
import datetime
import functools
import zoneinfo
from collections.abc import Iterable
from typing import NamedTuple


__all__ = [
    "KNOWN",
    "Zone",
    "fame",
    "zones_between",
]


WEEK = 7 * 86400

# Of zones that cannot be told apart the first of these is named.
KNOWN = (
    "UTC",
    "Europe/London",
    "America/New_York",
    "Europe/Berlin",
    "America/Los_Angeles",
    "America/Chicago",
    "Australia/Sydney",
    "Europe/Athens",
    "America/Denver",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Asia/Shanghai",
    "America/Sao_Paulo",
    "Pacific/Auckland",
)

# Names that are kept for those who knew them, see `backward` in the IANA
# time zone database; and those that are not of places.
OLD = ("Brazil/", "Canada/", "Chile/", "Etc/", "Mexico/", "US/", "posix/",
       "right/")


class Zone(NamedTuple):
    """Time zones that had the same clock.

    :ivar names: the best known first.
    :ivar changes: when the clock was changed, in seconds since 1970 UTC.
    :ivar offsets: from UTC in minutes, before the first change and after
        each.
    """

    names: tuple[str, ...]
    changes: tuple[int, ...]
    offsets: tuple[int, ...]

    def local_minutes(self, minutes: Iterable[int]) -> list[int]:
        """Minutes since 1970 by this clock, from those in UTC."""
        if not self.changes:
            return [minute + self.offsets[0] for minute in minutes]
        return [
            minute + self.offsets[bisect.bisect(self.changes, minute * 60)]
            for minute in minutes]


def zones_between(since: float, until: float) -> list[Zone]:
    """The distinct time zones from one time to another.

    :param since: seconds since 1970 UTC; likewise `until`.
    :return: UTC first, then by how well known they are.
    """
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], list[str]] = {}
    week, last_week = int(since // WEEK), int(until // WEEK) + 1
    for name in _names():
        changes, offsets = _changes(name, week, last_week)
        first = bisect.bisect(changes, since)
        last = bisect.bisect(changes, until)
        found.setdefault(
            (changes[first:last], offsets[first:last + 1]), []).append(name)
    return [
        Zone(tuple(names), changes, offsets)
        for (changes, offsets), names in found.items()]


@functools.cache
def _names() -> list[str]:
    names = [
        name for name in zoneinfo.available_timezones()
        if name in KNOWN or "/" in name and not name.startswith(OLD)]
    return sorted(names, key=fame)


def fame(name: str) -> tuple[int, str]:
    """A key to sort names by, the best known first."""
    return KNOWN.index(name) if name in KNOWN else len(KNOWN), name


@functools.lru_cache(10_000)
def _changes(
    name: str, week: int, last_week: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """When a clock was changed, and its offsets in minutes.

    Looked for week by week; no zone has two changes within one.
    """
    zone = zoneinfo.ZoneInfo(name)
    changes: list[int] = []
    offsets = [_offset(zone, week * WEEK)]
    for number in range(week, last_week):
        low, high = number * WEEK, (number + 1) * WEEK
        if _offset(zone, high) == offsets[-1]:
            continue
        while high - low > 60:
            middle = (low + high) // 120 * 60
            if _offset(zone, middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        changes.append(high)
        offsets.append(_offset(zone, high))
    return tuple(changes), tuple(offsets)


def _offset(zone: zoneinfo.ZoneInfo, seconds: int) -> int:
    moment = datetime.datetime.fromtimestamp(seconds, zone)
    offset = moment.utcoffset()
    assert offset is not None
    return round(offset.total_seconds() / 60)
