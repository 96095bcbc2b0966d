"""Implements `IScriptAttemptSet` in PostgreSQL."""

from __future__ import annotations

import datetime
import os
import socket
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

from zope.interface import implementer
from zope.schema import getFields

from canonical.launchpad.database import scriptattempt_sql as sql
from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.process import is_alive
from canonical.launchpad.database.process import this_process
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.database.storable import checked_datetime
from canonical.launchpad.database.storable import shortened
from canonical.launchpad.interfaces import OUTCOMES
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptAttempt
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import KeptOutput
from canonical.launchpad.interfaces import Output
from canonical.launchpad.interfaces import UnrecordedRun
from canonical.launchpad.interfaces import checked_text


if TYPE_CHECKING:
    from canonical.launchpad.database import scriptsummary


__all__ = [
    "ScriptAttemptSet",
]


FIELDS = getFields(IScriptAttempt)


@implementer(IScriptAttemptSet)
class ScriptAttemptSet:
    """See `IScriptAttemptSet`."""

    def begin(
        self,
        name: str,
        run_key: uuid.UUID | None = None,
        date_started: datetime.datetime | None = None,
        hostname: str | None = None,
    ) -> uuid.UUID:
        """See `IScriptAttemptSet`."""
        run_key = run_key or uuid.uuid4()
        execute(
            sql.BEGIN, run_key=str(run_key),
            **_identity(name, hostname, date_started))
        return run_key

    def markCommitted(
        self,
        run_key: uuid.UUID,
        name: str,
        date_started: datetime.datetime,
        date_committed: datetime.datetime,
        hostname: str | None = None,
    ) -> None:
        """See `IScriptAttemptSet`."""
        execute(
            sql.MARK_COMMITTED, run_key=str(run_key),
            date_committed=checked_datetime(
                IScriptActivity["date_completed"], date_committed),
            **_identity(name, hostname, date_started))

    def awaitCommitted(
        self,
        run_key: uuid.UUID,
        name: str,
        date_started: datetime.datetime,
        hostname: str | None = None,
    ) -> bool:
        """See `IScriptAttemptSet`."""
        (committed,) = execute(
            sql.BEGIN, run_key=str(run_key),
            **_identity(name, hostname, date_started)).get_one()
        return bool(committed)

    def end(
        self,
        run_key: uuid.UUID,
        outcome: str,
        date_ended: datetime.datetime | None = None,
        exit_status: int | None = None,
        reason: str | None = None,
        output: Output | None = None,
    ) -> bool:
        """See `IScriptAttemptSet`."""
        if outcome not in OUTCOMES:
            raise ValueError(
                f"outcome must be one of {', '.join(OUTCOMES)},"
                f" not {outcome!r}")
        result = execute(
            sql.END if output is None else sql.END_WITH_OUTPUT,
            run_key=str(run_key),
            outcome=outcome,
            date_ended=checked_datetime(
                FIELDS["date_ended"],
                date_ended or datetime.datetime.now(datetime.UTC)),
            exit_status=exit_status,
            reason=reason and shortened(FIELDS["reason"], reason),
            **({} if output is None else output._asdict()),
        )
        return bool(result.rowcount)

    def endCommitted(
        self, run_key: uuid.UUID, date_ended: datetime.datetime
    ) -> bool:
        """See `IScriptAttemptSet`."""
        return bool(execute(
            sql.END_COMMITTED,
            run_key=str(run_key),
            date_ended=checked_datetime(FIELDS["date_ended"], date_ended),
        ).rowcount)

    def endVanished(self) -> int:
        """See `IScriptAttemptSet`."""
        gone = [
            attempt_id for attempt_id, pid, process in execute(sql.UNENDED)
            if is_alive(pid, process) is False]
        if gone:
            execute(sql.VANISH, ids=gone)
        return len(gone)

    def getUnrecorded(self) -> list[UnrecordedRun]:
        """See `IScriptAttemptSet`."""
        return [
            UnrecordedRun(uuid.UUID(str(run_key)), *_utc(row))
            for pid, process, run_key, *row in execute(sql.COMMITTED_UNENDED)
            if not is_alive(pid, process)]

    def getRunning(
        self, name: str | None = None, hostname: str | None = None
    ) -> list[scriptsummary.RunningAttempt]:
        """See `IScriptAttemptSet`."""
        from canonical.launchpad.database import scriptsummary
        return [
            scriptsummary.RunningAttempt(*_utc([*row, tuple(hosts)]))
            for *row, hosts in _ask(
                sql.RUNNING, name=name, hostname=hostname)]

    def getFailures(
        self,
        name: str | None = None,
        hostname: str | None = None,
        limit: int | None = None,
        since: datetime.datetime | None = None,
    ) -> list[scriptsummary.FailedAttempt]:
        """See `IScriptAttemptSet`."""
        from canonical.launchpad.database import scriptsummary
        return [
            scriptsummary.FailedAttempt(*_utc(row)) for row in _ask(
                sql.FAILURES, name=name, hostname=hostname, limit=limit,
                since=None if since is None else checked_datetime(
                    FIELDS["date_started"], since))]

    def getOutput(self, name: str, id: int | None = None) -> KeptOutput | None:
        """See `IScriptAttemptSet`."""
        row = execute(sql.OUTPUT, name=name, id=id).get_one()
        if row is None:
            return None
        attempt_id, hostname, date_started, outcome, stdout, stderr = _utc(row)
        return KeptOutput(
            attempt_id, hostname, date_started, outcome,
            None if stdout is None else Output(stdout, stderr))

    def getLastFailure(
        self, name: str, hostname: str | None = None
    ) -> scriptsummary.FailedAttempt | None:
        """See `IScriptAttemptSet`."""
        return next(iter(self.getFailures(name, hostname, limit=1)), None)

    def getAttempts(
        self,
        name: str,
        since: datetime.datetime,
        until: datetime.datetime,
        hostname: str | None = None,
    ) -> list[scriptsummary.ScriptAttempt]:
        """See `IScriptAttemptSet`."""
        from canonical.launchpad.database import scriptsummary
        field = FIELDS["date_started"]
        return [
            scriptsummary.ScriptAttempt(*_utc(row)) for row in _ask(
                sql.WINDOW, name=name, hostname=hostname,
                since=checked_datetime(field, since),
                until=checked_datetime(field, until))]

    def countFailuresInARow(
        self, name: str, hostname: str | None = None
    ) -> int:
        """See `IScriptAttemptSet`."""
        (count,), = _ask(sql.COUNT_IN_A_ROW, name=name, hostname=hostname)
        return int(count)

    def getSummaries(
        self, name: str | None = None, hostname: str | None = None
    ) -> list[scriptsummary.ScriptSummary]:
        """See `IScriptAttemptSet`."""
        from canonical.launchpad.database import scriptsummary
        from canonical.launchpad.database import scriptsummary_sql
        return [
            scriptsummary.ScriptSummary(*_utc(row)) for row in _ask(
                scriptsummary_sql.SPREAD if is_spread()
                else scriptsummary_sql.ALONE,
                name=name, hostname=hostname)]


def _ask(statement: str, name: str | None, **values: Any) -> Any:
    """Execute a statement that depends on which processes still run."""
    return execute(statement, **open_attempts(name), name=name, **values)


def _identity(
    name: str,
    hostname: str | None,
    date_started: datetime.datetime | None,
) -> dict[str, Any]:
    """The checked columns that identify a run of this process."""
    if hostname is None:
        hostname = socket.gethostname()
    return {
        "pid": os.getpid(),
        "process": this_process(),
        "name": checked_text(FIELDS["name"], name),
        "hostname": checked_text(FIELDS["hostname"], hostname),
        "date_started": checked_datetime(
            FIELDS["date_started"],
            date_started or datetime.datetime.now(datetime.UTC)),
    }


def _utc(row: Iterable[Any]) -> list[Any]:
    """A row with its times converted to UTC."""
    return [
        value.astimezone(datetime.UTC)
        if isinstance(value, datetime.datetime) else value
        for value in row]
