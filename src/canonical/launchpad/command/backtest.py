"""The command ``scriptactivity backtest``."""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from canonical.launchpad.command.arguments import add_at_option
from canonical.launchpad.command.arguments import add_since_option
from canonical.launchpad.command.check import STYLES
from canonical.launchpad.command.output import add_json_option
from canonical.launchpad.command.output import for_people
from canonical.launchpad.command.output import print_json
from canonical.launchpad.command.output import print_table
from canonical.launchpad.command.progress import with_progress
from canonical.launchpad.command.rules import add_expectations_option
from canonical.launchpad.command.rules import add_names_argument
from canonical.launchpad.command.rules import all_expected
from canonical.launchpad.command.rules import check_names
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pauses import unpaused
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.replay import QUESTIONS
from canonical.launchpad.monitor.replay import Alarm
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import HORIZON


__all__ = [
    "add_backtest_options",
    "backtest",
]


# How wide a picture is, if there is room.
COLUMNS = 60

# What it is made of; without colours, too, each is another.
MARKS = {
    "ok": ("▁", "green"),
    "paused": ("░", "blue"),
    "warning": ("▄", "yellow"),
    "critical": ("█", "red"),
}

TITLES = ["script", "host", "question", "state", "opened", "closed"]


def add_backtest_options(parser: argparse.ArgumentParser) -> None:
    """Add what `backtest` takes."""
    add_names_argument(parser)
    add_expectations_option(parser)
    parser.add_argument(
        "--against", metavar="FILE", type=Path,
        help="other ZCML; print what would open or close differently")
    add_since_option(parser, "how far back to begin")
    add_at_option(parser, "where to end")
    add_json_option(parser)


def backtest(args: argparse.Namespace) -> int:
    """What would the expectations have told of, had they been there?

    Every alert that would have opened, and when it would have closed, by the
    rules of check.  With --against, "only" says of which of the two it is:
    "expectations" or "against".
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
        print_json(map(vars, _flat(found[0])))
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
    """What `replay` says of each case of each set."""
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
    """Print what only one of two sets of expectations would tell of."""
    apart = [
        *(("expectations", each) for each in set(ours).difference(theirs)),
        *(("against", each) for each in set(theirs).difference(ours))]
    apart.sort(key=lambda each: (
        *_which(each[1]), each[1].opened, each[0] == "against"))
    if as_json:
        print_json({"only": which, **vars(alarm)} for which, alarm in apart)
        return
    print_table(
        ["only", *TITLES], [[which, *_row(alarm)] for which, alarm in apart],
        "Nothing would open or close differently.",
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
        "No alert would have opened.",
        lambda row: STYLES[alarms[row].state])
    print()
    titles = ["script", "host", *QUESTIONS, "open"]
    rows = [
        [case.expectation.name, case.hostname, *_counts(each),
         _time_open(each, until)]
        for case, each in zip(cases, found, strict=True)]
    if sys.stdout.isatty():
        width = _room([titles, *rows])
        titles.append(f"{for_people(since)} to {for_people(until)}"[:width])
        for row, case, each in zip(rows, cases, found, strict=True):
            row.append(_picture(case, each, since, until, width))
    print_table(titles, rows, "")


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


def _room(rows: Iterable[Sequence[Any]]) -> int:
    """How wide a picture beside rows may be."""
    used = sum(
        max(len(for_people(value)) for value in column) + 2
        for column in zip(*rows, strict=True))
    return max(10, min(COLUMNS, shutil.get_terminal_size().columns - used))


def _picture(
    case: Case,
    alarms: Sequence[Alarm],
    since: datetime.datetime,
    until: datetime.datetime,
    columns: int,
) -> Any:
    """A period as a line: at each place the worst that was."""
    # Slow to import, and of no use to a program.
    from rich.text import Text
    text = Text()
    edges = [
        since + (until - since) * (number / columns)
        for number in range(columns)]
    # What opens at the very end is seen as well.
    for start, end in pairwise([*edges, until + INSTANT]):
        text.append(*MARKS[_state_between(case, alarms, start, end)])
    return text


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
