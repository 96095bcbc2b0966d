"""The answers to the three questions at each moment of the past, for a replay.

An answer can change only when a run completes, when a slot or an interval
becomes due or leaves the window, and when a pause begins or ends.  At each of
these moments, running totals give the figures that a check would see.  Then
`canonical.launchpad.monitor.states` decides, as it does for a check.
"""

from __future__ import annotations

import datetime
import heapq
import itertools
import operator
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import PastAttempt
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.firstseen import Seen
from canonical.launchpad.monitor.firstseen import counted
from canonical.launchpad.monitor.firstseen import since_change
from canonical.launchpad.monitor.incidents import Change
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import interval_runs
from canonical.launchpad.monitor.matching import intervals_due
from canonical.launchpad.monitor.matching import matched
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.matching import slots_of_stretch
from canonical.launchpad.monitor.pastattempts import MOMENT
from canonical.launchpad.monitor.pastattempts import Event
from canonical.launchpad.monitor.pastattempts import failures_events
from canonical.launchpad.monitor.pastattempts import running_events
from canonical.launchpad.monitor.pastattempts import with_limits
from canonical.launchpad.monitor.pauses import patience_ends
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.pauses import pauses_between
from canonical.launchpad.monitor.runtime import durations
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import interval_ends
from canonical.launchpad.monitor.states import intervals_extra
from canonical.launchpad.monitor.states import intervals_met
from canonical.launchpad.monitor.states import latest_due
from canonical.launchpad.monitor.states import often_state
from canonical.launchpad.monitor.states import recently_state
from canonical.launchpad.monitor.states import runtime_state


__all__ = [
    "pieces",
]


def pieces(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
    attempts: Sequence[PastAttempt] = (),
    seen: Seen = MappingProxyType({}),
) -> list[dict[str, list[Change]]]:
    """The `changes` of a stretch, in pieces in which the same slots count.

    :param runs, attempts: as in `changes`.
    :param seen: when the rules of the script were first seen.
    """
    runs = sorted(runs, key=operator.attrgetter("date_completed"))
    # A run that is known later may have started earlier.
    firsts: list[Run] = []
    is_old = any(
        run.date_started < begin - reach(case) and run.date_completed <= begin
        for run in runs)
    for run in () if is_old else runs:
        if not firsts or run.date_started < firsts[-1].date_started:
            firsts.append(run)
    begins = sorted({begin, *(
        at for at in (*(run.date_completed for run in firsts), *seen.values())
        if begin < at <= until)})
    ends = [at - INSTANT for at in begins[1:]] + [until]
    found = []
    for at, end in zip(begins, ends, strict=True):
        first = min((
            run.date_started for run in firsts if run.date_completed <= at),
            default=None)
        known = Figures(
            first_started=first, last_started=begin if is_old else first)
        found.append(changes(
            # Without a run, it is new until its rule is seen.
            counted(since_change(case, seen, at), known, seen,
                    at if first else end),
            runs, at, end, attempts, case.pauses))
    return found


def changes(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
    attempts: Sequence[PastAttempt] = (),
    paused: tuple[Pause, ...] = (),
) -> dict[str, list[Change]]:
    """The states of the answer to each question in a stretch.

    :param runs: runs on the host of the case, in any order: all runs that a
        check at any moment of the stretch would count.
    :param attempts: attempts on that host that may make an answer bad; see
        `IScriptHistorySet.getAttempts`.
    :param paused: when the answers are paused.  The pauses of the case also
        have the time before a script was there.
    """
    expectation = case.expectation
    runs = sorted(runs, key=operator.attrgetter("date_completed"))
    started = itertools.accumulate((run.date_started for run in runs), max)
    last: list[Event] = [
        (run.date_completed, "last", (latest, run.date_completed))
        for run, latest in zip(runs, started, strict=True)]
    ends, steps = (_slots if expectation.schedule else _intervals)(
        case, runs, begin, until)
    pauses: list[Event] = []
    for pause in pauses_between(paused, begin, until + INSTANT):
        pauses.append((pause.date_started, "paused", True))
        pauses.append((pause.date_ended, "paused", False))
    pauses.append((FOREVER, "paused", False))

    def recently(at: datetime.datetime, figures: dict[str, Any]) -> str:
        started, completed = figures["last"]
        return recently_state(
            case, figures["slot"], started, completed, at,
            figures["failures"])

    def often(at: datetime.datetime, figures: dict[str, Any]) -> str:
        due, runs = figures["due"], figures["runs"]
        if expectation.schedule is None:
            return often_state(
                expectation, due - intervals_met(due, runs),
                intervals_extra(expectation, due, runs))
        # These numbers leave out slots that are met, and the runs that meet
        # them.
        return often_state(expectation, due, runs)

    def runtime(at: datetime.datetime, figures: dict[str, Any]) -> str:
        since = figures["running"]
        recent, earlier = figures["durations"]
        return runtime_state(
            expectation, recent, earlier,
            None if since is None else at - since)

    def states(
        ask: Callable[..., str], *series: Iterable[Event]
    ) -> list[Change]:
        """The state that a check would find, at each moment it changes."""
        figures: dict[str, Any] = {
            "paused": False, "slot": None, "last": (None, None),
            "due": 0, "runs": 0, "failures": 0, "running": None,
            "durations": ((), ())}
        found = []
        at, state = begin, ""
        events = heapq.merge(*series, pauses, key=MOMENT)
        for following, figure, value in events:
            if following > at:
                now = "paused" if figures["paused"] else ask(at, figures)
                if now != state:
                    found.append((at, now))
                    state = now
                if following > until:
                    break
                at = following
            figures[figure] = value
        return found

    return {
        "recently": states(
            recently, last, ends, failures_events(attempts, last)),
        "often": states(often, _totals(steps)),
        "runtime": states(runtime, with_limits(expectation, heapq.merge(
            ((at, "durations", seconds)
             for at, seconds in durations(expectation, runs)),
            running_events(attempts, last), key=MOMENT))),
    }


def _slots(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> tuple[list[Event], list[Event]]:
    """The events for a schedule: latest due slot; missed slots, extra runs."""
    grace, window = case.expectation.grace, case.expectation.window
    dues, steps = [], []
    slots = slots_of_stretch(case, latest_due(case, begin), begin, until)
    for slot, completed in matched(slots, runs, case.lead):
        if pause_at(case.pauses, slot) is not None:
            continue
        due = patience_ends(case.pauses, slot, grace)
        dues.append((due, "slot", slot))
        gone = slot + grace + window
        due = min(due, gone)
        met, *extra = [min(max(at, due), gone) for at in completed or [gone]]
        if met > due:
            steps += [(due, "due", 1), (met, "due", -1)]
        for at in extra:
            steps += [(at, "runs", 1), (gone, "runs", -1)]
    return dues, steps


def _intervals(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> tuple[list[Event], list[Event]]:
    """The events for intervals: their ends; intervals due, and runs."""
    since = [run.date_completed for run in runs]
    since += [pause.date_ended for pause in case.forgiving]
    ends = sorted(interval_ends(case, at) for at in since)
    steps = [
        (at, "due", step) for at, step in intervals_due(case, begin, until)]
    for counts, gone in interval_runs(case, runs):
        steps += [(counts, "runs", 1), (gone, "runs", -1)]
    return [
        (end + INSTANT, "slot", None) for end in ends if end < until], steps


def _totals(steps: Iterable[Event]) -> Iterator[Event]:
    """Turn steps into running totals."""
    totals = {"due": 0, "runs": 0}
    for at, figure, step in sorted(steps, key=MOMENT):
        totals[figure] += step
        yield at, figure, totals[figure]
