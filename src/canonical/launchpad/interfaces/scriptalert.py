"""Alerts: bad answers about scripts, and whether people were notified.

An alert is opened when a question about a script gets a bad answer, and
closed when the answer is good again.  People are notified when the script
breaks, again after some time if it is still broken, and when it has
recovered.  Each channel, such as mail, has separate alerts.  So a channel
that does not work does not delay another, and no alert is lost.

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
    "IScriptAlertSet",
]


CHANNELS = ("mail", "webhook", "output")

# How long a claim is valid, in minutes.  This is longer than sending may take.
# After that, the process that made the claim is taken for dead.
CLAIM_MINUTES = 45


class Alert(NamedTuple):
    """A bad answer to a question about a script.

    All dates are aware datetimes.

    :ivar id: identifies the alert; `None` if it is not on record yet.
    :ivar channel: one of `CHANNELS`.
    :ivar name: the name of the script.
    :ivar hostname: the host that the script is expected on; `None` if any
        host will do.
    :ivar question: ``recently``, ``often`` or ``runtime``.
    :ivar state: ``warning`` or ``critical``.
    :ivar sentence: why the answer is bad, as first seen.
    :ivar date_opened: when the answer was first seen to be bad.
    :ivar date_told: when people were last notified that the answer is bad, or
        `None`.
    :ivar date_closed: when the answer was first seen to be good again, or no
        longer expected; `None` while the alert is open.
    :ivar pending: the only addresses that are still to be notified of the
        alert as it is.  The mail server has refused them temporarily.
    :ivar is_claimed: whether another process is notifying people of it now.
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
        :return: a list of `Alert`, by name, host and question.
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

    def setState(ids, state):
        """Change the state of alerts.

        If the new state is critical, people are to be notified again.

        :param ids: a sequence of ids.
        :param state: ``warning`` or ``critical``.
        """

    def close(ids, at):
        """Close alerts.

        :param ids: a sequence of ids.
        :param at: when the answers were seen to be good; an aware datetime.
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
