"""When scripts were silent together, for a replay.

This finds what `canonical.launchpad.monitor.silence` would have found at each
moment.  A late script counts only until the first record after it was due.  So
only few scripts count, each for a short time, and attempts are looked up for
these times only.
"""

from __future__ import annotations

import bisect
import collections
import datetime
import itertools
from array import array
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from zope.component import getUtility

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import PastAttempt
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Change
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.silence import SCRIPTS
from canonical.launchpad.monitor.silence import Sign
from canonical.launchpad.monitor.silence import blind_groups
from canonical.launchpad.monitor.silence import first_due


__all__ = [
    "Past",
    "Spells",
    "late_periods",
    "past_blind",
]


EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
# Shorter than any attempt, so that none is left out.
ANY = -INSTANT


class Late(NamedTuple):
    """A script that is late for a while, as if by itself.

    :ivar started: when its last success had started.
    :ivar due: when it was due first since then.
    :ivar waits: whether it waits for another all that time.
    """

    script: Key
    since: datetime.datetime
    until: datetime.datetime
    started: datetime.datetime
    due: datetime.datetime
    waits: bool = False


@dataclass
class Past:
    """What is gathered of the past of all scripts.

    :ivar records: when successes completed, in microseconds, of the scripts
        with a rule for a host; `None` for all scripts.
    :ivar until: the end of what is gathered.
    """

    until: datetime.datetime
    late: list[Late] = field(default_factory=list)
    records: dict[str | None, array[int]] = field(default_factory=dict)

    def add(
        self,
        case: Case,
        runs: Sequence[Run],
        until: datetime.datetime,
        changes: Sequence[Change],
    ) -> None:
        """Add the records of a case from a stretch of time.

        :param runs: in order of completion.
        :param until: the end of the stretch, which includes it.
        :param changes: of the answer whether it has run recently.
        """
        self.late += _late_spans(case, runs, changes, until)
        moments = [_number(run.date_completed) for run in runs]
        for host in {None, case.hostname}:
            self.records.setdefault(host, array("q")).extend(moments)

    def sorted_records(self) -> dict[str | None, list[int]]:
        """The records, in order of time."""
        return {host: sorted(each) for host, each in self.records.items()}


Period = tuple[datetime.datetime, datetime.datetime]

# The moments from which on something is so, or is not any more.
Spells = Sequence[tuple[datetime.datetime, bool]]

# When a script, or all scripts of a host, were silent.
Blind = Mapping[Key, Spells]


def past_blind(
    past: Past, cases: Sequence[Case], waits: Callable[[Key], Spells]
) -> Blind:
    """When scripts, and all scripts of a host, were silent.

    :param cases: all of them.
    :param waits: when a script waited for another.
    """
    if len({each.script[0] for each in past.late}) < SCRIPTS:
        return {}
    records = past.sorted_records()
    late = [
        part for span in _narrowed(past.late, records)
        for part in _parts(span, waits(span.script))]
    edges = {at for each in late for at in (each.since, each.until)}
    edges |= {
        end for each in late if each.since < (
            end := _first(records[None], each.due)) < each.until}
    # Attempts can only show that scripts are not silent.
    attempts = _attempts(cases, [
        (min(each.started for each in active), end)
        for (at, active), (end, _) in itertools.pairwise(_active(late, edges))
        if _blind_at(at, active, records, ())])
    edges |= {
        at for _, each in attempts for at in (
            each.date_started, each.date_ended) if at}
    found: dict[Key, list[tuple[datetime.datetime, bool]]] = {}
    before: set[Key] = set()
    for at, active in _active(
        late, [edge for edge in edges if edge <= past.until]
    ):
        now = _blind_at(at, active, records, attempts)
        for key in now ^ before:
            found.setdefault(key, []).append((at, key in now))
        before = now
    return found


def late_periods(past: Past) -> list[Period]:
    """The periods in which scripts may have been silent together."""
    return _apart(
        (span.since, min(span.until, past.until))
        for span in _narrowed(past.late, past.sorted_records()))


def _late_spans(
    case: Case,
    runs: Sequence[Run],
    changes: Sequence[Change],
    until: datetime.datetime,
) -> Iterator[Late]:
    """When a script was late in a stretch, and since when it was due.

    See `Past.add`.
    """
    ends = [at for at, _ in changes[1:]] + [until + INSTANT]
    started = list(itertools.accumulate(
        (run.date_started for run in runs), max))
    for (since, state), end in zip(changes, ends, strict=True):
        if state not in BROKEN:
            continue
        first = bisect.bisect_right(
            runs, since, key=lambda run: run.date_completed)
        last = bisect.bisect_left(
            runs, end, key=lambda run: run.date_completed)
        for known in range(max(first, 1), last + 1):
            completed = runs[known - 1].date_completed
            yield Late(
                (case.expectation.name, case.hostname),
                since if known == first else completed,
                end if known == last else runs[known].date_completed,
                started[known - 1],
                first_due(case, started[known - 1], completed))


def _narrowed(
    late: Iterable[Late], records: Mapping[str | None, Sequence[int]]
) -> Iterator[Late]:
    """The part of each span before the first record after it was due."""
    for span in late:
        until = min(span.until, _first(records[span.script[1]], span.due))
        if span.since < until:
            yield span._replace(until=until)


def _parts(span: Late, waits: Spells) -> Iterator[Late]:
    """The parts of a span in which the script waits, and in which not."""
    edges = [
        span.since,
        *(at for at, _ in waits if span.since < at < span.until), span.until]
    for since, until in itertools.pairwise(edges):
        known = bisect.bisect_right(waits, since, key=lambda each: each[0])
        yield span._replace(
            since=since, until=until,
            waits=known > 0 and waits[known - 1][1])


def _active(
    late: Iterable[Late], edges: Iterable[datetime.datetime]
) -> Iterator[tuple[datetime.datetime, list[Late]]]:
    """Each moment in order, and what is late then."""
    coming = collections.deque(sorted(late, key=lambda each: each.since))
    active: list[Late] = []
    for at in sorted(edges):
        active = [each for each in active if each.until > at]
        while coming and coming[0].since <= at:
            active.append(coming.popleft())
        yield at, active


def _blind_at(
    at: datetime.datetime,
    active: Sequence[Late],
    records: Mapping[str | None, Sequence[int]],
    attempts: Sequence[tuple[str, PastAttempt]],
) -> set[Key]:
    """The scripts that are silent together, and what they are together."""
    if len({each.script[0] for each in active}) < SCRIPTS:
        return set()
    lasts: dict[str | None, datetime.datetime] = {}
    for host in {None, *(each.script[1] for each in active)}:
        number = bisect.bisect_right(records[host], _number(at))
        begun = [
            each.date_started for _, each in attempts
            if host in (None, each.hostname) and each.date_started <= at
            and (each.date_ended is None or each.date_ended > at)]
        if number:
            begun.append(_moment(records[host][number - 1]))
        if begun:
            lasts[host] = max(begun)
    groups = blind_groups([
        Sign(*each.script, each.due, not any(
            name == each.script[0]
            and each.script[1] in (None, attempt.hostname)
            and attempt.date_started > each.started
            and attempt.date_ended is not None and attempt.date_ended <= at
            for name, attempt in attempts), each.waits)
        for each in active], lasts)
    return {(ALL, host) for host in groups} | {
        (sign.name, sign.hostname)
        for signs in groups.values() for sign in signs}


def _attempts(
    cases: Iterable[Case],
    periods: Iterable[Period],
) -> list[tuple[str, PastAttempt]]:
    """The attempts of all scripts that began in some periods."""
    history = getUtility(IScriptHistorySet)
    return [
        (name, attempt)
        for since, until in _apart(periods)
        for name in sorted({case.expectation.name for case in cases})
        for attempt in history.getAttempts(name, since, until, ANY)]


def _apart(periods: Iterable[Period]) -> list[Period]:
    """The periods in order.  Those that overlap are joined."""
    apart: list[Period] = []
    for since, until in sorted(periods):
        if apart and since <= apart[-1][1]:
            since, until = apart[-1][0], max(apart.pop()[1], until)
        apart.append((since, until))
    return apart


def _first(
    records: Sequence[int], due: datetime.datetime
) -> datetime.datetime:
    """The first record from a moment on."""
    number = bisect.bisect_left(records, _number(due))
    return _moment(records[number]) if number < len(records) else FOREVER


def _number(moment: datetime.datetime) -> int:
    return (moment - EPOCH) // INSTANT


def _moment(number: int) -> datetime.datetime:
    return EPOCH + number * INSTANT
