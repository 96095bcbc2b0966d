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
    :ivar date_ended: when it ended or will end; `FOREVER` if nobody knows.
    :ivar reason: such as ``switched off by cron control``.
    :ivar forgives: whether it also forgives slots that were due before it
        and were not met.
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
        description="When it starts; see `IScriptExpectation`.",
        readonly=True,
    )

    timezone = TextLine(
        title="Time zone",
        description="The time zone of the schedule, by its IANA name.",
        readonly=True,
    )

    duration = Timedelta(
        title="Duration",
        description="How long it takes.",
        min=datetime.timedelta(microseconds=1),
        max=HORIZON,
        readonly=True,
    )


class IScriptPauseSet(Interface):
    """The pauses that are on record.  A utility.

    The caller commits.
    """

    def noticeSwitches(on, off, at):
        """Record what cron control has switched off.

        A pause begins when the script is first seen to be off, and ends when
        it is first seen to be on again.

        :param on: the names of scripts that may run.
        :param off: the names of scripts that may not.
        :param at: when cron control was read; an aware datetime.
        :return: whether anything has changed.
        """

    def snooze(name, since, until):
        """Expect nothing of a script for a while.

        It replaces what was snoozed after `since`.

        :param name: of the script.
        :param since: an aware datetime.
        :param until: an aware datetime; the same as `since` to end it.
        """

    def getPauses(since, until):
        """The pauses in a period.

        :param since: leave out pauses that ended by then.
        :param until: leave out pauses that begin later.
        :return: a dict of lists of `Pause` by the name of the script.
        """
