"""The command ``scriptactivity suggest``."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Iterator
from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress
from zope.component import getUtility

from canonical.launchpad.command.check import parse_time
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.monitor.durations import duration_text
from canonical.launchpad.monitor.durations import parse_duration
from canonical.launchpad.monitor.suggesting.suggestion import (
    suggest_expectation,
)
from canonical.launchpad.monitor.zcmltext import Rule
from canonical.launchpad.monitor.zcmltext import rules_as_zcml


__all__ = [
    "add_suggest_options",
    "suggest",
]


# A progress bar is shown if it takes longer; seconds.
PATIENCE = 2.0


def add_suggest_options(parser: argparse.ArgumentParser) -> None:
    """Add what `suggest` takes."""
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="for these scripts only")
    parser.add_argument(
        "--since", metavar="DURATION", type=_parse_since, default="30d",
        help="learn from so long a history, such as 90d; 30d unless given")
    parser.add_argument(
        "--at", metavar="TIME", type=parse_time,
        help="learn until this time, such as 2007-02-01T10:00Z")


def suggest(args: argparse.Namespace) -> int:
    """Print what may be expected of scripts, judging from their history.

    It is a file of ZCML, with the evidence in comments, that "check
    --expectations" reads.
    """
    until = args.at or datetime.datetime.now(datetime.UTC)
    since = until - args.since
    names = getUtility(IScriptHistorySet).getNames(since, until)
    for name in args.names:
        if name not in names:
            print(
                f"scriptactivity: no success of {name!r} is on record in the"
                f" {duration_text(args.since)} before"
                f" {until:%Y-%m-%d %H:%M} UTC", file=sys.stderr)
            return 1
    chosen = sorted(set(args.names)) or names
    rules = [_rule(name, since, until) for name in _with_progress(chosen)]
    # ZCML is in UTF-8, whatever the terminal is in.
    sys.stdout.buffer.write(rules_as_zcml(rules, [
        f"Suggested from what succeeded between {since:%Y-%m-%d %H:%M} UTC and"
        f" {until:%Y-%m-%d %H:%M} UTC.  Read the evidence, and correct what is"
        " wrong.",
    ]).encode())
    return 0


def _rule(
    name: str, since: datetime.datetime, until: datetime.datetime
) -> Rule:
    runs = [
        run for run in getUtility(IScriptHistorySet).getRuns(
            name, since, until)
        if run.date_completed <= until]
    suggestion = suggest_expectation(runs, until)
    attributes = {"name": name, **suggestion.attributes}
    try:
        return Rule(
            attributes if suggestion.attributes else {},
            (name, *suggestion.evidence))
    except ValueError as error:
        return Rule(comments=(name, str(error)))


def _with_progress(names: Sequence[str]) -> Iterator[str]:
    """The names, and on a terminal a bar that shows how many are done."""
    console = Console(stderr=True)
    started = time.monotonic()
    with Progress(
        console=console, transient=True,
        disable=not console.is_terminal, auto_refresh=False,
    ) as progress:
        task = progress.add_task("Scripts", total=len(names), visible=False)
        for name in names:
            yield name
            progress.update(
                task, advance=1,
                visible=time.monotonic() - started > PATIENCE)
            progress.refresh()


def _parse_since(text: str) -> datetime.timedelta:
    try:
        duration = parse_duration(text)
        datetime.datetime(2000, 1, 1) - duration
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    except OverflowError:
        raise argparse.ArgumentTypeError(
            f"longer than there are years: {text!r}") from None
    return duration
