"""Writes the messages to people, as text and for programs."""

from __future__ import annotations

import datetime
import hashlib
import itertools
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.notifications import Notification
from canonical.launchpad.monitor.notifications import script_of
from canonical.launchpad.monitor.notifications import scripts_of
from canonical.launchpad.monitor.recordedlate import recorded_late
from canonical.launchpad.monitor.subject import full_subject
from canonical.launchpad.monitor.subject import notification_subject
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import time_text


__all__ = [
    "Message",
    "notification_id",
    "notification_message",
    "notification_text",
    "plain_message",
    "unstable_since",
]


# What no script has printed.
NO_OUTPUT: Mapping[tuple[str, str | None], Sequence[str]] = {}

LIST = "to list them, run: scriptactivity check"

OVER = {
    "recently": "was late",
    "often": "ran too seldom or too often",
    "runtime": "took too long or too short",
}


class Message(NamedTuple):
    """A message to send by a channel.

    :ivar id: identifies the message; equal for equal messages.
    :ivar at: the time of its answers; an aware datetime.
    :ivar subject: the most important part, on one line.
    :ivar text: the whole message for people, in lines of any length.
    :ivar scripts: the whole message for programs: the title of each part, and
        its alerts.
    """

    id: str
    at: datetime.datetime
    subject: str
    text: str
    scripts: dict[str, list[dict[str, Any]]]

    def as_dict(self) -> dict[str, Any]:
        """The message for JSON."""
        return {
            "id": self.id, "at": self.at.isoformat(), "subject": self.subject,
            "text": self.text, **self.scripts}


def notification_message(
    notification: Notification,
    instance: str,
    outputs: Mapping[tuple[str, str | None], Sequence[str]] = NO_OUTPUT,
    left_out: int = 0,
) -> Message:
    """The message for a notification.

    :param instance: the name of the instance, which begins the subject.
    :param outputs: by name and host, the last lines of what a script has
        printed that failed.
    :param left_out: how many more scripts failed, whose output is not there.
    """
    return Message(
        notification_id(notification), notification.at,
        full_subject(instance, notification_subject(notification)),
        notification_text(notification, outputs, left_out),
        {
            title.replace(" ", "_"): [
                {**_as_dict(notification, each), "output": list(
                    outputs.get((each.name, each.hostname), ()))}
                for each in alerts]
            for title, alerts in notification.parts})


def plain_message(
    at: datetime.datetime, subject: str, text: str, instance: str
) -> Message:
    """A message that is not about scripts.

    :param instance: as in `notification_message`.
    """
    nothing = Notification(at, [], [], [], [], {})
    digest = hashlib.sha256(f"{instance}\n{subject}\n{text}".encode())
    return Message(
        digest.hexdigest()[:32], at, full_subject(instance, subject),
        printable(text, keep="\n"),
        {title.replace(" ", "_"): [] for title, _ in nothing.parts})


def notification_id(notification: Notification) -> str:
    """An id that is equal only for the same alerts in the same state.

    So a receiver can recognize a notification that is sent twice.
    """
    alerts = [
        f"{title} {each.id} {each.state} {each.date_told}"
        for title, part in notification.parts for each in part]
    return hashlib.sha256("\n".join(alerts).encode()).hexdigest()[:32]


def notification_text(
    notification: Notification,
    outputs: Mapping[tuple[str, str | None], Sequence[str]] = NO_OUTPUT,
    left_out: int = 0,
) -> str:
    """The whole text, the most important part first; lines of any length.

    :param outputs, left_out: as in `notification_message`.
    """
    counts = ", ".join(
        f"{len(scripts_of(alerts))} {title}"
        for title, alerts in notification.parts if alerts)
    blocks = [
        f"{_plural(notification)}: {counts}.",
        f"As of {_when(notification.at)}."]
    for (title, alerts), describe in zip(
        notification.parts, (_broken, _over, _over, _over, _still), strict=True
    ):
        if alerts:
            blocks += ["", title.upper(), *_block(
                notification, alerts, describe,
                outputs if describe in (_broken, _still) else NO_OUTPUT)]
    if left_out:
        blocks += ["", f"The output of {counted(left_out, 'more script')} that"
                       " failed: scriptactivity failures"]
    return "\n".join(map(printable, blocks)) + "\n"


def _as_dict(notification: Notification, alert: Alert) -> dict[str, Any]:
    """An alert as programs read it.

    The question and the sentence are those of the first answer that is bad
    now, or was bad.
    """
    answers = [
        {"question": each.question, "state": each.state,
         "sentence": each.sentence, "recorded_late": each.recorded_late}
        for each in alert.answers]
    if alert.date_closed is None:
        answers = [
            {"question": question, "state": answer.state,
             "sentence": answer.sentence}
            for question, answer in notification.bad_answers(alert).items()]
    return {
        "name": alert.name,
        "hostname": alert.hostname,
        "question": answers[0]["question"],
        "state": alert.state,
        "sentence": answers[0]["sentence"],
        "opened": alert.date_opened.isoformat(),
        "closed": alert.date_closed and alert.date_closed.isoformat(),
        "unstable_since":
            alert.date_unstable and alert.date_unstable.isoformat(),
        "answers": answers,
    }


def _plural(notification: Notification) -> str:
    return "Scripts" if len(scripts_of(notification.alerts)) > 1 else "Script"


def _block(
    notification: Notification,
    alerts: Sequence[Alert],
    describe: Callable[[Notification, Alert], list[str]],
    outputs: Mapping[tuple[str, str | None], Sequence[str]],
) -> list[str]:
    """The lines about alerts, the worst first."""
    order = {
        script: number for number, script in enumerate(scripts_of(alerts))}
    lines = []
    for script, group in itertools.groupby(
        sorted(alerts, key=lambda each: order[script_of(each)]), key=script_of,
    ):
        lines.append(f"* {script}")
        of_script = list(group)
        for each in of_script:
            lines += [f"  {line}" for line in describe(notification, each)]
        lines += [f"  {line}" for line in outputs.get(
            (of_script[0].name, of_script[0].hostname), ())]
    return lines


def _broken(notification: Notification, alert: Alert) -> list[str]:
    return [*unstable_since(alert), *(
        f"{answer.state}: {answer.sentence}"
        for answer in notification.bad_answers(alert).values()), *_each(alert)]


def _each(alert: Alert) -> list[str]:
    """How to see the scripts that an alert only counts."""
    return [LIST] if alert.name == ALL else []


def unstable_since(alert: Alert) -> list[str]:
    """A line for people, if a script broke again and again."""
    if alert.date_unstable is None:
        return []
    return [
        f"unstable since {_when(alert.date_unstable)}: it broke again and"
        " again"]


def _over(notification: Notification, alert: Alert) -> list[str]:
    assert alert.date_closed is not None
    lasted = duration_text(alert.date_closed - alert.date_opened)
    since = "" if alert.date_told else f", from {_when(alert.date_opened)} on"
    what = ", ".join(OVER[each.question] for each in alert.answers)
    if alert.name == ALL:
        what = "silent"
    return [
        *unstable_since(alert), f"{what} for {lasted}{since}",
        *recorded_late(alert)]


def _still(notification: Notification, alert: Alert) -> list[str]:
    lasts = duration_text(notification.at - alert.date_opened)
    return [*unstable_since(alert), *(
        f"{answer.state} for {lasts}: {answer.sentence}"
        for answer in notification.bad_answers(alert).values()), *_each(alert)]


def _when(moment: datetime.datetime) -> str:
    return time_text(moment, "minutes")
