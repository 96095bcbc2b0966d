"""What people are told, in words and for programs."""

from __future__ import annotations

import datetime
import hashlib
import itertools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import script_on_host
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Notice
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import time_text


__all__ = [
    "notice_as_dict",
    "notice_id",
    "notice_subject",
    "notice_text",
]


# What a phone shows of a subject.
SUBJECT = 60

OVER = {
    "recently": "was late",
    "often": "ran too seldom or too often",
    "runtime": "took too long or too short",
}


def notice_id(notice: Notice) -> str:
    """The same for the same alerts in the same condition, and for no others.

    So whoever gets a notice twice can tell.
    """
    told = [
        f"{title} {each.id} {each.state} {each.date_told}"
        for title, alerts in _parts(notice) for each in alerts]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:32]


def notice_subject(notice: Notice) -> str:
    """The most important thing, on one line."""
    parts = [(title, alerts) for title, alerts in _parts(notice) if alerts]
    title, alerts = parts[0]
    if alerts is notice.broken:
        title = max((each.state for each in alerts), key=STATES.index)
    scripts = _scripts(alerts)
    subject = f"{title.upper()}: {scripts[0]}"
    shown = 1
    for script in scripts[1:]:
        if len(subject) + len(script) > SUBJECT:
            break
        subject += f", {script}"
        shown += 1
    if shown < len(scripts):
        subject += f" and {len(scripts) - shown} more"
    for title, others in parts[1:]:
        subject += f"; {len(_scripts(others))} {title}"
    return printable(subject)


def notice_text(notice: Notice) -> str:
    """All of it, the most important first, without any width in mind."""
    counts = ", ".join(
        f"{len(_scripts(alerts))} {title}"
        for title, alerts in _parts(notice) if alerts)
    blocks = [f"{_plural(notice)}: {counts}.", f"As of {_when(notice.at)}."]
    for (title, alerts), describe in zip(
        _parts(notice), (_broken, _over, _over, _over, _still), strict=True
    ):
        if alerts:
            blocks += ["", title.upper(), *_block(notice, alerts, describe)]
    return "\n".join(map(printable, blocks)) + "\n"


def notice_as_dict(notice: Notice) -> dict[str, Any]:
    """All of it, for JSON."""
    return {
        "id": notice_id(notice),
        "at": notice.at.isoformat(),
        "subject": notice_subject(notice),
        **{
            title.replace(" ", "_"): [
                {
                    "name": each.name,
                    "hostname": each.hostname,
                    "question": each.question,
                    "state": each.state,
                    "sentence": _sentence(notice, each),
                    "opened": each.date_opened.isoformat(),
                    "closed": each.date_closed and (
                        each.date_closed.isoformat()),
                } for each in alerts]
            for title, alerts in _parts(notice)},
    }


def _parts(notice: Notice) -> list[tuple[str, list[Alert]]]:
    return [
        ("broken", notice.broken),
        ("recovered", notice.recovered),
        ("partly recovered", notice.eased),
        ("no longer expected", notice.forgotten),
        ("still broken", notice.still),
    ]


def _script(alert: Alert) -> str:
    return script_on_host(alert.name, alert.hostname)


def _scripts(alerts: Iterable[Alert]) -> list[str]:
    """Which scripts they are about, the worst first."""
    return list(dict.fromkeys(_script(each) for each in sorted(
        alerts, key=lambda each: -STATES.index(each.state))))


def _plural(notice: Notice) -> str:
    return "Scripts" if len(_scripts(notice.alerts)) > 1 else "Script"


def _block(
    notice: Notice,
    alerts: Sequence[Alert],
    describe: Callable[[Notice, Alert], str],
) -> list[str]:
    """Script by script, the worst first, what there is to say."""
    order = {script: number for number, script in enumerate(_scripts(alerts))}
    questions = list(OVER)
    lines = []
    for script, group in itertools.groupby(
        sorted(alerts, key=lambda each: (
            order[_script(each)], questions.index(each.question))),
        key=_script,
    ):
        lines.append(f"* {script}")
        told = list(group)
        lines += [f"  {describe(notice, each)}" for each in told]
        if alerts is notice.eased:
            lines += _still_bad(notice, told[0])
    return lines


def _broken(notice: Notice, alert: Alert) -> str:
    return f"{alert.state}: {_sentence(notice, alert)}"


def _still_bad(notice: Notice, alert: Alert) -> list[str]:
    """The answers about a script that are bad all the same."""
    return [
        f"  still {answer.state}: {answer.sentence}"
        for question in OVER
        if (answer := notice.answers[
            alert.name, alert.hostname, question]).state in BROKEN]


def _over(notice: Notice, alert: Alert) -> str:
    assert alert.date_closed is not None
    lasted = duration_text(alert.date_closed - alert.date_opened)
    since = "" if alert.date_told else f", from {_when(alert.date_opened)} on"
    return f"{OVER[alert.question]} for {lasted}{since}"


def _still(notice: Notice, alert: Alert) -> str:
    lasts = duration_text(notice.at - alert.date_opened)
    return f"{alert.state} for {lasts}: {_sentence(notice, alert)}"


def _sentence(notice: Notice, alert: Alert) -> str:
    """Why as of now, or why when it was seen first."""
    answer = notice.answers.get((alert.name, alert.hostname, alert.question))
    if answer is None or alert.date_closed is not None:
        return alert.sentence
    return answer.sentence


def _when(moment: datetime.datetime) -> str:
    return time_text(moment, "minutes")
