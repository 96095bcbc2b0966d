"""The command ``scriptactivity report``: a script a line, for a month."""

from __future__ import annotations

import argparse
import csv
import datetime
import sys
from collections.abc import Iterable
from typing import Any

from zope.component import getUtility

from canonical.launchpad.command.printing import as_text
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.progress import with_progress
from canonical.launchpad.command.rules import all_expected
from canonical.launchpad.command.rules import check_tags
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import has_tag
from canonical.launchpad.command.rules import rules_file
from canonical.launchpad.command.table import Screen
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import IScriptReportSet
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.interfaces import ReportFigures
from canonical.launchpad.interfaces import Track
from canonical.launchpad.monitor.availability import DAY
from canonical.launchpad.monitor.availability import Tally
from canonical.launchpad.monitor.availability import first_counted
from canonical.launchpad.monitor.availability import midnight
from canonical.launchpad.monitor.availability import runs_until
from canonical.launchpad.monitor.availability import tallies
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.registry import registered_cases


__all__ = [
    "report",
]


# What programs read, and what people read.
NAMES = (
    "name", "due", "met", "availability", "runs", "failures", "median",
    "percentile_95", "incidents", "recovery")
TITLES = (
    "script", "due", "met", "avail", "runs", "failed", "median", "95%",
    "inc", "recovery")


def report(args: argparse.Namespace) -> int:
    """Print what a month was like for each script."""
    now = datetime.datetime.now(datetime.UTC)
    since = args.month or now.date().replace(day=1)
    until = (since + 31 * DAY).replace(day=1)
    cases = _cases(args, midnight(until))
    check_tags([case.expectation for case in cases], args.tags)
    cases = [
        case for case in cases if has_tag(case.expectation, args.tags)]
    tags = {case.expectation.name: case.expectation.tags for case in cases}
    figures = {
        each.name: each for each in getUtility(IScriptReportSet).getFigures(
            midnight(since), midnight(until))
        if not args.tags or each.name in tags}
    slots = _slots(
        cases, midnight(since), midnight(min(until, now.date() + DAY)), now)
    lines = [
        _line(
            figures.get(name, ReportFigures(name)), slots.get(name, Tally()))
        for name in sorted({*figures, *slots})]
    if args.json:
        print_json({
            **dict(zip(NAMES, line, strict=True)),
            "tags": list(tags.get(line[0], ()))} for line in lines)
    elif args.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(NAMES)
        writer.writerows(
            ["" if each is None else as_text(each) for each in line]
            for line in lines)
    else:
        rows = [_for_people(line) for line in lines]
        print_table(
            TITLES, rows, f"No script ran or was due in {since:%Y-%m}.",
            screen=Screen(TITLES, rows, 1, [""] * len(rows)))
    return 0


def _cases(
    args: argparse.Namespace, until: datetime.datetime
) -> list[Case]:
    """The rules, each on each of its hosts; none if there are no rules."""
    if args.expectations is None and rules_file() is None:
        return []
    return registered_cases(
        all_expected(args.expectations), until - HORIZON, until, clock_skew())


def _slots(
    cases: list[Case],
    since: datetime.datetime,
    until: datetime.datetime,
    at: datetime.datetime,
) -> dict[str, Tally]:
    """What was due and met of each rule, on days that are not pruned.

    Nothing was due before the first run.
    """
    slots: dict[str, Tally] = {}
    beginnings = getUtility(IScriptTimelineSet).getBeginnings([
        Track(case.expectation.name, case.hostname) for case in cases])
    with getUtility(IScriptHistorySet).gathered(
        sorted({case.expectation.name for case in cases}),
        min((since - case.lead for case in cases), default=at),
        max((runs_until(case, until) for case in cases), default=at),
        at, 0
    ):
        for case, beginning in with_progress(
            zip(cases, beginnings, strict=True), len(cases), "Counting"
        ):
            first = first_counted(case, beginning)
            if first is None or first >= until:
                continue
            name = case.expectation.name
            found = _tallies(case, max(first, since), until, at)
            slots[name] = _sum([slots.get(name, Tally()), *found])
    return slots


def _tallies(
    case: Case,
    since: datetime.datetime,
    until: datetime.datetime,
    at: datetime.datetime,
) -> Iterable[Tally]:
    runs = getUtility(IScriptHistorySet).getRuns(
        case.expectation.name, since - case.lead, runs_until(case, until))
    return tallies(
        case,
        [run for run in runs if case.hostname in (None, run.hostname)],
        since, until, at).values()


def _sum(found: Iterable[Tally]) -> Tally:
    due, met = map(sum, zip(*found, strict=True))
    return Tally(due, met)


def _line(figures: ReportFigures, slots: Tally) -> list[Any]:
    due, met = figures.due + slots.due, figures.met + slots.met
    return [
        figures.name, due or None, met if due else None,
        round(met / due, 5) if due else None, figures.runs, figures.failures,
        figures.median, figures.percentile_95, figures.incidents,
        figures.recovery]


def _for_people(line: list[Any]) -> list[Any]:
    """With the availability in percent, never rounded up to 100."""
    share = line[3]
    if share is None:
        return line
    percent = f"{int(share * 10_000) / 100:g}%"
    return [*line[:3], percent, *line[4:]]
