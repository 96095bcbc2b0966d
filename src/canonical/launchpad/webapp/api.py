"""The same as the pages, for programs, in JSON."""

from __future__ import annotations

import datetime
import json
from itertools import groupby
from typing import Any

from pyramid.response import Response
from zope.component import getUtility

from canonical.launchpad.command.check import assessment_as_dict
from canonical.launchpad.command.openalerts import alert_as_dict
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.interfaces import PastRun
from canonical.launchpad.monitor.expectation import rule_text
from canonical.launchpad.webapp.fleetpage import FILTERS
from canonical.launchpad.webapp.fleetpage import selection
from canonical.launchpad.webapp.incidentspage import MOST
from canonical.launchpad.webapp.incidentspage import latest_alerts
from canonical.launchpad.webapp.parameters import BadParameter
from canonical.launchpad.webapp.parameters import address
from canonical.launchpad.webapp.parameters import given
from canonical.launchpad.webapp.parameters import known
from canonical.launchpad.webapp.parameters import number
from canonical.launchpad.webapp.parameters import script_name
from canonical.launchpad.webapp.parameters import text
from canonical.launchpad.webapp.parameters import time
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.rows import Row
from canonical.launchpad.webapp.rows import sorted_rows
from canonical.launchpad.webapp.scriptpage import known_rows
from canonical.launchpad.webapp.snapshot import Snapshot


__all__ = [
    "DEFAULT_LIMIT",
    "MOST",
    "incidents",
    "runs",
    "script",
    "scripts",
]


DEFAULT_LIMIT = 100


def scripts(request: Any, snapshot: Snapshot) -> Response:
    """Scripts by name, with the filters of the page."""
    known(request, "limit", "after", *FILTERS)
    given(request, "limit", "state")
    limit = number(request, "limit", 1, MOST, DEFAULT_LIMIT)
    chosen = {name: text(request, name) for name in FILTERS}
    after = text(request, "after")
    rows = selection(snapshot, chosen, "script")
    grouped = [
        (name, list(group))
        for name, group in groupby(rows, key=lambda row: row.name)
        if name > after]
    found = grouped[:limit]
    return _json({
        "at": snapshot.at,
        "scripts": [_script(name, each) for name, each in found],
        "next": address(
            f"{request.script_name}/api/scripts",
            {**chosen, "limit": request.GET.get("limit"),
             "after": found[-1][0]})
        if len(grouped) > limit else None})


def script(request: Any, snapshot: Snapshot) -> Response:
    """One script."""
    known(request, "name")
    name = script_name(request)
    return _json(
        {"at": snapshot.at, **_script(name, known_rows(snapshot, name))})


def runs(request: Any, snapshot: Snapshot) -> Response:
    """Runs of a script, the latest first."""
    known(request, "name", "limit", "before", "since", "until", "host")
    given(request, "limit", "before", "since", "until")
    name = script_name(request)
    known_rows(snapshot, name)
    limit = number(request, "limit", 1, MOST, DEFAULT_LIMIT)
    host = text(request, "host") or None
    since, until = time(request, "since"), time(request, "until")
    with reading():
        try:
            found: list[PastRun] = getUtility(IScriptTimelineSet).getPage(
                name, host, since, until, request.GET.get("before"), limit + 1)
        except ValueError:
            raise BadParameter(
                "before must be the key of a run, as an earlier response gave"
                " it.") from None
    return _json({
        "runs": [
            {
                "key": each.key, "hostname": each.hostname,
                "started": each.date_started, "ended": each.date_ended,
                "outcome": each.outcome or "running", "reason": each.reason,
            } for each in found[:limit]],
        "next": address(request.path, {
            **request.GET, "before": found[limit - 1].key})
        if len(found) > limit else None})


def incidents(request: Any, snapshot: Snapshot) -> Response:
    """The last incidents, the latest first."""
    known(request, "limit")
    given(request, "limit")
    limit = number(request, "limit", 1, MOST, DEFAULT_LIMIT)
    return _json({"at": snapshot.at, "incidents": [
        {"id": each.id,
         **alert_as_dict(each, next(
             (row.tags for row in snapshot.by_name.get(each.name, ())), ())),
         "closed": each.date_closed}
        for each in latest_alerts(limit)]})


def _script(name: str, rows: list[Row]) -> dict[str, Any]:
    rule = rows[0].rule
    return {
        "name": name,
        "state": sorted_rows(rows, "state")[0].state,
        "rule": rule and rule_text(rule),
        "tags": list(rows[0].tags),
        "hosts": [
            {
                "hostname": row.hostname, "state": row.state,
                "last_success": row.figures.last_started,
                "last_duration": row.figures.durations[0]
                if row.figures.durations else None,
                "running_since": row.figures.running_since,
                "failures": row.figures.failures,
                "questions": row.assessment
                and assessment_as_dict(row.assessment)["questions"],
            } for row in rows],
    }


def _json(value: dict[str, Any]) -> Response:
    return Response(
        json.dumps(value, default=_as_json), content_type="application/json",
        charset="utf-8")


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(value)
