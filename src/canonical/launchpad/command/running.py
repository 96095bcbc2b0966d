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
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import known_rules
from canonical.launchpad.command.rules import tag_filter
from canonical.launchpad.command.table import Screen
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.registry import assess_all
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
    names = {each.name for each in found}
    rules = {
        each.name: each for each in known_rules("usual runtimes")
        if each.name in names}
    now = datetime.datetime.now(datetime.UTC)
    attempts = with_usual(
        found, rules, assess_all(rules.values(), now, clock_skew()))
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
    assessments: Iterable[Assessment],
) -> list[Any]:
    """Attempts with the usual durations that their rules have learned.

    Without such a rule, it is the median of the last successes.

    :param rules: by the name of their script.
    :param assessments: of these rules.
    """
    durations = {
        (each.name, each.hostname): each.figures.durations
        for each in assessments}
    found = []
    for attempt in attempts:
        rule = rules.get(attempt.name)
        usual = rule and usual_duration(rule, durations.get(
            (rule.name, attempt.hostname if rule.hosts else None), ()))
        found.append(dataclasses.replace(
            attempt, usual_duration=usual) if usual else attempt)
    return found


def _is_late(attempt: Any, now: datetime.datetime) -> bool:
    """Does it run for more than twice its usual time?"""
    usual = attempt.usual_duration
    return usual is not None and now - attempt.date_started > 2 * usual
