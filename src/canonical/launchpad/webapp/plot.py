"""A plot of runs: when they started, and how long they took."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from canonical.launchpad.interfaces import Column
from canonical.launchpad.plaintext import counted
from canonical.launchpad.webapp.buckets import Bucket
from canonical.launchpad.webapp.formatting import seconds_words
from canonical.launchpad.webapp.formatting import short_time
from canonical.launchpad.webapp.formatting import shown_time
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.strips import Line


__all__ = [
    "BUCKETS",
    "FEW",
    "Plot",
    "plot_of",
]


# The plot is that wide, without what is beside it; a bucket is 4 wide.
BUCKETS = 225
WIDTH, HEIGHT = 900, 280
LEFT, TOP, RIGHT, BOTTOM = 62, 14, 18, 44

# So many runs of a bucket are drawn one by one.
FEW = 4

# Durations that a person counts in, in seconds.
TICKS = [
    0.001, 0.01, 0.1, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200,
    4 * 3600, 8 * 3600, 86400, 2 * 86400, 7 * 86400]
MOST_TICKS = 6

# Shorter runs are drawn as if they took this long, in seconds.
SHORTEST = 0.001

HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR

# From one line of the time axis to the next: of these, one that leaves room
# for its label.
STEPS = [HOUR, 3 * HOUR, 6 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY]
MOST_LINES = 12


class Mark(NamedTuple):
    """Something in the plot, at a place."""

    kind: str
    x: float
    y: float
    title: str


class Plot(NamedTuple):
    """A plot, as the template draws it.

    :ivar band: the top and the height of the band, or `None`.
    :ivar limits: the heights of its limits.
    :ivar ranges: for each column of many runs: x, the heights of the longest,
        the median and the shortest, and a title.
    :ivar spotlight: x and the width of the time that is looked at, or `None`.
    """

    width: int
    height: int
    left: int
    base: float
    right: int
    ticks: list[tuple[float, str]]
    times: list[tuple[float, str]]
    clocks: list[tuple[float, str]]
    band: tuple[float, float] | None
    limits: list[float]
    dots: list[Mark]
    ranges: list[tuple[float, float, float, float, str]]
    marks: list[Mark]
    spotlight: tuple[float, float] | None
    words: str


def plot_of(
    period: Period,
    at: datetime.datetime,
    columns: Sequence[Column],
    buckets: Sequence[Bucket],
    failures: Iterable[Any],
    running: Iterable[Any],
    usual: tuple[float | None, float | None],
    lines: Iterable[Line],
    spotlight: tuple[datetime.datetime, datetime.datetime] | None,
) -> Plot:
    """The plot of a period.

    :param failures: the last attempts that failed, with their starts and
        ends.
    :param running: attempts that run.
    :param usual: the shortest and the longest duration that is usual.
    :param lines: of `lines_of`.
    """
    low, high = usual
    failures = [
        each for each in failures if period.since <= each.date_started]
    seconds = [
        *(each.least for each in columns),
        *(each.greatest for each in columns),
        *(_took(each, at) for each in [*failures, *running]),
        *(limit for limit in usual if limit)]
    scale = _Scale(seconds)

    def x(moment: datetime.datetime) -> float:
        return round(LEFT + WIDTH * period.place(moment) / period.buckets, 1)

    dots, ranges = [], []
    for column in columns:
        for start, took in zip(column.starts, column.durations, strict=True):
            usually = (not low or took >= low) and (not high or took <= high)
            dots.append(Mark(
                "dot" if usually else "dot out", x(start), scale.y(took),
                f"{short_time(start)}, {seconds_words(took)}"))
        if not column.starts:
            middle = period.edge(column.bucket) + period.width / 2
            ranges.append((
                x(middle), scale.y(column.greatest), scale.y(column.median),
                scale.y(column.least),
                f"{short_time(period.edge(column.bucket))}: {column.runs}"
                f" runs, {seconds_words(column.least)},"
                f" {seconds_words(column.median)} and"
                f" {seconds_words(column.greatest)} at the least, in the"
                " middle and at the most"))
    base = TOP + HEIGHT + 12
    marks = [
        Mark("missed", x(period.edge(number) + period.width / 2), base,
             f"missed, {short_time(period.edge(number))}")
        for number, bucket in enumerate(buckets) if bucket.missed]
    marks += [
        Mark("vanished" if each.outcome == "vanished" else "cross",
             x(each.date_started), scale.y(_took(each, at)),
             f"{each.outcome or 'vanished'}, {short_time(each.date_started)}")
        for each in failures]
    # Only the last failures are here one by one.
    drawn = Counter(int(period.place(each.date_started)) for each in failures)
    marks += [
        Mark("cross", x(period.edge(number) + period.width / 2),
             TOP + HEIGHT - 6,
             f"{bucket.counts.failed} failed,"
             f" {short_time(period.edge(number))}")
        for number, bucket in enumerate(buckets)
        if bucket.counts.failed > drawn[number]]
    marks += [
        Mark("running", x(each.date_started), scale.y(_took(each, at)),
             f"runs since {short_time(each.date_started)}")
        for each in running if each.date_started >= period.since]
    runs = sum(each.runs for each in columns)
    failed = sum(bucket.counts.failed for bucket in buckets)
    return Plot(
        LEFT + WIDTH + RIGHT, TOP + HEIGHT + BOTTOM, LEFT, base, LEFT + WIDTH,
        scale.ticks(), [(x(moment), text) for moment, text in _times(period)],
        [(round(LEFT + WIDTH * each.place / period.buckets, 1), each.title)
         for each in lines if each.kind == "clocks"],
        scale.band(low, high),
        [scale.y(limit) for limit in usual if limit],
        dots, ranges, marks,
        spotlight and (x(spotlight[0]), round(
            x(spotlight[1]) - x(spotlight[0]), 1)),
        f"{counted(runs, 'run')} from {shown_time(period.since)} to"
        f" {shown_time(period.until)}, {counted(failed, 'failure')},"
        f" {sum(bucket.missed for bucket in buckets)} missed.")


class _Scale:
    """Durations, by their logarithm, from the bottom to the top."""

    def __init__(self, seconds: Sequence[float]) -> None:
        least = max(SHORTEST, min(seconds, default=1.0))
        most = max(SHORTEST, *seconds, least * 1.01)
        # Never a great picture of small differences.
        middle = math.sqrt(least * most)
        self._least = min(least / 1.4, middle / 3)
        self._most = max(most * 1.4, middle * 3)

    def y(self, seconds: float) -> float:
        share = math.log(max(seconds, SHORTEST) / self._least) / math.log(
            self._most / self._least)
        return round(TOP + HEIGHT * (1 - share), 1)

    def ticks(self) -> list[tuple[float, str]]:
        ticks = [
            each for each in TICKS if self._least <= each <= self._most]
        step = -(-len(ticks) // MOST_TICKS) or 1
        return [(self.y(each), seconds_words(each)) for each in ticks[::step]]

    def band(
        self, low: float | None, high: float | None
    ) -> tuple[float, float] | None:
        if not low and not high:
            return None
        top = self.y(high) if high else TOP
        bottom = self.y(low) if low else TOP + HEIGHT
        return top, round(bottom - top, 1)


def _took(attempt: Any, at: datetime.datetime) -> float:
    ended = attempt.date_ended or (
        attempt.date_started if attempt.outcome else at)
    return float(max(
        SHORTEST, (ended - attempt.date_started).total_seconds()))


def _times(period: Period) -> Iterable[tuple[datetime.datetime, str]]:
    """The lines of the time axis, and what is below them."""
    length = period.until - period.since
    step = next(
        (each for each in STEPS if length / each <= MOST_LINES), STEPS[-1])
    moment = period.since.replace(hour=0, minute=0, second=0, microsecond=0)
    while moment < period.until:
        if moment >= period.since:
            yield moment, (
                f"{moment:%H:%M}" if step < DAY and moment.hour
                else f"{moment.day} {moment:%b}")
        moment += step
