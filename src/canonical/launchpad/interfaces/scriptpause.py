"""Times at which nothing is expected of a script."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface
from zope.schema import TextLine
from zope.schema import Timedelta

from canonical.launchpad.interfaces.scriptexpectation import HORIZON


__all__ = [
    "FOREVER",
    "IScriptDowntime",
    "IScriptPauseSet",
    "Pause",
]


FOREVER = datetime.datetime.max.replace(tzinfo=datetime.UTC)


class Pause(NamedTuple):
    """A time at which nothing is expected.

    :ivar date_started: aware, in UTC, as is `date_ended`.
    :ivar date_ended: when it ended or will end; `FOREVER` if that is unknown.
    :ivar reason: for example ``switched off by cron control``.
    :ivar forgives: whether missed slots from before the pause are forgiven
        too.
    """

    date_started: datetime.datetime
    date_ended: datetime.datetime
    reason: str
    forgives: bool = False


class IScriptDowntime(Interface):
    """A planned downtime of all scripts.

    A utility.  Operators declare it in ZCML, with the directive
    ``lp:downtime``.
    """

    schedule = TextLine(
        title="Schedule",
        description="When the downtime starts; see `IScriptExpectation`.",
        readonly=True,
    )

    timezone = TextLine(
        title="Time zone",
        description="The time zone of the schedule, by its IANA name.",
        readonly=True,
    )

    duration = Timedelta(
        title="Duration",
        description="How long the downtime takes.",
        min=datetime.timedelta(microseconds=1),
        max=HORIZON,
        readonly=True,
    )


class IScriptPauseSet(Interface):
    """The pauses that are on record.  A utility.

    The caller commits.
    """

    def recordSwitches(on, off, at):
        """Record which scripts cron control has switched on and off.

        A pause begins when a script is first seen to be off, and ends when it
        is first seen to be on again.

        :param on: the names of scripts that may run.
        :param off: the names of scripts that may not.
        :param at: when cron control was read; an aware datetime.
        :return: whether anything has changed.
        """

    def snooze(name, since, until):
        """Pause a script for a while.

        This replaces snoozes that start or end after `since`.

        :param name: the name of the script.
        :param since: an aware datetime.
        :param until: an aware datetime.  If it equals `since`, the script is
            no longer snoozed.
        """

    def getPauses(since, until):
        """The pauses in a period.

        :param since: an aware datetime; pauses that ended by then are left
            out.
        :param until: an aware datetime; pauses that begin later are left out.
        :return: a dict that maps the names of scripts to lists of `Pause`.
        """
