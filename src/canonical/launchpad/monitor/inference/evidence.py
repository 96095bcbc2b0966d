"""The evidence for an inferred rule, in words."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.inference.allowances import RUNS
from canonical.launchpad.monitor.inference.allowances import Allowed
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.zones import ZONES
from canonical.launchpad.monitor.inference.zones import changes
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


# How many zones or alarms are listed.
LISTED = 3


def model(found: Cron | Every) -> str:
    if isinstance(found, Every):
        return f"every {seconds(found.period)}"
    if found.timezone == "UTC":
        return found.text
    return f"{found.text} in {found.timezone}"


def schedule(allowed: Allowed, history: History) -> str:
    also = ""
    if allowed.beside:
        also = f"; {counted(allowed.beside, 'extra run')}"
    return (
        f"schedule: {allowed.met} of {counted(allowed.slots, 'slot')} have a"
        f" run, {span(history)}{also}")


def zone(found: Cron, history: History, alike: Sequence[Cron]) -> str:
    if found.runs_every_hour():
        return "timezone: unknown, since it runs every hour"
    name, ends = found.timezone, (history.starts[0], history.starts[-1])
    if moved := changes(name, *ends):
        others = [
            other.timezone if other.text == found.text
            else f"{other.timezone} with {other.text}" for other in alike]
        return (
            f"timezone: starts moved with the clocks of {name}, at"
            f" {' and '.join(map(when, moved[:LISTED]))}"
            + (f"; also fits {', '.join(others[:LISTED])}" if others else ""))
    if any(changes(each, *ends) for each in ZONES[:2]):
        return (
            f"timezone: starts stayed the same in {name} when clocks"
            " elsewhere changed")
    return f"timezone: no clock changed in this history; {name} is assumed"


def grace(allowed: Allowed) -> str:
    out = f"; {counted(allowed.outages, 'outage')} left out" if (
        allowed.outages) else ""
    return (
        "grace: the latest completion came"
        f" {seconds(allowed.worst)} after its slot{out}")


def drift(allowed: Allowed) -> str:
    """What the operator may look into: what does the script wait for?"""
    return (
        f"drift: it starts {seconds(abs(allowed.drift))}"
        f" {'later' if allowed.drift > 0 else 'earlier'} than it used to")


def hosts(each: Sequence[str], ran: Sequence[str]) -> str:
    *most, last = each or sorted(ran)
    names = f"{', '.join(most)} and {last}" if most else last
    return f"hosts: it ran on each of {names}" if each else (
        f"hosts: any will do; it ran on {names}")


def average(
    band: tuple[float, float, float, float] | None, fewest: int
) -> str:
    if band is None:
        return (
            f"average: unknown, since there are only {counted(fewest, 'run')};"
            f" it needs {RUNS}")
    return (
        f"average: the average of {RUNS} runs was from {seconds(band[2])} to"
        f" {seconds(band[3])}")


def replay(incidents: Sequence[Incident]) -> str:
    if not incidents:
        return "replay: no alert on this history"
    said = ", ".join(
        each.question + (f" on {each.hostname}" if each.hostname else "")
        + f" at {when(each.opened.timestamp())}"
        for each in sorted(incidents, key=lambda each: each.opened)[:LISTED])
    more = len(incidents) - LISTED
    return (
        f"replay: {counted(len(incidents), 'alert')} on this history: {said}"
        + (f" and {more} more" if more > 0 else ""))


def span(history: History) -> str:
    return f"from {when(history.starts[0])} to {when(history.starts[-1])}"


def seconds(time: float) -> str:
    """A duration to two digits or so."""
    time = round(time, 0 if time >= 10 else 1 if time >= 1 else 3)
    return duration_text(datetime.timedelta(seconds=time))


def when(at: float) -> str:
    return time_text(
        datetime.datetime.fromtimestamp(at, datetime.UTC), "minutes")
