"""Planned downtimes, and whatever else is expected to be quiet."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from zope.interface import implementer

from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import IScriptDowntime
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "ScriptDowntime",
    "downtime_from_text",
    "downtime_pauses",
]


@implementer(IScriptDowntime)
@dataclass(frozen=True)
class ScriptDowntime:
    """See `IScriptDowntime`.

    :raises ValueError: if there is no such downtime; says why.
    """

    schedule: str
    timezone: str
    duration: datetime.timedelta

    def __post_init__(self) -> None:
        check_schedule(self.schedule, self.timezone)
        if not self.duration:
            raise ValueError("a downtime has to be for more than 0s")


def downtime_from_text(
    schedule: str, duration: str, timezone: str = "UTC"
) -> ScriptDowntime:
    """A downtime as operators write it; see `ScriptDowntime`."""
    return ScriptDowntime(schedule, timezone, parse_duration(duration))


def downtime_pauses(
    downtimes: Iterable[IScriptDowntime],
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[Pause]:
    """The pauses from `since` on that begin until `until`."""
    return [
        Pause(slot, slot + downtime.duration, "planned downtime")
        for downtime in downtimes
        for slot in slots_between(
            downtime.schedule, downtime.timezone, since - downtime.duration,
            until + datetime.timedelta(microseconds=1))]
