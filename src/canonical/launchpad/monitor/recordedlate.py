"""Finds incidents that were false, because a success was recorded late.

A spooled success is recorded only when the database is back.  Meanwhile people
may have been notified that the script is late.  If the records now show that
it was not late when its incident opened, the message about its end says so.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from collections.abc import Set
from typing import NamedTuple

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import Answers
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.plaintext import time_text


__all__ = [
    "recorded_late",
    "with_recorded_late",
]


class Then(NamedTuple):
    """What is known now of the moment when some incidents were opened.

    :ivar answers: see `answers_of`.
    :ivar started: when the last success of each script had started.
    """

    answers: Mapping[Key, Answers]
    started: Mapping[Key, datetime.datetime]


def with_recorded_late(
    alerts: Iterable[Alert],
    assess_at: Callable[[Set[str], datetime.datetime], Sequence[Assessment]],
) -> list[Alert]:
    """Alerts whose answers say what was recorded late, if they are over.

    Many incidents may end at once, and mostly they were opened at once.

    :param assess_at: the assessments of the scripts of these names, as of a
        time; of all scripts, if `ALL` is one of the names.
    """
    alerts = list(alerts)
    names_by_opening: dict[datetime.datetime, set[str]] = {}
    for each in alerts:
        if any(answer.is_over for answer in each.answers):
            names_by_opening.setdefault(
                each.date_opened, set()).add(each.name)
    then = {opened: _then(assess_at(names, opened))
            for opened, names in names_by_opening.items()}
    return [
        _with_recorded_late(each, then[each.date_opened])
        if each.date_opened in then else each
        for each in alerts]


def _then(assessments: Sequence[Assessment]) -> Then:
    return Then(answers_of(assessments), {
        (each.name, each.hostname): each.figures.last_started
        for each in assessments if each.figures.last_started})


def _with_recorded_late(alert: Alert, then: Then) -> Alert:
    """An alert, with what is known now of the moment when it was opened."""
    script = alert.name, alert.hostname
    answers = then.answers.get(script, {})
    ran = max((
        started for (_, host), started in then.started.items()
        if alert.hostname in (None, host)), default=None
    ) if alert.name == ALL else then.started.get(script)
    return alert._replace(answers=tuple(
        each._replace(recorded_late=time_text(ran))
        if ran and each.is_over and each.question != "runtime"
        and each.question in answers and answers[each.question].state == "ok"
        else each for each in alert.answers))


def recorded_late(alert: Alert) -> list[str]:
    """A line for people, if an alert was for what was recorded late."""
    what = "a script" if alert.name == ALL else "it"
    return list(dict.fromkeys(
        f"recorded late: {what} ran at {each.recorded_late}"
        for each in alert.answers if each.recorded_late))
