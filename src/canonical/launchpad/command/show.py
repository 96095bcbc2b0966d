"""The command ``show``: everything about a script, on one screen."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from zope.component import getUtility

from canonical.config.durations import rounded_text
from canonical.launchpad.command.check import STYLES
from canonical.launchpad.command.check import assessment_as_dict
from canonical.launchpad.command.history import print_future
from canonical.launchpad.command.openalerts import alert_as_dict
from canonical.launchpad.command.openalerts import notified
from canonical.launchpad.command.openalerts import open_alerts
from canonical.launchpad.command.output import end_of_output
from canonical.launchpad.command.printing import fields_of
from canonical.launchpad.command.printing import for_people
from canonical.launchpad.command.printing import in_zone
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.printing import zone_name
from canonical.launchpad.command.rules import all_expected
from canonical.launchpad.command.rules import check_name_or_tags
from canonical.launchpad.command.rules import check_tags
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import complain_of_unknown
from canonical.launchpad.command.rules import has_tag
from canonical.launchpad.command.running import with_usual
from canonical.launchpad.command.runpicture import PICTURED
from canonical.launchpad.command.runpicture import run_lines
from canonical.launchpad.command.table import wrapped
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import EndedRun
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import ScriptDay
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.expectation import rule_text
from canonical.launchpad.monitor.registry import assess_some
from canonical.launchpad.monitor.registry import place_of
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import time_text


__all__ = [
    "show",
]


FAILURES = 3

# Where the words on the left stand.
MARGIN = " " * 10


class About(NamedTuple):
    """What there is to show of a script.

    :ivar trouble: why its rule is not known, or `None`.
    """

    name: str
    rule: IScriptExpectation | None
    trouble: str | None
    assessments: list[Assessment]
    running: list[Any]
    runs: list[EndedRun]
    failures: list[Any]
    alerts: list[Alert]
    pauses: list[Pause]
    pruned: list[ScriptDay]


def show(args: argparse.Namespace) -> int:
    """Print everything about a script, or about those with a tag."""
    check_name_or_tags(args)
    found = _found(args)
    for about in found:
        if about.rule is None and not about.runs and not about.running:
            complain_of_unknown(about.name, None, [
                each.name for each in registered_expectations()])
            return 1
    print_future([about.name for about in found])
    if args.json:
        print_json(map(_as_dict, found))
        return 0
    for number, about in enumerate(found):
        if number:
            print()
        _print(about)
    return 0


def _found(args: argparse.Namespace) -> list[About]:
    now = datetime.datetime.now(datetime.UTC)
    fleet: list[IScriptExpectation] = []
    trouble = None
    try:
        fleet = all_expected(args.expectations)
    except ExpectationError as error:
        # At three in the morning the rest still helps.
        if args.expectations is not None or args.tags:
            raise
        trouble = str(error)
    check_tags(fleet, args.tags)
    rules = {
        each.name: each for each in fleet
        if args.name in (None, each.name) and has_tag(each, args.tags)}
    assessments = assess_some(
        rules.values(), fleet, now, clock_skew()) if rules else []
    attempt_set, alerts = getUtility(IScriptAttemptSet), open_alerts()
    pauses = getUtility(IScriptPauseSet).getPauses(now, now)
    return [
        About(
            name, rules.get(name), trouble,
            [each for each in assessments if each.name == name],
            with_usual(attempt_set.getRunning(name), rules, now),
            getUtility(IScriptHistorySet).getLatest(name, PICTURED),
            attempt_set.getFailures(name, limit=FAILURES),
            [each for each in alerts if each.name == name],
            pauses.get(name, []),
            getUtility(IScriptDaySet).getDays(None, None, [name]))
        for name in ([args.name] if args.name is not None else rules)]


def _as_dict(about: About) -> dict[str, Any]:
    return {
        "name": about.name,
        "rule": about.rule and rule_text(about.rule),
        "declared_in": about.rule and place_of(about.rule),
        "trouble": about.trouble,
        "assessments": [
            assessment_as_dict(each) for each in about.assessments],
        "running": [
            fields_of(IRunningAttempt, each) for each in about.running],
        "runs": [each._asdict() for each in about.runs],
        "failures": [
            fields_of(IFailedAttempt, each) for each in about.failures],
        "alerts": [
            alert_as_dict(each, about.rule.tags if about.rule else ())
            for each in about.alerts],
        "pauses": [
            {
                "reason": each.reason, "started": each.date_started,
                "until": None if each.date_ended == FOREVER
                else each.date_ended,
            } for each in about.pauses],
        "pruned": _pruned(about.pruned),
    }


def _pruned(days: Sequence[ScriptDay]) -> dict[str, Any] | None:
    """What remains of runs that have been pruned."""
    days = [each for each in days if each.runs or each.failures]
    if not days:
        return None
    runs = sum(each.runs for each in days)
    total = sum(
        (each.total for each in days if each.total), datetime.timedelta())
    return {
        "runs": runs,
        "failures": sum(each.failures for each in days),
        "since": str(min(each.day for each in days)),
        "until": str(max(each.day for each in days)),
        "average": total / runs if runs else None,
        "longest": max(
            (each.maximum for each in days if each.maximum), default=None),
    }


def _pruned_lines(days: Sequence[ScriptDay]) -> list[str]:
    pruned = _pruned(days)
    if pruned is None:
        return []
    took = f", {rounded_text(pruned['average'])} each on average" if (
        pruned["runs"]) else ""
    return [
        f"{counted(pruned['runs'], 'run')}{took}, and"
        f" {counted(pruned['failures'], 'failure')}, from {pruned['since']} to"
        f" {pruned['until']}"]


def _print(about: About) -> None:
    """Print a screen, with a word on the left for each part."""
    # Slow to import, and programs read JSON.
    from rich.console import Console
    console = Console(highlight=False, soft_wrap=True, markup=False)
    for line in wrapped([printable(about.name)], "", console):
        console.print(line, style="bold")
    for word, lines in (
        ("rule", _rule_lines(about)),
        *_answers(about.assessments),
        ("running", [_running_line(each) for each in about.running]),
        ("runs", run_lines(about.runs, console.width - len(MARGIN))),
        ("pruned", _pruned_lines(about.pruned)),
        ("failures", [
            line for each in about.failures
            for line in (_failure_line(each), *end_of_output(each))]),
        ("alerts", [
            f"{each.state}, {each.question}, since"
            f" {time_text(each.date_opened)}; {notified(each)}"
            for each in about.alerts]),
        ("pauses", [_pause_line(each) for each in about.pauses]),
    ):
        for line in lines:
            style = STYLES.get(line.partition(":")[0], "")
            text = printable(in_zone(line))
            for part in wrapped([text], MARGIN, console):
                left = word.ljust(len(MARGIN))
                console.print(f"{left}{part[len(MARGIN):]}", style=style)
                word = ""
    console.print(f"{MARGIN}Times are in {zone_name()}.", style="dim")


def _rule_lines(about: About) -> list[str]:
    if about.rule is None:
        return [f"none: {about.trouble}" if about.trouble else "none"]
    place = place_of(about.rule)
    return [rule_text(about.rule), *([place] if place else [])]


def _answers(
    assessments: Sequence[Assessment]
) -> Iterable[tuple[str, list[str]]]:
    """The three questions, each with an answer for each host."""
    for question in "recently", "often", "runtime":
        lines = []
        for each in assessments:
            answer = getattr(each, question)
            host = f"{each.hostname}: " if each.hostname else ""
            # The sentence about a silent host names it, too.
            sentence = answer.sentence.removeprefix(host)
            lines.append(f"{answer.state}: {host}{sentence}")
        yield question, lines


def _running_line(attempt: Any) -> str:
    state = "runs" if attempt.is_seen else "has not reported its end"
    usual = "" if attempt.usual_duration is None else (
        f"; usually {rounded_text(attempt.usual_duration)}")
    return (
        f"process {attempt.pid} on {attempt.hostname} {state} since"
        f" {time_text(attempt.date_started)}{usual}")


def _failure_line(attempt: Any) -> str:
    status = "" if attempt.exit_status is None else (
        f", exit status {attempt.exit_status}")
    return (
        f"{for_people(attempt.date_started)}  {attempt.hostname}"
        f"  {attempt.failures_in_a_row} in a row{status}:"
        f" {attempt.reason or attempt.outcome}")


def _pause_line(pause: Pause) -> str:
    if pause.date_ended == FOREVER:
        return f"{pause.reason}, since {time_text(pause.date_started)}"
    return f"{pause.reason}, until {time_text(pause.date_ended)}"
