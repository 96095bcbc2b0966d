"""The commands that print what is on record: list, running, failures, last.

And ``alerts``, which prints the alerts that are open.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Container
from typing import Any

from zope.component import getUtility

from canonical.launchpad.command.arguments import utf8
from canonical.launchpad.command.output import add_json_option
from canonical.launchpad.command.output import ago
from canonical.launchpad.command.output import complain
from canonical.launchpad.command.output import fields_of
from canonical.launchpad.command.output import print_json
from canonical.launchpad.command.output import print_table
from canonical.launchpad.command.output import say
from canonical.launchpad.command.rules import configured_channels
from canonical.launchpad.command.rules import unknown_script
from canonical.launchpad.interfaces import FutureActivities
from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptSummary


__all__ = [
    "add_alerts_options",
    "add_failures_options",
    "add_last_options",
    "add_list_scripts_options",
    "add_running_options",
    "alerts",
    "failures",
    "last",
    "list_scripts",
    "print_future",
    "running",
]


# How many failures are shown.
LATEST = 100


def add_list_scripts_options(parser: argparse.ArgumentParser) -> None:
    """Add what `list_scripts` takes."""
    add_json_option(parser)


def list_scripts(args: argparse.Namespace) -> int:
    """One line for each script and host: how it fares.

    "running since" is of a process that was seen on this machine; of any
    other it is only known since when it "has not reported its end".
    """
    print_future()
    summaries = getUtility(IScriptAttemptSet).getSummaries()
    if args.json:
        print_json(fields_of(IScriptSummary, each) for each in summaries)
        return 0
    print_table(
        ["script", "host", "last success", "took", "last failure", "in a row",
         "running since", "has not reported its end since", "reason"],
        [
            [each.name, each.hostname, each.last_success, each.last_duration,
             each.last_failure, each.failures_in_a_row or None,
             each.running_since if each.running_is_seen else None,
             None if each.running_is_seen else each.running_since,
             each.last_reason]
            for each in summaries
        ],
        "No script is on record yet.",
        lambda row: "red" if summaries[row].failures_in_a_row else "")
    return 0


def add_running_options(parser: argparse.ArgumentParser) -> None:
    """Add what `running` takes."""
    add_json_option(parser)


def running(args: argparse.Namespace) -> int:
    """What runs now, since when, and how that compares with its usual time.

    One that "has not reported its end" may run on another machine, or may
    have ended without a word; nobody can know here.
    """
    attempts = getUtility(IScriptAttemptSet).getRunning()
    if args.json:
        print_json(fields_of(IRunningAttempt, each) for each in attempts)
        return 0
    now = datetime.datetime.now(datetime.UTC)
    print_table(
        ["script", "host", "pid", "since", "for", "usually", "also on",
         "state"],
        [
            [each.name, each.hostname, each.pid, each.date_started,
             max(now - each.date_started, datetime.timedelta()),
             each.usual_duration, " ".join(each.also_on) or None,
             "runs" if each.is_seen else "has not reported its end"]
            for each in attempts
        ],
        "No script runs.",
        lambda row: "yellow" if _is_late(attempts[row], now) else "")
    return 0


def add_failures_options(parser: argparse.ArgumentParser) -> None:
    """Add what `failures` takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=utf8,
        help="of this script only")
    add_json_option(parser)


def failures(args: argparse.Namespace) -> int:
    """The latest failures: when, how and why, and how many in a row."""
    attempts = getUtility(IScriptAttemptSet).getFailures(
        args.name, limit=LATEST)
    if not attempts and _is_unknown(args.name):
        return 1
    if args.json:
        print_json(fields_of(IFailedAttempt, each) for each in attempts)
        return 0
    print_table(
        ["script", "host", "started", "ended", "outcome", "status",
         "in a row", "reason"],
        [
            [each.name, each.hostname, each.date_started, each.date_ended,
             each.outcome, each.exit_status, each.failures_in_a_row,
             each.reason]
            for each in attempts
        ],
        "No failure is on record.")
    return 0


def add_last_options(parser: argparse.ArgumentParser) -> None:
    """Add what `last` takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="of this script only")
    parser.add_argument("--host", help="with NAME, look at this host only")
    add_json_option(parser)


def last(args: argparse.Namespace) -> int:
    """The last success of a script, or of each."""
    print_future(args.name and [args.name])
    activity_set = getUtility(IScriptActivitySet)
    if args.name is None:
        activities = activity_set.getLastActivities()
    else:
        activity = activity_set.getLastActivity(args.name, args.host)
        activities = [activity]
        if activity is None:
            where = f" on {args.host}" if args.host else ""
            complain(f"no success of {args.name!r}{where} is on record")
            return 1
    if args.json:
        print_json(fields_of(IScriptActivity, each) for each in activities)
        return 0
    for each in activities:
        took = ago(each.date_completed - each.date_started)
        say(
            f"{each.name} on {each.hostname}: last succeeded"
            f" {each.date_started:%Y-%m-%d %H:%M:%S} UTC, in {took}")
    return 0


def _is_late(attempt: Any, now: datetime.datetime) -> bool:
    """Does it run for more than twice its usual time?"""
    usual = attempt.usual_duration
    return usual is not None and now - attempt.date_started > 2 * usual


def _is_unknown(name: str | None) -> bool:
    """Is nothing on record of a script?  Then print that."""
    problem = None if name is None else unknown_script(name)
    if problem is not None:
        complain(problem)
    return problem is not None


def add_alerts_options(parser: argparse.ArgumentParser) -> None:
    """Add what `alerts` takes."""
    add_json_option(parser)


def alerts(args: argparse.Namespace) -> int:
    """What is broken, since when, and when people were told."""
    channels = configured_channels() or ["output"]
    found = [
        each for each in getUtility(IScriptAlertSet).getUnsettled()
        if each.date_closed is None and each.channel in channels]
    if args.json:
        print_json(
            {
                "name": each.name, "hostname": each.hostname,
                "question": each.question, "state": each.state,
                "opened": each.date_opened, "told": each.date_told,
                "channel": each.channel, "sentence": each.sentence,
            } for each in found)
        return 0
    print_table(
        ["state", "script", "host", "question", "since", "told", "by", "why"],
        [
            [each.state, each.name, each.hostname, each.question,
             each.date_opened, each.date_told, each.channel, each.sentence]
            for each in found
        ],
        "Nothing is broken that an alert was opened for.",
        lambda row: "red" if found[row].state == "critical" else "yellow")
    return 0


def print_future(names: Container[str] | None = None) -> None:
    """Print a line on standard error for each script and host that has any.

    :param names: of these scripts only.
    """
    for each in getUtility(IScriptActivitySet).getFutureActivities():
        if names is None or each.name in names:
            complain(_future_sentence(each))


def _future_sentence(activities: FutureActivities) -> str:
    name, hostname, started, count = activities
    return (
        f"{name} on {hostname} has successes on record that started in the"
        f" future ({count}, from {started:%Y-%m-%d %H:%M:%S} UTC on); they do"
        " not count before then; if a clock was ahead, delete them: DELETE"
        f" FROM scriptactivity WHERE name = {_literal(name)} AND hostname ="
        f" {_literal(hostname)} AND date_started >="
        f" {_literal(started.isoformat())}")


def _literal(text: str) -> str:
    """By "String Constants" in the PostgreSQL manual."""
    return "'" + text.replace("'", "''") + "'"
