"""The sentences of evidence: why `suggest` proposes what it does.

Times are in seconds since 1970 UTC, durations in seconds.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from canonical.config.durations import rounded_text
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


__all__ = [
    "average_seen",
    "changed_from",
    "drifted",
    "ended",
    "hardly_better",
    "intervals_seen",
    "no_interval",
    "no_schedule",
    "replayed",
    "slots_seen",
    "too_few",
    "where_it_ran",
    "words",
]


DAY = 86400

# So many incidents are listed.
LISTED = 3


def words(seconds: float) -> str:
    """A duration in short; empty if it is 0."""
    return seconds and rounded_text(
        datetime.timedelta(seconds=seconds)) or ""


def too_few(count: int, least: int) -> str:
    return (f"{counted(count, 'run')}: too few to infer a rule from;"
            f" it needs {least}")


def hardly_better(count: int, model: object) -> str:
    return (f"no schedule fits: {counted(count, 'run')} are described hardly"
            f" better by {model} than by chance")


def ended(first: float, last: float) -> str:
    return (f"no rule can be inferred: it ran from {_when(first)} to"
            f" {_when(last)}, and has not since then")


def changed_from(model: object, first: float, changed: float) -> str:
    """The model that was before, since the first run."""
    return (f"schedule changed from {model} at {_when(changed)};"
            f" {round((changed - first) / DAY)}d of earlier runs ignored")


def no_schedule(
    model: object, count: int, extra: int, due: Sequence[bool]
) -> str:
    return (f"no schedule fits: with the nearest, {model}, {extra} of {count}"
            f" runs have no slot, and {due.count(False)} of {len(due)} slots"
            " have no run")


def slots_seen(
    scopes: Sequence[History], due: Sequence[bool], extra: int, zone: str,
    moved: float | None, worst: float, outages: int,
) -> list[str]:
    """What was seen of the slots of a schedule.

    :param due: which of the slots have a run.
    :param extra: the number of extra runs.
    :param moved: when starts first moved with the clocks of the zone.
    :param worst: how late the latest completion was, without the outages.
    """
    return [
        f"schedule: {sum(due)} of {counted(len(due), 'slot')} have a run,"
        f" {_span(scopes)}"
        + (f"; {counted(extra, 'extra run')}" if extra else ""),
        f"timezone: {zone} is assumed, since starts moved with no clocks"
        if moved is None else
        f"timezone: starts moved with the clocks of {zone}, first at"
        f" {_when(moved)}",
        f"grace: the latest completion came {words(worst) or '0s'} after its"
        " slot"
        + (f"; {counted(outages, 'outage')} left out" if outages else "")]


def drifted(drift: float) -> str:
    # What does the script wait for?
    return (f"drift: it starts {words(abs(drift))}"
            f" {'later' if drift > 0 else 'earlier'} than it used to")


def no_interval(gaps: Sequence[float]) -> str:
    """The times between completions."""
    return ("no interval fits: the time between completions varies from"
            f" {words(min(gaps))} to {words(max(gaps))}")


def intervals_seen(
    scopes: Sequence[History], usual: float, every: float, worst: float,
    regular: bool,
) -> list[str]:
    return [
        f"every: starts follow no clock; it completed every {words(usual)},"
        f" nine of ten times within {words(every)}, {_span(scopes)}"
        + ("" if regular else "; the rule warns only of a silence"),
        f"grace: the longest time between completions was {words(worst)}"]


def where_it_ran(all_hosts: Sequence[str], each: Sequence[str]) -> list[str]:
    """Nothing if it ran on one host.

    :param each: the hosts of the rule; none if any host will do.
    """
    return [] if len(all_hosts) < 2 else [
        "hosts: it ran on each of " + ", ".join(each) if each
        else "hosts: any will do; it ran on " + ", ".join(all_hosts)]


def average_seen(runs: int, low: float, high: float) -> str:
    return (f"average: the average of {runs} runs was from {words(low)} to"
            f" {words(high)}")


def replayed(incidents: Sequence[Incident]) -> str:
    """What the rule would have found in the history that it is from."""
    if not incidents:
        return "replay: no incident on this history"
    more = len(incidents) - LISTED
    return (
        f"replay: {counted(len(incidents), 'incident')} on this history: "
        + ", ".join(
            each.question + (f" on {each.hostname}" if each.hostname else "")
            + f" at {_when(each.opened.timestamp())}"
            for each in incidents[:LISTED])
        + (f" and {more} more" if more > 0 else ""))


def _span(scopes: Sequence[History]) -> str:
    return (
        f"from {_when(min(scope.starts[0] for scope in scopes))} to"
        f" {_when(max(scope.starts[-1] for scope in scopes))}")


def _when(at: float) -> str:
    return time_text(
        datetime.datetime.fromtimestamp(at, datetime.UTC), "minutes")
