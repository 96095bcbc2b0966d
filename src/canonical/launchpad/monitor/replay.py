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
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import AbstractContextManager

from zope.component import getUtility

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
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
from canonical.launchpad.monitor.pastrecords import STRETCH
from canonical.launchpad.monitor.pastrecords import past_pieces
from canonical.launchpad.monitor.pastrecords import past_recently
from canonical.launchpad.monitor.pastrecords import past_waits
from canonical.launchpad.monitor.pastrecords import stretches
from canonical.launchpad.monitor.pastsilence import Past
from canonical.launchpad.monitor.pastsilence import Spells
from canonical.launchpad.monitor.pastsilence import late_periods
from canonical.launchpad.monitor.pastsilence import past_blind
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.waiting import unknown_changes
from canonical.launchpad.monitor.waiting import waiting_changes
from canonical.launchpad.monitor.waiting import with_awaited


__all__ = [
    "replay",
    "replay_all",
]


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
    def waits(script: Key) -> Spells:
        case = by_script[script]
        return spells(case, case.expectation.grace)

    def spells(case: Case, patience: datetime.timedelta) -> Spells:
        if not case.after:
            return []
        return [
            each for each in past_waits(
                case, since, until, recently, patience) if each[0] <= until]

    def incidents(
        case: Case,
        parts: Sequence[dict[str, list[Change]]],
        ended: Iterable[datetime.datetime] = (),
    ) -> list[Incident]:
        # When the silences of its host, or of all hosts, were over.
        if case.after:
            parts = [waiting_changes(
                parts, spells(case, datetime.timedelta()),
                waits(_key(case)), spells(case, reach(case)))]
        return incidents_of(
            _key(case), case.expectation.grace, parts, since, [
                (at, end if (end := at + reach(case)) <= until else FOREVER)
                for at in ended])

    past, seen = Past(until), seen_rules()
    recently = past_recently(until, seen)
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
                numbers, past_pieces(asked, since, until, past, seen),
                strict=True
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
                    list(past_pieces([case], begin, end, past, seen))
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
    cases = list(cases)
    needed = with_awaited(cases).values()
    # What a script is after matters as long as missed runs count.
    earlier = max(
        (reach(case) for case in cases if case.after),
        default=datetime.timedelta())
    begins = [
        next(stretches(case.pauses, since, until, STRETCH))[0] - earlier
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
