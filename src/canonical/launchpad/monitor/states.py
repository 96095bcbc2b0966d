"""Decides the state of an answer: ok, paused, warning or critical.

A check and a replay call the same functions, so they cannot disagree.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pauses import is_due
from canonical.launchpad.monitor.pauses import patience_ends
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.runtime import runs_too_long
from canonical.launchpad.monitor.runtime import runtime_is_off
from canonical.launchpad.monitor.schedule import CACHED
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import latest_slot
from canonical.launchpad.monitor.schedule import next_slot


__all__ = [
    "HORIZON",
    "first_due",
    "interval_ends",
    "intervals_extra",
    "intervals_met",
    "latest_due",
    "often_state",
    "recently_state",
    "runtime_state",
]


def latest_due(
    case: Case, at: datetime.datetime
) -> datetime.datetime | None:
    """The last slot of a schedule that counts and whose grace has passed.

    :return: `None` if all slots within `HORIZON` were paused.
    """
    expectation = case.expectation
    return _latest_due(
        expectation.schedule, expectation.timezone, expectation.grace,
        case.pauses, at)


def first_due(case: Case, at: datetime.datetime) -> datetime.datetime:
    """When a script is due that has never succeeded, and is not late.

    :return: the slot, or the end of the first interval; `FOREVER` while the
        script is paused.
    """
    # A rule that is not on record is seen from now on.
    ends = [each.date_ended for each in case.forgiving
            if each.date_ended <= at + INSTANT]
    if not ends:
        return FOREVER
    rule = case.expectation
    if rule.schedule is None:
        return patience_ends(case.pauses, ends[-1], rule.every)
    slot = next_slot(rule.schedule, rule.timezone, ends[-1] - INSTANT)
    while (pause := pause_at(case.pauses, slot)) is not None:
        if pause.date_ended == FOREVER:
            return FOREVER
        slot = next_slot(
            rule.schedule, rule.timezone, pause.date_ended - INSTANT)
    return slot


def interval_ends(
    case: Case, completed: datetime.datetime
) -> datetime.datetime:
    """The last moment at which the script is not late.

    :param completed: the start of the interval, which is a completion.
    """
    expectation = case.expectation
    return patience_ends(
        case.pauses, completed, expectation.every + expectation.grace)


def recently_state(
    case: Case,
    slot: datetime.datetime | None,
    started: datetime.datetime | None,
    completed: datetime.datetime | None,
    at: datetime.datetime,
    failures: int = 0,
) -> str:
    """The state of the first question: has the script run recently?

    :param slot: the latest slot of a schedule that is due; see `latest_due`.
    :param started: the start of the success that started last.
    :param completed: the last completion of a success.
    :param failures: the number of attempts that failed since then.
    :return: ``paused`` if the script is late and a pause forgives it.
    """
    allowed = case.expectation.failures
    if allowed is not None and failures >= allowed:
        return "critical"
    if case.expectation.schedule is not None:
        if slot is None or (
            started is not None and started >= slot - case.lead
        ):
            return "ok"
    elif (since := completed or case.since) is not None and (
        interval_ends(case, since) >= at
    ):
        return "ok"
    if _is_forgiven(case, slot, at):
        return "paused"
    severity: str = case.expectation.severity
    return "critical" if started is None else severity


def intervals_met(due: int, runs: int) -> int:
    """The number of intervals that have a run.

    Intervals have no fixed ends, so each run meets one interval.
    """
    return min(due, runs)


def intervals_extra(
    expectation: IScriptExpectation, due: int, runs: int
) -> int:
    """The number of runs beyond all intervals.

    A run in the grace may meet an interval that is not due yet.  As clocks
    and starts vary, a window has a run more than it has whole intervals.
    """
    not_due_yet: int = expectation.grace // expectation.every + 1
    return max(runs - due - not_due_yet, 0)


def often_state(
    expectation: IScriptExpectation, missed: int, extra: int
) -> str:
    """The state of the second question: are there too few runs, or too many?

    :param missed: the number of slots without a run.
    :param extra: the number of runs that meet no slot.
    """
    severity: str = expectation.severity
    wrong = missed > expectation.missed or (
        expectation.extra is not None and extra > expectation.extra)
    return severity if wrong else "ok"


def runtime_state(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
    running: datetime.timedelta | None = None,
) -> str:
    """The state of the third question.

    :param recent, earlier: see `runtime_is_off`.
    :param running: how long a run has been running; see `longest_run`.
    """
    severity: str = expectation.severity
    wrong = runtime_is_off(expectation, recent, earlier) or runs_too_long(
        expectation, earlier, running)
    return severity if wrong else "ok"


def _is_forgiven(
    case: Case, slot: datetime.datetime | None, at: datetime.datetime
) -> bool:
    """Does a pause forgive the script, with nothing due since that pause?"""
    for pause in reversed(case.forgiving):
        if pause.date_started > at:
            continue
        if slot is not None:
            return pause.date_ended > slot
        return interval_ends(case, pause.date_ended) >= at
    return False


@functools.lru_cache(CACHED)
def _latest_due(
    schedule: str,
    timezone: str,
    grace: datetime.timedelta,
    pauses: tuple[Pause, ...],
    at: datetime.datetime,
) -> datetime.datetime | None:
    slot = latest_slot(schedule, timezone, at - grace)
    while not is_due(pauses, slot, grace, at):
        pause = pause_at(pauses, slot)
        slot = latest_slot(
            schedule, timezone,
            (pause.date_started if pause else slot) - INSTANT)
        if slot < at - HORIZON:
            return None
    return slot
