"""Getting a success on record: exactly once, whatever happens.

A success that was committed is written to the database at once, or, if that
cannot be done in time, to the spool.  Each run has a key, by which the
database takes it once, however often it is sent in: after a COMMIT of which
nobody knows how it ended, by a script that was killed before it had removed
the file from the spool, or by two that flush the spool together.
"""

from __future__ import annotations

import datetime
import logging
import socket
import threading
import time
import uuid
from logging import Logger
from pathlib import Path

from storm.exceptions import DisconnectionError

from canonical.config import config
from canonical.database import xact
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.scripts.attempt import AttemptLog
from canonical.launchpad.scripts.failures import LaunchpadScriptFailure
from canonical.launchpad.scripts.metrics import send_duration
from canonical.launchpad.scripts.sending import FIRST_PAUSE
from canonical.launchpad.scripts.sending import SHORTEST_TRY
from canonical.launchpad.scripts.sending import first_line
from canonical.launchpad.scripts.sending import flush
from canonical.launchpad.scripts.sending import record
from canonical.launchpad.scripts.sending import was_refused
from canonical.launchpad.scripts.spool import Spool
from canonical.launchpad.scripts.spool import Success


__all__ = [
    "Recorder",
]


# Seconds that a script spends on what others have left in the spool.
SECONDS_FOR_SPOOL = 5.0


class Recorder:
    """Commits the work of one run of a script, and records its success.

    :param name: of the script.
    :param attempt: is ended together with the success.
    :param hurry: is set when the script should end soon; then it spools what
        it cannot record at the first try.
    :raises ConfigError: if the ``[scripts]`` section is wrong.
    """

    def __init__(
        self,
        name: str,
        ztm: ZopelessTransactionManager,
        attempt: AttemptLog,
        hurry: threading.Event,
        logger: Logger,
    ):
        self._name = name
        self._ztm = ztm
        self._attempt = attempt
        self._hurry = hurry
        self._logger = logger
        self._run_key = uuid.uuid4()
        self._spool = Spool(
            config.directory_for("scripts", "spool_directory"))
        self._timeout = config.duration_of("scripts", "record_timeout")
        self._cluster_id: str | None = None
        self._kept: Path | None = None

    def prepare(self) -> None:
        """Record what earlier scripts could not, if that can be done soon."""
        try:
            with self._ztm.time_limit(SHORTEST_TRY):
                self._cluster_id = xact.cluster_id()
                self._ztm.abort()
            sent = flush(
                self._ztm, self._spool, self._logger, SECONDS_FOR_SPOOL)
        except OSError as error:
            self._logger.warning("The spool cannot be read: %s", error)
        except Exception as error:
            self._ztm.disconnect()
            self._logger.warning(
                "Successes stay in the spool %s: %s",
                self._spool.directory, first_line(error))
        else:
            if sent:
                self._logger.debug("Recorded %s from the spool", sent)

    def commit(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Commit the script's work, and know of it even if killed meanwhile.

        :raises Exception: if it is not committed, or if nobody knows.
        """
        transaction_id = xact.transaction_id()
        if transaction_id is None or self._cluster_id is None:
            self._ztm.commit()
            return
        pending = self._success(date_started, date_completed, transaction_id)
        self._keep(pending)
        try:
            self._ztm.commit()
        except Exception as error:
            committed = (
                isinstance(error, DisconnectionError)
                and self._find_out(transaction_id))
            if committed is None:
                self._say_that_nobody_knows(pending)
            if committed is False:
                self.finish()
            if not committed:
                raise

    def record(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Record the success of work that is committed, or spool it.

        :raises LaunchpadScriptFailure: if it can be neither.
        """
        success = self._success(date_started, date_completed)
        if self._kept is None:
            self._keep(success)
        try:
            record(
                self._ztm, success, self._timeout, self._hurry, self._logger)
        except Exception as error:
            self._spool_success(success, error)
        else:
            self.finish()
            duration = date_completed - date_started
            send_duration(
                self._name, duration.total_seconds(), self._logger)
        self._attempt.handed_over()

    def finish(self) -> None:
        """Forget what was kept in case that the script is killed."""
        if self._kept is not None:
            self._spool.remove(self._kept)
            self._kept = None

    def _success(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
        transaction_id: str | None = None,
    ) -> Success:
        return Success(
            name=self._name,
            hostname=socket.gethostname(),
            date_started=date_started,
            date_completed=date_completed,
            run_key=self._run_key,
            transaction_id=transaction_id,
            cluster_id=None if transaction_id is None else self._cluster_id,
            attempt_id=self._attempt.attempt_id,
        )

    def _keep(self, success: Success) -> None:
        try:
            self._kept = self._spool.write(success)
        except OSError as error:
            self._logger.warning(
                "The spool cannot be written, and a success could be lost:"
                " %s", error)

    def _say_that_nobody_knows(self, pending: Success) -> None:
        what_next = (
            "the next cron script on this host will record it"
            if self._kept else f"enter it by hand: {pending}")
        self._logger.error(
            "The connection was lost in the middle of the commit, and nobody"
            " knows yet whether the work was done.  If it was, %s.", what_next)

    def _find_out(self, transaction_id: str) -> bool | None:
        """Has the work been committed after all?  `None`: nobody knows."""
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                with self._ztm.time_limit(SHORTEST_TRY):
                    committed = xact.committed(transaction_id)
                self._ztm.abort()
            except LookupError:
                self._ztm.abort()
                return None
            except Exception:
                self._ztm.disconnect()
                committed = None
            if committed is not None:
                return committed
            if time.monotonic() > deadline or self._hurry.is_set():
                return None
            self._hurry.wait(FIRST_PAUSE)

    def _spool_success(self, success: Success, error: Exception) -> None:
        try:
            path = self._spool.write(success)
        except OSError as spool_error:
            raise LaunchpadScriptFailure(
                "The success is not recorded, and cannot be spooled either;"
                f" enter it by hand: {success}: {first_line(error)};"
                f" {spool_error}") from None
        if self._kept != path:
            self.finish()
        self._kept = None
        level = logging.ERROR if was_refused(error) else logging.WARNING
        self._logger.log(
            level,
            "The success is not recorded yet: %s.  It is kept in %s, and the"
            " next cron script on this host sends it in.",
            first_line(error), path)
