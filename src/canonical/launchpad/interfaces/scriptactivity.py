"""Successful runs of scripts, and the utility that records them."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface
from zope.schema import Datetime

from canonical.launchpad.interfaces.names import hostname_field
from canonical.launchpad.interfaces.names import name_field


__all__ = [
    "FutureActivities",
    "IScriptActivity",
    "IScriptActivitySet",
]


class IScriptActivity(Interface):
    """One successful run of a script."""

    name = name_field()
    hostname = hostname_field()

    date_started = Datetime(
        title="Date started",
        description="When the script started its work; aware, in UTC.",
        required=True,
        readonly=True,
    )

    date_completed = Datetime(
        title="Date completed",
        description=(
            "When the script completed its work; aware, in UTC, and not"
            " before `date_started`."),
        required=True,
        readonly=True,
    )


class FutureActivities(NamedTuple):
    """Runs of a script that a host recorded while its clock was ahead.

    :ivar date_started: the start of the first of them; aware, in UTC.
    :ivar runs: the number of runs.
    """

    name: str
    hostname: str
    date_started: datetime.datetime
    runs: int


class IScriptActivitySet(Interface):
    """The successful runs.  A utility.

    A new record is part of the current transaction.  Other transactions see
    it after the commit, and an abort removes it.

    A success is a run whose work is committed.  Its record is here.  Until it
    is recorded, its attempt proves it; see `IScriptAttempt`.  Then
    `date_completed` is the time of the commit.

    All methods leave out invalid rows: those that end before they start, have
    no name, host or time, or have a time that Python cannot represent.
    """

    def recordSuccess(
        name, date_started, date_completed, hostname=None, run_key=None
    ):
        """Record a successful run.

        :param name: `str`, see `IScriptActivity`.
        :param date_started: an aware `datetime.datetime` in any zone.
        :param date_completed: the same, and not before `date_started`.
        :param hostname: `str`; by default what `socket.gethostname` returns.
        :param run_key: a `uuid.UUID` that identifies the run.  However often
            a run is recorded with the same key, there is one record.
        :return: the `IScriptActivity`; the old one if `run_key` is on record.
        :raises TypeError: for a value of another type, `bytes` too.
        :raises ValueError: for a datetime without a zone, or in the first or
            last year of `datetime`; for an end before its start; and for a
            name or host that is empty, too long, or has line breaks or
            control characters.

        Both errors name the field and the value.  If one is raised, nothing
        was sent to the database.
        """

    def getLastActivity(name, hostname=None):
        """The run with the greatest `date_started`.

        Runs that start more than an hour from now are left out; see
        `getFutureActivities`.

        :param name: `str`, the name of the script.
        :param hostname: `str`; by default all hosts.
        :return: an `IScriptActivity`, or `None` if there is none.
        :raises TypeError: for a name or host that is not a `str`.
        """

    def getLastActivities():
        """The last run of every script, on any host; see `getLastActivity`.

        :return: a list of `IScriptActivity`, by name.
        """

    def getFutureActivities(name=None):
        """Runs whose start is more than an hour from now.

        The clock of their host was ahead.  Such a run does not count as the
        last one until its time has come.

        :param name: `str`; by default all scripts.
        :return: a list of `FutureActivities`, one for each script and host,
            by name and host.
        """
