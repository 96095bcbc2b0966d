"""An attempt: one run of a cron script, and the proof of its work.

The package `canonical.launchpad.scripts` draws its states.
"""

from __future__ import annotations

import datetime
import logging
import os
import socket
import threading
import time
import uuid
from functools import partial
from logging import Logger
from pathlib import Path
from typing import Any

from psycopg2.errors import ReadOnlySqlTransaction
from storm.exceptions import DisconnectionError
from zope.component import getUtility

from canonical.database.connection import savepoint
from canonical.database.errors import first_line
from canonical.database.errors import is_final
from canonical.database.lastvote import commit_with
from canonical.database.lastvote import works_alone
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import Output
from canonical.launchpad.interfaces import UnrecordedRun
from canonical.launchpad.scripts.exitstatus import LaunchpadScriptFailure
from canonical.launchpad.scripts.exitstatus import SilentLaunchpadScriptFailure
from canonical.launchpad.scripts.exitstatus import ending_of
from canonical.launchpad.scripts.record import WorkLost
from canonical.launchpad.scripts.record import in_time
from canonical.launchpad.scripts.record import record_success
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import spool_success


__all__ = [
    "Attempt",
]


# The time limits in seconds: for a transaction about the attempt, and for its
# end after a signal has arrived.
TIMEOUT = 5.0
HURRY = 2.0

UNPROTECTED = (
    "its success is lost if it is killed between its commit and its record")


class Attempt:
    """A run of the script `name` in this process.

    If something about the run cannot be stored, a WARNING is logged, and it
    is not tried again.

    :param hurry: an event that is set once a signal has arrived.
    :param run_key, date_started: by default a new one, and now.
    :ivar has_row: whether the run has a row in ``scriptattempt``, or can still
        get one, as far as is known.
    :ivar date_started: aware, in UTC.
    :ivar state: ``"none"`` until the run is on record, ``"begun"``,
        ``"committed"``, ``"in doubt"`` while nobody knows whether it is, or
        ``"over"``.
    """

    def __init__(
        self,
        name: str,
        ztm: ZopelessTransactionManager,
        has_row: bool,
        hurry: threading.Event,
        logger: Logger,
        run_key: uuid.UUID | None = None,
        date_started: datetime.datetime | None = None,
    ):
        self._ztm = ztm
        self._hurry = hurry
        self._logger = logger
        self._pid = os.getpid()
        self._started = time.monotonic()
        self.date_started = (
            date_started or datetime.datetime.now(datetime.UTC))
        self._run: dict[str, Any] = {
            "name": name,
            "hostname": socket.gethostname(),
            "date_started": self.date_started,
            "run_key": run_key or uuid.uuid4(),
        }
        self.has_row = has_row
        self._has_proof = False
        self.state = "none"

    def date_completed(self) -> datetime.datetime:
        """The current time, as if the clock had not been set back."""
        elapsed = datetime.timedelta(seconds=time.monotonic() - self._started)
        return max(
            datetime.datetime.now(datetime.UTC), self.date_started + elapsed)

    def begin(self) -> list[UnrecordedRun]:
        """Put the start of the run on record, in a separate transaction.

        :return: earlier runs whose success is not recorded yet.
        """
        if not self.has_row:
            return []
        try:
            with self._ztm.apart(TIMEOUT):
                attempts = getUtility(IScriptAttemptSet)
                attempts.endVanished()
                attempts.begin(**self._run)
                unrecorded: list[UnrecordedRun] = attempts.getUnrecorded()
            self.state = "begun"
            return unrecorded
        except Exception as error:
            self.has_row = not is_final(error)
            self._warn(
                "The start of this run is not on record" if self.has_row
                else f"This run is not on record, and {UNPROTECTED}", error)
            return []

    def commit(self, seconds: float, patience: float) -> None:
        """Commit the work together with its proof.

        :param seconds: the time limit of the COMMIT; 0 for no limit.
        :param patience: how many seconds to ask for the result if the COMMIT
            gets no answer.
        :raises DisconnectionError: if a signal has arrived, and the
            connection was cut.
        :raises SilentLaunchpadScriptFailure: if the work is not committed, or
            if that is unknown.
        """
        try:
            commit_with(self._ztm, self._prove, seconds)
        except Exception as error:
            is_lost = isinstance(error, DisconnectionError)
            committed = is_lost and self._has_proof and self._find_out(
                patience)
            if committed is None:
                self.state = "in doubt"
                self._logger.error(
                    "The connection was lost during the commit, and it is not"
                    " known yet whether the work is committed.  If it is, the"
                    " next cron script records the success, or: scriptactivity"
                    " flush")
            if not committed and is_lost and self._hurry.is_set():
                raise
            if committed is False:
                self._logger.error(
                    "The final commit failed: %s", first_line(error),
                    exc_info=True)
            if not committed:
                raise SilentLaunchpadScriptFailure(1) from error
        self.state = "committed"

    @property
    def is_mine(self) -> bool:
        """Is this the process that began the run, and not a child of it?"""
        return os.getpid() == self._pid

    def record(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
        seconds: float,
        directory: Path,
    ) -> bool:
        """Record the success of the run, or spool it.

        :param seconds: how long to try to record it.
        :param directory: the directory of the spool.
        :return: whether the success is recorded.
        :raises LaunchpadScriptFailure: if the success cannot be spooled
            either, or if the work is no longer in the database.
        """
        success = self.success(date_started, date_completed)
        self.state = "over"
        try:
            in_time(
                partial(record_success, self._ztm, success), seconds,
                self._hurry)
            return True
        except WorkLost as lost:
            self.state = "begun"
            raise LaunchpadScriptFailure(
                f"The success is not recorded: {lost}") from None
        except Exception as error:
            self._logger.log(
                logging.ERROR if is_final(error) else logging.WARNING, "%s",
                spool_success(
                    directory, success,
                    f"The success is not recorded yet: {first_line(error)}"))
            return False

    def success(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> Success:
        """Its success, as it is to be recorded."""
        attempt = "committed" if self._has_proof else "begun"
        run = {**self._run, "date_started": date_started}
        return Success(
            **run, date_completed=date_completed,
            attempt=attempt if self.has_row else "none",
            database=self._ztm.database)

    def succeed(self) -> None:
        """End the run as a success without a record of the success."""
        if self.state == "committed":
            self.end("success", 0, None)

    def fail(self, error: BaseException) -> None:
        """End the run as failed with `error`; its work is rolled back."""
        if self.state in ("none", "begun"):
            self.end(*ending_of(error))

    def end(
        self, outcome: str, exit_status: int | None, reason: str | None
    ) -> None:
        """Put the end of the run on record; see `IScriptAttempt`."""
        if not (self.has_row and self.is_mine):
            return
        try:
            self.record_end(
                HURRY if self._hurry.is_set() else TIMEOUT,
                outcome, exit_status, reason)
        except Exception as error:
            self._warn(
                "This run is not on record" if self.state == "none"
                else "The end of this run is not on record", error)
        self.state = "over"

    def record_end(
        self,
        seconds: float,
        outcome: str,
        exit_status: int | None,
        reason: str | None,
        output: Output | None = None,
    ) -> None:
        """Put its end on record, in so many seconds; see `IScriptAttempt`.

        :raises Exception: if it is not on record.
        """
        with self._ztm.apart(seconds):
            attempts = getUtility(IScriptAttemptSet)
            attempts.begin(**self._run)
            attempts.end(
                self._run["run_key"], outcome, exit_status=exit_status,
                reason=reason, output=output)

    def _prove(self) -> None:
        """Write the proof, if only the store ``main`` has work."""
        store = main_store()
        if not (self.has_row and works_alone()):
            return
        try:
            with savepoint(store, TIMEOUT):
                getUtility(IScriptAttemptSet).markCommitted(
                    date_committed=self.date_completed(), **self._run)
            self._has_proof = True
        except DisconnectionError:
            raise
        except ReadOnlySqlTransaction:
            # A read-only transaction has no work that could be lost.
            pass
        except Exception as error:
            self._warn(
                f"The proof of its work is not on record, and {UNPROTECTED}",
                error)

    def _find_out(self, patience: float) -> bool | None:
        """Has the work been committed?  `None` if that is unknown."""
        def ask(seconds: float) -> bool:
            with self._ztm.apart(seconds):
                return bool(getUtility(
                    IScriptAttemptSet).awaitCommitted(**self._run))

        try:
            return in_time(ask, patience, self._hurry)
        except Exception as error:
            self._logger.debug(
                "It is not known yet whether the work is committed: %s",
                first_line(error))
            return None

    def _warn(self, what: str, error: Exception) -> None:
        self._logger.warning("%s: %s", what, first_line(error))
