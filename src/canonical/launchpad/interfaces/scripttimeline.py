"""When runs started, and what came of them, counted for pictures."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "Beginning",
    "Column",
    "Counts",
    "IScriptTimelineSet",
    "PastRun",
    "Track",
]


class Track(NamedTuple):
    """A script on a host, with what its past runs are compared with.

    :ivar hostname: `None` for any host.
    :ivar slots: aware datetimes in ascending order.  Empty for a script
        without a schedule.
    :ivar skew: how long before its slot a run may start.
    :ivar patience: how long after its slot a run may complete; without a
        schedule, how long after the last completion.
    :ivar shortest: the shortest usual duration, in seconds, or `None`.
    :ivar longest: the longest one.
    :ivar edges: aware datetimes in ascending order.  From the first one on,
        slots do not count as met, from the second on they do, and so on by
        turns.  Empty if all count.
    """

    name: str
    hostname: str | None
    slots: tuple[datetime.datetime, ...] = ()
    skew: datetime.timedelta = datetime.timedelta()
    patience: datetime.timedelta = datetime.timedelta()
    shortest: float | None = None
    longest: float | None = None
    edges: tuple[datetime.datetime, ...] = ()


class Counts(NamedTuple):
    """What happened in a bucket, which is a part of a period.

    With a schedule, a run is counted in the bucket of its slot.

    :ivar runs: the number of successes.
    :ivar met: the number of slots that have one.
    :ivar late: the number of these whose first run completed too late.
    :ivar unusual: the number of successes that took too long, or not long
        enough.
    :ivar failed: the number of failed attempts that started in the bucket.
    """

    runs: int = 0
    met: int = 0
    late: int = 0
    unusual: int = 0
    failed: int = 0


class Beginning(NamedTuple):
    """From when on the runs on record show what was missed.

    :ivar counted: the end of the last day that `IScriptDaySet` has counted;
        `None` if there is none.  If it has counted no slots of that day, it is
        a day later: the first run on record need not be the first that met a
        slot.
    :ivar started: the start of the first success on record, or `None`.
    """

    counted: datetime.datetime | None
    started: datetime.datetime | None


class Column(NamedTuple):
    """The durations of the successes that started in a bucket.

    :ivar bucket: the number of the bucket; the first has the number 0.
    :ivar runs: the number of successes.
    :ivar least: the shortest duration, in seconds.
    :ivar median: the median.
    :ivar greatest: the longest.
    :ivar starts: when they started, if there are only a few.
    :ivar durations: how long each of these took, in seconds.
    """

    bucket: int
    runs: int
    least: float
    median: float
    greatest: float
    starts: tuple[datetime.datetime, ...]
    durations: tuple[float, ...]


class PastRun(NamedTuple):
    """A run of a script, whatever has become of it.

    :ivar key: where the run is in the history.  A text for `getPage`.
    :ivar date_started: aware, in UTC, as is `date_ended`.
    :ivar date_ended: `None` while it runs, and for a vanished run until that
        is recorded.
    :ivar outcome: as in `IScriptAttempt`; `None` while it runs.
    :ivar reason: why the run did not succeed, or `None`.
    """

    key: str
    hostname: str
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    outcome: str | None
    reason: str | None


class IScriptTimelineSet(Interface):
    """Past runs as pictures and pages show them.  A utility.

    Each method executes the same number of statements for any number of
    scripts and runs.
    """

    def getOtherNames(known):
        """The names of scripts on record that are not among these.

        :param known: names in any order.
        :return: a sorted list of `str`.
        """

    def getCounts(tracks, since, width, buckets):
        """What happened in each bucket of a period.

        :param tracks: a sequence of `Track`.
        :param since: the start of the first bucket; an aware datetime.
        :param width: the `timedelta` from the start of a bucket to the next.
        :param buckets: the number of buckets.
        :return: for each track, a dict that maps the numbers of buckets, from
            0 on, to `Counts`.  Buckets in which nothing happened are left
            out.
        """

    def getBeginnings(tracks):
        """From when on the runs that are on record show what was missed.

        :param tracks: a sequence of `Track`; only their names and hosts are
            used.
        :return: a list of as many `Beginning`.
        """

    def getGaps(tracks, since, until):
        """The times between completions that are longer than the patience.

        :param tracks: a sequence of `Track`; their slots are not used.
        :param since: gaps that ended before it are left out.
        :param until: the end of a gap that no completion has ended yet.
        :return: for each track, a list of gaps in order of time.  A gap is
            the completion before it and the completion that ended it.
        """

    def getColumns(track, since, width, buckets, few):
        """The durations of a script's successes in each bucket of a period.

        :param track: a `Track`.
        :param since, width, buckets: as in `getCounts`.
        :param few: up to this many runs of a bucket are returned one by one.
        :return: a list of `Column` in order; empty buckets are left out.
        """

    def getPage(name, hostname, since, until, before, limit):
        """Runs of a script, the latest first.

        :param hostname: `None` for any host.
        :param since: only runs that started then or later; `None` for all.
        :param until: only runs that started earlier; `None` for all.
        :param before: only runs before the one with this key; `None` for the
            first page.
        :param limit: the greatest number of runs.
        :return: a list of `PastRun`.
        :raises ValueError: if `before` is not a key.
        """
