"""From assessments to what people are to be notified of.

Pure, as what decides always is: alerts on record, assessments and a time go
in, and what has changed comes out.
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


# Of a script, a host and a question; a host of `None` means any.
Key = tuple[str, str | None, str]

BROKEN = ("warning", "critical")


@dataclass(frozen=True)
class Answer:
    """The answer to a question, as in `Assessment`."""

    state: str
    sentence: str


@dataclass(frozen=True)
class Changes:
    """How the alerts on record differ from what they should be.

    :ivar opened: alerts that are not on record yet.
    :ivar closed: the ids of those that are over.
    :ivar states: the ids of those that are worse or better than on record.
    """

    opened: list[Alert] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    states: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """What people are to be notified of, in one message.

    :ivar at: as of when; an aware datetime.
    :ivar broken: alerts that they were not notified of.
    :ivar recovered: alerts that are over, of scripts that are fine.
    :ivar eased: alerts that are over, of scripts that are not.
    :ivar forgotten: alerts of what is no longer expected.
    :ivar still: alerts that they were notified of too long ago.
    :ivar answers: the answers at this time.
    :ivar recipients: the addresses that alone it is for; if there are none,
        it is for everyone.
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
        """All of them."""
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
    """What has changed.

    What is paused stays as it is, and what is no longer expected is over.
    What somebody else has claimed stays as it is, too.  Other channels are
    left alone, for whoever has them configured.

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
    """What people are to be notified of by a channel.

    What is pending is in notices of its own, for those that it is for.

    :param recorded: the alerts that are not settled.
    :param repeat: after how long people are notified again of what is still
        broken; but not of what is paused.
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
