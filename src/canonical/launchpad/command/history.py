"""The commands that print what is on record: list, failures, last."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from zope.component import getUtility
from zope.interface import Interface

from canonical.config.durations import rounded_text
from canonical.launchpad.command.output import end_of_output
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import end_for_people
from canonical.launchpad.command.printing import fields_of
from canonical.launchpad.command.printing import for_people
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import complain_of_unknown
from canonical.launchpad.command.rules import rule_tags
from canonical.launchpad.command.rules import tag_filter
from canonical.launchpad.command.rules import with_tags
from canonical.launchpad.command.table import Screen
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import FutureActivities
from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptSummary
from canonical.launchpad.plaintext import time_text


__all__ = [
    "failures",
    "last",
    "list_scripts",
    "print_future",
]


# So many scripts are named in a line; if all clocks are ahead, all scripts
# have successes of the future.
FEW = 3


def list_scripts(args: argparse.Namespace) -> int:
    """Print one line for each script and host: how it fares."""
    print_future()
    is_wanted = tag_filter(args.tags)
    summaries = [
        each for each in getUtility(IScriptAttemptSet).getSummaries()
        if is_wanted(each.name)]
    if args.json:
        _print_json(IScriptSummary, summaries)
        return 0
    print_table(
        ["script", "host", "last success", "took", "last failure", "in a row",
         "running since", "has not reported its end since", "reason",
         "ended"],
        [
            [each.name, each.hostname, each.last_success, each.last_duration,
             each.last_failure, each.failures_in_a_row or None,
             each.running_since if each.running_is_seen else None,
             None if each.running_is_seen else each.running_since,
             each.last_reason, _ended(each)]
            for each in summaries
        ],
        "No script is on record yet.",
        lambda row: "red" if summaries[row].failures_in_a_row else "",
        Screen(
            ["script", "host", "last success", "ended", "took"],
            [
                [each.name, each.hostname, each.last_success,
                 end_for_people(each.last_success, _ended(each)),
                 each.last_duration]
                for each in summaries
            ],
            2, [_how_it_fares(each) for each in summaries]))
    return 0


def _ended(summary: Any) -> datetime.datetime | None:
    """When the last success ended."""
    if summary.last_success is None:
        return None
    ended: datetime.datetime = summary.last_success + summary.last_duration
    return ended


def _how_it_fares(summary: Any) -> str:
    """What fails or runs."""
    sentences = []
    if summary.failures_in_a_row:
        times = "once" if summary.failures_in_a_row == 1 else (
            f"{summary.failures_in_a_row} times in a row")
        sentences.append(
            f"failed {times}, last at {for_people(summary.last_failure)}:"
            f" {summary.last_reason}")
    if summary.running_since is not None:
        state = "running" if summary.running_is_seen else (
            "has not reported its end")
        sentences.append(f"{state} since {for_people(summary.running_since)}")
    return "; ".join(sentences)


def failures(args: argparse.Namespace) -> int:
    """Print the latest failures: when, how and why, and how many in a row."""
    attempt_set = getUtility(IScriptAttemptSet)
    since = None if args.since is None else (
        datetime.datetime.now(datetime.UTC) - args.since)
    if args.tags:
        wanted = [each.name for each in with_tags(args.tags)]
        attempts = sorted((
            each for name in wanted if args.name in (None, name)
            for each in attempt_set.getFailures(
                name, args.host, args.limit, since)),
            key=lambda each: each.date_started, reverse=True)[:args.limit]
    else:
        attempts = attempt_set.getFailures(
            args.name, args.host, args.limit, since)
    if not attempts and (args.name or args.host) and (
        not attempt_set.getSummaries(args.name, args.host)
    ):
        complain_of_unknown(args.name, args.host)
        return 1
    if args.json:
        _print_json(IFailedAttempt, attempts)
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
        "No failure is on record.",
        screen=Screen(
            ["script", "host", "started", "ended", "outcome", "in a row"],
            [
                [each.name, each.hostname, each.date_started,
                 end_for_people(each.date_started, each.date_ended),
                 each.outcome, each.failures_in_a_row]
                for each in attempts
            ],
            2, [_why_it_failed(each) for each in attempts],
            [end_of_output(each) for each in attempts]))
    return 0


def _why_it_failed(attempt: Any) -> str:
    status = None if attempt.exit_status is None else (
        f"exit status {attempt.exit_status}")
    # Each once: of many runs the status is all that is known.
    return ", ".join(filter(None, dict.fromkeys([attempt.reason, status])))


def last(args: argparse.Namespace) -> int:
    """Print the last success of a script, or of each."""
    if args.host is not None and args.name is None:
        args.parser.error("--host goes with NAME")
    if args.tags and args.name is not None:
        args.parser.error("--tag goes without NAME")
    is_wanted = tag_filter(args.tags)
    print_future(args.name and [args.name])
    activity_set = getUtility(IScriptActivitySet)
    if args.name is None:
        activities = [
            each for each in activity_set.getLastActivities()
            if is_wanted(each.name)]
    else:
        activity = activity_set.getLastActivity(args.name, args.host)
        activities = [activity]
        if activity is None:
            if getUtility(IScriptAttemptSet).getSummaries(
                args.name, args.host
            ):
                where = f" on {args.host}" if args.host else ""
                complain(f"no success of {args.name!r}{where} is on record")
            else:
                complain_of_unknown(args.name, args.host)
            return 1
    if args.json:
        _print_json(IScriptActivity, activities)
        return 0
    for each in activities:
        took = rounded_text(each.date_completed - each.date_started)
        say(
            f"{each.name} on {each.hostname}: last succeeded"
            f" {time_text(each.date_started)}, ended"
            f" {end_for_people(each.date_started, each.date_completed)},"
            f" in {took}")
    return 0


def _print_json(interface: type[Interface], found: Iterable[Any]) -> None:
    """Print what is on record, each with the tags of its rule."""
    tags = rule_tags()
    print_json(
        {**fields_of(interface, each), "tags": tags.get(each.name, [])}
        for each in found)


def print_future(names: Collection[str] | None = None) -> None:
    """Print a line on standard error if there are any.

    :param names: of these scripts only.
    """
    name = next(iter(names)) if names and len(names) == 1 else None
    found = [
        each for each
        in getUtility(IScriptActivitySet).getFutureActivities(name)
        if names is None or each.name in names]
    if found:
        complain(_future_sentence(found))


def _future_sentence(found: Sequence[FutureActivities]) -> str:
    first = min(each.date_started for each in found)
    who = ", ".join(f"{each.name} on {each.hostname}" for each in found[:FEW])
    if len(found) > FEW:
        who += f" and {len(found) - FEW} more"
    if len(found) == 1:
        have, delete = "has", "delete them"
        where = (
            f"name = {_literal(found[0].name)} AND hostname ="
            f" {_literal(found[0].hostname)} AND date_started >="
            f" {_literal(first.isoformat())}")
    else:
        # One statement, which spares the successes of the meantime.
        have, delete = "have", "delete all that start in the future"
        where = "date_started > now() + interval '1 hour'"
    return (
        f"{who} {have} successes on record that started in the"
        f" future ({sum(each.runs for each in found)}, from"
        f" {time_text(first)} on); they do not count before then; if a clock"
        f" was ahead, {delete}: DELETE FROM scriptactivity WHERE {where}")


def _literal(text: str) -> str:
    """By "String Constants" in the PostgreSQL manual."""
    return "'" + text.replace("'", "''") + "'"
