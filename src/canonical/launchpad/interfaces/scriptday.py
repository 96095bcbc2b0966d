"""What remains of runs that have been pruned, and the pruning."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "IScriptDaySet",
    "ScriptDay",
]


class ScriptDay(NamedTuple):
    """What remains of the pruned runs of a script on a host and a day.

    :ivar hostname: empty in a row for a rule that names no host.
    :ivar day: in UTC.
    :ivar runs: the number of pruned successes.
    :ivar failures: the number of pruned failures.
    :ivar total: the sum of the durations of the successes; `None` if there
        are none, as are `minimum`, `maximum` and `median`.
    :ivar due: the number of slots that were due; `None` if there was no rule.
    :ivar met: the number of these slots that were met.
    """

    name: str
    hostname: str
    day: datetime.date
    runs: int
    failures: int
    total: datetime.timedelta | None
    minimum: datetime.timedelta | None
    maximum: datetime.timedelta | None
    median: datetime.timedelta | None
    due: int | None
    met: int | None


class IScriptDaySet(Interface):
    """Prunes old runs, and keeps what remains of them.  A utility.

    A run and its place in a `ScriptDay` change in the same transaction.  So a
    process may be killed at any moment: no run is lost, or counted twice.
    Over several servers, a run is counted in one transaction and deleted in
    the next one; what was counted is not counted again.

    The last 250 successes of a script on a host are never pruned.  So what
    looks at the last runs sees what it has always seen: its last activity,
    the usual runtime that is learned, the picture of its last runs.  Nor is an
    attempt that has not ended: it may run, or be the proof of a success that
    is not recorded yet.

    A success that arrives after its day was pruned is recorded as any other.
    It is added to its day when it is pruned, unless its key was counted
    before.

    The methods that prune are generators.  Each step is a batch of rows; after
    it, the caller commits.
    """

    def pruneRuns(before, batch, names=None):
        """Delete the successes that started earlier, and count them.

        :param before: an aware datetime, the begin of a day in UTC.
        :param batch: about how many rows each step deletes.  The runs of a
            script on a host and a day are always in one step.
        :param names: a sequence of scripts, or `None` for all.
        :return: a generator of the number of rows in each step.
        """

    def pruneAttempts(before, failures_before, batch, names=None):
        """Delete the attempts that started earlier, and count the failures.

        :param before: an aware datetime, for attempts that did not fail.
        :param failures_before: the same for failures.
        :param batch: about how many rows each step deletes.
        :param names: as for `pruneRuns`.
        :return: as for `pruneRuns`.
        """

    def pruneTexts(output_before, reasons_before, batch, names=None):
        """Forget the output and the reasons of attempts that started earlier.

        :param output_before: an aware datetime, or `None` to keep all output.
        :param reasons_before: the same for reasons.
        :param batch: how many rows each step looks at.
        :param names: as for `pruneRuns`.
        :return: a generator of the number of changed rows in each step.
        """

    def recordDue(rows):
        """Record how many slots of a day were due, and were met.

        :param rows: tuples of name, host (empty for any), day, due and met.
            Days of which it is known are left as they are.
        """

    def getDays(since, until, names=None):
        """The days in a period.

        :param since: a `datetime.date`, or `None` for all.
        :param until: the same; this day is left out.
        :param names: a sequence of scripts, or `None` for all.
        :return: a list of `ScriptDay`, by name, host and day.
        """
