"""What is expected of a script, checked when it is made."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass

from zope.interface import implementer
from zope.schema import ValidationError
from zope.schema import getFields

from canonical.config.durations import parse_band
from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.schedule import check_schedule


__all__ = [
    "ScriptExpectation",
    "expectation_from_text",
]


ACTIVITY = getFields(IScriptActivity)
FIELDS = getFields(IScriptExpectation)


@implementer(IScriptExpectation)
@dataclass(frozen=True, eq=False)
class ScriptExpectation:
    """See `IScriptExpectation`.

    :raises ValueError: if there is no such expectation; says why.
    """

    name: str
    schedule: str | None = None
    timezone: str = "UTC"
    every: datetime.timedelta | None = None
    grace: datetime.timedelta = datetime.timedelta(minutes=5)
    hosts: tuple[str, ...] = ()
    missed: int = 0
    extra: int | None = None
    window: datetime.timedelta = datetime.timedelta(days=1)
    average_min: datetime.timedelta | None = None
    average_max: datetime.timedelta | None = None
    learned: bool = False
    runs: int = 20
    severity: str = "critical"

    def __post_init__(self) -> None:
        _check_text("name", self.name)
        for host in self.hosts:
            _check_text("hostname", host)
        if len(set(self.hosts)) < len(self.hosts):
            raise ValueError(
                f"{self.name}: hosts: one is there twice:"
                f" {' '.join(self.hosts)}")
        if (self.schedule is None) == (self.every is None):
            raise ValueError(
                f"{self.name}: either schedule or every is needed, and not"
                " both")
        check_schedule(self.schedule or "* * * * *", self.timezone)
        if self.every is not None and not self.every:
            raise ValueError(f"{self.name}: every has to be more than 0s")
        if not self.window:
            raise ValueError(f"{self.name}: window has to be more than 0s")
        for name in "missed", "extra", "runs", "severity":
            problem = _problem(name, getattr(self, name))
            if problem is not None:
                raise ValueError(f"{self.name}: {problem}")


def expectation_from_text(
    name: str,
    schedule: str | None = None,
    timezone: str = "UTC",
    every: str | None = None,
    grace: str = "5m",
    hosts: str = "",
    missed: int = 0,
    extra: int | None = None,
    window: str = "1d",
    average: str | None = None,
    runs: int = 20,
    severity: str = "critical",
) -> ScriptExpectation:
    """An expectation as operators write it.

    :param hosts: separated by spaces.
    :param average: a band such as ``2s..4m``, or ``learned``.
    :raises ValueError: for whatever is wrong; says what would be right.
    """
    learned = average == "learned"
    low, high = (
        (None, None) if average is None or learned else parse_band(average))
    return ScriptExpectation(
        name=name,
        schedule=schedule,
        timezone=timezone,
        every=None if every is None else parse_duration(every),
        grace=parse_duration(grace),
        hosts=tuple(hosts.split()),
        missed=missed,
        extra=extra,
        window=parse_duration(window),
        average_min=low,
        average_max=high,
        learned=learned,
        runs=runs,
        severity=severity,
    )


def _check_text(name: str, value: str) -> None:
    try:
        ACTIVITY[name].validate(value)
    except ValidationError as error:
        raise ValueError(f"{name}: {error.doc()}: {value!r}") from None


@functools.cache
def _problem(name: str, value: object) -> str | None:
    """What is wrong with a value, of which there are few."""
    try:
        FIELDS[name].validate(value)
    except ValidationError as error:
        return f"{name}: {error.doc()}: {value!r}"
    return None
