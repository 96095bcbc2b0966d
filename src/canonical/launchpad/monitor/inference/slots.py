"""The slots of a schedule in numbers, and quickly.

A suggestion asks for those of a long history, of many schedules, in many
zones, and for parts of it again and again.
"""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from canonical.launchpad.monitor.inference.matching import slots_within
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "slots_of",
]


DAY = datetime.timedelta(days=1)

# Slots are known for so many seconds at a time.
CHUNK = 16 * 86400


def slots_of(
    schedule: str, timezone: str, first: float, last: float
) -> Sequence[float]:
    """The slots from that of a start to the last that is not later.

    :param first: seconds since 1970 UTC; likewise `last`.
    """
    day = DAY.total_seconds()
    chunks = range(
        int((first - day) // CHUNK), int((last + day) // CHUNK) + 1)
    return slots_within(
        tuple(itertools.chain.from_iterable(
            _slots_of_chunk(schedule, timezone, chunk) for chunk in chunks)),
        first, last)


@functools.lru_cache(1000)
def _slots_of_chunk(
    schedule: str, timezone: str, chunk: int
) -> tuple[float, ...]:
    """The slots of some days, in seconds since 1970.

    Scripts that have a schedule in common have this in common as well, and so
    have parts of a history.

    :param chunk: how many such times have passed since 1970 UTC.
    """
    since, until = (
        datetime.datetime.fromtimestamp(each * CHUNK, datetime.UTC)
        for each in (chunk, chunk + 1))
    zone = ZoneInfo(timezone)
    before, after = (
        each.astimezone(zone).utcoffset() or datetime.timedelta()
        for each in (since - DAY, until + DAY))
    if before != after:
        slots = slots_between(schedule, timezone, since, until)
        return tuple(slot.timestamp() for slot in slots)
    # Where no clock is changed all zones are the same, but for the offset.
    slots = slots_between(schedule, "UTC", since + before, until + before)
    return tuple((slot - before).timestamp() for slot in slots)
