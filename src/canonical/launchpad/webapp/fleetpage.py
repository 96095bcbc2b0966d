"""The fleet: a row for each script, the worst first."""

from __future__ import annotations

import html
import math
from typing import Any
from urllib.parse import quote

from pyramid.response import Response

from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.webapp.buckets import HAPPENED
from canonical.launchpad.webapp.buckets import usual_of
from canonical.launchpad.webapp.formatting import seconds_words
from canonical.launchpad.webapp.parameters import RANGES
from canonical.launchpad.webapp.parameters import BadParameter
from canonical.launchpad.webapp.parameters import address
from canonical.launchpad.webapp.parameters import choice
from canonical.launchpad.webapp.parameters import known
from canonical.launchpad.webapp.parameters import number
from canonical.launchpad.webapp.parameters import text
from canonical.launchpad.webapp.periods import period_until
from canonical.launchpad.webapp.rows import COLUMNS
from canonical.launchpad.webapp.rows import Row
from canonical.launchpad.webapp.rows import selected
from canonical.launchpad.webapp.snapshot import Snapshot
from canonical.launchpad.webapp.strips import BUCKETS
from canonical.launchpad.webapp.strips import WORDS
from canonical.launchpad.webapp.strips import Strip
from canonical.launchpad.webapp.strips import lines_of
from canonical.launchpad.webapp.templating import page


__all__ = [
    "FILTERS",
    "fleet",
    "script_path",
    "selection",
    "wall",
]


ROWS = 50
FILTERS = ("search", "host", "tag", "state")
TITLES = {
    "state": "State", "script": "Script", "host": "Host",
    "last": "Last success", "due": "Next due", "runs": "Runs met",
    "duration": "Duration"}

# The width of the picture of a duration, and how many times as long and as
# short as the band it is.
GAUGE = 60
BEYOND = 3.0


def fleet(request: Any, snapshot: Snapshot) -> Response:
    """The page of all scripts."""
    known(request, *FILTERS, "sort", "page", "range")
    chosen = {name: text(request, name) for name in FILTERS}
    length = choice(request, "range", ("day", "week", "month"), "day")
    sort = choice(
        request, "sort",
        [*COLUMNS, *(f"-{name}" for name in COLUMNS)], "state")
    found = selection(snapshot, chosen, sort)
    pages = max(1, math.ceil(len(found) / ROWS))
    number_of_page = number(request, "page", 1, 10**6, 1)
    if number_of_page > pages:
        raise BadParameter(
            f"There is no page {number_of_page}; the last is {pages}.")
    first = (number_of_page - 1) * ROWS
    rows = found[first:first + ROWS]
    period = period_until(snapshot.at, RANGES[length], BUCKETS)
    strips = request.keeper.strips.get(rows, period, snapshot.at)
    values = {
        **chosen, "sort": sort if sort != "state" else "",
        "range": length if length != "day" else ""}
    path = f"{request.script_name}/"
    return page(
        request, "fleet",
        snapshot=snapshot, at=snapshot.at, worst=snapshot.worst,
        refresh=request.keeper.refresh, trouble=snapshot.trouble,
        rows=[_shown(request, row, strip, length)
              for row, strip in zip(rows, strips, strict=True)],
        found=len(found), first=first + 1, last=first + len(rows),
        chosen=chosen, any_chosen=any(chosen.values()), length=length,
        sort=sort, states=list(reversed(STATES)),
        hosts=snapshot.hosts, tags=snapshot.tags,
        counts=[
            (state, count, address(path, values, state=state, page=""))
            for state, count in snapshot.counts.items() if count],
        everything=address(path, values, state="", page=""),
        cleared=address(path, values, **dict.fromkeys(FILTERS)),
        titles=[_title(path, values, sort, name) for name in TITLES],
        ranges=[
            (name, address(path, values, range=name))
            for name in ("day", "week", "month")],
        period=period,
        lines=lines_of(period, snapshot.timezones),
        bar_length=seconds_words(period.width.total_seconds()),
        happened=[(state, WORDS[state]) for state in HAPPENED],
        earlier=address(path, values, page=number_of_page - 1)
        if number_of_page > 1 else None,
        later=address(path, values, page=number_of_page + 1)
        if number_of_page < pages else None)


def wall(request: Any, snapshot: Snapshot) -> Response:
    """Only what is not well, in large letters."""
    known(request)
    return page(
        request, "wall", snapshot=snapshot, at=snapshot.at,
        worst=snapshot.worst, refresh=request.keeper.refresh,
        trouble=snapshot.trouble, path=script_path,
        number=sum(1 for row in snapshot.rows if row.rule),
        rows=[row for row in snapshot.rows
              if row.state in ("critical", "warning")])


def selection(
    snapshot: Snapshot, chosen: dict[str, str], sort: str
) -> list[Row]:
    """The rows that all filters match, in order of a column."""
    if chosen["state"] and chosen["state"] not in STATES:
        raise BadParameter(
            f"state must be one of {', '.join(STATES)}, not"
            f" {chosen['state']!r}.")
    return selected(snapshot.sorted_by(sort), **chosen)


def script_path(root: str, name: str) -> str:
    """The address of the page of a script; see `script_name`."""
    if name in (".", "..") or "/" in name:
        return address(f"{root}/script", {"name": name})
    return f"{root}/scripts/{quote(name, safe='')}"


def _shown(
    request: Any, row: Row, strip: Strip, length: str
) -> dict[str, Any]:
    """What the template needs of a row."""
    path = address(
        f"{request.script_name}/" if row.name == ALL
        else script_path(request.script_name, row.name),
        {"host": row.hostname, "range": length})
    low, high = usual_of(row)
    took = row.figures.durations[0] if row.figures.durations else None
    return {
        "row": row, "strip": strip,
        "why": row.brief if row.assessment else
        f"no rule; {request.keeper.proposed(row.name)}".rstrip("; "),
        "low": low, "high": high, "took": took,
        "gauge": _gauge(took, low, high),
        "often": row.assessment and row.assessment.often,
        "due": row.assessment and row.assessment.recently.next_due,
        "path": path,
        "links": _links(path, strip),
    }


def _links(path: str, strip: Strip) -> str:
    """The bars that are not as they should be, linked to their times.

    A page may have thousands, which a template would make slowly.
    """
    escaped = html.escape(path)
    return "".join([
        f'<a href="{escaped}&amp;at={each.since}" tabindex="-1">'
        f"<title>{each.title}</title>"
        f'<rect x="{each.first}" width="{each.width}" height="10" /></a>'
        for each in strip.troubles])


def _gauge(
    took: float | None, low: float | None, high: float | None
) -> tuple[float, float, float] | None:
    """Where the band begins and ends in a picture, and where a run is."""
    if took is None or (not low and not high):
        return None
    least = (low or high or 1.0) / (BEYOND if low else BEYOND ** 3)
    most = (high or low or 1.0) * (BEYOND if high else BEYOND ** 3)
    span = math.log(most / least)

    def place(seconds: float) -> float:
        share = math.log(max(seconds, 1e-6) / least) / span
        return round(min(max(share, 0.04), 0.96) * GAUGE, 1)
    return (
        place(low) if low else 0, place(high) if high else GAUGE, place(took))


def _title(
    path: str, values: dict[str, Any], sort: str, name: str
) -> dict[str, Any]:
    """The title of a column, and the address that sorts by it."""
    follows = f"-{name}" if sort == name else name
    return {
        "name": name, "text": TITLES[name],
        "address": address(
            path, values, sort="" if follows == "state" else follows),
        "sorted": {name: "ascending", f"-{name}": "descending"}.get(sort),
    }

