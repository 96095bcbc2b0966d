"""What readers of attempts get, as rows."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from zope.interface import implementer

from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptSummary


__all__ = [
    "FailedAttempt",
    "RunningAttempt",
    "ScriptSummary",
]


@implementer(IRunningAttempt)
class RunningAttempt(NamedTuple):
    """See `IRunningAttempt`."""

    id: int
    name: str
    hostname: str
    pid: int
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    outcome: str | None
    exit_status: int | None
    reason: str | None
    usual_duration: datetime.timedelta | None
    is_seen: bool
    also_on: tuple[str, ...]


@implementer(IFailedAttempt)
class FailedAttempt(NamedTuple):
    """See `IFailedAttempt`."""

    id: int
    name: str
    hostname: str
    pid: int
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    outcome: str | None
    exit_status: int | None
    reason: str | None
    failures_in_a_row: int
    stdout: str | None
    stderr: str | None


@implementer(IScriptSummary)
class ScriptSummary(NamedTuple):
    """See `IScriptSummary`."""

    name: str
    hostname: str
    last_success: datetime.datetime | None
    last_duration: datetime.timedelta | None
    last_failure: datetime.datetime | None
    last_reason: str | None
    failures_in_a_row: int
    running_since: datetime.datetime | None
    running_is_seen: bool
