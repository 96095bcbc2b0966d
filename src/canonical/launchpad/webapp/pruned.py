"""Days whose runs have been pruned: what is left of each, at its noon."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from zope.component import getUtility

from canonical.launchpad.interfaces import Column
from canonical.launchpad.interfaces import Counts
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import ScriptDay
from canonical.launchpad.webapp.parameters import DAY
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.rows import Row


__all__ = [
    "columns_with",
    "counts_with",
    "missed_of",
    "pruned_days",
]


def pruned_days(
    rows: Sequence[Row], period: Period
) -> list[list[ScriptDay]]:
    """What is left of the pruned days of each script; one statement."""
    found: dict[str, list[ScriptDay]] = {}
    for day in getUtility(IScriptDaySet).getDays(
        period.since.date(), period.until.date() + DAY,
        sorted({row.name for row in rows})
    ):
        found.setdefault(day.name, []).append(day)
    return [
        [day for day in found.get(row.name, ())
         if row.hostname in (None, day.hostname)]
        for row in rows]


def counts_with(
    days: Iterable[ScriptDay], period: Period, counts: dict[int, Counts]
) -> dict[int, Counts]:
    """The counts of what is on record and of what has been pruned."""
    found = dict(counts)
    for bucket, day in _placed(days, period):
        if day.runs or day.failures:
            known = found.get(bucket, Counts())
            found[bucket] = known._replace(
                runs=known.runs + day.runs, failed=known.failed + day.failures)
    return found


def missed_of(
    days: Iterable[ScriptDay], period: Period, hostname: str | None
) -> dict[int, int]:
    """How many slots were missed in each bucket, on days before the runs."""
    found: dict[int, int] = {}
    for bucket, day in _placed(days, period):
        if day.hostname == (hostname or "") and day.due is not None:
            assert day.met is not None
            found[bucket] = found.get(bucket, 0) + day.due - day.met
    return found


def columns_with(
    days: Iterable[ScriptDay], period: Period, columns: Iterable[Column]
) -> list[Column]:
    """The durations of what is on record and of what has been pruned.

    The median of several days is the mean of theirs, by their runs.
    """
    found = {column.bucket: column for column in columns}
    for bucket, day in _placed(days, period):
        if day.minimum is None or day.maximum is None or day.median is None:
            continue
        least, median, greatest = (
            each.total_seconds()
            for each in (day.minimum, day.median, day.maximum))
        known = found.get(bucket)
        runs = day.runs
        if known is not None:
            runs += known.runs
            least = min(least, known.least)
            greatest = max(greatest, known.greatest)
            median = (median * day.runs + known.median * known.runs) / runs
        found[bucket] = Column(bucket, runs, least, median, greatest, (), ())
    return [found[bucket] for bucket in sorted(found)]


def _placed(
    days: Iterable[ScriptDay], period: Period
) -> Iterator[tuple[int, ScriptDay]]:
    """Days with the buckets in which they are drawn."""
    for day in days:
        noon = datetime.datetime.combine(
            day.day, datetime.time(12), datetime.UTC)
        bucket = int(period.place(noon) // 1)
        if 0 <= bucket < period.buckets:
            yield bucket, day
