"""When answers change: has it run recently, and in sensible time?

Each function gives `Change`s, in order: moments at which an answer may become
another, from the beginning of a stretch of time on.  That a pause hides all
answers is not heeded here, only that it may change them.
"""

from __future__ import annotations

import bisect
import datetime
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.case import INSTANT
from canonical.launchpad.monitor.case import Case
from canonical.launchpad.monitor.case import pause_at
from canonical.launchpad.monitor.lastruns import LastRuns
from canonical.launchpad.monitor.rules import latest_due
from canonical.launchpad.monitor.rules import next_interval_due
from canonical.launchpad.monitor.rules import recently_state
from canonical.launchpad.monitor.rules import runtime_state


__all__ = [
    "MOMENT",
    "Change",
    "Success",
    "recently_changes",
    "runtime_changes",
    "settled",
]


class Change(NamedTuple):
    """From a moment on an answer is in a state."""

    at: datetime.datetime
    state: str


class Success(NamedTuple):
    """From a moment on these are the latest times; see `Figures`."""

    at: datetime.datetime
    started: datetime.datetime | None
    completed: datetime.datetime | None


MOMENT = operator.itemgetter(0)


def settled(changes: Iterable[Change]) -> Iterator[Change]:
    """The last of each moment, if it differs from the one before."""
    told = None
    pending = None
    for change in changes:
        if pending is not None and pending.at != change.at and (
            pending.state != told
        ):
            yield pending
            told = pending.state
        pending = change
    if pending is not None and pending.state != told:
        yield pending


def runtime_changes(
    case: Case, runs: Sequence[Run], begin: datetime.datetime
) -> tuple[list[Change], list[Success]]:
    """Whether its average runtime is sensible; and its latest times.

    :param runs: in order of their completion.
    """
    expectation = case.expectation
    last = LastRuns(expectation)
    position = bisect.bisect_right(
        runs, begin, key=operator.attrgetter("date_completed"))
    for run in runs[:position]:
        last.add(run)
    changes = [Change(begin, runtime_state(
        expectation, last.recent, last.earlier))]
    successes = [Success(begin, last.started, last.completed)]
    told = changes[0].state
    latest = successes[0]
    for run in runs[position:]:
        last.add(run)
        at = run.date_completed
        state = runtime_state(expectation, last.recent, last.earlier)
        # Most often nothing is new.
        if state != told:
            changes.append(Change(at, state))
            told = state
        started, completed = last.started, last.completed
        if started != latest.started or completed != latest.completed:
            latest = Success(at, started, completed)
            successes.append(latest)
    return changes, successes


def recently_changes(
    case: Case,
    successes: Sequence[Success],
    slots: Sequence[datetime.datetime],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[Change]:
    """Whether it has run recently.

    :param slots: of its schedule, from the last that is due at the beginning.
    """
    # What was due before may be forgiven from its start on.
    pauses = [
        pause.date_started for pause in case.pauses
        if begin < pause.date_started <= until]
    if case.expectation.schedule is None:
        pauses += [
            pause.date_ended for pause in case.pauses
            if begin < pause.date_ended <= until]
        return _late_intervals(case, successes, pauses, until)
    return _late_slots(case, successes, slots, pauses, begin, until)


def _late_slots(
    case: Case,
    successes: Sequence[Success],
    slots: Sequence[datetime.datetime],
    pauses: Sequence[datetime.datetime],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[Change]:
    grace = case.expectation.grace
    # What becomes due, and what succeeds.
    events: list[tuple[
        datetime.datetime, datetime.datetime | None, datetime.datetime | None
    ]] = [
        (max(slot + grace, begin), slot, None) for slot in slots
        if slot + grace <= until]
    events += [(each.at, None, each.started) for each in successes]
    events += [(at, None, None) for at in pauses]
    events.sort(key=MOMENT)
    slot = started = told = None
    for at, due, success in events:
        slot = due or slot
        started = success or started
        state = recently_state(case, slot, started, at)
        if state != told:
            yield Change(at, state)
            told = state


def _late_intervals(
    case: Case,
    successes: Sequence[Success],
    pauses: Sequence[datetime.datetime],
    until: datetime.datetime,
) -> Iterator[Change]:
    events: list[tuple[datetime.datetime, Success | None]] = [
        *((each.at, each) for each in successes),
        *((at, None) for at in pauses),
        (until + INSTANT, None)]
    events.sort(key=MOMENT)
    _, started, completed = successes[0]
    told = None
    for (at, success), (following, _) in pairwise(events):
        if success is not None:
            _, started, completed = success
        while at < following:
            slot = latest_due(case, completed, at)
            state = recently_state(case, slot, started, at)
            if state != told:
                yield Change(at, state)
                told = state
            if slot is not None and not _may_be_forgiven(case, slot, at):
                break
            at = next_interval_due(case, completed, at)


def _may_be_forgiven(
    case: Case, slot: datetime.datetime, at: datetime.datetime
) -> bool:
    """Does it matter, without another success or pause, which slot is due?"""
    if pause_at(case.pauses, at) is not None:
        # It will when that is over.
        return False
    begun = bisect.bisect_right(
        case.pauses, at, key=operator.attrgetter("date_started"))
    return begun > 0 and case.pauses[begun - 1].date_ended > slot
