"""The page of one script."""

from __future__ import annotations

from collections import Counter
from typing import Any

from pyramid.response import Response
from zope.component import getUtility

from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.monitor.expectation import rule_text
from canonical.launchpad.nearest import nearest
from canonical.launchpad.plaintext import printable
from canonical.launchpad.webapp.buckets import Bucket
from canonical.launchpad.webapp.buckets import buckets_of
from canonical.launchpad.webapp.buckets import track_of
from canonical.launchpad.webapp.buckets import usual_of
from canonical.launchpad.webapp.fleetpage import script_path
from canonical.launchpad.webapp.formatting import short_time
from canonical.launchpad.webapp.parameters import DAY
from canonical.launchpad.webapp.parameters import RANGES
from canonical.launchpad.webapp.parameters import BadParameter
from canonical.launchpad.webapp.parameters import address
from canonical.launchpad.webapp.parameters import choice
from canonical.launchpad.webapp.parameters import known
from canonical.launchpad.webapp.parameters import script_name
from canonical.launchpad.webapp.parameters import sentence
from canonical.launchpad.webapp.parameters import text
from canonical.launchpad.webapp.parameters import time
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.periods import period_until
from canonical.launchpad.webapp.plot import BUCKETS
from canonical.launchpad.webapp.plot import FEW
from canonical.launchpad.webapp.plot import plot_of
from canonical.launchpad.webapp.pruned import columns_with
from canonical.launchpad.webapp.pruned import pruned_days
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.responses import UnknownScript
from canonical.launchpad.webapp.rows import Row
from canonical.launchpad.webapp.snapshot import Snapshot
from canonical.launchpad.webapp.strips import BUCKETS as BARS
from canonical.launchpad.webapp.strips import WORDS
from canonical.launchpad.webapp.strips import lines_of
from canonical.launchpad.webapp.templating import page
from canonical.launchpad.webapp.trial import trial


__all__ = [
    "known_rows",
    "script",
]


LISTED = 25
FAILURES = 5
CROSSES = 300
INCIDENTS = 20
CALENDAR_DAYS = 90

# To compare a name with more would take too long.
MOST_NAMES = 2000

# The mark in a day of the calendar, which needs no colour to be seen.
GLYPHS = {"failed": "✕", "missed": "○", "late": "!", "slow": "~"}


def script(request: Any, snapshot: Snapshot) -> Response:
    """Everything about a script."""
    known(
        request, "name", "host", "range", "at", "before", "grace", "average")
    name = script_name(request)
    rows = known_rows(snapshot, name)
    host = text(request, "host")
    row = next((each for each in rows if each.hostname == host), rows[0])
    host_shown = host or row.hostname
    if host and host != row.hostname:
        row = Row(row.name, host, row.state, row.figures)
    length = choice(request, "range", RANGES, "day")
    at = time(request, "at")
    before = text(request, "before") or None
    period = period_until(snapshot.at, RANGES[length], BUCKETS)
    days = period_until(snapshot.at, CALENDAR_DAYS * DAY, CALENDAR_DAYS)
    spotlight = (at, at + RANGES[length] / BARS) if at else None
    timeline = getUtility(IScriptTimelineSet)
    attempts = getUtility(IScriptAttemptSet)
    with reading():
        (buckets,) = buckets_of([row], period, snapshot.at)
        (by_day,) = buckets_of([row], days, snapshot.at)
        (pruned,) = pruned_days([row], period)
        columns = columns_with(pruned, period, timeline.getColumns(
            track_of(row, period), period.since, period.width, period.buckets,
            FEW))
        try:
            runs = timeline.getPage(
                name, host_shown, None,
                spotlight[1] if spotlight and not before else None, before,
                LISTED + 1)
        except ValueError:
            raise BadParameter(
                "before must be the key of a run, as in the link to the next"
                " page.") from None
        running = attempts.getRunning(name, host_shown)
        failures = attempts.getFailures(name, host_shown, limit=CROSSES)
        alerts = getUtility(IScriptAlertSet).getLatest(name, INCIDENTS)
        tried = trial(request, row, snapshot.at)
        proposal = None if rows[0].assessment else request.keeper.proposal(
            name, snapshot.at)
    path = script_path(request.script_name, name)
    values = {
        "host": host, "range": length if length != "day" else "",
        "at": request.GET.get("at", "")}
    zones = [row.rule.timezone] if row.rule else []
    return page(
        request, "script", snapshot=snapshot, at=snapshot.at,
        worst=rows[0].state, trouble=snapshot.trouble,
        refresh=request.keeper.refresh, name=name, rows=rows, row=row,
        host=host, hosts=_hosts(path, values, rows, host),
        rule=rows[0].rule and rule_text(rows[0].rule), proposal=proposal,
        answers=[
            (question, each.hostname, answer)
            for each in rows if each.assessment
            for question, answer in (
                ("Has it run recently?", each.assessment.recently),
                ("As often as it should?", each.assessment.often),
                ("In sensible time?", each.assessment.runtime))
            if not host or host == each.hostname or each.hostname is None],
        plot=plot_of(
            period, snapshot.at, columns, buckets, failures, running,
            usual_of(row), lines_of(period, zones), spotlight),
        table=_table(period, columns, buckets, path, values),
        ranges=[
            (each, address(path, values, range=each, at=""))
            for each in RANGES],
        length=length, spotlight=spotlight,
        days=_calendar(days, by_day, path, host),
        day_kinds=[
            (state, WORDS[state], GLYPHS.get(state, "")) for state in WORDS],
        calendar_counts=Counter(
            WORDS.get(each.state, "without anything due")
            for each in by_day).most_common(),
        pruned_runs=sum(each.runs for each in pruned),
        runs=runs[:LISTED],
        next_runs=address(path, values, before=runs[LISTED - 1].key)
        if len(runs) > LISTED else None,
        latest=address(path, {**values, "at": ""})
        if before or spotlight else None,
        running=running, failures=failures[:FAILURES],
        sees_output=request.viewer.sees_output, alerts=alerts, tried=tried,
        hidden={
            key: value for key, value in
            {"name": request.GET.get("name"), **values}.items() if value})


def known_rows(snapshot: Snapshot, name: str) -> list[Row]:
    """The rows of a script.

    :raises UnknownScript: if it has no rule and is not on record.
    """
    rows = snapshot.by_name.get(name)
    if not rows:
        raise UnknownScript(sentence(
            f"There is no script {printable(name)!r}"
            f"{nearest(name, list(snapshot.by_name)[:MOST_NAMES])}"))
    return rows


def _hosts(
    path: str, values: dict[str, Any], rows: list[Row], host: str
) -> list[tuple[str, str, bool]]:
    """The hosts to choose from, with their addresses."""
    found = [each.hostname for each in rows if each.hostname]
    return [
        (each, address(path, values, host=each), each == host)
        for each in found] if len(found) > 1 else []


def _table(
    period: Period,
    columns: Any,
    buckets: list[Bucket],
    path: str,
    values: dict[str, Any],
) -> list[tuple[Any, ...]]:
    """What the plot shows, in numbers, and the addresses of its times."""
    found = {each.bucket: each for each in columns}
    return [
        (short_time(start), address(path, values, at=f"{start:%FT%H:%MZ}"),
         found.get(number), bucket.missed, bucket.counts.failed)
        for number, bucket in enumerate(buckets)
        for start in [period.edge(number)]
        if number in found or bucket.missed or bucket.counts.failed]


def _calendar(
    days: Period, buckets: list[Bucket], path: str, host: str
) -> list[dict[str, Any]]:
    """The days of the calendar: a column for a week, Monday at the top."""
    first = days.since.weekday()
    return [
        {
            "x": (first + number) // 7 * 15, "y": (first + number) % 7 * 15,
            "day": f"{day:%Y-%m-%d}", "bucket": bucket,
            "words": WORDS.get(bucket.state, "nothing was due"),
            "state": bucket.state, "glyph": GLYPHS.get(bucket.state, ""),
            "month": f"{day:%b}" if day.day == 1 else "",
            "title": f"{day.day} {day:%b}:"
            f" {WORDS.get(bucket.state, 'nothing was due')}",
            "path": address(path, {
                "host": host, "at": f"{day:%Y-%m-%dT00:00Z}",
                "range": "quarter"}),
        }
        for number, bucket in enumerate(buckets)
        for day in [days.edge(number)]]
