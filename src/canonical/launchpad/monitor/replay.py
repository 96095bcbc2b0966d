"""Replay of rules over history: which alerts they would have raised, and when.

An answer can change only when a run completes, when a slot or an interval
becomes due or leaves the window, and when a pause begins or ends.  At these
moments the figures that a check would see come from running totals, and
`canonical.launchpad.monitor.states` decides, as it does for a check.
"""

from __future__ import annotations

import bisect
import datetime
import heapq
import itertools
import operator
from collections import Counter
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from zope.component import getUtility

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import earlier_runs
from canonical.launchpad.monitor.matching import intervals_due
from canonical.launchpad.monitor.matching import matched
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.matching import runs_counted
from canonical.launchpad.monitor.matching import slots_of_stretch
from canonical.launchpad.monitor.pauses import patience_ends
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.pauses import pauses_between
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import interval_ends
from canonical.launchpad.monitor.states import intervals_met
from canonical.launchpad.monitor.states import latest_due
from canonical.launchpad.monitor.states import often_state
from canonical.launchpad.monitor.states import recently_state
from canonical.launchpad.monitor.states import runtime_state


__all__ = [
    "QUESTIONS",
    "Alarm",
    "alarms",
    "changes",
    "replay_all",
    "stretches",
]


QUESTIONS = ("recently", "often", "runtime")

# History is replayed in stretches of this length, which bounds the memory.
STRETCH = datetime.timedelta(days=90)

MOMENT = operator.itemgetter(0)

# From a moment on, the figure of that name has that value.
Event = tuple[datetime.datetime, str, Any]
# At a moment, the figure of that name grows by so much.
Step = tuple[datetime.datetime, str, int]
# From a moment on, the answer is in this state.
Change = tuple[datetime.datetime, str]

# The figures before all events.
NOTHING = {
    "paused": False, "slot": None, "last": (None, None), "due": 0, "runs": 0,
    "durations": ((), ()),
}


class Alarm(NamedTuple):
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


def replay_all(
    cases: Sequence[Case],
    since: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[tuple[int, list[Alarm]]]:
    """Replay cases over a period.

    :param since: an aware datetime.
    :param until: likewise; what is so at that moment still counts.
    :return: the number of each case, from 0 on, and its alarms.
    """
    scripts: dict[tuple[str, tuple[Pause, ...]], list[int]] = {}
    for number, case in enumerate(cases):
        scripts.setdefault(
            (case.expectation.name, case.pauses), []).append(number)
    # Scripts of one schedule follow each other, since its slots are kept.
    for numbers in sorted(
        scripts.values(),
        key=lambda each: cases[each[0]].expectation.schedule or "",
    ):
        asked = [cases[number] for number in numbers]
        length = max(STRETCH, *map(reach, asked))
        found = []
        for begin, end in stretches(asked[0].pauses, since, until, length):
            runs = _runs(asked, begin, end)
            found.append([
                changes(case, runs[case.hostname], begin, end)
                for case in asked])
        for number, pieces in zip(numbers, zip(*found), strict=True):
            yield number, alarms(cases[number], pieces, since)


def stretches(
    pauses: tuple[Pause, ...],
    since: datetime.datetime,
    until: datetime.datetime,
    length: datetime.timedelta,
) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
    """The begin and the end, both included, of what a replay looks at.

    If the period begins in a pause, the moment before the pause comes first:
    an alert that was open then still is.
    """
    pause = pause_at(pauses, since)
    if pause is not None:
        before = pause.date_started - INSTANT
        yield before, before
    while until - since > length:
        yield since, since + length
        since += length
    yield since, until


def alarms(
    case: Case,
    pieces: Iterable[dict[str, list[Change]]],
    since: datetime.datetime,
) -> list[Alarm]:
    """The alerts that would have been open in a period.

    An alert opens when an answer becomes warning or critical, and closes when
    it becomes ok.  A pause neither opens nor closes one.

    :param pieces: the `changes` of each of the `stretches`.
    :return: in order of the questions, and then of time.
    """
    found = []
    for question in QUESTIONS:
        opened = None
        for at, state in itertools.chain(*(each[question] for each in pieces)):
            if opened is None and state not in ("ok", "paused"):
                opened = Alarm(
                    case.expectation.name, case.hostname, question, state,
                    max(at, since), None)
            elif opened is not None and state == "ok":
                found.append(opened._replace(closed=at))
                opened = None
        if opened is not None:
            found.append(opened)
    return found


def changes(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> dict[str, list[Change]]:
    """The states of each question in a stretch.

    :param runs: on the host of the case, in any order: those that started
        within `matching.reach` before the stretch or in it, and what
        `IScriptHistorySet.getRunsBefore` finds.
    """
    expectation = case.expectation
    runs = sorted(runs, key=operator.attrgetter("date_completed"))
    started = itertools.accumulate((run.date_started for run in runs), max)
    last = (
        (run.date_completed, "last", (first, run.date_completed))
        for run, first in zip(runs, started, strict=True))
    ends, steps = (_slots if expectation.schedule else _intervals)(
        case, runs, begin, until)
    pauses = [
        (edge, "paused", edge == pause.date_started)
        for pause in pauses_between(case.pauses, begin, until + INSTANT)
        for edge in (pause.date_started, pause.date_ended)]
    pauses.append((FOREVER, "paused", False))

    def often(at: datetime.datetime, figures: dict[str, Any]) -> str:
        due, runs = figures["due"], figures["runs"]
        # Slots that are met are not in these numbers, nor is what meets them.
        met = 0 if expectation.schedule else intervals_met(due, runs)
        return often_state(expectation, due - met, runs - met)

    def states(
        ask: Callable[..., str], *series: Iterable[Event]
    ) -> list[Change]:
        """What a check would find at each moment, whenever it is new."""
        figures: dict[str, Any] = dict(NOTHING)
        found = []
        at, state = begin, ""
        for following, figure, value in heapq.merge(
            *series, pauses, key=MOMENT
        ):
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
        "recently": states(lambda at, figures: recently_state(
            case, figures["slot"], *figures["last"], at), last, ends),
        "often": states(often, _totals(steps)),
        "runtime": states(lambda at, figures: runtime_state(
            expectation, *figures["durations"]), _durations(case, runs)),
    }


def _durations(case: Case, runs: Iterable[Run]) -> Iterator[Event]:
    """The seconds of the last runs, which are judged, and of those before."""
    expectation = case.expectation
    learned_from = earlier_runs(expectation)
    recent: list[tuple[datetime.datetime, float]] = []
    earlier: list[tuple[datetime.datetime, float]] = []
    # Of those before, in order of length: a median is found sooner so.
    lengths: list[float] = []
    for _, started, completed in runs:
        # What completes last may have started earlier.
        bisect.insort(recent, (started, (completed - started).total_seconds()))
        if len(recent) > expectation.runs:
            bisect.insort(earlier, recent[0])
            bisect.insort(lengths, recent.pop(0)[1])
        if len(earlier) > learned_from:
            del lengths[bisect.bisect_left(lengths, earlier.pop(0)[1])]
        judged = [seconds for _, seconds in recent]
        yield completed, "durations", (judged, lengths[:])


def _slots(
    case: Case,
    runs: Iterable[Run],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> tuple[list[Event], list[Step]]:
    """When slots are due; how many are missed, and how many runs extra."""
    grace, window = case.expectation.grace, case.expectation.window
    dues: list[Event] = []
    steps: list[Step] = []
    slots = slots_of_stretch(case, latest_due(case, begin), begin, until)
    for slot, completed in matched(slots, runs, case.skew):
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
) -> tuple[list[Event], list[Step]]:
    """When intervals end; how many are due, and how many runs there are."""
    since = [run.date_completed for run in runs]
    since += [pause.date_ended for pause in case.forgiving]
    ends = sorted(interval_ends(case, at) for at in since)
    steps = [
        (at, "due", step) for at, step in intervals_due(case, begin, until)]
    stays = reach(case) - case.skew + INSTANT
    for _, started, completed in runs:
        # A run that starts at a moment does not count before the next.
        counts, gone = max(completed, started + INSTANT), started + stays
        if counts < gone and pause_at(case.pauses, started) is None:
            steps += [(counts, "runs", 1), (gone, "runs", -1)]
    return [
        (end + INSTANT, "slot", None) for end in ends if end < until], steps


def _totals(steps: Iterable[Step]) -> Iterator[Event]:
    """Figures as running totals of what is added and what is taken."""
    totals: Counter[str] = Counter()
    for at, figure, step in sorted(steps, key=MOMENT):
        totals[figure] += step
        yield at, figure, totals[figure]


def _runs(
    cases: Sequence[Case],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> dict[str | None, list[Run]]:
    """The runs that `changes` needs for cases of one script, by host."""
    history = getUtility(IScriptHistorySet)
    name = cases[0].expectation.name
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
