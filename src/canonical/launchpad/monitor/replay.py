"""Replays rules over history: which answers were bad, and when.

An answer can change only when a run completes, when a slot or an interval
becomes due or leaves the window, and when a pause begins or ends.  At each of
these moments, running totals give the figures that a check would see.  Then
`canonical.launchpad.monitor.states` decides, as it does for a check.
"""

from __future__ import annotations

import bisect
import datetime
import functools
import heapq
import itertools
import operator
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from zope.component import getUtility

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import PastAttempt
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.firstseen import counted_from_run
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Change
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.incidents import incidents_of
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import interval_runs
from canonical.launchpad.monitor.matching import intervals_due
from canonical.launchpad.monitor.matching import matched
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.matching import runs_counted
from canonical.launchpad.monitor.matching import slots_of_stretch
from canonical.launchpad.monitor.pastattempts import MOMENT
from canonical.launchpad.monitor.pastattempts import Event
from canonical.launchpad.monitor.pastattempts import attempts_of
from canonical.launchpad.monitor.pastattempts import failures_events
from canonical.launchpad.monitor.pastattempts import running_events
from canonical.launchpad.monitor.pastattempts import with_limits
from canonical.launchpad.monitor.pastsilence import Past
from canonical.launchpad.monitor.pastsilence import past_blind
from canonical.launchpad.monitor.pastsilence import unknown_changes
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
from canonical.launchpad.monitor.waiting import waiting_changes
from canonical.launchpad.monitor.waiting import with_awaited


__all__ = [
    "pieces",
    "replay",
    "replay_all",
    "stretches",
]


# History is replayed in stretches of this length, to limit the memory.
STRETCH = datetime.timedelta(days=90)


def replay_all(
    cases: Sequence[Case],
    since: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[tuple[int | None, list[Incident]]]:
    """Replay cases over a period.

    :param cases: the only ones that there are: as in a check, many scripts
        that are silent at once are one incident.
    :param since: an aware datetime.
    :param until: an aware datetime; the period includes it.
    :return: the number of each case, from 0 on, and its incidents; and `None`
        with the incidents of all scripts together, if there are any.
    """

    @functools.cache
    def recently(case: Case) -> list[Change]:
        parts, = _stored([case], since, until, Past(until))
        return [
            change for part in parts for change in part["recently"]
            if change[0] >= since]

    def incidents(
        case: Case, parts: Sequence[dict[str, list[Change]]]
    ) -> list[Incident]:
        if case.after:
            parts = [waiting_changes(parts, [
                recently(each) for each in with_awaited(case.after).values()])]
        return _incidents(case, parts, since)

    past = Past(until)
    late: dict[int, Sequence[dict[str, list[Change]]]] = {}
    scripts: dict[tuple[str, tuple[Pause, ...]], list[int]] = {}
    for number, case in enumerate(cases):
        scripts.setdefault(
            (case.expectation.name, case.pauses), []).append(number)
    # In order of schedule, because slots are cached.
    for numbers in sorted(scripts.values(), key=lambda each: str(
        cases[each[0]].expectation.schedule)):
        asked = [cases[number] for number in numbers]
        for number, parts in zip(
            numbers, _stored(asked, since, until, past), strict=True
        ):
            if any(
                state in BROKEN for part in parts
                for _, state in part["recently"]
            ):
                late[number] = parts
            else:
                yield number, incidents(cases[number], parts)
    blind = past_blind(past, cases)
    for number, parts in late.items():
        case = cases[number]
        silent = blind.get((case.expectation.name, case.hostname))
        yield number, incidents(
            case, [unknown_changes(parts, silent)] if silent else parts)
    together = [
        incident for (name, host), silent in blind.items() if name == ALL
        for incident in incidents_of(
            (ALL, host), datetime.timedelta(), [_silence(silent)], since)]
    if together:
        yield None, together


def _silence(
    silent: Iterable[tuple[datetime.datetime, bool]]
) -> dict[str, list[Change]]:
    """The changes of the answers about scripts that are silent together."""
    return {"often": [], "runtime": [], "recently": [
        (at, "critical" if is_silent else "ok") for at, is_silent in silent]}


def _stored(
    cases: Sequence[Case],
    since: datetime.datetime,
    until: datetime.datetime,
    past: Past,
) -> Iterator[Sequence[dict[str, list[Change]]]]:
    """The pieces of each case of one script, from the records.

    :param past: what is found is added to it.
    """
    length = max(STRETCH, *map(reach, cases))
    found = []
    for begin, end in stretches(cases[0].pauses, since, until, length):
        runs = _runs(cases, begin, end)
        attempts = attempts_of(cases, runs, begin, end)
        of_cases = []
        for case in cases:
            its = sorted(
                runs[case.hostname],
                key=operator.attrgetter("date_completed"))
            parts = pieces(case, its, begin, end, [
                each for each in attempts
                if case.hostname in (None, each.hostname)])
            past.add(case, its, end, [
                change for part in parts for change in part["recently"]])
            of_cases.append(parts)
        found.append(of_cases)
    for each in zip(*found, strict=True):
        yield list(itertools.chain(*each))


def replay(
    case: Case,
    runs: Sequence[Run],
    since: datetime.datetime,
    until: datetime.datetime,
    length: datetime.timedelta = STRETCH,
) -> list[Incident]:
    """Replay a case over runs that are at hand, without the database.

    :param runs: in order of start; those on other hosts are left out.  A
        stretch looks only at those that it needs.
    :param length: of the stretches; at least the `reach` of the case.
    """
    if case.hostname is not None:
        runs = [run for run in runs if run.hostname == case.hostname]
    longest = max((
        run.date_completed - run.date_started for run in runs),
        default=datetime.timedelta())
    counted = runs_counted(case.expectation)

    def needed(
        begin: datetime.datetime, end: datetime.datetime
    ) -> Sequence[Run]:
        first, last = (
            bisect.bisect_left(runs, at, key=operator.attrgetter(
                "date_started"))
            for at in (begin - reach(case) - longest, end + INSTANT))
        return runs[max(first - counted, 0):last]

    return _incidents(case, [
        piece for stretch in stretches(case.pauses, since, until, length)
        for piece in pieces(case, needed(*stretch), *stretch)], since)


def _incidents(
    case: Case,
    pieces: Iterable[dict[str, list[Change]]],
    since: datetime.datetime,
) -> list[Incident]:
    """The incidents that the `changes` of each of the `stretches` make."""
    expectation = case.expectation
    return incidents_of(
        (expectation.name, case.hostname), expectation.grace, pieces, since)


def stretches(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
    length: datetime.timedelta,
) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """The stretches of a replay in order: begin and end, both included.

    If a pause covers the start, alerts from before it may still be open.  So
    the first stretch is the last moment before that pause.
    """
    if pause := pause_at(pauses, since):
        before = pause.date_started - INSTANT
        yield before, before
    while until - since > length:
        yield since, since + length
        since += length
    yield since, until


def pieces(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
    attempts: Sequence[PastAttempt] = (),
) -> list[dict[str, list[Change]]]:
    """The `changes` of a stretch, until the first success and from then on.

    :param runs, attempts: as in `changes`.
    """
    runs = sorted(runs, key=operator.attrgetter("date_completed"))
    if any(
        run.date_started < begin - reach(case) and run.date_completed <= begin
        for run in runs
    ):
        return [changes(case, runs, begin, until, attempts)]
    # A run that is known later may have started earlier.
    known = [(begin, case)]
    first = FOREVER
    for _, started, completed in runs:
        if started < first and completed <= until:
            first = started
            since_then = counted_from_run(case, started)
            if completed <= begin:
                known = [(begin, since_then)]
            else:
                known.append((completed, since_then))
    ends = [at - INSTANT for at, _ in known[1:]] + [until]
    return [
        changes(each, runs, at, end, attempts)
        for (at, each), end in zip(known, ends, strict=True) if at <= end]


def changes(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
    attempts: Sequence[PastAttempt] = (),
) -> dict[str, list[Change]]:
    """The states of the answer to each question in a stretch.

    :param runs: runs on the host of the case, in any order: all runs that a
        check at any moment of the stretch would count.
    :param attempts: attempts on that host that may make an answer bad; see
        `IScriptHistorySet.getAttempts`.
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
    for pause in pauses_between(case.pauses, begin, until + INSTANT):
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


def _runs(
    cases: Sequence[Case],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> dict[str | None, list[Run]]:
    """The runs that `changes` needs for cases of one script, by host."""
    history, name = getUtility(IScriptHistorySet), cases[0].expectation.name
    start = begin - max(map(reach, cases))
    count = max(runs_counted(case.expectation) for case in cases)
    runs: dict[str | None, list[Run]] = {
        hostname: history.getRunsBefore(name, hostname, start, begin, count)
        for hostname in {case.hostname for case in cases}}
    for run in history.getRuns(name, start, until + INSTANT):
        for hostname in run.hostname, None:
            if hostname in runs:
                runs[hostname].append(run)
    return runs
