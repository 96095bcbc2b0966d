"""Replays rules over history: which incidents there were, and when.

`replay_all` reads the runs of all scripts from the records, in stretches.  The
answers are from `canonical.launchpad.monitor.pastanswers`.

A success may be spooled and recorded later, and it is not on record when.  So
a replay assumes that each success was recorded when its run completed.  It
agrees with a check at each moment at which no record was outstanding.  A check
at another moment may have found a script late that was not, or not yet found
that a run was slow or extra.
"""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractContextManager

from zope.component import getUtility

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.firstseen import Seen
from canonical.launchpad.monitor.firstseen import seen_rules
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Change
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.incidents import incidents_of
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.matching import runs_counted
from canonical.launchpad.monitor.pastanswers import pieces
from canonical.launchpad.monitor.pastattempts import attempts_of
from canonical.launchpad.monitor.pastsilence import Past
from canonical.launchpad.monitor.pastsilence import Spells
from canonical.launchpad.monitor.pastsilence import late_periods
from canonical.launchpad.monitor.pastsilence import past_blind
from canonical.launchpad.monitor.pauses import pause_at
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.waiting import unknown_changes
from canonical.launchpad.monitor.waiting import waiting_changes
from canonical.launchpad.monitor.waiting import waits_of
from canonical.launchpad.monitor.waiting import with_awaited


__all__ = [
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
    others: Sequence[Case] = (),
) -> Iterator[tuple[int | None, list[Incident]]]:
    """Replay cases over a period.

    As in a check, many scripts that are silent at once are one incident.

    :param since: an aware datetime.
    :param until: an aware datetime; the period includes it.
    :param others: all other cases that there are.  They only show whether
        they were silent too.
    :return: the number of each case, from 0 on, and its incidents; and `None`
        with the incidents of all scripts together, if there are any.
    """

    @functools.cache
    def recently(case: Case, begin: datetime.datetime) -> list[Change]:
        parts, = _stored([case], begin, until, Past(until), seen)
        return [change for part in parts for change in part["recently"]]

    @functools.cache
    def waits(script: Key) -> Spells:
        case = by_script[script]
        if not case.after:
            return []
        begin, _ = next(stretches(case.pauses, since, until, STRETCH))
        return waits_of([
            recently(each, begin)
            for each in with_awaited(case.after).values()])

    def incidents(
        case: Case,
        parts: Sequence[dict[str, list[Change]]],
        ended: Iterable[datetime.datetime] = (),
    ) -> list[Incident]:
        # When the silences of its host, or of all hosts, were over.
        if case.after:
            parts = [waiting_changes(parts, waits(_key(case)))]
        return incidents_of(
            _key(case), case.expectation.grace, parts, since, [
                (at, end if (end := at + reach(case)) <= until else FOREVER)
                for at in ended])

    past, seen = Past(until), seen_rules()
    by_script = {_key(case): case for case in [*cases, *others]}
    late: dict[int, Sequence[dict[str, list[Change]]]] = {}
    scripts: dict[tuple[str, tuple[Pause, ...]], list[int]] = {}
    for number, case in enumerate(cases):
        scripts.setdefault(
            (case.expectation.name, case.pauses), []).append(number)
    # In order of schedule, because slots are cached.
    with _gathered([*cases, *others], since, until):
        for numbers in sorted(scripts.values(), key=lambda each: str(
            cases[each[0]].expectation.schedule)):
            asked = [cases[number] for number in numbers]
            for number, parts in zip(
                numbers, _stored(asked, since, until, past, seen), strict=True
            ):
                if any(
                    state in BROKEN for part in parts
                    for _, state in (*part["recently"], *part["often"])
                ):
                    late[number] = parts
                else:
                    yield number, incidents(cases[number], parts)
        if others:
            for begin, end in late_periods(past):
                for case in others:
                    list(_stored([case], begin, end, past, seen))
        blind = past_blind(past, list(by_script.values()), waits)
        for number, parts in late.items():
            case = cases[number]
            silent = blind.get(_key(case))
            yield number, incidents(
                case, [unknown_changes(parts, silent)] if silent else parts,
                [at for host in {case.hostname, None}
                 for at, is_silent in blind.get((ALL, host), ())
                 if not is_silent])
    hosts = {case.hostname for case in cases if _key(case) in blind}
    if hosts:
        hosts.add(None)
    together = [
        incident for (name, host), silent in blind.items()
        if name == ALL and host in hosts
        for incident in incidents_of(
            (ALL, host), datetime.timedelta(), [_silence(silent)], since)]
    if together:
        yield None, together


def _gathered(
    cases: Iterable[Case], since: datetime.datetime, until: datetime.datetime
) -> AbstractContextManager[None]:
    """A context in which the runs of cases, and of what they wait for, are
    read in a period."""
    needed = with_awaited(cases).values()
    begins = [
        next(stretches(case.pauses, since, until, STRETCH))[0]
        for case in needed]
    context: AbstractContextManager[None] = getUtility(
        IScriptHistorySet).gathered(
            sorted({case.expectation.name for case in needed}),
            min((begin - reach(case) for begin, case in zip(
                begins, needed, strict=True)), default=since),
            until + INSTANT, min(begins, default=since),
            max((runs_counted(case.expectation) for case in needed),
                default=0))
    return context


def _key(case: Case) -> Key:
    return case.expectation.name, case.hostname


def _silence(silent: Spells) -> dict[str, list[Change]]:
    """The changes of the answers about scripts that are silent together."""
    return {"often": [], "runtime": [], "recently": [
        (at, "critical" if is_silent else "ok") for at, is_silent in silent]}


def _stored(
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

    return incidents_of(_key(case), case.expectation.grace, [
        piece for stretch in stretches(case.pauses, since, until, length)
        for piece in pieces(case, needed(*stretch), *stretch)], since)


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
