"""Alerts: incidents, and whether people were notified of them.

An incident is what is wrong with a script on a host, from the first answer
that turns bad to the last that turns good.  People are notified when it
begins, again after some time if it lasts, and when it is over.  Each channel,
such as mail, has separate alerts: one row an incident and channel.  So a
channel that does not work does not delay another, and no alert is lost.

A process that notifies people claims the alerts first, and commits.  Then it
sends the messages with no transaction open, and records the result.  No other
process changes an alert while it is claimed.  If the process is killed before
it has recorded that people were notified, they are notified once more.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "CHANNELS",
    "CLAIM_MINUTES",
    "Alert",
    "BadAnswer",
    "IScriptAlertSet",
]


CHANNELS = ("mail", "webhook", "output")

# How long a claim is valid, in minutes.  This is longer than sending may take.
# After that, the process that made the claim is taken for dead.
CLAIM_MINUTES = 45


class BadAnswer(NamedTuple):
    """An answer that is bad, or was bad, in an incident.

    :ivar question: ``recently``, ``often`` or ``runtime``.
    :ivar state: ``warning`` or ``critical``, as last seen.
    :ivar sentence: why the answer was bad, as first seen.
    :ivar is_over: whether the answer is good again.
    :ivar recorded_late: if records that came in late show that the answer was
        good when the incident opened: when the script ran, for people.
    """

    question: str
    state: str
    sentence: str
    is_over: bool = False
    recorded_late: str | None = None


class Alert(NamedTuple):
    """An incident, and who was notified of it by a channel.

    All dates are aware datetimes.

    :ivar id: identifies the alert; `None` if it is not on record yet.
    :ivar channel: one of `CHANNELS`.
    :ivar name: the name of the script.
    :ivar hostname: the host that the script is expected on; `None` if any
        host will do.
    :ivar state: ``warning`` or ``critical``: the worst of the answers that are
        bad now, or were bad last.
    :ivar answers: the answers that are or were bad, the first one first.
    :ivar date_opened: when an answer was first seen to be bad.
    :ivar date_told: when people were last notified that the script is broken,
        or `None`.
    :ivar date_closed: when the incident was over for good, or no longer
        expected; `None` while the alert is open.
    :ivar date_good: since when all answers are good again, or `None`.  The
        alert stays open for a while: the script may break again.
    :ivar date_unstable: since when the script broke again and again, or
        `None`.
    :ivar pending: the only addresses that are still to be notified of the
        alert as it is.  The mail server has refused them temporarily.
    :ivar is_claimed: whether another process is notifying people of it now.
    """

    id: int | None
    channel: str
    name: str
    hostname: str | None
    state: str
    answers: tuple[BadAnswer, ...]
    date_opened: datetime.datetime
    date_told: datetime.datetime | None = None
    date_closed: datetime.datetime | None = None
    date_good: datetime.datetime | None = None
    date_unstable: datetime.datetime | None = None
    pending: tuple[str, ...] = ()
    is_claimed: bool = False

    @property
    def question(self) -> str:
        """The question whose answer turned bad first."""
        return self.answers[0].question

    @property
    def sentence(self) -> str:
        """Why that answer was bad, as first seen."""
        return self.answers[0].sentence


class IScriptAlertSet(Interface):
    """The alerts on record.  A utility.

    The caller commits.
    """

    def lock():
        """Prevent changes by others until the end of the transaction.

        This locks the table.  So only roles that may change alerts can make
        others wait.

        :raises psycopg2.errors.LockNotAvailable: if it waits for more than
            two minutes.
        """

    def getUnsettled(claimant=None):
        """Alerts that are open, or whose end is still to be reported.

        :param claimant: a claimant whose alerts are returned as not claimed.
        :return: a list of `Alert`, by name and host.
        """

    def getOpenings(since):
        """When incidents opened lately.

        :param since: an aware datetime.
        :return: a dictionary: by channel, name and host, a list of dates in
            ascending order.
        """

    def getClosings(name, since):
        """When the last incident of a script was over, if it was lately.

        :param since: an aware datetime.
        :return: a dictionary from channel and host to an aware datetime.
        """

    def getLatest(name=None, limit=100):
        """Alerts that are open or closed, the latest first.

        :param name: the name of a script; `None` for all.
        :param limit: the greatest number of alerts.
        :return: a list of `Alert`, by when they opened.
        """

    def open(alerts):
        """Record alerts.

        :param alerts: a sequence of `Alert`; their ids do not matter.
        """

    def update(alerts):
        """Record what has become of alerts.

        :param alerts: a sequence of `Alert` that are on record.  Their ids,
            names and hosts, and the dates they opened, do not change.
        """

    def claim(ids, claimant):
        """Prevent changes of alerts by others for `CLAIM_MINUTES`.

        :param ids: a sequence of ids.
        :param claimant: a text that identifies the claimant.  Only one
            process at a time may use it.
        """

    def release(ids, claimant):
        """End the claim to alerts, and leave them as they are.

        :param ids, claimant: as in `claim`.
        """

    def recordNotified(ids, claimant, at, pending=()):
        """Record that people were notified of alerts, and end the claim.

        This settles closed alerts, unless some people are still to be
        notified.

        :param ids, claimant: as in `claim`.  Alerts that another claimant has
            claimed meanwhile do not change.
        :param at: when people were notified; an aware datetime.
        :param pending: the addresses that are still to be notified.
        """
