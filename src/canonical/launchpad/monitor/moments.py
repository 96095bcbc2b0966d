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
from typing import NamedTuple

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.lastruns import LastRuns
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pauses import patience_ends
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import interval_ends
from canonical.launchpad.monitor.states import latest_due
from canonical.launchpad.monitor.states import recently_state
from canonical.launchpad.monitor.states import runtime_state


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

    :param slots: of its schedule, all that become due in the period.
    """
    # What was due before may be forgiven from the start of a pause on.
    pauses = [
        pause for pause in case.pauses
        if pause.forgives and pause.date_started <= until]
    starts = [
        pause.date_started for pause in pauses if pause.date_started > begin]
    due: list[tuple[datetime.datetime, datetime.datetime | None]]
    if case.expectation.schedule is None:
        ends = [
            interval_ends(case, since) for since in (
                *(each.completed for each in successes),
                *(pause.date_ended for pause in pauses))
            if since is not None]
        due = [(begin, None), *(
            (end + INSTANT, None) for end in ends if begin <= end < until)]
    else:
        due = [(begin, latest_due(case, begin)), *(
            (at, slot) for slot in slots
            if pause_at(case.pauses, slot) is None
            and begin < (at := patience_ends(
                case.pauses, slot, case.expectation.grace)) <= until)]
    return _recently_changes(case, successes, due, starts)


def _recently_changes(
    case: Case,
    successes: Sequence[Success],
    due: Iterable[tuple[datetime.datetime, datetime.datetime | None]],
    pauses: Iterable[datetime.datetime],
) -> Iterator[Change]:
    """What `recently_state` says at each moment at which it may change.

    :param due: when an interval ends or a slot is due, and that slot.
    :param pauses: when those begin that forgive.
    """
    events: list[tuple[
        datetime.datetime, datetime.datetime | None, Success | None
    ]] = [
        *((at, slot, None) for at, slot in due),
        *((each.at, None, each) for each in successes),
        *((at, None, None) for at in pauses)]
    events.sort(key=MOMENT)
    slot = started = completed = told = None
    for at, next_slot, success in events:
        slot = next_slot or slot
        if success is not None:
            _, started, completed = success
        state = recently_state(case, slot, started, completed, at)
        if state != told:
            yield Change(at, state)
            told = state
