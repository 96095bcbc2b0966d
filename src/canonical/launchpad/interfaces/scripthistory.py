"""What has succeeded in a stretch of time, run by run."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "IScriptHistorySet",
    "Run",
]


class Run(NamedTuple):
    """A success of a script; its times are aware, in UTC."""

    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime


class IScriptHistorySet(Interface):
    """The successes of scripts, one script at a time.  A utility."""

    def getNames(since, until):
        """The names of scripts with a success that started in a time.

        :param since: an aware datetime.
        :param until: likewise; what started then is left out.
        :return: a sorted list of `str`, from one statement that takes no
            longer when each has more runs.
        """

    def getRuns(name, since, until):
        """The successes of a script that started in a time.

        :param name: `str`; one that nothing is on record of has none.
        :param since: an aware datetime.
        :param until: likewise; what started then is left out.
        :return: a list of `Run`, in order of `date_started`, from one
            statement.
        :raises TypeError: if `name` is not a `str`.
        """

    def getRunsBefore(name, hostname, before, at, count):
        """The successes of a script from before a time that may still count.

        Of those that started before `before`: the last `count`, by their
        start, of what had completed by `at`; the one of these that completed
        last; and all that completed later.

        :param name: `str`; one that nothing is on record of has none.
        :param hostname: `None` for any host.
        :param before: an aware datetime.
        :param at: likewise.
        :return: a list of `Run`, in order of `date_started`, from one
            statement.
        """
