"""The command ``scriptactivity running``: what runs now, and for how long."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from zope.component import getUtility

from canonical.launchpad.command.printing import fields_of
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.rules import known_rules
from canonical.launchpad.command.rules import tag_filter
from canonical.launchpad.command.table import Screen
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import inquiry
from canonical.launchpad.monitor.runtime import usual_duration


__all__ = [
    "running",
    "with_usual",
]


def running(args: argparse.Namespace) -> int:
    """Print what runs now, since when, and its usual duration."""
    is_wanted = tag_filter(args.tags)
    found = [
        each for each in getUtility(IScriptAttemptSet).getRunning()
        if is_wanted(each.name)]
    rules = {each.name: each for each in known_rules("usual runtimes")}
    now = datetime.datetime.now(datetime.UTC)
    attempts = with_usual(found, rules, now)
    if args.json:
        print_json({
            **fields_of(IRunningAttempt, each),
            "tags": list(rules[each.name].tags) if each.name in rules else [],
        } for each in attempts)
        return 0
    lasts = [
        max(now - each.date_started, datetime.timedelta())
        for each in attempts]
    print_table(
        ["script", "host", "pid", "since", "for", "usually", "also on",
         "state"],
        [
            [each.name, each.hostname, each.pid, each.date_started,
             lasts[number], each.usual_duration,
             " ".join(each.also_on) or None, _running_state(each)]
            for number, each in enumerate(attempts)
        ],
        "No script runs.",
        lambda row: "yellow" if _is_late(attempts[row], now) else "",
        Screen(
            ["script", "host", "since", "for", "usually"],
            [
                [each.name, each.hostname, each.date_started, lasts[number],
                 each.usual_duration]
                for number, each in enumerate(attempts)
            ],
            2, [_who_runs(each) for each in attempts]))
    return 0


def _running_state(attempt: Any) -> str:
    return "runs" if attempt.is_seen else "has not reported its end"


def _who_runs(attempt: Any) -> str:
    also = f"; also on {', '.join(attempt.also_on)}" if attempt.also_on else ""
    return f"process {attempt.pid} {_running_state(attempt)}{also}"


def with_usual(
    attempts: Iterable[Any],
    rules: Mapping[str, IScriptExpectation],
    at: datetime.datetime,
) -> list[Any]:
    """Attempts with the usual durations that their rules have learned.

    Without such a rule, it is the median of the last successes.

    :param rules: by the name of their script.
    """
    attempts = list(attempts)
    names = sorted({each.name for each in attempts} & rules.keys())
    cases = [
        Case(rules[name], host)
        for name in names for host in rules[name].hosts or (None,)]
    if not cases:
        # Not even which attempts are open is asked, on all servers.
        return attempts
    # A role that only records may ask for these, but not for all answers.
    figures = getUtility(IScriptFiguresSet).getFigures(
        [inquiry(case, at) for case in cases], at)
    usual = {
        (case.expectation.name, case.hostname): usual_duration(
            case.expectation, each.durations)
        for case, each in zip(cases, figures, strict=True)}
    found = []
    for attempt in attempts:
        learned = usual.get((attempt.name, attempt.hostname)) or usual.get(
            (attempt.name, None))
        found.append(dataclasses.replace(
            attempt, usual_duration=learned) if learned else attempt)
    return found


def _is_late(attempt: Any, now: datetime.datetime) -> bool:
    """Does it run for more than twice its usual time?"""
    usual = attempt.usual_duration
    return usual is not None and now - attempt.date_started > 2 * usual
