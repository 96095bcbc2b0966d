"""What people are told of scripts that do not do as expected.

An alert is opened when a question about a script is answered badly, and
closed when it is answered well again.  In between people are told: that it is
broken, after some time that it still is, and in the end that it has recovered.
Each channel, such as mail, has alerts of its own, so that one that is down
holds up no other and nothing is forgotten.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "CHANNELS",
    "Alert",
    "IScriptAlertSet",
]


CHANNELS = ("mail", "webhook", "output")


class Alert(NamedTuple):
    """A bad answer to a question about a script.

    :ivar id: identifies it on record; `None` for one that is not there yet.
    :ivar channel: one of `CHANNELS`.
    :ivar name: of the script.
    :ivar hostname: that it is expected on; `None` if any will do.
    :ivar question: ``recently``, ``often`` or ``runtime``.
    :ivar state: ``warning`` or ``critical``.
    :ivar sentence: why, when it was seen first.
    :ivar date_opened: when that was; an aware datetime, as are the others.
    :ivar date_told: when people were last told that it is broken, or `None`.
    :ivar date_closed: when it was seen to be over, or `None`.
    """

    id: int | None
    channel: str
    name: str
    hostname: str | None
    question: str
    state: str
    sentence: str
    date_opened: datetime.datetime
    date_told: datetime.datetime | None = None
    date_closed: datetime.datetime | None = None


class IScriptAlertSet(Interface):
    """The alerts on record.  A utility.

    Whoever calls it commits.
    """

    def lock():
        """Let nobody else in here before the transaction ends.

        Waits for whoever is.

        :raises psycopg2.errors.LockNotAvailable: if that takes minutes.
        """

    def getUnsettled():
        """Alerts that are open, or whose end people have not been told of.

        :return: a list of `Alert`, by name, host and question.
        """

    def open(alerts):
        """Record alerts.

        :param alerts: a sequence of `Alert`; their ids do not matter.
        """

    def setState(ids, state):
        """Change how bad alerts are.

        Of those that are critical now people have not been told then.

        :param ids: a sequence of ids.
        :param state: ``warning`` or ``critical``.
        """

    def close(ids, at):
        """Close alerts.

        :param ids: a sequence of ids.
        :param at: when they were seen to be over; an aware datetime.
        """

    def tell(ids, at):
        """Record that people have been told of alerts, as they are now.

        Those that are closed are settled by it.

        :param ids: a sequence of ids.
        :param at: when; an aware datetime.
        """
