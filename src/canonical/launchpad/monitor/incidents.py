"""Decides what people are to be notified of.

These are pure functions.  They take the alerts on record, answers and a time,
and return what has to change.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.answers import Assessment


__all__ = [
    "BROKEN",
    "Answer",
    "Changes",
    "Key",
    "Notice",
    "answers_of",
    "changes",
    "notices_of",
]


# A script, a host and a question.  A host of `None` means any.
Key = tuple[str, str | None, str]

BROKEN = ("warning", "critical")


@dataclass(frozen=True)
class Answer:
    """The answer to a question, as in `Assessment`."""

    state: str
    sentence: str


@dataclass(frozen=True)
class Changes:
    """The changes that bring the alerts on record up to date.

    :ivar opened: new alerts.
    :ivar closed: the ids of alerts to close.
    :ivar states: the ids of alerts whose state has changed, by the new state.
    """

    opened: list[Alert] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    states: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """The content of one message to people.

    :ivar at: the time of the answers; an aware datetime.
    :ivar broken: open alerts that people were not notified of yet.
    :ivar recovered: closed alerts of scripts whose other answers are good.
    :ivar eased: closed alerts of scripts that have another bad answer.
    :ivar forgotten: closed alerts of scripts that have no rule any more.
    :ivar still: open alerts that people are to be notified of again.
    :ivar answers: the answers at that time.
    :ivar recipients: the only addresses that get the message; if empty, all
        recipients get it.
    """

    at: datetime.datetime
    broken: list[Alert]
    recovered: list[Alert]
    eased: list[Alert]
    forgotten: list[Alert]
    still: list[Alert]
    answers: dict[Key, Answer]
    recipients: tuple[str, ...] = ()

    @property
    def alerts(self) -> list[Alert]:
        """All alerts of the notice."""
        return [
            *self.broken, *self.recovered, *self.eased, *self.forgotten,
            *self.still]


def answers_of(assessments: Iterable[Assessment]) -> dict[Key, Answer]:
    """The answers to each question about each script."""
    return {
        (each.name, each.hostname, name): Answer(
            question.state, question.sentence)
        for each in assessments
        for name, question in (
            ("recently", each.recently), ("often", each.often),
            ("runtime", each.runtime))}


def changes(
    recorded: Iterable[Alert],
    answers: dict[Key, Answer],
    channels: Sequence[str],
    at: datetime.datetime,
) -> Changes:
    """The changes of the alerts on record.

    An alert whose answer is paused does not change, nor does one that another
    process has claimed.  An alert without a rule is closed.  Alerts of other
    channels are left alone: another configuration may have these channels.

    :param recorded: the alerts that are not settled.
    """
    changed = Changes()
    known = set()
    for alert in recorded:
        if alert.date_closed is not None or alert.id is None or (
            alert.channel not in channels
        ):
            continue
        key = (alert.name, alert.hostname, alert.question)
        known.add((alert.channel, *key))
        if alert.is_claimed:
            continue
        answer = answers.get(key)
        if answer is None or answer.state == "ok":
            changed.closed.append(alert.id)
        elif answer.state in BROKEN and answer.state != alert.state:
            changed.states.setdefault(answer.state, []).append(alert.id)
    for channel in channels:
        changed.opened.extend(
            Alert(None, channel, *key, answer.state, answer.sentence, at)
            for key, answer in answers.items()
            if answer.state in BROKEN and (channel, *key) not in known)
    return changed


def notices_of(
    recorded: Iterable[Alert],
    answers: dict[Key, Answer],
    channel: str,
    repeat: datetime.timedelta,
    at: datetime.datetime,
) -> list[Notice]:
    """The notices to send by a channel.

    An alert that is pending for some recipients is in a separate notice for
    them.

    :param recorded: the alerts that are not settled.
    :param repeat: how long until people are notified again of a script that
        is still broken.  Paused scripts are left out.
    """
    notices: dict[tuple[str, ...], Notice] = {}
    bad = {
        (name, hostname) for (name, hostname, _), answer in answers.items()
        if answer.state in BROKEN}
    for alert in recorded:
        if alert.channel != channel or alert.is_claimed:
            continue
        answer = answers.get((alert.name, alert.hostname, alert.question))
        recipients = alert.pending
        if alert.date_closed is not None and answer is None:
            part = "forgotten"
        elif alert.date_closed is not None:
            part = "eased" if (
                (alert.name, alert.hostname) in bad) else "recovered"
        elif answer is None or answer.state not in BROKEN:
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
        notice = notices.setdefault(recipients, Notice(
            at, [], [], [], [], [], answers, recipients))
        getattr(notice, part).append(alert)
    return list(notices.values())
