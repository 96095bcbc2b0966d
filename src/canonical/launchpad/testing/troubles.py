"""The past runs of a script of the demonstration, with all that goes wrong."""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "DAY",
    "DEAD_HOST",
    "END",
    "HOUR",
    "MINUTE",
    "Past",
    "Script",
    "ended",
    "runs_of",
]


# Clocks in Europe changed two days before.
END = datetime.datetime(2025, 10, 28, 9, 21, 30, tzinfo=datetime.UTC)

MINUTE = datetime.timedelta(minutes=1)
HOUR = 60 * MINUTE
DAY = 24 * HOUR

DEAD_HOST, DIED = "gooseberry", END - 7 * HOUR - 12 * MINUTE
DEPLOYED, ROLLED_BACK = END - 4 * DAY - 19 * HOUR, END - 4 * DAY - 15 * HOUR
DRIFT_BEGAN = END - 20 * DAY
LEAK_BEGAN, RESTARTED = END - 60 * DAY, END - 25 * DAY
LEAK_AGAIN = END - 24 * DAY
CLOCKS = datetime.datetime(2025, 10, 26, 1, 0, tzinfo=datetime.UTC)

TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/app/{name}.py", line 12, in <module>
    from app.models import Person
ImportError: cannot import name 'Person' from 'app.models'
"""


@dataclass(frozen=True)
class Script:
    """A script of the demonstration.

    :ivar seconds: its usual duration.
    :ivar trouble: see `TROUBLES`.
    :ivar rule: attributes of its rule; `None` if it has none.
    """

    name: str
    hosts: tuple[str, ...]
    schedule: str
    seconds: float
    trouble: str = ""
    rule: tuple[tuple[str, str], ...] | None = ()
    timezone: str = "UTC"
    spread: float = 0.18


class Past(NamedTuple):
    """A run as it goes into the tables."""

    script: Script
    hostname: str
    started: datetime.datetime
    seconds: float
    outcome: str = "success"
    reason: str = ""
    stderr: str = ""


def ended(run: Past) -> datetime.datetime:
    """When a run ends."""
    return run.started + datetime.timedelta(seconds=run.seconds)


def runs_of(script: Script, host: str, days: int) -> Iterator[Past]:
    """The runs of a script on a host, with its trouble and that of others."""
    source = random.Random(f"{script.name} on {host}")
    change = TROUBLES.get(script.trouble, _as_it_is)
    for slot in slots_between(
        script.schedule, script.timezone, END - days * DAY, END
    ):
        if slot.weekday() == 6 and slot.hour == 8:
            # Everything is down on Sundays.
            continue
        started = slot + datetime.timedelta(
            seconds=source.uniform(0.4, 2.5))
        took = script.seconds * math.exp(source.gauss(0, script.spread))
        run = Past(script, host, started, round(took, 3))
        if host == DEAD_HOST and started > DIED:
            return
        if DEPLOYED < started < ROLLED_BACK and script.seconds < 1000:
            yield run._replace(
                seconds=0.7, outcome="failure",
                reason="ImportError: cannot import name 'Person' from"
                       " 'app.models'",
                stderr=TRACEBACK.format(name=script.name))
            continue
        changed = change(run, source)
        if changed is not None and (
            ended(changed) < END or not changed.outcome
        ):
            yield changed


def _as_it_is(run: Past, source: random.Random) -> Past | None:
    return run


def _leak(run: Past, source: random.Random) -> Past | None:
    """It takes longer and longer, until somebody restarts what it needs."""
    since = (
        LEAK_AGAIN if run.started > LEAK_AGAIN else
        LEAK_BEGAN if LEAK_BEGAN < run.started < RESTARTED else run.started)
    days = (run.started - since) / DAY
    return run._replace(seconds=round(run.seconds * 1.085 ** days, 3))


def _drift(run: Past, source: random.Random) -> Past | None:
    """It starts some minutes later each day."""
    late = max(0.0, (run.started - DRIFT_BEGAN) / DAY) * 1.4
    return run._replace(started=run.started + late * MINUTE)


def _clocks(run: Past, source: random.Random) -> Past | None:
    """The clock of its machine is not set back with the others."""
    if run.started > CLOCKS - DAY:
        return run._replace(started=run.started - HOUR)
    return run


def _flaky(run: Past, source: random.Random) -> Past | None:
    if source.random() < 0.06:
        return run._replace(
            seconds=60.2, outcome="failure",
            reason="TimeoutError: bugs.example.org did not answer in 1m")
    return run


def _killed(run: Past, source: random.Random) -> Past | None:
    if source.random() < 0.02:
        return run._replace(outcome="killed", reason="SIGTERM")
    return run


def _vanished(run: Past, source: random.Random) -> Past | None:
    if END - 10 * HOUR < run.started < END - 6 * HOUR:
        return run._replace(outcome="vanished")
    return run


def _fast(run: Past, source: random.Random) -> Past | None:
    """It finds nothing to do, and nobody knows why."""
    if run.started > END - 3 * DAY:
        return run._replace(seconds=round(run.seconds / 60, 3))
    return run


def _snoozed(run: Past, source: random.Random) -> Past | None:
    return None if run.started > END - 7 * HOUR else run


def _running(run: Past, source: random.Random) -> Past | None:
    if run.started > END - 12 * MINUTE:
        return run._replace(outcome="") if (
            run.started < END - 10 * MINUTE) else None
    return run


def _never(run: Past, source: random.Random) -> Past | None:
    return None


def _new(run: Past, source: random.Random) -> Past | None:
    return run if run.started > END - 11 * DAY else None


def _random(run: Past, source: random.Random) -> Past | None:
    return run._replace(started=run.started + source.uniform(0, 9) * HOUR)


# What becomes of a run.
TROUBLES: dict[
    str, Callable[[Past, random.Random], Past | None]] = {
    "leak": _leak, "drift": _drift, "clocks": _clocks, "flaky": _flaky,
    "killed": _killed, "vanished": _vanished, "fast": _fast,
    "snoozed": _snoozed, "running": _running, "never": _never, "new": _new,
    "random": _random}
