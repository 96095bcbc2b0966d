"""Keeping record of a run from its start, without ever hurting it."""

from __future__ import annotations

import time
from collections.abc import Callable
from logging import Logger
from typing import TypeVar

from psycopg2.extensions import TransactionRollbackError
from zope.component import getUtility

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.ending import ending_of
from canonical.launchpad.scripts.sending import first_line


__all__ = [
    "AttemptLog",
]


# Seconds that any of it may take.
TIMEOUT = 5.0


T = TypeVar("T")


class AttemptLog:
    """Keeps record of one attempt of a script.

    What cannot be kept is a WARNING, the first time, and then left alone.

    :ivar attempt_id: of the attempt that is open, or `None`.
    """

    def __init__(
        self, name: str, ztm: ZopelessTransactionManager, logger: Logger
    ):
        self._name = name
        self._ztm = ztm
        self._logger = logger
        self.attempt_id: int | None = None

    def begin(self, alone: bool) -> None:
        """The run begins.

        :param alone: see `IScriptAttemptSet.begin`.
        """
        self.attempt_id = self._keep(
            lambda: getUtility(IScriptAttemptSet).begin(
                self._name, alone=alone))

    def handed_over(self) -> int | None:
        """The id; whoever takes it ends the attempt with the success."""
        attempt_id, self.attempt_id = self.attempt_id, None
        return attempt_id

    def succeeded(self) -> None:
        """The run has succeeded, and nobody has ended the attempt."""
        attempt_id = self.handed_over()
        if attempt_id is not None:
            self._keep(lambda: getUtility(IScriptAttemptSet).end(
                attempt_id, "success", exit_status=0))

    def failed(self, error: BaseException) -> None:
        """The run has ended with `error`, and its work is rolled back."""
        attempt_id = self.handed_over()
        if attempt_id is not None:
            ending = ending_of(error)
            self._keep(lambda: getUtility(IScriptAttemptSet).end(
                attempt_id, ending.outcome, exit_status=ending.exit_status,
                reason=ending.reason))

    def skipped(self, reason: str, exit_status: int) -> None:
        """The run has found its lock taken."""
        self._keep(lambda: getUtility(IScriptAttemptSet).skip(
            self._name, reason, exit_status))

    def _keep(self, function: Callable[[], T]) -> T | None:
        """Call `function` in a transaction of its own, in bounded time."""
        deadline = time.monotonic() + TIMEOUT
        try:
            while True:
                try:
                    with self._ztm.time_limit(
                        max(deadline - time.monotonic(), 1)
                    ):
                        result = function()
                        self._ztm.commit()
                    return result
                except TransactionRollbackError:
                    # Two that begin at once, in serializable transactions.
                    self._ztm.abort()
                    if time.monotonic() > deadline:
                        raise
        except Exception as error:
            self._ztm.disconnect()
            self._logger.warning(
                "This attempt is not kept on record: %s", first_line(error))
            return None
