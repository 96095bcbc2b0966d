"""Slots in the hours that a change of clocks skips or repeats."""

from __future__ import annotations

import datetime

from cronsim import CronSim

from canonical.launchpad.monitor.clocks import clock_changes
from canonical.launchpad.monitor.schedule import five_fields


__all__ = [
    "disturbed_slot",
]


EPOCH = datetime.datetime(1970, 1, 1)
MINUTE = datetime.timedelta(minutes=1)

# Each zone that changes its clocks does so within this time, in seconds.
YEAR = 366 * 86400


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
    begin = since.timestamp()
    for moment, *ahead in clock_changes(timezone, begin, begin + YEAR):
        first, last = (
            EPOCH + datetime.timedelta(seconds=moment + each)
            for each in sorted(ahead))
        slot = next(CronSim(" ".join(fields), first - MINUTE), last)
        if slot < last:
            return slot, (
                "does not come" if ahead == sorted(ahead) else "comes twice")
    return None
