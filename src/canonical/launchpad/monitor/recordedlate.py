"""Incidents that were none, as records show that came in late.

A spooled success is on record only when the database is back.  Meanwhile the
script may have been reported.  If the records now show that it was fine when
its incident opened, the end of the incident says so.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.plaintext import time_text


__all__ = [
    "recorded_late",
    "with_recorded_late",
]


def with_recorded_late(
    alerts: Iterable[Alert],
    assess_at: Callable[[str, datetime.datetime], Sequence[Assessment]],
) -> list[Alert]:
    """Alerts whose answers say what was recorded late, if they are over.

    :param assess_at: the assessments of a script, or of `ALL`, as of a time.
    """
    known = functools.cache(assess_at)
    return [
        _with_recorded_late(each, known(each.name, each.date_opened))
        if any(answer.is_over for answer in each.answers) else each
        for each in alerts]


def _with_recorded_late(
    alert: Alert, assessments: Sequence[Assessment]
) -> Alert:
    """An alert, with what is now known of the moment when it was opened.

    :param assessments: as of that moment.
    """
    answers = answers_of(assessments).get((alert.name, alert.hostname), {})
    ran = max((
        each.figures.last_started for each in assessments
        if alert.hostname in (None, each.hostname)
        and each.figures.last_started), default=None)
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
