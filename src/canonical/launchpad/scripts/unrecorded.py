"""Records the successes that earlier runs could not record.

Their proof is in the database, or they are in the spool.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from collections.abc import Iterator
from contextlib import contextmanager
from logging import Logger
from pathlib import Path

from zope.component import getUtility

from canonical.database.errors import first_line
from canonical.database.errors import is_final
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import UnrecordedRun
from canonical.launchpad.scripts.record import SHORTEST_TRY
from canonical.launchpad.scripts.record import WorkLost
from canonical.launchpad.scripts.record import record_success
from canonical.launchpad.scripts.spool import DamagedFile
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import read_success
from canonical.launchpad.scripts.spool import remove
from canonical.launchpad.scripts.spool import remove_unfinished
from canonical.launchpad.scripts.spool import set_aside
from canonical.launchpad.scripts.spool import spooled_paths


__all__ = [
    "others_may_wait",
    "record_committed",
    "record_runs",
    "send_spool",
]


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


def send_spool(
    ztm: ZopelessTransactionManager,
    directory: Path,
    seconds: float,
    logger: Logger,
    hurry: threading.Event | None = None,
) -> int:
    """Record the successes in the spool that belong to the current database.

    If one cannot be recorded, the others are still recorded.

    :param seconds: stop after this time, and leave the rest.
    :param hurry: once this is set, stop.
    :return: the number of successes that have moved to the database.
    :raises OSError: if the spool cannot be read.
    :raises Exception: if successes could not be recorded: the error of the
        last of them.
    """
    deadline = time.monotonic() + seconds
    remove_unfinished(directory)
    sent = 0
    failure: Exception | None = None
    for path in spooled_paths(directory):
        if time.monotonic() > deadline or hurry and hurry.is_set():
            break
        try:
            sent += _send(ztm, path, logger)
        except FileNotFoundError:
            # Another process was faster.
            pass
        except DamagedFile as error:
            _set_aside(path, f"it is not a success: {error}", logger)
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

    :return: whether it belongs to this database and is now on record.
    """
    success = read_success(path)
    is_at_home = success.database in ("", ztm.database)
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
        _set_aside(path, f"it is not a success: {first_line(error)}", logger)
        return False
    remove(path)
    return True


def _set_aside(path: Path, why: object, logger: Logger) -> None:
    logger.error("%s is not recorded: %s", set_aside(path), why)
