"""Recording a success: exactly once, and only if its work is there.

Each run has a key, by which the database takes its success once, however
often it is sent.
"""

from __future__ import annotations

import logging
import threading
import time
from logging import Logger
from pathlib import Path

from psycopg2.errors import ReadOnlySqlTransaction
from storm.exceptions import DataError
from storm.exceptions import IntegrityError
from storm.exceptions import NotSupportedError
from storm.exceptions import ProgrammingError
from zope.component import getUtility

from canonical.database.connection import make_durable
from canonical.database.roles import explain
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.exitstatus import LaunchpadScriptFailure
from canonical.launchpad.scripts.spool import DamagedFile
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import as_json
from canonical.launchpad.scripts.spool import read_success
from canonical.launchpad.scripts.spool import remove
from canonical.launchpad.scripts.spool import remove_unfinished
from canonical.launchpad.scripts.spool import set_aside
from canonical.launchpad.scripts.spool import spooled_paths
from canonical.launchpad.scripts.spool import write_success


__all__ = [
    "SHORTEST_TRY",
    "WorkLost",
    "first_line",
    "record_committed",
    "record_or_spool",
    "record_success",
    "send_spool",
    "is_final",
]


# The database has understood, and says no.  It would say so again.
REFUSED = (
    DataError, IntegrityError, NotSupportedError, ProgrammingError,
    ReadOnlySqlTransaction,
)

# Seconds between tries; each pause is twice the one before.
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

# Seconds that a try has, at least and at most.
SHORTEST_TRY = 1.0
LONGEST_TRY = 60.0


class WorkLost(Exception):
    """A transaction that was committed is not in the database."""

    def __init__(self) -> None:
        super().__init__(
            "its work was committed and is no longer in the database, as after"
            " a failover to a server that did not have it")


def first_line(error: BaseException) -> str:
    """What went wrong, on a line; and what to do, if that is known."""
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    advice = explain(error)
    return f"{text} ({advice})" if advice else text


def is_final(error: BaseException) -> bool:
    """Would the database say the same if it were asked again?"""
    return isinstance(error, (*REFUSED, TypeError, ValueError))


def record_success(
    ztm: ZopelessTransactionManager, success: Success, seconds: float
) -> None:
    """Record a success and end its attempt, in a transaction of its own.

    :param seconds: that it may take.
    :raises WorkLost: if its attempt should be a proof and is none.
    :raises Exception: if it is not recorded, or nobody knows.
    """
    with ztm.apart(min(max(seconds, SHORTEST_TRY), LONGEST_TRY)):
        make_durable(main_store())
        attempt_set = getUtility(IScriptAttemptSet)
        if success.attempt != "none":
            attempt_set.end(
                success.run_key, "success", success.date_completed, 0)
        if success.attempt == "committed" and not attempt_set.isCommitted(
            success.run_key
        ):
            raise WorkLost
        getUtility(IScriptActivitySet).recordSuccess(
            name=success.name,
            hostname=success.hostname,
            date_started=success.date_started,
            date_completed=success.date_completed,
            run_key=success.run_key,
        )


def _record_in_time(
    ztm: ZopelessTransactionManager,
    success: Success,
    seconds: float,
    hurry: threading.Event,
) -> None:
    """Record a success, and try again what fails, over new connections.

    :param seconds: for how long.
    :param hurry: if this is set, there is no further try.
    :raises Exception: why the last try failed.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    refused = 0
    while True:
        left = SHORTEST_TRY if hurry.is_set() else deadline - time.monotonic()
        try:
            record_success(ztm, success, left)
            return
        except WorkLost:
            raise
        except Exception as error:
            # The script may have changed the settings of its session, such
            # as the role.  If a new session refuses it too, that is final.
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
    """Record a success, or keep it on disk if that cannot be done in time.

    :param directory: of the spool.
    :param seconds, hurry: as of `_record_in_time`.
    :return: whether it is recorded.
    :raises LaunchpadScriptFailure: if it cannot be kept either.
    :raises WorkLost: as `record_success` does.
    """
    try:
        _record_in_time(ztm, success, seconds, hurry)
        return True
    except WorkLost:
        raise
    except Exception as error:
        cause = error
    level = logging.ERROR if is_final(cause) else logging.WARNING
    why = f"The success is not recorded yet: {first_line(cause)}"
    try:
        path = write_success(directory, success)
        logger.log(
            level, "%s.  It is kept in %s, and the next cron script on this"
            " host sends it.", why, path)
    except OSError as error:
        if success.attempt != "committed":
            raise LaunchpadScriptFailure(
                f"{why}.  It cannot be spooled either: {error}.  Put this"
                " line into a file in the spool that ends in .json, then run"
                f" scriptactivity flush: {as_json(success, indent=None)}"
            ) from None
        logger.log(
            level, "%s.  The next cron script records it, or: scriptactivity"
            " flush", why)
    return False


def record_committed(
    ztm: ZopelessTransactionManager, seconds: float, logger: Logger
) -> int:
    """Record what is committed and not recorded, of any host.

    One that cannot be recorded, such as one whose row another session has
    locked, keeps no other waiting.

    :param seconds: stop after this time, and leave the rest.
    :return: how many successes are recorded.
    :raises Exception: why the last one that is left could not be recorded.
    """
    deadline = time.monotonic() + seconds
    with ztm.apart(SHORTEST_TRY):
        runs = getUtility(IScriptAttemptSet).getUnrecorded()
    recorded = 0
    failure: Exception | None = None
    for run in runs:
        if time.monotonic() > deadline:
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


def send_spool(
    ztm: ZopelessTransactionManager,
    directory: Path,
    seconds: float,
    logger: Logger,
) -> int:
    """Record what the spool holds for the database that is in use.

    One that cannot be recorded keeps no other waiting.

    :param seconds: stop after this time, and leave the rest.
    :return: how many successes are on record now, and no longer in the spool.
    :raises OSError: if the spool cannot be read.
    :raises Exception: why the last one that is left could not be recorded.
    """
    deadline = time.monotonic() + seconds
    remove_unfinished(directory)
    sent = 0
    failure: Exception | None = None
    for path in spooled_paths(directory):
        if time.monotonic() > deadline:
            break
        try:
            sent += _send(ztm, path, logger)
        except FileNotFoundError:
            # Another process was faster.
            pass
        except DamagedFile as error:
            _set_aside(path, f"it is no success: {error}", logger)
        except OSError as error:
            logger.debug("Left in the spool: %s", error)
        except Exception as error:
            failure = error
    if failure is not None:
        raise failure
    return sent


def _send(
    ztm: ZopelessTransactionManager, path: Path, logger: Logger
) -> bool:
    """Record the success in a file, and remove the file.

    :return: whether it was for this database, and is on record.
    """
    success = read_success(path)
    is_at_home = success.database == ztm.database
    try:
        if not is_at_home and success.attempt != "committed":
            raise WorkLost
        record_success(ztm, success, SHORTEST_TRY)
    except WorkLost as lost:
        if is_at_home:
            _set_aside(path, lost, logger)
        else:
            logger.debug(
                "Left in the spool, since it belongs to the database %s: %s",
                success.database, path)
        return False
    except (TypeError, ValueError) as error:
        _set_aside(path, f"it is no success: {first_line(error)}", logger)
        return False
    remove(path)
    return True


def _set_aside(path: Path, why: object, logger: Logger) -> None:
    logger.error("%s is not recorded: %s", set_aside(path), why)
