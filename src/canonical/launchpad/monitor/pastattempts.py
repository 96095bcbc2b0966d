"""What attempts did to the answers, for a replay.

A script may be critical because it failed several times in a row.  A run may
take too long before it has ended.
"""

from __future__ import annotations

import datetime
import heapq
import itertools
import operator
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from zope.component import getUtility

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import PastAttempt
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.runtime import RATIO_RUNNING
from canonical.launchpad.monitor.runtime import longest_run
from canonical.launchpad.monitor.schedule import INSTANT


__all__ = [
    "MOMENT",
    "Event",
    "attempts_of",
    "failures_events",
    "running_events",
    "with_limits",
]


MOMENT = operator.itemgetter(0)

# A moment, a figure by name, and the value that it has from that moment on.
Event = tuple[datetime.datetime, str, Any]

LONG_AGO = datetime.datetime.min.replace(tzinfo=datetime.UTC)


def attempts_of(
    cases: Sequence[Case],
    runs: Mapping[str | None, Sequence[Run]],
    begin: datetime.datetime,
    until: datetime.datetime,
) -> list[PastAttempt]:
    """The attempts that `pieces` needs for cases of one script.

    A check counts attempts that started after the last success.
    """
    limits = [
        limit for case in cases
        if (limit := _shortest_limit(case.expectation, runs[case.hostname]))
        is not None]
    if not limits and all(case.expectation.failures is None for case in cases):
        return []
    latest = [
        max((run.date_started for run in each if run.date_completed <= begin),
            default=LONG_AGO) for each in runs.values()]
    found: list[PastAttempt] = getUtility(IScriptHistorySet).getAttempts(
        cases[0].expectation.name, min(latest), until + INSTANT,
        min(limits, default=None))
    return found


def _shortest_limit(
    expectation: IScriptExpectation, runs: Iterable[Run]
) -> datetime.timedelta | None:
    """No run that ended sooner was ever too long; `None` if none can be."""
    if not expectation.learned:
        limit: datetime.timedelta | None = expectation.average_max
        return limit
    return RATIO_RUNNING * min(
        (run.date_completed - run.date_started for run in runs),
        default=datetime.timedelta())


def failures_events(
    attempts: Iterable[PastAttempt], last: Iterable[Event]
) -> Iterator[Event]:
    """The number of attempts that failed since the last success."""
    failed = sorted(
        (each.date_ended, "", each.date_started)
        for each in attempts if each.has_failed and each.date_ended)
    latest = LONG_AGO
    since: list[datetime.datetime] = []
    for at, figure, value in heapq.merge(failed, last, key=MOMENT):
        if figure == "last":
            latest = value[0]
            since = [started for started in since if started > latest]
        elif value > latest:
            since.append(value)
        yield at, "failures", len(since)


def running_events(
    attempts: Iterable[PastAttempt], last: Iterable[Event]
) -> Iterator[Event]:
    """The start of the attempt that has been running longest, if any is.

    Attempts from before the last success are left out.
    """
    edges: list[Event] = sorted(
        (at, figure, each.date_started) for each in attempts
        for at, figure in (
            (each.date_started, "begun"), (each.date_ended, "ended"))
        if at is not None)
    running: list[datetime.datetime] = []
    for at, figure, value in heapq.merge(edges, last, key=MOMENT):
        if figure == "last":
            running = [started for started in running if started > value[0]]
        elif figure == "begun":
            running.append(value)
        elif value in running:
            running.remove(value)
        yield at, "running", min(running, default=None)


def with_limits(
    expectation: IScriptExpectation, events: Iterable[Event]
) -> Iterator[Event]:
    """Add the moments at which a run has been running for too long."""
    since = None
    earlier: Sequence[float] = ()
    for event, following in itertools.pairwise(
        itertools.chain(events, [(FOREVER, "", None)])
    ):
        yield event
        at, figure, value = event
        if figure == "running":
            since = value
        else:
            earlier = value[1]
        if since is None:
            continue
        longest = longest_run(expectation, earlier)
        if longest is not None:
            moment = since + longest + INSTANT
            if at < moment < following[0]:
                yield moment, "running", since
