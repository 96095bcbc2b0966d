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
    :ivar date_ended: when it did or will end; `FOREVER` if that is not known.
    :ivar reason: such as ``switched off by cron control``.
    :ivar forgives: whether a script is not late, once it is over, for what
        was due before it as well.
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

    Whoever calls it commits.
    """

    def noticeSwitches(on, off, at):
        """Remember what cron control has switched off.

        The pause of a script begins when it is first seen to be off, and ends
        when it is first seen to be on again.

        :param on: the names of scripts that may run.
        :param off: the names of scripts that may not.
        :param at: when they were looked at; an aware datetime.
        :return: True if there was anything new.
        """

    def snooze(name, since, until):
        """Expect nothing of a script for a while.

        What had been said of the time after `since` is replaced.

        :param name: of the script.
        :param since: an aware datetime.
        :param until: an aware datetime; if it is `since`, the script is only
            not snoozed any longer.
        """

    def getPauses(since, until):
        """What has been paused.

        :param since: leave out what had ended by then.
        :param until: leave out what begins later.
        :return: a dict of lists of `Pause` by the name of the script.
        """
