"""Runs that were begun, kept in PostgreSQL."""

from __future__ import annotations

import datetime
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from zope.interface import implementer
from zope.schema import getFields

from canonical.database.sqlbase import main_store
from canonical.launchpad.database import scriptattempt_sql as sql
from canonical.launchpad.database.validation import checked_datetime
from canonical.launchpad.database.validation import checked_text
from canonical.launchpad.interfaces import OUTCOMES
from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptAttempt
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptSummary
from canonical.launchpad.interfaces import single_line


__all__ = [
    "FailedAttempt",
    "RunningAttempt",
    "ScriptAttempt",
    "ScriptAttemptSet",
    "ScriptSummary",
]


FIELDS = getFields(IScriptAttempt)


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
    also_on: tuple[str, ...]


@implementer(IFailedAttempt)
@dataclass(frozen=True)
class FailedAttempt(ScriptAttempt):
    """See `IFailedAttempt`."""

    failures_in_a_row: int


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


@implementer(IScriptAttemptSet)
class ScriptAttemptSet:
    """See `IScriptAttemptSet`."""

    def begin(
        self,
        name: str,
        pid: int | None = None,
        date_started: datetime.datetime | None = None,
        hostname: str | None = None,
        alone: bool = False,
    ) -> int:
        """See `IScriptAttemptSet`."""
        values = _identity(name, hostname, date_started)
        statement = sql.BEGIN_ALONE if alone else sql.BEGIN
        (attempt_id,) = _execute(
            statement, pid=pid or os.getpid(), **values).get_one()
        return int(attempt_id)

    def end(
        self,
        attempt_id: int,
        outcome: str,
        date_ended: datetime.datetime | None = None,
        exit_status: int | None = None,
        reason: str | None = None,
    ) -> bool:
        """See `IScriptAttemptSet`."""
        if outcome not in OUTCOMES:
            raise ValueError(
                f"outcome must be one of {', '.join(OUTCOMES)},"
                f" not {outcome!r}")
        result = _execute(
            sql.END,
            id=attempt_id,
            outcome=outcome,
            date_ended=checked_datetime(
                FIELDS["date_ended"], date_ended or _now()),
            exit_status=exit_status,
            reason=None if reason is None else _one_line(reason),
        )
        return bool(result.rowcount)

    def skip(
        self,
        name: str,
        reason: str,
        exit_status: int,
        hostname: str | None = None,
    ) -> None:
        """See `IScriptAttemptSet`."""
        _execute(
            sql.SKIP,
            pid=os.getpid(),
            exit_status=exit_status,
            reason=_one_line(reason),
            **_identity(name, hostname, None))

    def getRunning(
        self, name: str | None = None, hostname: str | None = None
    ) -> list[RunningAttempt]:
        """See `IScriptAttemptSet`."""
        return [
            RunningAttempt(*_utc([*row, tuple(hosts)]))
            for *row, hosts in _execute(
                sql.RUNNING, name=name, hostname=hostname)]

    def getFailures(
        self,
        name: str | None = None,
        hostname: str | None = None,
        limit: int | None = None,
    ) -> list[FailedAttempt]:
        """See `IScriptAttemptSet`."""
        return [
            FailedAttempt(*_utc(row)) for row in _execute(
                sql.FAILURES, name=name, hostname=hostname, limit=limit)]

    def getLastFailure(
        self, name: str, hostname: str | None = None
    ) -> FailedAttempt | None:
        """See `IScriptAttemptSet`."""
        failures = self.getFailures(name, hostname, limit=1)
        return failures[0] if failures else None

    def getAttempts(
        self,
        name: str,
        since: datetime.datetime,
        until: datetime.datetime,
        hostname: str | None = None,
    ) -> list[ScriptAttempt]:
        """See `IScriptAttemptSet`."""
        field = FIELDS["date_started"]
        return [
            ScriptAttempt(*_utc(row)) for row in _execute(
                sql.WINDOW, name=name, hostname=hostname,
                since=checked_datetime(field, since),
                until=checked_datetime(field, until))]

    def countFailuresInARow(
        self, name: str, hostname: str | None = None
    ) -> int:
        """See `IScriptAttemptSet`."""
        (count,) = _execute(
            sql.COUNT_IN_A_ROW, name=name, hostname=hostname).get_one()
        return int(count)

    def getSummaries(
        self, name: str | None = None, hostname: str | None = None
    ) -> list[ScriptSummary]:
        """See `IScriptAttemptSet`."""
        return [
            ScriptSummary(*_utc(row)) for row in _execute(
                sql.SUMMARIES, name=name, hostname=hostname)]


def _execute(statement: str, **values: Any) -> Any:
    """Execute a statement with ``:name`` where a value belongs."""
    text, parameters = sql.bind(statement, values)
    return main_store().execute(text, parameters)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _identity(
    name: str,
    hostname: str | None,
    date_started: datetime.datetime | None,
) -> dict[str, Any]:
    """Which attempt it is, checked."""
    if hostname is None:
        hostname = socket.gethostname()
    return {
        "name": checked_text(FIELDS["name"], name),
        "hostname": checked_text(FIELDS["hostname"], hostname),
        "date_started": checked_datetime(
            FIELDS["date_started"], date_started or _now()),
    }


def _utc(row: Iterable[Any]) -> list[Any]:
    """A row, with its times in UTC."""
    return [
        value.astimezone(datetime.UTC)
        if isinstance(value, datetime.datetime) else value
        for value in row]


def _one_line(reason: str) -> str:
    """A reason as it is stored: on one line, and not too long."""
    shown = single_line(reason)
    longest = FIELDS["reason"].max_length
    return shown if len(shown) <= longest else shown[:longest - 3] + "..."
