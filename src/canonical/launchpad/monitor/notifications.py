"""Decides which alerts a channel sends now: new, over, or to be sent again."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import script_on_host
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Answer
from canonical.launchpad.monitor.incidents import Answers
from canonical.launchpad.monitor.incidents import Key


__all__ = [
    "Notification",
    "notifications_of",
    "script_of",
    "scripts_of",
]


@dataclass(frozen=True)
class Notification:
    """The content of one message to people.

    :ivar at: the time of the answers; an aware datetime.
    :ivar broken: open alerts that people were not notified of yet.
    :ivar recovered: closed alerts of scripts that have a rule.
    :ivar forgotten: closed alerts of scripts that have no rule any more.
    :ivar still: open alerts that people are to be notified of again.
    :ivar answers: the answers at that time.
    :ivar recipients: the only addresses that get the message; if empty, all
        recipients get it.
    """

    at: datetime.datetime
    broken: list[Alert]
    recovered: list[Alert]
    forgotten: list[Alert]
    still: list[Alert]
    answers: Mapping[Key, Answers]
    recipients: tuple[str, ...] = ()

    @property
    def alerts(self) -> list[Alert]:
        """All alerts of the notification."""
        return [*self.broken, *self.recovered, *self.forgotten, *self.still]

    @property
    def parts(self) -> list[tuple[str, list[Alert]]]:
        """The alerts of each part, by its title."""
        return [
            ("broken", self.broken),
            ("recovered", self.recovered),
            # A key that programs know.  An incident is over as a whole.
            ("partly recovered", []),
            ("no longer expected", self.forgotten),
            ("still broken", self.still),
        ]

    def bad_answers(self, alert: Alert) -> dict[str, Answer]:
        """The answers about a script that are bad now, by question."""
        answers = self.answers[alert.name, alert.hostname]
        return {
            question: answer for question, answer in answers.items()
            if answer.state in BROKEN}


def script_of(alert: Alert) -> str:
    """The script of an alert, as people read it."""
    return script_on_host(alert.name, alert.hostname)


def scripts_of(alerts: Iterable[Alert]) -> list[str]:
    """The scripts of alerts, the worst first."""
    return list(dict.fromkeys(map(script_of, sorted(
        alerts, key=lambda each: -STATES.index(each.state)))))


def notifications_of(
    recorded: Iterable[Alert],
    answers: Mapping[Key, Answers],
    channel: str,
    repeat: datetime.timedelta,
    at: datetime.datetime,
) -> list[Notification]:
    """The notifications to send by a channel.

    An alert that is pending for some recipients, because a mail server refused
    them for the moment, is in a separate notification for them.  Nobody is
    notified of a script that is good or paused at the moment before its
    incident is over.

    :param recorded: the alerts that are not settled.
    :param repeat: how long until people are notified again of a script that
        is still broken.
    """
    notifications: dict[tuple[str, ...], Notification] = {}
    for alert in recorded:
        if alert.channel != channel or alert.is_claimed:
            continue
        current = answers.get((alert.name, alert.hostname))
        recipients = alert.pending
        if alert.date_closed is not None:
            part = "forgotten" if current is None else "recovered"
        elif current is None or not any(
            each.state in BROKEN for each in current.values()
        ):
            continue
        elif alert.date_told is None:
            part = "broken"
        elif alert.date_told + repeat <= at:
            part = "still"
            recipients = ()
        elif alert.pending:
            part = "broken"
        else:
            continue
        notification = notifications.setdefault(recipients, Notification(
            at, [], [], [], [], answers, recipients))
        getattr(notification, part).append(alert)
    return list(notifications.values())
