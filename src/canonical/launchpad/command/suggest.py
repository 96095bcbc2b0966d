"""The command ``scriptactivity suggest``: rules from past runs."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import signal
import sys
from collections import deque
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver
from multiprocessing import get_context

from zope.component import getUtility

from canonical.config.durations import duration_text
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.progress import with_progress
from canonical.launchpad.command.rules import expected
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.inference.proposal import suggest_expectation
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.rulesfile import rules_as_zcml
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.nearest import nearest
from canonical.launchpad.plaintext import time_text


__all__ = [
    "suggest",
]


# With fewer scripts than this, the start of other processes takes longer than
# they save.
PARALLEL = 16

# Runs are read in parts of this length.
PART = datetime.timedelta(days=30)


def suggest(args: argparse.Namespace) -> int:
    """Infer rules from past runs, and print them as a rules file.

    The evidence for each rule is in a comment.  "check --expectations" reads
    the file as it is.
    """
    try:
        check_schedule("* * * * *", args.timezone)
    except ValueError as error:
        complain(str(error))
        return 2
    until = args.at or datetime.datetime.now(datetime.UTC)
    since = until - args.since
    history = getUtility(IScriptHistorySet)
    # A rule is not needed, unless it is to have a tag.
    rules = expected(None, args.names, args.tags, "") if args.tags else []
    tags = {each.name: " ".join(each.tags) for each in rules}
    names = history.getNames(since, until, [*tags] or args.names or None)
    for name in args.names:
        if name not in names:
            complain(
                f"no success of {name!r} is on record in the"
                f" {duration_text(args.since)} before"
                f" {time_text(until, 'minutes')}"
                f"{nearest(name, history.getNames(since, until))}")
            return 1
    with history.gathered(names, since, until, until, 0):
        text = rules_as_zcml(with_progress(
            (_with_tags(rule, tags)
             for rule in _rules(names, since, until, args.timezone)),
            len(names), "Inferring"
        ), [
            f"Inferred from the successes from {time_text(since, 'minutes')}"
            f" to {time_text(until, 'minutes')}.  Read the evidence, and"
            " correct what is wrong.",
        ])
    # ZCML is in UTF-8, whatever the terminal is in.
    sys.stdout.buffer.write(text.encode())
    return 0


def _with_tags(rule: Rule, tags: Mapping[str, str]) -> Rule:
    """A rule that keeps the tags of its script, if there are any."""
    name = rule.attributes.get("name", "")
    return dataclasses.replace(rule, attributes={
        **rule.attributes, "tags": tags[name]}) if name in tags else rule


def _rules(
    names: Sequence[str],
    since: datetime.datetime,
    until: datetime.datetime,
    timezone: str,
) -> Iterator[Rule]:
    """Infer each rule, on all cores; only this process reads the database."""
    asked = ((name, History(_runs(name, since, until))) for name in names)
    if len(names) < PARALLEL:
        for name, history in asked:
            yield _rule(name, history, until, timezone)
        return
    # Ctrl-C is for this process only: the others keep what is blocked now.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    forkserver.ensure_running()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    # A process that is made by a fork would share the connection.
    with ProcessPoolExecutor(mp_context=get_context("forkserver")) as pool:
        waiting: deque[Future[Rule]] = deque()
        try:
            for name, history in asked:
                waiting.append(
                    pool.submit(_rule, name, history, until, timezone))
                if len(waiting) > PARALLEL:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _runs(
    name: str, since: datetime.datetime, until: datetime.datetime
) -> Iterator[Run]:
    """The runs that completed, read in parts, to limit the memory."""
    while since < until:
        end = min(since + PART, until)
        for run in getUtility(IScriptHistorySet).getRuns(name, since, end):
            if run.date_completed <= until:
                yield run
        since = end


def _rule(
    name: str, history: History, until: datetime.datetime, timezone: str
) -> Rule:
    attributes, evidence = suggest_expectation(history, until, timezone)
    try:
        return Rule(
            {"name": name, **attributes} if attributes else {},
            (name, *evidence))
    except ValueError as error:
        return Rule(comments=(name, str(error)))
