"""The answers to the three questions in the past, from the records."""

from __future__ import annotations

import datetime
import functools
import itertools
import operator
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from zope.component import getUtility

from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.firstseen import Seen
from canonical.launchpad.monitor.firstseen import seen_rules
from canonical.launchpad.monitor.incidents import Change
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.matching import runs_counted
from canonical.launchpad.monitor.pastanswers import pieces
from canonical.launchpad.monitor.pastattempts import attempts_of
from canonical.launchpad.monitor.pastsilence import Past
from canonical.launchpad.monitor.pastsilence import Spells
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.waiting import waits_of
from canonical.launchpad.monitor.waiting import with_awaited


__all__ = [
    "STRETCH",
    "past_pieces",
    "past_recently",
    "past_waits",
    "stretches",
    "waited_until",
]


# History is replayed in stretches of this length, to limit the memory.
STRETCH = datetime.timedelta(days=90)


def past_pieces(
    cases: Sequence[Case],
    since: datetime.datetime,
    until: datetime.datetime,
    past: Past,
    seen: Mapping[Key, Seen],
) -> Iterator[Sequence[dict[str, list[Change]]]]:
    """The pieces of each case of one script, from the records.

    :param past: what is found is added to it.
    :param seen: from `seen_rules`.
    """
    length = max(STRETCH, *map(reach, cases))
    found = []
    for begin, end in stretches(cases[0].pauses, since, until, length):
        runs = _runs(cases, begin, end)
        attempts = attempts_of(cases, runs, begin, end)
        of_cases = []
        for case in cases:
            its_runs = sorted(
                runs[case.hostname],
                key=operator.attrgetter("date_completed"))
            parts = pieces(case, its_runs, begin, end, [
                each for each in attempts
                if case.hostname in (None, each.hostname)
            ], seen.get((case.expectation.name, case.hostname), {}))
            past.add(case, its_runs, end, [
                change for part in parts for change in part["recently"]])
            of_cases.append(parts)
        found.append(of_cases)
    for each in zip(*found, strict=True):
        yield list(itertools.chain(*each))


def past_recently(
    until: datetime.datetime, seen: Mapping[Key, Seen]
) -> Callable[[Case, datetime.datetime], list[Change]]:
    """A function of a case and a begin: the changes, from then until a time,
    of the answer whether it has run recently.

    :param seen: from `seen_rules`.
    """

    @functools.cache
    def recently(case: Case, begin: datetime.datetime) -> list[Change]:
        parts, = past_pieces([case], begin, until, Past(until), seen)
        return [change for part in parts for change in part["recently"]]

    return recently


def past_waits(
    case: Case,
    since: datetime.datetime,
    until: datetime.datetime,
    recently: Callable[[Case, datetime.datetime], list[Change]],
    patience: datetime.timedelta,
) -> Spells:
    """When a case that is after others waited; see `waits_of`.

    :param recently: from `past_recently`.
    """
    begin, _ = next(stretches(case.pauses, since, until, STRETCH))
    return waits_of([
        recently(each, begin - patience)
        for each in with_awaited(case.after).values()], patience)


def waited_until(
    cases: Sequence[Case], at: datetime.datetime
) -> Iterator[tuple[Case, datetime.datetime]]:
    """Each case that still counts runs from when it waited; until when."""
    if not cases:
        # Mostly there are none, and nothing is read.
        return
    recently = past_recently(at, seen_rules())
    for case in cases:
        lasts = reach(case)
        *_, (ends, _) = past_waits(case, at, at, recently, lasts)
        if ends > at:
            yield case, ends - lasts


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


def _runs(
    cases: Sequence[Case],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> dict[str | None, list[Run]]:
    """The runs that `pieces` needs for cases of one script, by host."""
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
