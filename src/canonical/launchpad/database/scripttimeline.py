"""Implements `IScriptTimelineSet`: runs, counted for pictures."""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Iterable
from collections.abc import Sequence
from math import ceil
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database import scripttimeline_sql as sql
from canonical.launchpad.database.execute import bind
from canonical.launchpad.database.openattempts import only
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.database.storable import is_storable
from canonical.launchpad.interfaces import Beginning
from canonical.launchpad.interfaces import Column
from canonical.launchpad.interfaces import Counts
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.interfaces import PastRun
from canonical.launchpad.interfaces import Track


__all__ = [
    "ScriptTimelineSet",
]


# No run takes longer, in seconds, and it can be added to any time.
LONGEST = 1e10

# The start, the table and the id of a run.
KEY = re.compile(r"([0-9T:.-]{19,26})Z-([12])-([0-9]{1,18})", re.ASCII)


@implementer(IScriptTimelineSet)
class ScriptTimelineSet:
    """See `IScriptTimelineSet`."""

    def getOtherNames(self, known: Iterable[str]) -> list[str]:
        """See `IScriptTimelineSet`."""
        names = json.dumps(list(known), ensure_ascii=False)
        return sorted(name for name, in _execute(
            sql.OTHER_NAMES_SPREAD if is_spread() else sql.OTHER_NAMES,
            {"known": names}))

    def getCounts(
        self,
        tracks: Sequence[Track],
        since: datetime.datetime,
        width: datetime.timedelta,
        buckets: int,
    ) -> list[dict[int, Counts]]:
        """See `IScriptTimelineSet`."""
        found: list[dict[int, Counts]] = [{} for _ in tracks]
        # Scripts with the same schedule share one tuple of slots.
        slots = {id(each.slots): each.slots for each in tracks}
        numbers = {key: number for number, key in enumerate(slots)}
        for number, bucket, *counts in _execute(sql.counts(is_spread()), {
            **_asked(tracks),
            **_period(since, width, buckets),
            "since_seconds": since.timestamp(),
            "first": min([since, *(
                each.slots[0] - each.skew for each in tracks if each.slots)]),
            "gone": open_attempts(only(each.name for each in tracks))["gone"],
            "slots": [numbers[id(each.slots)] for each in tracks],
            "skew": [each.skew for each in tracks],
            "shortest": [_interval(each.shortest) for each in tracks],
            "longest": [_interval(each.longest) for each in tracks],
            "edges": [_array(each.edges) for each in tracks],
            "slot_numbers": list(numbers.values()),
            "slot_starts": [_slots(each) for each in slots.values()],
        }):
            found[number][bucket] = Counts(*counts)
        return found

    def getBeginnings(
        self, tracks: Sequence[Track]
    ) -> list[Beginning]:
        """See `IScriptTimelineSet`."""
        return [
            Beginning(counted and _utc(counted), started and _utc(started))
            for counted, started in _execute(
                sql.beginnings(is_spread()), _asked(tracks))]

    def getGaps(
        self,
        tracks: Sequence[Track],
        since: datetime.datetime,
        until: datetime.datetime,
    ) -> list[list[tuple[datetime.datetime, datetime.datetime]]]:
        """See `IScriptTimelineSet`."""
        found: list[list[Any]] = [[] for _ in tracks]
        for number, begin, end in _execute(sql.gaps(is_spread()), {
            **_asked(tracks), "since": since, "until": until
        }):
            found[number].append((_utc(begin), _utc(end)))
        return found

    def getColumns(
        self,
        track: Track,
        since: datetime.datetime,
        width: datetime.timedelta,
        buckets: int,
        few: int,
    ) -> list[Column]:
        """See `IScriptTimelineSet`."""
        if not is_storable(track.name):
            return []
        return [
            Column(
                bucket, runs, least, median, greatest,
                tuple(map(_utc, starts or ())), tuple(durations or ()))
            for bucket, runs, least, median, greatest, starts, durations
            in _execute(
                sql.columns(track.hostname is None), {
                    **_period(since, width, buckets),
                    "name": track.name, "hostname": track.hostname,
                    "few": few})]

    def getPage(
        self,
        name: str,
        hostname: str | None,
        since: datetime.datetime | None,
        until: datetime.datetime | None,
        before: str | None,
        limit: int,
    ) -> list[PastRun]:
        """See `IScriptTimelineSet`."""
        moment, table, number = _key(before)
        if not is_storable(name) or not is_storable(hostname or ""):
            return []
        rows = _execute(sql.page(hostname is None), {
            "name": name, "hostname": hostname, "limit": limit,
            "since": since or sql.FIRST, "until": until or sql.LAST,
            "before": moment, "before_table": table, "before_id": number,
            "gone": open_attempts(name)["gone"]})
        return [
            PastRun(
                f"{_utc(started).replace(tzinfo=None).isoformat()}Z"
                f"-{table}-{number}",
                host, _utc(started), ended and _utc(ended), outcome, reason)
            for started, table, number, host, ended, outcome, reason in rows]


# The slots of a schedule are the same for each page until a bucket ends.
@functools.lru_cache(256)
def _slots(slots: tuple[datetime.datetime, ...]) -> str:
    return _array(slots)


def _array(times: Iterable[datetime.datetime]) -> str:
    """Times as an array of seconds since 1970.

    Slots are whole seconds, so those after a time are after the next one.
    """
    return f"{{{','.join([str(ceil(each.timestamp())) for each in times])}}}"


def _interval(seconds: float | None) -> datetime.timedelta | None:
    return None if seconds is None else datetime.timedelta(
        seconds=min(seconds, LONGEST))


def _key(text: str | None) -> tuple[datetime.datetime, int, int]:
    """The parts of the key of a run; of one after all runs for `None`.

    :raises ValueError: if it is not a key.
    """
    if text is None:
        return sql.LAST, 3, 0
    match = KEY.fullmatch(text)
    if match is None:
        raise ValueError(f"not the key of a run: {text!r}")
    moment = datetime.datetime.fromisoformat(match[1])
    return (
        moment.replace(tzinfo=datetime.UTC), int(match[2]), int(match[3]))


def _asked(tracks: Sequence[Track]) -> dict[str, Any]:
    return {
        "numbers": list(range(len(tracks))),
        "names": [each.name for each in tracks],
        "hostnames": [each.hostname for each in tracks],
        "patience": [each.patience for each in tracks],
    }


def _period(
    since: datetime.datetime, width: datetime.timedelta, buckets: int
) -> dict[str, Any]:
    return {
        "since": since, "until": since + buckets * width,
        "width": width.total_seconds()}


def _execute(statement: str, values: dict[str, Any]) -> Any:
    return main_store().execute(*bind(statement, values)).get_all()


def _utc(moment: datetime.datetime) -> datetime.datetime:
    return moment.astimezone(datetime.UTC)
