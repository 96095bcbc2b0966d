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
from logging import Logger
from typing import TypeVar

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
from canonical.launchpad.scripts.spool import Success


__all__ = [
    "SECONDS_FOR_OTHERS",
    "SHORTEST_TRY",
    "WorkLost",
    "each_in_time",
    "in_time",
    "others_may_wait",
    "record_runs",
    "record_success",
]


# Seconds between tries; each pause is twice the one before.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

# The shortest and the longest time limit of a try, in seconds.
SHORTEST_TRY = 1.0
LONGEST_TRY = 60.0

# How many seconds a run may spend on successes of earlier runs; once for the
# spool, and once for the database.
SECONDS_FOR_OTHERS = 5.0

T = TypeVar("T")


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
    with ztm.apart(seconds):
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
    call: Callable[[float], T], seconds: float, hurry: threading.Event
) -> T:
    """Call a function that uses the database, and return what it returns.

    If that fails, try again over a new connection.

    :param call: takes the time limit of a try, in seconds.
    :param seconds: how long to try.
    :param hurry: an event; once it is set, there is no further try.
    :raises Exception: the error of the last try.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    refused = 0
    while True:
        left = 0.0 if hurry.is_set() else deadline - time.monotonic()
        try:
            return call(min(max(left, SHORTEST_TRY), LONGEST_TRY))
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


def each_in_time(
    successes: Iterable[T],
    record: Callable[[T], bool],
    seconds: float,
    hurry: threading.Event | None,
) -> int:
    """Record successes of other runs.

    If one cannot be recorded, for example because another session has locked
    its row, the others are still recorded.

    :param record: records one; returns whether it is recorded now.
    :param seconds: stop after this time, and leave the rest.
    :param hurry: once this is set, stop.
    :return: how many are recorded.
    :raises Exception: if some could not be recorded: the error of the last.
    """
    deadline = time.monotonic() + seconds
    recorded = 0
    failure: Exception | None = None
    for success in successes:
        if time.monotonic() > deadline or hurry and hurry.is_set():
            break
        try:
            recorded += record(success)
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure
    return recorded


def record_runs(
    ztm: ZopelessTransactionManager,
    runs: Iterable[UnrecordedRun],
    logger: Logger,
    seconds: float = SECONDS_FOR_OTHERS,
    hurry: threading.Event | None = None,
) -> int:
    """Record runs whose proof is in the database; see `each_in_time`."""
    def record_run(run: UnrecordedRun) -> bool:
        success = Success(
            run.name, run.hostname, run.date_started, run.date_committed,
            run.run_key, "committed", ztm.database)
        try:
            record_success(ztm, success, SHORTEST_TRY)
        except (TypeError, ValueError) as error:
            logger.error(
                "The success of run %s cannot be recorded: %s",
                run.run_key, first_line(error))
            return False
        return True

    return each_in_time(runs, record_run, seconds, hurry)
