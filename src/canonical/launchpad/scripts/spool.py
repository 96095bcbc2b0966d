"""The spool: successes on disk that are not on record yet, and sending them.

A success is spooled if its work is committed and it cannot be recorded.  The
spool is a directory with one JSON file for each success.  A file is complete
or absent: it is written under another name, synced and renamed, and then the
directory is synced.

Several users may share the directory, so a file in it may hold anything.  If
it is not a success, it gets the suffix ``.damaged``, for a person to look at.
"""

from __future__ import annotations

import datetime
import errno
import json
import os
import stat
import threading
import uuid
from contextlib import suppress
from logging import Logger
from pathlib import Path
from typing import TYPE_CHECKING
from typing import NamedTuple
from urllib.parse import quote

from canonical.database.errors import first_line
from canonical.launchpad.scripts.exitstatus import LaunchpadScriptFailure


if TYPE_CHECKING:
    from canonical.database.sqlbase import ZopelessTransactionManager


__all__ = [
    "DamagedFile",
    "NotSpooled",
    "Success",
    "read_success",
    "send_spool",
    "spool_success",
    "spooled_paths",
    "write_success",
]


# The suffix of an incomplete file; the pid of its writer follows.
UNFINISHED = ".unfinished-"

# In bytes.  A success with the longest name and host is smaller.
LARGEST = 65536


class Success(NamedTuple):
    """A run whose work is committed, with the values to record.

    :ivar date_started: aware, as is `date_completed`.
    :ivar attempt: the state of its attempt on record: ``"committed"``, which
        is the proof of its work; ``"begun"``; or ``"none"``.
    :ivar database: the database with its work; see `database_of`.  Empty if
        that is unknown; then it is the one with the records.
    """

    name: str
    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime
    run_key: uuid.UUID
    attempt: str
    database: str


class DamagedFile(ValueError):
    """A file in the spool is not a success.  The text says why."""


class NotSpooled(LaunchpadScriptFailure):
    """A success cannot be spooled; the text says why, and what to do."""


def write_success(directory: Path, success: Success) -> Path:
    """Write a success to the spool.

    :return: the path of the file.  The name has the start and the script.
    :raises OSError: if the file cannot be written.  Then nothing is left.
    """
    started = success.date_started.astimezone(datetime.UTC)
    name = quote(success.name, safe=" ")[:100]
    path = directory / f"{started:%Y%m%dT%H%M%S} {name} {success.run_key}.json"
    unfinished = path.with_suffix(f"{UNFINISHED}{os.getpid()}")
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(_as_json(success) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    # For a power cut.  If this fails, the file is still there.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path


def spool_success(directory: Path, success: Success, why: str) -> str:
    """Write a success to the spool; return what there is to log.

    :param why: it is not recorded.
    :raises NotSpooled: if it cannot be written, and has no proof either.
    """
    try:
        path = write_success(directory, success)
    except OSError as error:
        if success.attempt == "committed":
            return (
                f"{why}.  The next cron script records it, or: scriptactivity"
                " flush")
        raise NotSpooled(
            f"{why}.  It cannot be spooled either:"
            f" {first_line(error)}.  Put this line"
            " into a file in the spool that ends in .json, then run"
            f" scriptactivity flush: {_as_json(success, indent=None)}"
        ) from None
    return (
        f"{why}.  It is spooled in {path}, and the next cron script on this"
        " host records it.")


def _as_json(success: Success, indent: int | None = 4) -> str:
    """The text of the file of a success."""
    values = success._asdict()
    for name in "date_started", "date_completed":
        values[name] = values[name].isoformat()
    values["run_key"] = str(success.run_key)
    return json.dumps(values, ensure_ascii=False, indent=indent)


def read_success(path: Path) -> Success:
    """The success in a file.

    :raises OSError: if the file cannot be read, for instance because it
        belongs to another user.
    :raises DamagedFile: if the file is not a success.
    """
    try:
        text, owner = _read(path)
        values = json.loads(text)
        for name in "date_started", "date_completed":
            values[name] = datetime.datetime.fromisoformat(values[name])
        values["run_key"] = uuid.UUID(values["run_key"])
        if values["attempt"] not in ("committed", "begun", "none"):
            raise ValueError(f"attempt: {values['attempt']!r}")
        success = Success(**values)
    except (
        AttributeError, KeyError, RecursionError, TypeError, ValueError
    ) as error:
        raise DamagedFile(f"{type(error).__name__}: {error}") from None
    if success.attempt != "committed" and owner not in (os.geteuid(), 0):
        # Only the file proves the success.
        raise PermissionError(
            errno.EPERM, "it belongs to another user", str(path))
    return success


def _read(path: Path) -> tuple[str, int]:
    """The text of a file, and the user id of its owner.

    Links are not followed, and opening does not block.

    :raises ValueError: if it is not a regular file, or too large.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ValueError("a symbolic link") from None
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("not a regular file")
        content = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    return str(content, "utf-8"), status.st_uid


def spooled_paths(directory: Path) -> list[Path]:
    """The files, sorted by the start of their runs, to the second.

    :raises OSError: if the directory cannot be read.
    """
    return sorted(
        Path(entry.path) for entry in os.scandir(directory)
        if entry.name.endswith(".json"))


def send_spool(
    ztm: ZopelessTransactionManager,
    directory: Path,
    logger: Logger,
    seconds: float | None = None,
    hurry: threading.Event | None = None,
) -> int:
    """Record the successes in the spool that belong to the current database.

    :param seconds, hurry, return, raises: as in `record.each_in_time`.
    :raises OSError: if the spool cannot be read.
    """
    # It imports this module, which a run needs before it has a database.
    from canonical.launchpad.scripts import record

    def send(path: Path) -> bool:
        """Record the success in a file, and remove the file."""
        try:
            success = read_success(path)
            is_at_home = success.database in ("", ztm.database)
            if not is_at_home and success.attempt != "committed":
                raise record.WorkLost
            record.record_success(ztm, success, record.SHORTEST_TRY)
        except FileNotFoundError:
            # Another process was faster.
            return False
        except OSError as error:
            logger.debug("Left in the spool: %s", error)
            return False
        except record.WorkLost as lost:
            if is_at_home:
                _set_aside(path, lost, logger)
            else:
                logger.debug(
                    "Left in the spool, since it belongs to the database %s:"
                    " %s", success.database, path)
            return False
        except (TypeError, ValueError) as error:
            _set_aside(
                path, f"it is not a success: {first_line(error)}", logger)
            return False
        _remove(path)
        return True

    _remove_unfinished(directory)
    return record.each_in_time(
        spooled_paths(directory), send,
        record.SECONDS_FOR_OTHERS if seconds is None else seconds, hurry)


def _set_aside(path: Path, why: object, logger: Logger) -> None:
    """Rename a file that is no success, for a person to look at."""
    aside = path.with_suffix(".damaged")
    with suppress(OSError):
        path.rename(aside)
    logger.error("%s is not recorded: %s", aside, why)


def _remove(path: Path) -> None:
    """Remove a file, if another process or user lets this one."""
    with suppress(FileNotFoundError, PermissionError):
        path.unlink()


def _remove_unfinished(directory: Path) -> None:
    """Remove incomplete files whose writer is gone."""
    for path in directory.glob(f"*{UNFINISHED}*"):
        try:
            os.kill(int(path.suffix.removeprefix(UNFINISHED)), 0)
        except (ProcessLookupError, OverflowError, ValueError):
            _remove(path)
        except PermissionError:
            pass
