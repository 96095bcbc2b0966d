"""From assessments to what people should be told.

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
    "notice_of",
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
    :ivar states: the ids of those that are worse or better than was said.
    """

    opened: list[Alert] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)
    states: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """What people should be told, by one channel.

    :ivar at: as of when; an aware datetime.
    :ivar broken: alerts that they have not been told of.
    :ivar recovered: alerts that are over, of scripts that are fine.
    :ivar eased: alerts that are over, of scripts that are not.
    :ivar forgotten: alerts of what is no longer expected.
    :ivar still: alerts that they were told of too long ago.
    :ivar answers: the answers at this time.
    """

    at: datetime.datetime
    broken: list[Alert]
    recovered: list[Alert]
    eased: list[Alert]
    forgotten: list[Alert]
    still: list[Alert]
    answers: dict[Key, Answer]

    def __bool__(self) -> bool:
        """Is there anything to tell?"""
        return bool(self.alerts)

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
    Other channels are left alone, for whoever has them configured.

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


def notice_of(
    recorded: Iterable[Alert],
    answers: dict[Key, Answer],
    channel: str,
    repeat: datetime.timedelta,
    at: datetime.datetime,
) -> Notice:
    """What people should be told by a channel.

    :param recorded: the alerts that are not settled.
    :param repeat: after how long they are told again of what is still broken;
        but not of what is paused.
    """
    notice = Notice(at, [], [], [], [], [], answers)
    bad = {
        (name, hostname) for (name, hostname, _), answer in answers.items()
        if answer.state in BROKEN}
    for alert in recorded:
        if alert.channel != channel:
            continue
        answer = answers.get((alert.name, alert.hostname, alert.question))
        if alert.date_closed is not None and answer is None:
            notice.forgotten.append(alert)
        elif alert.date_closed is not None:
            over = notice.eased if (
                (alert.name, alert.hostname) in bad) else notice.recovered
            over.append(alert)
        elif answer is None or answer.state not in BROKEN:
            continue
        elif alert.date_told is None:
            notice.broken.append(alert)
        elif alert.date_told + repeat <= at:
            notice.still.append(alert)
    return notice
