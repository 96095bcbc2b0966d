"""Replaying all that is expected, with what the utilities know."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from collections.abc import Sequence

from zope.component import getUtility

from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import runs_counted
from canonical.launchpad.monitor.replay import Alarm
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.monitor.replay import replayed_from
from canonical.launchpad.monitor.replay import window_start
from canonical.launchpad.monitor.schedule import INSTANT


__all__ = [
    "replay_all",
]


def replay_all(
    cases: Sequence[Case],
    since: datetime.datetime,
    until: datetime.datetime,
) -> Iterator[tuple[int, list[Alarm]]]:
    """Replay cases; the history of each script is read once.

    :return: the number of each case, from 0 on, and what `replay` says of it;
        in an order that suits the work.
    """
    scripts: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        scripts.setdefault(case.expectation.name, []).append(number)
    # Those with the same schedule one after the other: its slots are kept.
    for numbers in sorted(
        scripts.values(), key=lambda each: _schedule(cases[each[0]])
    ):
        runs = _runs([cases[number] for number in numbers], since, until)
        for number in numbers:
            case = cases[number]
            yield number, replay(case, runs[case.hostname], since, until)


def _schedule(case: Case) -> tuple[str, str]:
    return case.expectation.schedule or "", case.expectation.timezone


def _runs(
    cases: Sequence[Case],
    since: datetime.datetime,
    until: datetime.datetime,
) -> dict[str | None, list[Run]]:
    """What `replay` has to know of a script, for each host that is asked of.

    :param cases: of the same script.
    """
    history = getUtility(IScriptHistorySet)
    name = cases[0].expectation.name
    begins = [replayed_from(case, since) for case in cases]
    start = min(map(window_start, cases, begins))
    counts: dict[str | None, int] = {}
    for case in cases:
        counts[case.hostname] = max(
            counts.get(case.hostname, 0), runs_counted(case.expectation))
    runs: dict[str | None, list[Run]] = {
        hostname: history.getRunsBefore(
            name, hostname, start, min(begins), count)
        for hostname, count in counts.items()}
    for run in history.getRuns(name, start, until + INSTANT):
        for hostname in run.hostname, None:
            if hostname in runs:
                runs[hostname].append(run)
    return runs
