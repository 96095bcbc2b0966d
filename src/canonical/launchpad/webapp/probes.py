"""What machines look at: metrics, health, and badges."""

from __future__ import annotations

import html
from typing import Any

from pyramid.response import Response

from canonical.database.sqlbase import main_store
from canonical.launchpad.command.prometheus import exposition
from canonical.launchpad.plaintext import printable
from canonical.launchpad.webapp.parameters import known
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.scriptpage import known_rows
from canonical.launchpad.webapp.snapshot import Snapshot


__all__ = [
    "badge",
    "health",
    "metrics",
    "ready",
]


# The colours of badges, which have white letters.
COLOURS = {
    "ok": "#2a6f4a", "warning": "#8a5a00", "critical": "#b3261e"}
OTHER = "#5d646d"

# Wide enough for the letters of most fonts.
LETTER = 7
LONGEST = 60


def metrics(request: Any, snapshot: Snapshot) -> Response:
    """The metrics of all scripts, as ``check --prometheus`` prints them."""
    known(request)
    return Response(
        exposition([
            row.assessment for row in snapshot.rows if row.assessment],
            snapshot.incidents),
        content_type="text/plain", charset="utf-8")


def badge(request: Any, snapshot: Snapshot) -> Response:
    """A small picture of the state of a script."""
    known(request)
    rows = known_rows(snapshot, request.matchdict["name"])
    name, state = printable(rows[0].name), rows[0].state
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}…"
    left, right = (LETTER * len(each) + 12 for each in (name, state))
    words = html.escape(f"{name}: {state}")
    # It is shown on pages of others, which have no style of ours.
    response = Response(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}"'
        f' height="20" role="img" aria-label="{words}">'
        f"<title>{words}</title>"
        f'<rect width="{left}" height="20" fill="#3b4046"/>'
        f'<rect x="{left}" width="{right}" height="20"'
        f' fill="{COLOURS.get(state, OTHER)}"/>'
        '<g fill="#fff" text-anchor="middle" font-size="12"'
        ' font-family="sans-serif">'
        f'<text x="{left / 2}" y="14">{html.escape(name)}</text>'
        f'<text x="{left + right / 2}" y="14">{state}</text></g></svg>',
        content_type="image/svg+xml", charset="utf-8")
    return response


def health(request: Any) -> Response:
    """The process answers."""
    return Response("ok\n", content_type="text/plain", charset="utf-8")


def ready(request: Any) -> Response:
    """The database answers too; else the status is 503."""
    with reading():
        main_store().execute("SELECT FROM scriptactivity LIMIT 1")
    return Response("ok\n", content_type="text/plain", charset="utf-8")
