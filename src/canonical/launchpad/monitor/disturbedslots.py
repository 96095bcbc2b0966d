"""Slots in the hours that a change of clocks skips or repeats."""

from __future__ import annotations

import datetime
import functools
from zoneinfo import ZoneInfo

from cronsim import CronSim

from canonical.launchpad.monitor.schedule import five_fields


__all__ = [
    "disturbed_slot",
]


DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)

# Each zone that changes its clocks does so within this time.
AHEAD = 366


def disturbed_slot(
    schedule: str, timezone: str, since: datetime.datetime
) -> tuple[datetime.datetime, str] | None:
    """The first slot, if any, that comes not at all, or twice.

    One whose minute or hour begins with a star is none: cron starts it by the
    clock on the wall.

    :param since: look at the year after this time.
    :return: the time on the clock, and what happens to it.
    """
    fields = five_fields(schedule).split()
    if any(field.startswith("*") for field in fields[:2]):
        return None
    for begin, end, what in _changes(timezone, since.date()):
        for slot in CronSim(" ".join(fields), begin - MINUTE):
            if slot >= end:
                break
            return slot, what
    return None


@functools.lru_cache(100)
def _changes(
    timezone: str, since: datetime.date
) -> list[tuple[datetime.datetime, datetime.datetime, str]]:
    """Which times on the clock a zone skips or repeats, and which it does."""
    zone = ZoneInfo(timezone)
    start = datetime.datetime.combine(
        since, datetime.time(), datetime.UTC)
    changes = []
    for day in range(AHEAD):
        low, high = start + day * DAY, start + (day + 1) * DAY
        before, after = _offset(zone, low), _offset(zone, high)
        if before == after:
            continue
        while high - low > MINUTE:
            middle = low + (high - low) // 2
            if _offset(zone, middle) == before:
                low = middle
            else:
                high = middle
        moment = high.replace(second=0, microsecond=0, tzinfo=None)
        changes.append((
            moment + min(before, after), moment + max(before, after),
            "does not come" if before < after else "comes twice"))
    return changes


def _offset(
    zone: ZoneInfo, moment: datetime.datetime
) -> datetime.timedelta:
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset
