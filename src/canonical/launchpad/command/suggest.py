"""The command ``scriptactivity suggest``."""

from __future__ import annotations

import argparse
import datetime
import sys

from zope.component import getUtility

from canonical.config.durations import duration_text
from canonical.launchpad.command.output import complain
from canonical.launchpad.command.progress import with_progress
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.monitor.inference.infer import suggest_expectation
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.rulesfile import rules_as_zcml


__all__ = [
    "suggest",
]


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
            complain(
                f"no success of {name!r} is on record in the"
                f" {duration_text(args.since)} before"
                f" {until:%Y-%m-%d %H:%M} UTC")
            return 1
    chosen = sorted(set(args.names)) or names
    rules = [_rule(name, since, until) for name in with_progress(
            chosen, len(chosen), "Learning")]
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
