"""Planned downtimes and other pauses, in which no slot is due.

Snoozes, and what cron control has switched off, are on record: see
`canonical.launchpad.database.scriptpause`."""

from __future__ import annotations

import bisect
import datetime
import functools
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass

from zope.interface import implementer

from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptDowntime
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.expectation import check_value
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "Pauses",
    "ScriptDowntime",
    "downtime_from_text",
    "downtime_pauses",
    "gaps",
    "is_due",
    "merged",
    "patience_ends",
    "pauses_between",
    "pause_at",
    "unpaused",
]


@implementer(IScriptDowntime)
@dataclass(frozen=True)
class ScriptDowntime:
    """See `IScriptDowntime`.

    :raises ValueError: if a value is wrong.  The text says why.
    """

    schedule: str
    timezone: str
    duration: datetime.timedelta

    def __post_init__(self) -> None:
        check_schedule(self.schedule, self.timezone)
        check_value(IScriptDowntime, "duration", self.duration, "for")


def downtime_from_text(
    schedule: str, duration: str, timezone: str = "UTC"
) -> ScriptDowntime:
    """The downtime for the attributes that operators write.

    :raises ValueError: if one is wrong; see `ScriptDowntime`.
    """
    return ScriptDowntime(schedule, timezone, parse_duration(duration))


def downtime_pauses(
    downtimes: Iterable[IScriptDowntime],
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[Pause]:
    """The pauses of downtimes that overlap the time since..until."""
    return [
        Pause(slot, slot + downtime.duration, "planned downtime")
        for downtime in downtimes
        for slot in slots_between(
            downtime.schedule, downtime.timezone, since - downtime.duration,
            until + datetime.timedelta(microseconds=1))]


class Pauses(tuple[Pause, ...]):
    """A tuple that computes its hash once, since there may be many pauses."""

    def __hash__(self) -> int:
        return self._hash

    @functools.cached_property
    def _hash(self) -> int:
        return super().__hash__()


def merged(pauses: Iterable[Pause]) -> Pauses:
    """The pauses in order.  Pauses that overlap are joined.

    A joined pause has the reason of the pause that ends last.
    """
    apart: list[Pause] = []
    for pause in sorted(pauses, key=_start):
        if apart and pause.date_started <= apart[-1].date_ended:
            first = apart.pop()
            last = max(first, pause, key=lambda each: each.date_ended)
            pause = Pause(
                first.date_started, last.date_ended, last.reason,
                first.forgives or pause.forgives)
        apart.append(pause)
    return Pauses(apart)


def pause_at(
    pauses: tuple[Pause, ...], at: datetime.datetime
) -> Pause | None:
    """The pause at a given time, or `None`."""
    number = bisect.bisect_right(pauses, at, key=_start)
    if number and pauses[number - 1].date_ended > at:
        return pauses[number - 1]
    return None


def patience_ends(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    patience: datetime.timedelta,
) -> datetime.datetime:
    """The time at which `patience` outside pauses has passed since `since`."""
    if since == FOREVER:
        return FOREVER
    end = since + patience
    number = bisect.bisect_right(pauses, since, key=_end)
    while number < len(pauses) and pauses[number].date_started < end:
        pause = pauses[number]
        if pause.date_ended == FOREVER:
            return FOREVER
        end += pause.date_ended - max(pause.date_started, since)
        number += 1
    return end


def is_due(
    pauses: tuple[Pause, ...],
    slot: datetime.datetime,
    grace: datetime.timedelta,
    at: datetime.datetime,
) -> bool:
    """Does a slot count, and has its grace passed?"""
    return pause_at(pauses, slot) is None and (
        patience_ends(pauses, slot, grace) <= at)


def unpaused(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
) -> datetime.timedelta:
    """The duration between `since` and `until` that is outside all pauses."""
    return sum(
        (end - start for start, end in gaps(pauses, since, until)),
        datetime.timedelta())


def gaps(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """The periods between `since` and `until` that are outside all pauses."""
    for pause in pauses_between(pauses, since, until):
        if since < pause.date_started:
            yield since, pause.date_started
        since = pause.date_ended
    if since < until:
        yield since, until


def _start(pause: Pause) -> datetime.datetime:
    return pause.date_started


def _end(pause: Pause) -> datetime.datetime:
    return pause.date_ended


def pauses_between(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
) -> tuple[Pause, ...]:
    """The pauses that overlap the time from `since` to `until`."""
    return pauses[
        bisect.bisect_right(pauses, since, key=_end):
        bisect.bisect_left(pauses, until, key=_start)]
