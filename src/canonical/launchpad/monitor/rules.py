"""The rules: what decides how a script does, in a check and in a replay.

Both ask the same functions, so that they cannot disagree.  Each answers with
a state, or with what a state is decided by.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.case import INSTANT
from canonical.launchpad.monitor.case import Case
from canonical.launchpad.monitor.case import is_forgiven
from canonical.launchpad.monitor.runtime import runtime_is_off
from canonical.launchpad.monitor.schedule import latest_slot


__all__ = [
    "intervals_met",
    "latest_due",
    "next_interval_due",
    "often_state",
    "recently_state",
    "runtime_state",
]


# Where intervals are counted from as long as nothing has completed.
EPOCH = datetime.datetime.fromtimestamp(0, datetime.UTC)


def latest_due(
    case: Case,
    completed: datetime.datetime | None,
    at: datetime.datetime,
) -> datetime.datetime | None:
    """The last slot whose grace has passed; `None` for an interval that has
    not.

    :param completed: when the last completion was.
    """
    expectation = case.expectation
    if expectation.schedule is not None:
        return latest_slot(
            expectation.schedule, expectation.timezone,
            at - expectation.grace)
    intervals = _intervals_due(expectation, completed, at)
    if intervals <= 0:
        return None
    passed: datetime.timedelta = intervals * expectation.every
    return (completed or EPOCH) + passed


def next_interval_due(
    case: Case,
    completed: datetime.datetime | None,
    at: datetime.datetime,
) -> datetime.datetime:
    """When `latest_due` will be another, if nothing completes before."""
    expectation = case.expectation
    intervals = max(_intervals_due(expectation, completed, at), 0) + 1
    patience: datetime.timedelta = (
        intervals * expectation.every + expectation.grace + INSTANT)
    return (completed or EPOCH) + patience


def recently_state(
    case: Case,
    slot: datetime.datetime | None,
    started: datetime.datetime | None,
    at: datetime.datetime,
) -> str:
    """Has there been no success for too long?

    :param slot: the latest that is due; see `latest_due`.
    :param started: when the success that started last did.
    """
    if slot is None:
        return "ok"
    if case.expectation.schedule is not None and started is not None and (
        started >= slot - case.skew
    ):
        return "ok"
    if is_forgiven(case, slot, at):
        return "ok"
    severity: str = case.expectation.severity
    return "critical" if started is None else severity


def intervals_met(due: int, runs: int) -> int:
    """How many intervals have a run.

    They have no fixed ends that a run could miss by a little.
    """
    return min(due, runs)


def often_state(
    expectation: IScriptExpectation, missed: int, extra: int
) -> str:
    """Is the number of runs wrong?

    :param missed: how many slots have no run.
    :param extra: how many runs there are beside those that meet a slot.
    """
    severity: str = expectation.severity
    wrong = missed > expectation.missed or (
        expectation.extra is not None and extra > expectation.extra)
    return severity if wrong else "ok"


def runtime_state(
    expectation: IScriptExpectation,
    recent: Sequence[float],
    earlier: Sequence[float],
) -> str:
    """Is the average runtime wrong?  See `runtime_is_off`."""
    severity: str = expectation.severity
    wrong = runtime_is_off(expectation, recent, earlier)
    return severity if wrong else "ok"


def _intervals_due(
    expectation: IScriptExpectation,
    completed: datetime.datetime | None,
    at: datetime.datetime,
) -> int:
    since: datetime.datetime = (
        (completed or EPOCH) + expectation.grace + INSTANT)
    every: datetime.timedelta = expectation.every
    return (at - since) // every
