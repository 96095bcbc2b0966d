"""The rows about attempts that readers get: running, failed, summaries.

Scripts do not import this, since dataclasses take time to import.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from zope.interface import implementer

from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptAttempt
from canonical.launchpad.interfaces import IScriptSummary


__all__ = [
    "FailedAttempt",
    "RunningAttempt",
    "ScriptAttempt",
    "ScriptSummary",
]


@implementer(IScriptAttempt)
@dataclass(frozen=True)
class ScriptAttempt:
    """See `IScriptAttempt`."""

    id: int
    name: str
    hostname: str
    pid: int
    date_started: datetime.datetime
    date_ended: datetime.datetime | None
    outcome: str | None
    exit_status: int | None
    reason: str | None


@implementer(IRunningAttempt)
@dataclass(frozen=True)
class RunningAttempt(ScriptAttempt):
    """See `IRunningAttempt`."""

    usual_duration: datetime.timedelta | None
    is_seen: bool
    also_on: tuple[str, ...]


@implementer(IFailedAttempt)
@dataclass(frozen=True)
class FailedAttempt(ScriptAttempt):
    """See `IFailedAttempt`."""

    failures_in_a_row: int
    stdout: str | None
    stderr: str | None


@implementer(IScriptSummary)
@dataclass(frozen=True)
class ScriptSummary:
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
