"""Strips: the past of a script as a row of bars, the worst of each bucket."""

from __future__ import annotations

import datetime
import functools
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from typing import NamedTuple

from canonical.launchpad.monitor.clocks import clock_changes
from canonical.launchpad.webapp.buckets import BLANK
from canonical.launchpad.webapp.buckets import HAPPENED
from canonical.launchpad.webapp.buckets import Bucket
from canonical.launchpad.webapp.formatting import short_time
from canonical.launchpad.webapp.periods import Period


__all__ = [
    "BUCKETS",
    "Line",
    "Strip",
    "Trouble",
    "bar_path",
    "lines_of",
    "strip_of",
]


# The number of bars of a strip: a quarter of an hour each in a day.
BUCKETS = 96

# What is filled of the bar of a state, from and to a height of 10.  So a state
# is seen without its colour too: what was missed has a gap.
BARS: dict[str, list[tuple[float, float]]] = {
    "failed": [(0, 10)], "missed": [(0, 3), (7, 10)], "late": [(2.5, 10)],
    "slow": [(4.5, 10)], "met": [(6.5, 10)], "paused": [(9, 10)]}

# What somebody has to look at.
BAD = ("failed", "missed", "late", "slow")

WORDS = {
    "failed": "failed", "missed": "missed", "late": "late",
    "slow": "unusual duration", "met": "met", "paused": "paused"}


class Trouble(NamedTuple):
    """Some bars beside each other that are not as they should be.

    :ivar first: the number of the first bucket.
    :ivar width: the number of buckets.
    :ivar since: the start of the first bucket, as in ISO 8601.
    """

    first: int
    width: int
    since: str
    title: str


class Strip(NamedTuple):
    """A strip, to be drawn 96 wide and 10 high.

    :ivar paths: the data of a path for each state.
    :ivar troubles: where bars are linked.
    :ivar words: what it shows, as a sentence.
    :ivar details: the same for the times that are not as they should be.
    :ivar counts: the number of bars in each state.
    """

    paths: dict[str, str]
    troubles: list[Trouble]
    words: str
    details: str
    counts: dict[str, int]


class Line(NamedTuple):
    """A line through all strips.

    :ivar place: where it is, of a width of 96.
    :ivar kind: ``midnight`` or ``clocks``.
    """

    place: float
    kind: str
    title: str


def strip_of(buckets: Sequence[Bucket], period: Period) -> Strip:
    """The strip of what happened in each bucket."""
    paths: dict[str, list[str]] = {}
    states = [bucket.state for bucket in buckets]
    edges = _edge_texts(period)
    for state, first, count in _groups(states):
        if state != BLANK:
            paths.setdefault(state, []).append(bar_path(state, first, count))
    troubles = []
    for bad, first, count in _groups([state in BAD for state in states]):
        if bad:
            found = states[first:first + count]
            words = ", ".join([
                WORDS[state] for state in HAPPENED if state in found])
            since, begin = edges[first]
            _, end = edges[first + count]
            troubles.append(
                Trouble(first, count, since, f"{words}, {begin} to {end}"))
    counts = Counter(states)
    said = ", ".join(
        f"{counts[state]} {WORDS[state]}" for state in HAPPENED
        if counts[state])
    return Strip(
        {state: "".join(each) for state, each in paths.items()}, troubles,
        f"Of {len(buckets)} bars: {said or 'nothing was due'}.",
        "; ".join(each.title for each in troubles)
        or "Nothing was failed, missed, late, or of unusual duration.", counts)


def _groups(values: Iterable[Any]) -> Iterator[tuple[Any, int, int]]:
    """Neighbours that are the same: what, the first, and how many."""
    first = 0
    for value, group in groupby(values):
        count = len(list(group))
        yield value, first, count
        first += count


@functools.lru_cache(32)
def _edge_texts(period: Period) -> list[tuple[str, str]]:
    """The edges of the buckets, for addresses and for people."""
    edges = [period.edge(number) for number in range(period.buckets + 1)]
    return [(f"{edge:%Y-%m-%dT%H:%MZ}", short_time(edge)) for edge in edges]


# All strips of a page have the same places.
@functools.lru_cache(10_000)
def bar_path(state: str, first: int, count: int) -> str:
    """The data of a path for some bars beside each other."""
    return "".join(
        f"M{first} {top}h{count}V{bottom}h-{count}z"
        for top, bottom in BARS[state])


def lines_of(period: Period, timezones: Iterable[str]) -> list[Line]:
    """Midnights in UTC, and when the clocks of any of the zones change."""
    lines = []
    day = datetime.timedelta(days=1)
    midnight = period.since.replace(hour=0, minute=0, second=0, microsecond=0)
    while (midnight := midnight + day) < period.until:
        lines.append(Line(
            round(period.place(midnight), 2), "midnight",
            f"{midnight.day} {midnight:%b}"))
    for moment, zones in sorted(_changes(
        tuple(sorted(set(timezones))), period.since, period.until
    ).items()):
        lines.append(Line(
            round(period.place(moment), 2), "clocks",
            f"the clocks change in {', '.join(zones)},"
            f" {short_time(moment)}"))
    return lines


@functools.lru_cache(32)
def _changes(
    timezones: tuple[str, ...],
    since: datetime.datetime,
    until: datetime.datetime,
) -> dict[datetime.datetime, list[str]]:
    """When clocks change in a period, with the zones in which they do."""
    found: dict[datetime.datetime, list[str]] = {}
    for name in timezones:
        for moment, _, _ in clock_changes(
                name, since.timestamp(), until.timestamp()):
            found.setdefault(datetime.datetime.fromtimestamp(
                moment, datetime.UTC), []).append(name)
    return found
