"""The evidence for an inferred rule, in words."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.inference.allowances import RUNS
from canonical.launchpad.monitor.inference.allowances import Allowed
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.search import Change
from canonical.launchpad.monitor.inference.search import Scope
from canonical.launchpad.monitor.inference.zones import changes
from canonical.launchpad.monitor.inference.zones import fame
from canonical.launchpad.plaintext import time_text


# How many zones or alarms are listed.
LISTED = 3


def model(found: Cron | Every) -> str:
    if isinstance(found, Every):
        return f"every {seconds(found.period)}"
    if found.timezone == "UTC":
        return found.text
    return f"{found.text} in {found.timezone}"


def change(found: Change, since: float) -> str:
    days = (found.at - since) / DAY
    return (
        f"schedule changed from {model(found.before)} at {when(found.at)};"
        f" {round(days)}d of earlier runs ignored")


def schedule(allowed: Allowed, scopes: Sequence[Scope]) -> str:
    also = f"; {count(allowed.beside, 'extra run')}" if allowed.beside else ""
    return (
        f"schedule: {allowed.met} of {count(allowed.slots, 'slot')} have a"
        f" run, from {when(min(scope.starts[0] for scope in scopes))} to"
        f" {when(max(scope.starts[-1] for scope in scopes))}{also}")


def zone(
    found: Cron, scopes: Sequence[Scope], alike: Sequence[Cron]
) -> str:
    if found.runs_every_hour():
        return "timezone: unknown, since it runs every hour"
    span = (min(scope.starts[0] for scope in scopes),
            max(scope.starts[-1] for scope in scopes))
    name = found.timezone
    moved = changes(name, *span)
    if moved:
        said = " and ".join(when(at) for at, _ in moved[:LISTED])
        text = f"timezone: starts moved with the clocks of {name}, at {said}"
        others = [
            other.timezone if other.text == found.text
            else f"{other.timezone} with {other.text}"
            for other in sorted(alike, key=lambda each: fame(each.timezone))]
        return text + (
            f"; also fits {', '.join(others[:LISTED])}" if others else "")
    if any(changes(each, *span)
           for each in ("Europe/London", "America/New_York")):
        return (
            f"timezone: starts stayed the same in {name} when clocks"
            " elsewhere changed")
    return f"timezone: no clock changed in this history; {name} is assumed"


def grace(allowed: Allowed) -> str:
    out = f"; {count(allowed.outages, 'outage')} left out" if (
        allowed.outages) else ""
    return (
        "grace: the latest completion came"
        f" {seconds(allowed.worst)} after its slot{out}")


def hosts(each: Sequence[str], ran: Sequence[str]) -> str:
    if each:
        return f"hosts: it ran on each of {_and(each)}"
    return f"hosts: any will do; it ran on {_and(sorted(ran))}"


def average(
    band: tuple[datetime.timedelta, datetime.timedelta, float, float] | None,
    fewest: int,
) -> str:
    if band is None:
        return (
            f"average: unknown, since there are only {count(fewest, 'run')};"
            f" it needs {RUNS}")
    return (
        f"average: the average of {RUNS} runs was from {seconds(band[2])} to"
        f" {seconds(band[3])}")


def replay(incidents: Sequence[Incident]) -> str:
    if not incidents:
        return "replay: no alert on this history"
    said = ", ".join(
        f"{each.question}{_on(each)} at {when(each.opened.timestamp())}"
        for each in sorted(incidents, key=lambda each: each.opened)[:LISTED])
    more = len(incidents) - LISTED
    return (
        f"replay: {count(len(incidents), 'alert')} on this history: {said}"
        + (f" and {more} more" if more > 0 else ""))


def _on(each: Incident) -> str:
    return f" on {each.hostname}" if each.hostname is not None else ""


def _and(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def longer(time: float) -> float:
    """The next longer duration of two digits or so."""
    unit = 3600 if time > 36000 else 600 if time > 7200 else (
        60 if time > 600 else 10 if time > 120 else 1)
    return float(unit * math.ceil(time / unit))


def seconds(time: float) -> str:
    """A duration to two digits or so."""
    time = round(time, 0 if time >= 10 else 1 if time >= 1 else 3)
    return duration_text(datetime.timedelta(seconds=time))


def when(at: float) -> str:
    return time_text(
        datetime.datetime.fromtimestamp(at, datetime.UTC), "minutes")
