"""Records the start and the end of a run in separate transactions.

`canonical.launchpad.scripts.background` calls it in a thread of its own.
"""

from __future__ import annotations

import datetime
import logging
import threading
import uuid
from functools import partial

from canonical.config import config
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import transactions_apart
from canonical.launchpad.interfaces import Output
from canonical.launchpad.scripts.attempt import Attempt
from canonical.launchpad.scripts.background import Ending
from canonical.launchpad.scripts.metrics import send_duration
from canonical.launchpad.scripts.record import in_time
from canonical.launchpad.scripts.record import others_may_wait
from canonical.launchpad.scripts.record import record_runs
from canonical.launchpad.scripts.record import record_success
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import send_spool
from canonical.launchpad.zcml import register_recording


__all__ = [
    "Clerk",
]


logger = logging.getLogger(__name__)

# Seconds after which what has failed is not tried again.
RETRIES = 0.5


class Clerk:
    """Records a run.

    :param is_over: is set once the run has ended.
    """

    def __init__(
        self,
        name: str,
        run_key: str,
        date_started: datetime.datetime,
        is_over: threading.Event,
    ):
        register_recording()
        self._name = name
        self._run_key = uuid.UUID(run_key)
        self._date_started = date_started
        self._is_over = is_over
        self._warnings = _Warnings()
        self._ztm: ZopelessTransactionManager | None = None
        self._attempt: Attempt | None = None

    def begin(self) -> None:
        """Record the start, and what others have left.

        :raises Exception: if it is not known which database it is.
        """
        ztm, attempt = self._connected()
        unrecorded = attempt.begin()
        if attempt.state == "begun":
            directory = config.path_of("scripts", "spool_directory")
            with others_may_wait(f"the spool {directory}", logger):
                if directory.exists():
                    send_spool(
                        ztm, directory, logger, hurry=self._is_over)
            with others_may_wait("the database", logger):
                record_runs(ztm, unrecorded, logger, hurry=self._is_over)
        if not self._is_over.is_set():
            # The work may last for hours.
            ztm.disconnect()

    def end(
        self, ending: Ending, date_ended: datetime.datetime
    ) -> str | None:
        """Record the end.

        :return: what is not on record beside a success that is.
        :raises Exception: if it is not recorded.
        """
        ztm, attempt = self._connected()
        if attempt.state == "none" and attempt.has_row:
            attempt.begin()
        output = None if ending.output is None else Output(*ending.output)
        if ending.outcome != "success":
            in_time(
                lambda seconds: attempt.record_end(
                    seconds, ending.outcome, ending.exit_status,
                    ending.reason, output),
                RETRIES, threading.Event())
            return None
        in_time(
            partial(
                record_success, ztm,
                attempt.success(self._date_started, date_ended),
                exit_status=ending.exit_status or 0, output=output),
            RETRIES, threading.Event())
        return None if attempt.has_row else self._warnings.last

    def send_duration(
        self, ending: Ending, date_ended: datetime.datetime
    ) -> None:
        """Send a metric of a success."""
        if ending.outcome == "success":
            send_duration(
                self._name, (date_ended - self._date_started).total_seconds(),
                logger)

    def success(self, date_ended: datetime.datetime) -> Success | None:
        """The success, as it may be spooled, if the database is known.

        May be called from any thread.
        """
        if self._attempt is None:
            return None
        return self._attempt.success(self._date_started, date_ended)

    def leave(self) -> None:
        """Close the connection."""
        if self._ztm is not None:
            self._ztm.disconnect()

    def _connected(self) -> tuple[ZopelessTransactionManager, Attempt]:
        """What connects when it is needed."""
        if self._ztm is None:
            self._ztm = transactions_apart()
        if self._attempt is None:
            self._attempt = Attempt(
                self._name, self._ztm, True, self._is_over,
                self._warnings.logger, self._run_key, self._date_started)
        return self._ztm, self._attempt


class _Warnings(logging.Handler):
    """Remembers the last warning, which the end of the run may need.

    :ivar logger: what is warned through.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None
        self.logger = logging.Logger(__name__)
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self.last = record.getMessage()
