"""Records a success exactly once, and only if its work is in the database.

Each run has a key.  The database accepts one success for each key, however
often it is sent.  A success that its own run could not record is recorded by a
later one: here, if the database has its proof, or else from the spool.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from logging import Logger
from pathlib import Path

from zope.component import getUtility

from canonical.database.connection import make_durable
from canonical.database.errors import first_line
from canonical.database.errors import is_final
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import Output
from canonical.launchpad.interfaces import UnrecordedRun
from canonical.launchpad.scripts.exitstatus import LaunchpadScriptFailure
from canonical.launchpad.scripts.spool import NotSpooled
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import spool_success


__all__ = [
    "SHORTEST_TRY",
    "WorkLost",
    "in_time",
    "others_may_wait",
    "record_committed",
    "record_or_spool",
    "record_runs",
    "record_success",
]


# Seconds between tries; each pause is twice the one before.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

# The shortest and the longest time limit of a try, in seconds.
SHORTEST_TRY = 1.0
LONGEST_TRY = 60.0


class WorkLost(Exception):
    """A committed transaction is no longer in the database."""

    def __init__(self) -> None:
        super().__init__(
            "its work was committed and is no longer in the database, as after"
            " a failover to a server that did not have it")


def record_success(
    ztm: ZopelessTransactionManager,
    success: Success,
    seconds: float,
    exit_status: int = 0,
    output: Output | None = None,
) -> None:
    """Record a success and end its attempt, in a separate transaction.

    :param seconds: the time limit.
    :param exit_status, output: of an attempt that is on record as begun.
    :raises WorkLost: if its attempt should have the proof, but has none.
    :raises Exception: if the success is not recorded, or if that is unknown.
    """
    with ztm.apart(min(max(seconds, SHORTEST_TRY), LONGEST_TRY)):
        make_durable(main_store())
        attempt_set = getUtility(IScriptAttemptSet)
        if success.attempt == "begun":
            attempt_set.end(
                success.run_key, "success", success.date_completed,
                exit_status, output=output)
        if success.attempt == "committed" and not attempt_set.endCommitted(
            success.run_key, success.date_completed
        ):
            raise WorkLost
        getUtility(IScriptActivitySet).recordSuccess(
            name=success.name,
            hostname=success.hostname,
            date_started=success.date_started,
            date_completed=success.date_completed,
            run_key=success.run_key,
        )


def in_time(
    record: Callable[[float], None], seconds: float, hurry: threading.Event
) -> None:
    """Record something.  If that fails, try again over a new connection.

    :param record: what records, within so many seconds.
    :param seconds: how long to try.
    :param hurry: an event; once it is set, there is no further try.
    :raises Exception: the error of the last try.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    refused = 0
    while True:
        left = SHORTEST_TRY if hurry.is_set() else deadline - time.monotonic()
        try:
            record(left)
            return
        except WorkLost:
            raise
        except Exception as error:
            # The script may have changed settings of its session, such as
            # the role.  If the statement fails in a new session too, it is
            # not tried again.
            refused += is_final(error)
            left = deadline - time.monotonic()
            if refused > 1 or left <= 0 or hurry.is_set():
                raise
        if not refused:
            hurry.wait(min(pause, left))
            pause = min(2 * pause, LONGEST_PAUSE)


def record_or_spool(
    ztm: ZopelessTransactionManager,
    success: Success,
    seconds: float,
    hurry: threading.Event,
    directory: Path,
    logger: Logger,
) -> bool:
    """Record a success, or spool it if it cannot be recorded in time.

    :param directory: the directory of the spool.
    :param seconds, hurry: as in `in_time`.
    :return: whether the success is recorded.
    :raises LaunchpadScriptFailure: if it cannot be spooled either.
    :raises WorkLost: as `record_success` does.
    """
    try:
        in_time(partial(record_success, ztm, success), seconds, hurry)
        return True
    except WorkLost:
        raise
    except Exception as error:
        cause = error
    level = logging.ERROR if is_final(cause) else logging.WARNING
    why = f"The success is not recorded yet: {first_line(cause)}"
    try:
        logger.log(level, "%s", spool_success(directory, success, why))
    except NotSpooled as error:
        if success.attempt != "committed":
            raise LaunchpadScriptFailure(str(error)) from None
        logger.log(
            level, "%s.  The next cron script records it, or: scriptactivity"
            " flush", why)
    return False


@contextmanager
def others_may_wait(where: str, logger: Logger) -> Iterator[None]:
    """Log errors of the block, so that the script goes on with its own work.

    :param where: the place of the successes, for the message.
    """
    try:
        yield
    except Exception as error:
        logger.log(
            logging.DEBUG if is_final(error) else logging.WARNING,
            "Earlier successes in %s are not recorded yet: %s", where,
            first_line(error))


def record_committed(
    ztm: ZopelessTransactionManager, seconds: float, logger: Logger
) -> int:
    """Record the runs of all hosts that are committed and not recorded.

    :param seconds: stop after this time, and leave the rest.
    :return: the number of recorded successes.
    :raises Exception: if runs could not be recorded: the error of the last of
        them.
    """
    with ztm.apart(SHORTEST_TRY):
        runs = getUtility(IScriptAttemptSet).getUnrecorded()
    return record_runs(ztm, runs, seconds, logger)


def record_runs(
    ztm: ZopelessTransactionManager,
    runs: Iterable[UnrecordedRun],
    seconds: float,
    logger: Logger,
    hurry: threading.Event | None = None,
) -> int:
    """Record runs that are committed and not recorded.

    If one cannot be recorded, for example because another session has locked
    its row, the others are still recorded.

    :param hurry: once this is set, stop.
    :param seconds, return, raises: as in `record_committed`.
    """
    deadline = time.monotonic() + seconds
    recorded = 0
    failure: Exception | None = None
    for run in runs:
        if time.monotonic() > deadline or hurry and hurry.is_set():
            break
        success = Success(
            name=run.name,
            hostname=run.hostname,
            date_started=run.date_started,
            date_completed=run.date_committed,
            run_key=run.run_key,
            attempt="committed",
            database=ztm.database,
        )
        try:
            record_success(ztm, success, SHORTEST_TRY)
            recorded += 1
        except (TypeError, ValueError) as error:
            logger.error(
                "The success of run %s cannot be recorded: %s",
                run.run_key, first_line(error))
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure
    return recorded
