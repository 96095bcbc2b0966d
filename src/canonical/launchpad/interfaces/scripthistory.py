"""What has succeeded in a stretch of time, and the last runs, run by run."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "EndedRun",
    "IScriptHistorySet",
    "Run",
]


class Run(NamedTuple):
    """A success of a script; its times are aware, in UTC."""

    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime


class EndedRun(NamedTuple):
    """A run of a script that has ended, however it has.

    :ivar date_started: aware, in UTC, as is `date_ended`.
    :ivar date_ended: `None` while it is not on record that it has vanished.
    :ivar outcome: as in `IScriptAttempt`.
    :ivar reason: why it did not succeed, or `None`.
    """

    hostname: str
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    outcome: str
    reason: str | None


class IScriptHistorySet(Interface):
    """The runs of scripts, one script at a time.  A utility."""

    def getNames(since, until):
        """The names of scripts with a success that started in a period.

        :param since: an aware datetime.
        :param until: the same; a run that started exactly then is left out.
        :return: a sorted list of `str`, from one statement.  How long it
            takes does not depend on the number of runs.
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

        All of them started before `before`.  Returned are, of those that had
        completed by `at`, the `count` that started last and the one that
        completed last; and all that completed after `at`.

        :param name: `str`.
        :param hostname: `None` for any host.
        :param before: an aware datetime.
        :param at: an aware datetime.
        :return: a list of `Run`, in order of `date_started`, from one
            statement.
        """

    def getLatest(name, count):
        """The runs of a script that have ended, on all hosts.

        A run is one of them whether it was recorded as a success, or kept
        as an attempt, or both.

        :param name: `str`; one that nothing is on record of has none.
        :param count: how many at most, `int`.
        :return: a list of `EndedRun`, the latest by `date_started` first.
        :raises TypeError: if `name` is not a `str`.
        """
