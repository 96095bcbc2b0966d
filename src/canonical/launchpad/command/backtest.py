"""The command ``scriptactivity backtest``: past incidents, and a picture."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from canonical.launchpad.command.check import STYLES
from canonical.launchpad.command.printing import for_people
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.progress import with_progress
from canonical.launchpad.command.rules import all_expected
from canonical.launchpad.command.rules import check_names
from canonical.launchpad.command.rules import check_tags
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import has_tag
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import script_on_host
from canonical.launchpad.monitor.incidents import QUESTIONS
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pauses import unpaused
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import HORIZON
from canonical.launchpad.plaintext import printable


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

# The incidents of each case, by its number; see `replay_all`.
Found = dict[int | None, list[Incident]]

# The tags of each script.
Tags = Mapping[str, Sequence[str]]

TITLES = ["script", "host", "question", "state", "opened", "closed"]


def backtest(args: argparse.Namespace) -> int:
    """List the incidents that the rules would have found in past runs.

    The rules are checked as check does, at every moment of the period; scripts
    that were silent together are one incident, of all scripts.  With
    --against, each incident that only one of the two rules files raises is
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
    check_tags([case.expectation for case in cases + against], args.tags)
    asked = [
        [case for case in each
         if (not args.names or case.expectation.name in args.names)
         and has_tag(case.expectation, args.tags)]
        for each in (cases, against)]
    others = [
        [case for case in each if case.expectation.name not in names]
        for each, wanted in zip((cases, against), asked, strict=True)
        for names in [{case.expectation.name for case in wanted}]]
    found = _replay(asked, others, since, until)
    tags = [
        {case.expectation.name: case.expectation.tags for case in each}
        for each in asked]
    if args.against is not None:
        ours, theirs = map(_flat, found)
        _print_differences(ours, theirs, tags if args.json else None)
    elif args.json:
        print_json(_as_dict(each, tags[0]) for each in _flat(found[0]))
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
    others: Sequence[Sequence[Case]],
    since: datetime.datetime,
    until: datetime.datetime,
) -> list[Found]:
    """The incidents of each case, for each set of cases; see `replay_all`."""
    found: list[Found] = [{} for _ in asked]
    for replayed, (number, incidents) in with_progress(
        ((replayed, each)
         for replayed, cases, rest in zip(found, asked, others, strict=True)
         for each in replay_all(cases, since, until, rest)),
        sum(map(len, asked)), "Replaying"
    ):
        replayed[number] = incidents
    return found


def _flat(found: Found) -> list[Incident]:
    """All incidents, by the time they opened."""
    return sorted(
        (incident for incidents in found.values() for incident in incidents),
        key=lambda each: (each.opened, *_which(each)))


def _which(incident: Incident) -> tuple[str, str, int]:
    return (
        incident.name, incident.hostname or "",
        QUESTIONS.index(incident.question))


def _row(incident: Incident) -> list[Any]:
    return [
        incident.name, incident.hostname, incident.question, incident.state,
        incident.opened, incident.closed]


def _as_dict(incident: Incident, tags: Tags) -> dict[str, Any]:
    """An incident as programs read it."""
    return {
        "name": incident.name, "hostname": incident.hostname,
        "question": incident.question, "state": incident.state,
        "opened": incident.opened, "closed": incident.closed,
        "unstable_since": incident.unstable,
        "answers": [
            {"question": each.question, "state": each.state}
            for each in incident.answers],
        "tags": list(tags.get(incident.name, ())),
    }


def _print_differences(
    ours: Sequence[Incident],
    theirs: Sequence[Incident],
    tags: Sequence[Tags] | None,
) -> None:
    """Print the incidents that only one of two sets of rules raises.

    :param tags: of both sets, to print JSON; `None` for people.
    """
    apart = [
        *(("expectations", each) for each in set(ours).difference(theirs)),
        *(("against", each) for each in set(theirs).difference(ours))]
    apart.sort(key=lambda each: (
        *_which(each[1]), each[1].opened, each[0] == "against"))
    if tags is not None:
        print_json(
            {"only": which, **_as_dict(each, tags[which == "against"])}
            for which, each in apart)
        return
    print_table(
        ["only", *TITLES], [[which, *_row(each)] for which, each in apart],
        "Both rules files raise the same alerts.",
        lambda row: STYLES[apart[row][1].state])


def _print_all(
    cases: Sequence[Case],
    found: Found,
    since: datetime.datetime,
    until: datetime.datetime,
) -> None:
    incidents = _flat(found)
    print_table(
        TITLES, [_row(each) for each in incidents],
        "The rules would have found no incident.",
        lambda row: STYLES[incidents[row].state])
    print()
    titles = ["script", "host", *QUESTIONS, "incidents", "open"]
    scripts: dict[Key, list[Incident]] = {
        (case.expectation.name, case.hostname): found[number]
        for number, case in enumerate(cases)}
    for each in found.get(None, ()):
        scripts.setdefault((each.name, each.hostname), []).append(each)
    print_table(titles, [
        [*script, *_counts(each), _time_open(each, until)]
        for script, each in scripts.items()], "")
    if sys.stdout.isatty():
        _print_pictures(scripts, {
            (case.expectation.name, case.hostname): case.pauses
            for case in cases}, since, until)


def _counts(incidents: Sequence[Incident]) -> list[int]:
    """The number of incidents in which each answer was bad, and of all."""
    counts = Counter(
        answer.question for each in incidents for answer in each.answers)
    return [*(counts[question] for question in QUESTIONS), len(incidents)]


def _time_open(
    incidents: Iterable[Incident], until: datetime.datetime
) -> datetime.timedelta:
    """For how long there was one; incidents of a script follow each other."""
    return sum(
        ((each.closed or until) - each.opened for each in incidents),
        datetime.timedelta())


def _print_pictures(
    scripts: Mapping[Key, Sequence[Incident]],
    pauses: Mapping[Key, tuple[Pause, ...]],
    since: datetime.datetime,
    until: datetime.datetime,
) -> None:
    """Print each script as a line of marks: at each place the worst state.

    Scripts that were silent together have a line of their own.
    """
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
    for script, incidents in scripts.items():
        console.print(Text("\n" + printable(script_on_host(*script))))
        # What opens at the very end is seen as well.
        console.print(Text.assemble(*(
            MARKS[_state_between(
                pauses.get(script, ()), incidents, start, end)]
            for start, end in pairwise([*edges, until + INSTANT]))))


def _state_between(
    pauses: tuple[Pause, ...],
    incidents: Iterable[Incident],
    start: datetime.datetime,
    end: datetime.datetime,
) -> str:
    states = [
        incident.state for incident in incidents
        if incident.opened < end
        and (incident.closed is None or incident.closed > start)]
    if not states and unpaused(pauses, start, end) < end - start:
        states = ["paused"]
    return max(states, key=STATES.index, default="ok")
