"""The subject of a mail, which other channels send too."""

from __future__ import annotations

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.notifications import Notification
from canonical.launchpad.monitor.notifications import scripts_of
from canonical.launchpad.plaintext import printable


__all__ = [
    "full_subject",
    "notification_subject",
]


# The number of characters that a phone shows of a subject.
SHOWN = 60


def full_subject(instance: str, subject: str) -> str:
    """A subject that begins with the name of the instance."""
    return printable(f"[{instance}] {subject}")


def notification_subject(notification: Notification) -> str:
    """The most important part of a notification, on one line."""
    parts = [(title, alerts) for title, alerts in notification.parts if alerts]
    title, alerts = parts[0]
    since = ""
    if alerts is notification.broken:
        title = ", ".join(dict.fromkeys(
            _trouble(notification, each) for each in sorted(
                alerts, key=lambda each: -STATES.index(each.state))))
        opened = min(each.date_unstable or each.date_opened for each in alerts)
        since = f", since {opened:%H:%M} UTC"
    scripts = scripts_of(alerts)
    subject = f"{title.upper()}: {scripts[0]}"
    shown = 1
    for script in scripts[1:]:
        if len(subject) + len(script) > SHOWN:
            break
        subject += f", {script}"
        shown += 1
    if shown < len(scripts):
        subject += f" and {len(scripts) - shown} more"
    subject += since
    for title, others in parts[1:]:
        subject += f"; {len(scripts_of(others))} {title}"
    return subject


def _trouble(notification: Notification, alert: Alert) -> str:
    """What is wrong with a script, in a word or two."""
    if alert.date_unstable is not None:
        return "unstable"
    answers = list(notification.bad_answers(alert).values())
    first = next((each.trouble for each in answers if each.trouble), None)
    return first or alert.state
