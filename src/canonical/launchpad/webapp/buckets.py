"""What happened in each part of a period: the states that pictures show."""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
import operator
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from zope.component import getUtility

from canonical.launchpad.interfaces import Beginning
from canonical.launchpad.interfaces import Counts
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.interfaces import ScriptDay
from canonical.launchpad.interfaces import Track
from canonical.launchpad.monitor.availability import first_counted
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pauses import gaps as gaps_between
from canonical.launchpad.monitor.pauses import patience_ends
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.pauses import pauses_between
from canonical.launchpad.monitor.runtime import usual_range
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import latest_slot
from canonical.launchpad.monitor.schedule import slots_of_period
from canonical.launchpad.monitor.states import interval_ends
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.pruned import counts_with
from canonical.launchpad.webapp.pruned import missed_of
from canonical.launchpad.webapp.pruned import pruned_days
from canonical.launchpad.webapp.rows import Row


__all__ = [
    "BLANK",
    "Bucket",
    "HAPPENED",
    "buckets_of",
    "track_of",
    "usual_of",
]


# From the worst to the best.
HAPPENED = ("failed", "missed", "late", "slow", "met", "paused")
BLANK = ""

# The reason of the pause before a script was there.
NEW = "new"


class Bucket(NamedTuple):
    """What happened in a bucket.

    :ivar state: the worst of `HAPPENED`, or `BLANK`.
    :ivar missed: the number of slots that were missed; 1 if the script was
        overdue that has no schedule.
    """

    state: str
    counts: Counts = Counts()
    missed: int = 0


# From a time to before another.
Span = tuple[datetime.datetime, datetime.datetime]

NO_COUNTS = Counts()
NOTHING = Bucket(BLANK)
PAUSED = Bucket("paused")


def usual_of(row: Row) -> tuple[float | None, float | None]:
    """The durations, in seconds, between which the script's runs should be."""
    rule = row.rule
    if rule is None:
        return None, None
    return usual_range(rule, row.figures.durations[rule.runs:])


def track_of(row: Row, period: Period) -> Track:
    """What the past runs of a script are compared with."""
    case, (low, high) = row.case, usual_of(row)
    if case is None:
        return Track(row.name, row.hostname)
    rule = case.expectation
    if rule.schedule is None:
        return Track(
            row.name, row.hostname, (), case.lead, rule.every + rule.grace,
            low, high)
    return Track(
        row.name, row.hostname,
        _slots(rule.schedule, rule.timezone, period), case.lead, rule.grace,
        low, high)


@functools.lru_cache(256)
def _slots(
    schedule: str, timezone: str, period: Period
) -> tuple[datetime.datetime, ...]:
    """The slot before a period, and those in it."""
    before = latest_slot(schedule, timezone, period.since - INSTANT)
    return (
        before,
        *slots_of_period(schedule, timezone, period.since, period.until))


def buckets_of(
    rows: Sequence[Row], period: Period, at: datetime.datetime
) -> list[list[Bucket]]:
    """What happened to each script, in each bucket; five statements.

    :param at: the time at which what is due is decided.
    """
    timeline = getUtility(IScriptTimelineSet)
    tracks = [track_of(row, period) for row in rows]
    spans = [
        _spans(row.case, period, at, beginning)
        for row, beginning in zip(
            rows, timeline.getBeginnings(tracks), strict=True)]
    counts = timeline.getCounts(
        [track._replace(edges=(*track.slots[:1], *itertools.chain(*each)))
         for track, each in zip(tracks, spans, strict=True)],
        period.since, period.width, period.buckets)
    pruned = pruned_days(rows, period)
    by_interval = [
        number for number, row in enumerate(rows)
        if row.rule is not None and row.rule.schedule is None]
    gaps = dict(zip(by_interval, timeline.getGaps(
        [tracks[number] for number in by_interval], period.since,
        min(at, period.until)), strict=True))
    return [
        _buckets(
            row, period, at, counts[number], gaps.get(number, ()),
            spans[number], pruned[number])
        for number, row in enumerate(rows)]


def _buckets(
    row: Row,
    period: Period,
    at: datetime.datetime,
    counts: dict[int, Counts],
    gaps: Sequence[Span],
    spans: Sequence[Span],
    pruned: Sequence[ScriptDay],
) -> list[Bucket]:
    missed = [0] * period.buckets
    if row.case is not None and row.case.expectation.schedule is not None:
        missed = _due(row.case, period, spans)
        for bucket, each in counts.items():
            missed[bucket] = max(0, missed[bucket] - each.met)
    elif row.case is not None:
        for begin, end in gaps:
            late = max(interval_ends(row.case, begin), period.since)
            first = int(period.place(late))
            # A gap that ends at the start of a bucket is not in it.
            last = -int(-period.place(end) // 1) - 1
            if late < end:
                for bucket in range(first, min(last + 1, period.buckets)):
                    missed[bucket] = 1
    if pruned:
        counts = counts_with(pruned, period, counts)
        for bucket, number in missed_of(
            pruned, period, row.hostname
        ).items():
            missed[bucket] += number
    paused = _paused(row.case, period, at)
    return [
        _bucket(counts.get(bucket, NO_COUNTS), missed[bucket])
        if bucket in counts or missed[bucket]
        else PAUSED if bucket in paused else NOTHING
        for bucket in range(period.buckets)]


def _spans(
    case: Case | None,
    period: Period,
    at: datetime.datetime,
    beginning: Beginning,
) -> list[Span]:
    """When the slots are that count, and are due; none without a schedule."""
    if case is None or case.expectation.schedule is None:
        return []
    rule = case.expectation
    slots = _slots(rule.schedule, rule.timezone, period)
    end = bisect.bisect_right(
        slots, at, key=lambda slot: patience_ends(
            case.pauses, slot, rule.grace))
    if end == 0:
        return []
    return list(gaps_between(
        case.pauses, first_counted(case, beginning) or slots[0],
        slots[end - 1] + INSTANT))


def _due(case: Case, period: Period, spans: Iterable[Span]) -> list[int]:
    """The number of slots in each bucket that count, and are due."""
    rule = case.expectation
    slots = _slots(rule.schedule, rule.timezone, period)
    first = _first_slots(rule.schedule, rule.timezone, period)
    due = [0] * period.buckets
    for span in spans:
        begin, end = (bisect.bisect_left(slots, edge) for edge in span)
        low, high = (
            bisect.bisect_left(first, number) for number in (begin, end))
        places = [
            *[begin] * low, *first[low:high], *[end] * (len(first) - high)]
        due = list(map(
            operator.add, due, map(operator.sub, places[1:], places)))
    return due


@functools.lru_cache(256)
def _first_slots(
    schedule: str, timezone: str, period: Period
) -> list[int]:
    """The number of the first slot at or after each edge of a bucket."""
    slots = _slots(schedule, timezone, period)
    return [bisect.bisect_left(slots, edge) for edge in _edges(period)]


@functools.lru_cache(32)
def _edges(period: Period) -> list[datetime.datetime]:
    return [period.edge(bucket) for bucket in range(period.buckets + 1)]


def _bucket(counts: Counts, missed: int) -> Bucket:
    return Bucket(_state(counts, missed), counts, missed)


def _state(counts: Counts, missed: int) -> str:
    """The worst state of a bucket in which something happened."""
    if counts.failed:
        return "failed"
    if missed:
        return "missed"
    if counts.late:
        return "late"
    if counts.unusual:
        return "slow"
    return "met" if counts.runs else BLANK


def _paused(
    case: Case | None, period: Period, at: datetime.datetime
) -> set[int]:
    """The buckets of which a pause covers the middle."""
    if case is None or not pauses_between(
        case.pauses, period.since, period.until
    ):
        return set()
    return {
        bucket for bucket in range(period.buckets)
        if period.edge(bucket) < at
        and (pause := pause_at(
            case.pauses, period.edge(bucket) + period.width / 2))
        and pause.reason != NEW}
