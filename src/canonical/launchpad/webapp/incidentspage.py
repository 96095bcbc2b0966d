"""Incidents: what is open, which notification went out when, and a feed."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

from pyramid.response import Response
from zope.component import getUtility

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.monitor.recordedlate import recorded_late
from canonical.launchpad.webapp.fleetpage import script_path
from canonical.launchpad.webapp.parameters import known
from canonical.launchpad.webapp.parameters import number
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.snapshot import Snapshot
from canonical.launchpad.webapp.templating import TEMPLATES
from canonical.launchpad.webapp.templating import WORDS
from canonical.launchpad.webapp.templating import page


__all__ = [
    "feed",
    "incidents",
    "latest_alerts",
]


LISTED = 100
MOST = 1000


class Event(NamedTuple):
    """Something in the time line.

    :ivar kind: ``opened``, ``notified`` or ``closed``.
    """

    at: datetime.datetime
    kind: str
    alert: Alert


def incidents(request: Any, snapshot: Snapshot) -> Response:
    """Open incidents, and the time line of the last ones."""
    known(request, "limit")
    alerts = latest_alerts(number(request, "limit", 1, MOST, LISTED))
    with reading():
        # An old one may still be open.
        opened = [
            each for each in getUtility(IScriptAlertSet).getUnsettled()
            if each.date_closed is None]
    opened.sort(key=lambda each: each.date_opened, reverse=True)
    return page(
        request, "incidents", snapshot=snapshot, at=snapshot.at,
        worst=snapshot.worst, trouble=snapshot.trouble,
        refresh=request.keeper.refresh, path=script_path, opened=opened,
        events=_events(alerts), recorded_late=recorded_late)


def feed(request: Any, snapshot: Snapshot) -> Response:
    """The last incidents, as an Atom feed."""
    known(request)
    alerts = latest_alerts(LISTED)
    text = TEMPLATES["feed"](
        **WORDS, alerts=alerts, here=request.application_url, path=script_path,
        updated=max(
            (each.at for each in _events(alerts)), default=snapshot.at),
        instance=request.registry.settings["scriptactivity.instance"])
    return Response(
        text, content_type="application/atom+xml", charset="utf-8")


def latest_alerts(limit: int) -> list[Alert]:
    """The last incidents on record, the latest first."""
    with reading():
        alerts: list[Alert] = getUtility(IScriptAlertSet).getLatest(
            limit=limit)
    return alerts


def _events(alerts: Iterable[Alert]) -> list[Event]:
    """What happened to incidents, the latest first."""
    return sorted((
        Event(moment, kind, alert)
        for alert in alerts
        for kind, moment in (
            ("opened", alert.date_opened), ("notified", alert.date_told),
            ("closed", alert.date_closed))
        if moment is not None), reverse=True,
        key=lambda each: (each.at, each.kind))
