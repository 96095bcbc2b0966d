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
    "local",
]


# Clocks change at a multiple of this.
QUARTER = 900

# Hardly a zone changes its clocks twice in so many of them: a week.
WEEK = 7 * 96

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
    ahead = [_ahead(timezone, first // QUARTER)]
    ahead += [after for _, _, after in changes]
    return [second + ahead[bisect.bisect_right(moments, second)]
            for second in seconds]


def clock_changes(
    timezone: str, since: float, until: float
) -> list[tuple[int, int, int]]:
    """The changes of the clocks of a zone, from a time until before another.

    :return: when, and by how many seconds the clocks are ahead of UTC before
        and after that.
    """
    return [
        (quarter * QUARTER, before, after)
        for week in range(int(since // (WEEK * QUARTER)),
                          int(until // (WEEK * QUARTER)) + 1)
        if _ahead(timezone, week * WEEK) != _ahead(timezone, (week + 1) * WEEK)
        for quarter in range(week * WEEK + 1, (week + 1) * WEEK + 1)
        if since <= quarter * QUARTER < until
        and (before := _ahead(timezone, quarter - 1)) != (
            after := _ahead(timezone, quarter))]


@functools.lru_cache(100_000)
def _ahead(timezone: str, quarter: int) -> int:
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + (
        quarter * datetime.timedelta(seconds=QUARTER))
    offset = moment.astimezone(ZoneInfo(timezone)).utcoffset()
    assert offset is not None
    return round(offset.total_seconds())
