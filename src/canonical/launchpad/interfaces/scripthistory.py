"""Past runs: the successes in a period, and the last runs of a script."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "EndedRun",
    "IScriptHistorySet",
    "PastAttempt",
    "Run",
]


class Run(NamedTuple):
    """A success of a script; its times are aware, in UTC."""

    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime


class EndedRun(NamedTuple):
    """A run of a script that has ended, with any outcome.

    :ivar date_started: aware, in UTC, as is `date_ended`.
    :ivar date_ended: `None` for a run that has vanished, until that is
        recorded.
    :ivar outcome: as in `IScriptAttempt`.
    :ivar reason: why the run did not succeed, or `None`.
    """

    hostname: str
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    outcome: str
    reason: str | None


class PastAttempt(NamedTuple):
    """An attempt, as a replay needs it.

    :ivar date_started: aware, in UTC, as is `date_ended`.
    :ivar date_ended: when it ended, or when its work was committed; `None`
        while it runs.
    :ivar has_failed: whether it then failed, was killed, or vanished.
    """

    hostname: str
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    has_failed: bool


class IScriptHistorySet(Interface):
    """The runs of scripts, one script at a time.  A utility."""

    def getNames(since, until, names=None):
        """The names of scripts with a success that started in a period.

        :param since: an aware datetime.
        :param until: the same; a run that started exactly then is left out.
        :param names: a list of names; others are left out.  By default all.
        :return: a sorted list of `str`, from one statement.  Its duration
            does not depend on the number of runs.
        """

    def getRuns(name, since, until):
        """The successes of a script that started in a period.

        :param name: `str`.
        :param since: an aware datetime.
        :param until: the same; a run that started exactly then is left out.
        :return: a list of `Run`, in order of `date_started`, from one
            statement.
        :raises TypeError: if `name` is not a `str`.
        """

    def getRunsBefore(name, hostname, before, at, count):
        """The earlier successes of a script that a replay still needs.

        These successes started before `before`, and are one of the following:

        - among those completed by `at`, one of the `count` that started last;
        - among those completed by `at`, the one that completed last;
        - completed after `at`.

        :param name: `str`.
        :param hostname: `None` for any host.
        :param before: an aware datetime.
        :param at: an aware datetime.
        :return: a list of `Run`, in order of `date_started`, from one
            statement.
        """

    def getAttempts(name, since, until, longer_than):
        """The attempts of a script that may have made an answer bad.

        These are attempts that have failed, and attempts that ran for a long
        time or still run.

        :param name: `str`.
        :param since: an aware datetime.
        :param until: an aware datetime; an attempt that started exactly then
            is left out.
        :param longer_than: a `timedelta`; attempts that ran longer are
            returned.  `None` for failed attempts only.
        :return: a list of `PastAttempt`, in order of `date_started`.
        """

    def gathered(names, since, until, at, count):
        """A context in which the runs of many scripts are read.

        If runs are spread over several servers, they are fetched once, and
        methods that are called in the context see only these.  Otherwise it
        changes nothing.

        :param names: a sequence of names.
        :param since: an aware datetime; `getRuns` is called for no earlier
            period.  `getRunsBefore` may be called for this moment and later.
        :param until: an aware datetime, the end of these periods.
        :param at: an aware datetime; `getRunsBefore` is called for no earlier
            one.
        :param count: the greatest one for which it is called; 0 if it is not
            called.
        :return: a context manager.
        """

    def getLatest(name, count):
        """The runs of a script that have ended, on all hosts.

        These are runs on record as a success, as an attempt, or as both.

        :param name: `str`.  For an unknown name, the list is empty.
        :param count: `int`, the greatest number of runs.
        :return: a list of `EndedRun`, the latest by `date_started` first.
        :raises TypeError: if `name` is not a `str`.
        """
