"""What the clocks of a time zone show, and when they change.

Times are seconds since 1970 UTC.
"""

from __future__ import annotations

import bisect
import datetime
import functools
from collections.abc import Iterable
from zoneinfo import ZoneInfo


__all__ = [
    "KNOWN",
    "clock_changes",
    "day_of_month",
    "day_of_week",
    "local",
]


# Clocks change at a multiple of this.
QUARTER = 900

# Hardly a zone changes its clocks twice in this time.
WEEK = 7 * 86400

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

# 1 January 1970 was a Thursday; 0 is Sunday.
THURSDAY = 4

# The best known zone of each kind of change, the best known first.
KNOWN = (
    "Europe/London", "America/New_York", "Europe/Berlin",
    "America/Los_Angeles", "America/Chicago", "Australia/Sydney",
    "Europe/Athens", "America/Denver", "America/Sao_Paulo",
    "Pacific/Auckland", "America/Halifax", "Australia/Adelaide",
    "America/Santiago", "Asia/Jerusalem", "Africa/Cairo", "America/Havana",
)


def local(timezone: str, times: Iterable[float]) -> list[int]:
    """What the clock of a zone showed at some times, since it showed 1970."""
    seconds = list(map(int, times))
    if timezone == "UTC":
        return seconds
    first = min(seconds)
    changes = clock_changes(timezone, first, max(seconds) + 1)
    moments = [moment for moment, _, _ in changes]
    ahead = [_ahead(timezone, first)]
    ahead += [after for _, _, after in changes]
    return [second + ahead[bisect.bisect_right(moments, second)]
            for second in seconds]


def day_of_month(day: int) -> int:
    """That of a day since 1 January 1970."""
    return datetime.date.fromordinal(EPOCH.toordinal() + day).day


def day_of_week(day: int) -> int:
    """That of a day since 1 January 1970, as cron counts."""
    return (day + THURSDAY) % 7


def clock_changes(
    timezone: str, since: float, until: float
) -> list[tuple[int, int, int]]:
    """The changes of the clocks of a zone, from a time until before another.

    :return: when, and by how many seconds the clocks are ahead of UTC before
        and after that.
    """
    return [
        change for week in range(int(since // WEEK), int(until // WEEK) + 1)
        if (change := _change(timezone, week)) is not None
        and since <= change[0] < until]


@functools.lru_cache(100_000)
def _change(timezone: str, week: int) -> tuple[int, int, int] | None:
    """As `clock_changes`, in a week since 1970."""
    first, last = week * WEEK, week * WEEK + WEEK
    before, after = _ahead(timezone, first), _ahead(timezone, last)
    if before == after:
        return None
    times = range(first, last, QUARTER)
    return first + QUARTER * bisect.bisect(
        times, False, key=lambda time: _ahead(timezone, time) != before), (
            before), after


def _ahead(timezone: str, time: int) -> int:
    """By how many seconds the clocks are ahead of UTC."""
    moment = EPOCH + datetime.timedelta(seconds=time)
    offset = moment.astimezone(ZoneInfo(timezone)).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())
