"""Which scripts do not do as expected, and whom that was reported to.

An alert is opened when a question about a script gets a bad answer, and
closed when the answer is good again.  In between people are notified: that
the script is broken, after some time that it still is, and in the end that it
has recovered.  Each channel, such as mail, has alerts of its own.  So a
channel that does not work holds up no other, and nothing is forgotten.

Whoever notifies people claims the alerts first, and commits.  Then it sends
with no transaction open, and records at the end what became of it.  Nobody
else changes an alert while it is claimed.  If the process is killed before it
has recorded that people were notified, they are notified once more.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import Interface


__all__ = [
    "CHANNELS",
    "CLAIM_MINUTES",
    "Alert",
    "IScriptAlertSet",
]


CHANNELS = ("mail", "webhook", "output")

# How long a claim counts if whoever made it is not heard of again: longer
# than a message may take.
CLAIM_MINUTES = 45


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
    :ivar date_told: when people were last notified that it is broken, or
        `None`.
    :ivar date_closed: when it was seen to be over, or `None`.
    :ivar pending: the addresses that alone are still to be notified of it as
        it is, since their mail server refused them for the moment.
    :ivar is_claimed: is somebody else notifying people of it now?
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
    pending: tuple[str, ...] = ()
    is_claimed: bool = False


class IScriptAlertSet(Interface):
    """The alerts on record.  A utility.

    Whoever calls it commits.
    """

    def lock():
        """Let nobody else change alerts before the transaction ends.

        It locks the table.  So only roles that may change alerts can keep
        others waiting.

        :raises psycopg2.errors.LockNotAvailable: if it has to wait for more
            than two minutes.
        """

    def getUnsettled(claimant=None):
        """Alerts that are open, or whose end is still to be reported.

        :param claimant: whose claims do not count.
        :return: a list of `Alert`, by name, host and question.
        """

    def open(alerts):
        """Record alerts.

        :param alerts: a sequence of `Alert`; their ids do not matter.
        """

    def setState(ids, state):
        """Change how bad alerts are.

        If that is critical, people are to be notified anew.

        :param ids: a sequence of ids.
        :param state: ``warning`` or ``critical``.
        """

    def close(ids, at):
        """Close alerts.

        :param ids: a sequence of ids.
        :param at: when they were seen to be over; an aware datetime.
        """

    def claim(ids, claimant):
        """Keep others from changing alerts for `CLAIM_MINUTES`.

        :param ids: a sequence of ids.
        :param claimant: a text; one process at a time may have it.
        """

    def release(ids, claimant):
        """End the claim to alerts, and leave them as they are.

        :param ids, claimant: as of `claim`.
        """

    def recordNotified(ids, claimant, at, pending=()):
        """Record that people were notified of alerts, and end the claim.

        Those that are closed are settled by it, unless some people are still
        to be notified.

        :param ids, claimant: as of `claim`.  What somebody else has claimed
            meanwhile is left alone.
        :param at: when; an aware datetime.
        :param pending: the addresses that are still to be notified.
        """
