"""Sending successes to the database, each of them once."""

from __future__ import annotations

import threading
import time
from logging import Logger
from pathlib import Path

from psycopg2.errors import UndefinedColumn
from psycopg2.errors import UndefinedTable
from storm.exceptions import DataError
from storm.exceptions import IntegrityError
from storm.exceptions import NotSupportedError
from storm.exceptions import ProgrammingError
from zope.component import getUtility

from canonical.database import xact
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.spool import DamagedFile
from canonical.launchpad.scripts.spool import Spool
from canonical.launchpad.scripts.spool import Success


__all__ = [
    "FIRST_PAUSE",
    "SHORTEST_TRY",
    "first_line",
    "flush",
    "record",
    "was_refused",
]


# The database has understood, and says no.  It would say so again.
REFUSED = (DataError, IntegrityError, NotSupportedError, ProgrammingError)

# Seconds between tries; each pause is twice the one before.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

# Seconds that a try has, at least and at most.
SHORTEST_TRY = 1.0
LONGEST_TRY = 60.0

# How many successes from the spool go into one transaction.
BATCH = 100


def first_line(error: BaseException) -> str:
    """What went wrong, on a line; and what to do, if that is known."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    if isinstance(error, (UndefinedColumn, UndefinedTable)):
        text += " (make or upgrade the tables with: scriptactivity init)"
    return text


def was_refused(error: BaseException) -> bool:
    """Would the database say the same if it were asked again?"""
    return isinstance(error, (*REFUSED, TypeError, ValueError))


def flush(
    ztm: ZopelessTransactionManager,
    spool: Spool,
    logger: Logger,
    seconds: float,
) -> int:
    """Send in what the spool holds.

    :param seconds: stop after this time, and leave the rest.
    :return: how many successes are on record now, and no longer in the spool.
    :raises OSError: if the spool cannot be read.
    :raises Exception: what the database says if it takes none; the rest stays
        in the spool.
    """
    deadline = time.monotonic() + seconds
    spool.remove_unfinished()
    sent = 0
    batch: list[tuple[Path, Success]] = []
    for path in spool.paths():
        if time.monotonic() > deadline:
            break
        success = _read(ztm, spool, path, logger)
        if success is not None:
            batch.append((path, success))
        if len(batch) == BATCH:
            sent += _flush_batch(ztm, spool, batch, logger, deadline)
            batch = []
    return sent + _flush_batch(ztm, spool, batch, logger, deadline)


def record(
    ztm: ZopelessTransactionManager,
    success: Success,
    seconds: float,
    hurry: threading.Event,
    logger: Logger,
) -> None:
    """Record a success, in a transaction of its own.

    What fails is tried again, with growing pauses and over new connections.

    :param seconds: for how long.
    :param hurry: if this is set, there is no further try.
    :raises Exception: why the last try failed.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while True:
        try:
            _send(ztm, [success], deadline - time.monotonic(), logger)
            return
        except Exception as error:
            ztm.disconnect()
            left = deadline - time.monotonic()
            if was_refused(error) or left <= 0 or hurry.is_set():
                raise
        hurry.wait(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)


def _send(
    ztm: ZopelessTransactionManager,
    successes: list[Success],
    seconds: float,
    logger: Logger,
) -> None:
    """Record successes, all of them or none, and the ends of their attempts.

    If it is the attempts that cannot be written, they are left out.
    """
    limit = min(max(seconds, SHORTEST_TRY), LONGEST_TRY)
    with ztm.time_limit(limit):
        _record_all(successes)
        try:
            _end_attempts(successes)
        except ProgrammingError as error:
            ztm.abort()
            logger.warning(
                "The end of an attempt is not kept on record: %s",
                first_line(error))
            _record_all(successes)
        ztm.commit()


def _record_all(successes: list[Success]) -> None:
    activity_set = getUtility(IScriptActivitySet)
    for success in successes:
        activity_set.recordSuccess(
            name=success.name,
            hostname=success.hostname,
            date_started=success.date_started,
            date_completed=success.date_completed,
            run_key=success.run_key,
        )


def _end_attempts(successes: list[Success]) -> None:
    attempt_set = getUtility(IScriptAttemptSet)
    for success in successes:
        if success.attempt_id is not None:
            attempt_set.end(
                success.attempt_id, "success", success.date_completed, 0)


def _read(
    ztm: ZopelessTransactionManager, spool: Spool, path: Path, logger: Logger
) -> Success | None:
    """The success in a file of the spool, if it is one, and decided."""
    try:
        success = spool.read(path)
        if success is None or success.transaction_id is None:
            return success
        try:
            with ztm.time_limit(SHORTEST_TRY):
                if success.cluster_id != xact.cluster_id():
                    logger.debug(
                        "Left in the spool, since it depends on a transaction"
                        " of another database cluster: %s", path)
                    return None
                committed = xact.committed(success.transaction_id)
        finally:
            ztm.abort()
    except OSError as error:
        logger.debug("Left in the spool: %s", error)
        return None
    except (DamagedFile, LookupError) as error:
        _set_aside(spool, path, error, logger)
        return None
    if committed is False:
        spool.remove(path)
    return success if committed else None


def _flush_batch(
    ztm: ZopelessTransactionManager,
    spool: Spool,
    batch: list[tuple[Path, Success]],
    logger: Logger,
    deadline: float,
) -> int:
    """Send in some successes; if one of them is refused, then one by one."""
    if not batch:
        return 0
    try:
        _send(
            ztm, [success for _, success in batch],
            deadline - time.monotonic(), logger)
    except Exception as error:
        ztm.abort()
        if not was_refused(error) or isinstance(error, ProgrammingError):
            raise
        if len(batch) > 1:
            return sum(
                _flush_batch(ztm, spool, [each], logger, deadline)
                for each in batch)
        path, _ = batch[0]
        if isinstance(error, (TypeError, ValueError)):
            _set_aside(spool, path, error, logger)
        else:
            logger.error(
                "Left in the spool, since the database refuses it: %s: %s",
                path, first_line(error))
        return 0
    for path, _ in batch:
        spool.remove(path)
    return len(batch)


def _set_aside(
    spool: Spool, path: Path, error: Exception, logger: Logger
) -> None:
    logger.error(
        "Not a success that can be recorded: %s; now at %s",
        first_line(error), spool.set_aside(path))
