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
from canonical.launchpad.plaintext import nearest
from canonical.launchpad.plaintext import time_text


__all__ = [
    "suggest",
]


def suggest(args: argparse.Namespace) -> int:
    """Infer rules from past runs, and print them as a rules file.

    The evidence for each rule is in a comment.  "check --expectations" reads
    the file as it is.
    """
    until = args.at or datetime.datetime.now(datetime.UTC)
    since = until - args.since
    names = getUtility(IScriptHistorySet).getNames(since, until)
    for name in args.names:
        if name not in names:
            complain(
                f"no success of {name!r} is on record in the"
                f" {duration_text(args.since)} before"
                f" {time_text(until, 'minutes')}{nearest(name, names)}")
            return 1
    chosen = sorted(set(args.names)) or names
    rules = [_rule(name, since, until) for name in with_progress(
            chosen, len(chosen), "Inferring")]
    # ZCML is in UTF-8, whatever the terminal is in.
    sys.stdout.buffer.write(rules_as_zcml(rules, [
        f"Inferred from the successes from {time_text(since, 'minutes')} to"
        f" {time_text(until, 'minutes')}.  Read the evidence, and correct what"
        " is wrong.",
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
