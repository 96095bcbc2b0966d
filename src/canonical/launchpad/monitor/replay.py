"""The rules, replayed over history: what a script would have been told of.

Nothing is asked minute by minute.  An answer changes when a run completes, a
slot becomes due or leaves the window, or a pause begins or ends; the rules
that a check asks are asked at these moments, and at no others.
"""

from __future__ import annotations

import dataclasses
import datetime
import operator
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.counting import often_changes
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import interval_span
from canonical.launchpad.monitor.moments import Change
from canonical.launchpad.monitor.moments import recently_changes
from canonical.launchpad.monitor.moments import runtime_changes
from canonical.launchpad.monitor.moments import settled
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import slots_of_period


__all__ = [
    "Alarm",
    "QUESTIONS",
    "replay",
    "replayed_from",
    "window_start",
]


QUESTIONS = ("recently", "often", "runtime")


@dataclass(frozen=True)
class Alarm:
    """An alert that would have opened.

    :ivar hostname: `None` if any host will do.
    :ivar question: one of `QUESTIONS`.
    :ivar state: ``warning`` or ``critical``, when it opened.
    :ivar opened: exactly, or the start of the period if it was open then.
    :ivar closed: exactly, or `None` if it was open at the end.
    """

    name: str
    hostname: str | None
    question: str
    state: str
    opened: datetime.datetime
    closed: datetime.datetime | None


def replay(
    case: Case,
    runs: Iterable[Run],
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[Alarm]:
    """The alerts of a script that would have been open in a period.

    One opens when an answer becomes warning or critical, and closes when it
    becomes ok.  A pause neither opens nor closes any.

    :param case: with all pauses that begin until `until`.
    :param runs: in any order, of any hosts: those that started from
        `window_start` on; and of those before, all that completed after
        `replayed_from`, and as many of the last before that as
        `canonical.launchpad.monitor.matching.runs_counted` says.
    :param since: an aware datetime.
    :param until: likewise; what is so at that moment still counts.
    :return: in order of the questions, and then of time.
    """
    begin = replayed_from(case, since)
    slots = _slots(case, begin, since, until)
    by_start = sorted(
        (run for run in runs if case.hostname in (None, run.hostname)
         and run.date_completed <= until),
        key=operator.attrgetter("date_started"))
    by_completion = sorted(
        by_start, key=operator.attrgetter("date_completed"))
    runtime, successes = runtime_changes(case, by_completion, begin)
    answers = {
        "recently": recently_changes(case, successes, slots, begin, until),
        "often": often_changes(case, by_start, slots, begin, until),
        "runtime": runtime,
    }
    # Between the beginning and `since` there is a pause, which closes none.
    return [
        dataclasses.replace(alarm, opened=max(alarm.opened, since))
        for question in QUESTIONS
        for alarm in _alarms(
            case, question, list(settled(answers[question])), until)]


def replayed_from(
    case: Case, since: datetime.datetime
) -> datetime.datetime:
    """From when on there is something to replay for a period from `since` on.

    An alert that was open when a pause began is so until that is over.
    """
    pause = pause_at(case.pauses, since)
    return since if pause is None else pause.date_started - INSTANT


def window_start(case: Case, at: datetime.datetime) -> datetime.datetime:
    """How early a run may have started that is within the window at a time."""
    expectation = case.expectation
    window = expectation.window if expectation.schedule else (
        interval_span(expectation))
    early: datetime.timedelta = expectation.grace + window + case.skew
    return at - early


def _slots(
    case: Case,
    begin: datetime.datetime,
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[datetime.datetime]:
    """The slots that count; not those in the middle of a long pause."""
    expectation = case.expectation
    schedule, timezone = expectation.schedule, expectation.timezone
    if schedule is None:
        return []
    back = expectation.grace + expectation.window
    slots = set(slots_of_period(
        schedule, timezone, since - back, until - expectation.grace + INSTANT))
    if begin < since:
        slots.update(slots_of_period(
            schedule, timezone, begin - back, begin + case.skew + INSTANT))
    return sorted(slots)


def _alarms(
    case: Case,
    question: str,
    changes: Sequence[Change],
    until: datetime.datetime,
) -> list[Alarm]:
    # What a pause has hidden is seen when it is over.
    events: list[tuple[datetime.datetime, str | None]] = [
        *changes,
        *((pause.date_ended, None) for pause in case.pauses
          if changes[0].at < pause.date_ended <= until)]
    events.sort(key=operator.itemgetter(0))
    alarms = []
    opened = None
    state = ""
    for at, changed in events:
        state = changed or state
        if pause_at(case.pauses, at) is not None:
            continue
        if state not in ("ok", "paused") and opened is None:
            opened = Change(at, state)
        elif state == "ok" and opened is not None:
            alarms.append(_alarm(case, question, opened, at))
            opened = None
    if opened is not None:
        alarms.append(_alarm(case, question, opened, None))
    return alarms


def _alarm(
    case: Case,
    question: str,
    opened: Change,
    closed: datetime.datetime | None,
) -> Alarm:
    return Alarm(
        case.expectation.name, case.hostname, question, opened.state,
        opened.at, closed)
