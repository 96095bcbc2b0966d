"""The command ``scriptactivity backtest``."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from canonical.launchpad.command.check import STYLES
from canonical.launchpad.command.output import for_people
from canonical.launchpad.command.output import print_json
from canonical.launchpad.command.progress import with_progress
from canonical.launchpad.command.rules import all_expected
from canonical.launchpad.command.rules import check_names
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.table import print_table
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import script_on_host
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pauses import unpaused
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.replay import QUESTIONS
from canonical.launchpad.monitor.replay import Alarm
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import HORIZON


__all__ = [
    "backtest",
]


# How wide a picture is, on a terminal that is as wide.
COLUMNS = 60

# The mark of each state, and its colour.
MARKS = {
    "ok": ("▁", "green"),
    "paused": ("░", "blue"),
    "warning": ("▄", "yellow"),
    "critical": ("█", "red"),
}

TITLES = ["script", "host", "question", "state", "opened", "closed"]


def backtest(args: argparse.Namespace) -> int:
    """List the alerts that the rules would have raised over past runs.

    The rules are checked as check does, at every moment of the period.  With
    --against, each alert that only one of the two rules files raises is
    listed; "only" names which: "expectations" or "against".
    """
    until = args.at or datetime.datetime.now(datetime.UTC)
    since = until - args.since
    against = []
    if args.against is not None:
        with registered_apart():
            against = _cases(args.against, since, until)
    cases = _cases(args.expectations, since, until)
    check_names(
        [case.expectation for case in cases + against], args.names)
    asked = [
        [case for case in each
         if not args.names or case.expectation.name in args.names]
        for each in (cases, against)]
    found = _replay(asked, since, until)
    if args.against is not None:
        ours, theirs = map(_flat, found)
        _print_differences(ours, theirs, args.json)
    elif args.json:
        print_json(each._asdict() for each in _flat(found[0]))
    else:
        _print_all(asked[0], found[0], since, until)
    return 0


def _cases(
    path: Path | None, since: datetime.datetime, until: datetime.datetime
) -> list[Case]:
    return registered_cases(
        all_expected(path), since - HORIZON, until, clock_skew())


def _replay(
    asked: Sequence[Sequence[Case]],
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[list[list[Alarm]]]:
    """The alarms of each case, for each set of cases."""
    cases = [case for each in asked for case in each]
    found = dict(with_progress(
        replay_all(cases, since, until), len(cases), "Replaying"))
    numbers = iter(range(len(cases)))
    return [[found[next(numbers)] for _ in each] for each in asked]


def _flat(found: Iterable[Iterable[Alarm]]) -> list[Alarm]:
    """All alarms, by the time they opened."""
    return sorted(
        (alarm for alarms in found for alarm in alarms),
        key=lambda each: (each.opened, *_which(each)))


def _which(alarm: Alarm) -> tuple[str, str, int]:
    return (
        alarm.name, alarm.hostname or "", QUESTIONS.index(alarm.question))


def _row(alarm: Alarm) -> list[Any]:
    return [
        alarm.name, alarm.hostname, alarm.question, alarm.state,
        alarm.opened, alarm.closed]


def _print_differences(
    ours: Sequence[Alarm], theirs: Sequence[Alarm], as_json: bool
) -> None:
    """Print the alarms that only one of two sets of rules raises."""
    apart = [
        *(("expectations", each) for each in set(ours).difference(theirs)),
        *(("against", each) for each in set(theirs).difference(ours))]
    apart.sort(key=lambda each: (
        *_which(each[1]), each[1].opened, each[0] == "against"))
    if as_json:
        print_json(
            {"only": which, **alarm._asdict()} for which, alarm in apart)
        return
    print_table(
        ["only", *TITLES], [[which, *_row(alarm)] for which, alarm in apart],
        "Both rules files raise the same alerts.",
        lambda row: STYLES[apart[row][1].state])


def _print_all(
    cases: Sequence[Case],
    found: Sequence[Sequence[Alarm]],
    since: datetime.datetime,
    until: datetime.datetime,
) -> None:
    alarms = _flat(found)
    print_table(
        TITLES, [_row(each) for each in alarms],
        "The rules would have raised no alert.",
        lambda row: STYLES[alarms[row].state])
    print()
    titles = ["script", "host", *QUESTIONS, "open"]
    rows = [
        [case.expectation.name, case.hostname, *_counts(each),
         _time_open(each, until)]
        for case, each in zip(cases, found, strict=True)]
    print_table(titles, rows, "")
    if sys.stdout.isatty():
        _print_pictures(cases, found, since, until)


def _counts(alarms: Iterable[Alarm]) -> list[int]:
    counts = Counter(alarm.question for alarm in alarms)
    return [counts[question] for question in QUESTIONS]


def _time_open(
    alarms: Iterable[Alarm], until: datetime.datetime
) -> datetime.timedelta:
    """For how long there was one at least."""
    total = datetime.timedelta()
    counted = None
    for alarm in sorted(alarms, key=lambda each: each.opened):
        closed = alarm.closed or until
        start = max(alarm.opened, counted or alarm.opened)
        if closed > start:
            total += closed - start
            counted = closed
    return total


def _print_pictures(
    cases: Sequence[Case],
    found: Sequence[Sequence[Alarm]],
    since: datetime.datetime,
    until: datetime.datetime,
) -> None:
    """Print each case as a line of marks: at each place the worst state."""
    # Slow to import, and of no use to a program.
    from rich.console import Console
    from rich.text import Text
    console = Console(highlight=False)
    columns = min(COLUMNS, console.width)
    console.print(
        f"\nThe worst state, from {for_people(since)} to {for_people(until)}:")
    console.print(Text("  ").join(
        Text.assemble(mark, f" {state}") for state, mark in MARKS.items()))
    edges = [
        since + (until - since) * (number / columns)
        for number in range(columns)]
    for case, alarms in zip(cases, found, strict=True):
        console.print(Text(
            f"\n{script_on_host(case.expectation.name, case.hostname)}"))
        # What opens at the very end is seen as well.
        console.print(Text.assemble(*(
            MARKS[_state_between(case, alarms, start, end)]
            for start, end in pairwise([*edges, until + INSTANT]))))


def _state_between(
    case: Case,
    alarms: Iterable[Alarm],
    start: datetime.datetime,
    end: datetime.datetime,
) -> str:
    states = [
        alarm.state for alarm in alarms
        if alarm.opened < end
        and (alarm.closed is None or alarm.closed > start)]
    if not states and unpaused(case.pauses, start, end) < end - start:
        states = ["paused"]
    return max(states, key=STATES.index, default="ok")
