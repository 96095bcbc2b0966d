"""Successes on disk that are not on record yet.

A success is spooled when its work is committed and the database cannot be
reached for the record.  A spool is a directory with one JSON file a success.
A file is complete or absent: it is written beside its place, synced, renamed,
and then the directory is synced.

Several users may share the directory, so a file in it may be anything.  One
that is no success is renamed to end in ``.damaged`` and left to people.
"""

from __future__ import annotations

import datetime
import errno
import json
import os
import stat
import uuid
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote


__all__ = [
    "DamagedFile",
    "NotSpooled",
    "Success",
    "as_json",
    "read_success",
    "remove",
    "remove_unfinished",
    "set_aside",
    "spool_success",
    "spooled_paths",
    "write_success",
]


# What a file ends in before it is complete; the pid of its writer follows.
UNFINISHED = ".unfinished-"

# Bytes; the longest name and host take less, whatever is in them.
LARGEST = 65536


class Success(NamedTuple):
    """A run whose work is committed, as it goes on record.

    :ivar date_started: aware, as is `date_completed`.
    :ivar attempt: what is on record of its attempt: ``"committed"``, which
        is the proof of its work; ``"begun"``; or ``"none"``.
    :ivar database: where its work is; see `database_of`.  Empty if nobody
        knows; then it is wherever the records are.
    """

    name: str
    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime
    run_key: uuid.UUID
    attempt: str
    database: str


class DamagedFile(Exception):
    """A file of the spool is not a success; the text says why."""


class NotSpooled(Exception):
    """A success cannot be spooled; the text says why, and what to do."""


def write_success(directory: Path, success: Success) -> Path:
    """Keep a success in the spool.

    :return: its file, whose name shows a person what it is.
    :raises OSError: if it cannot be written; then nothing is there.
    """
    started = success.date_started.astimezone(datetime.UTC)
    name = quote(success.name, safe=" ")[:100]
    path = directory / f"{started:%Y%m%dT%H%M%S} {name} {success.run_key}.json"
    unfinished = path.with_suffix(f"{UNFINISHED}{os.getpid()}")
    try:
        with unfinished.open("x", encoding="utf-8") as file:
            file.write(as_json(success) + "\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink()
        raise
    # Else it may be gone after a power cut; until then it is there.
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return path


def spool_success(directory: Path, success: Success, why: str) -> str:
    """Keep a success in the spool; return what there is to log.

    :param why: it is not recorded.
    :raises NotSpooled: if it cannot be kept.
    """
    try:
        path = write_success(directory, success)
    except OSError as error:
        raise NotSpooled(
            f"{why}.  It cannot be spooled either: {error}.  Put this line"
            " into a file in the spool that ends in .json, then run"
            f" scriptactivity flush: {as_json(success, indent=None)}"
        ) from None
    return (
        f"{why}.  It is kept in {path}, and the next cron script on this host"
        " sends it.")


def as_json(success: Success, indent: int | None = 4) -> str:
    """A success as it stands in a file."""
    values = success._asdict()
    for name in "date_started", "date_completed":
        values[name] = values[name].isoformat()
    values["run_key"] = str(success.run_key)
    return json.dumps(values, ensure_ascii=False, indent=indent)


def read_success(path: Path) -> Success:
    """The success in a file.

    :raises OSError: if it cannot be read, for instance because it is
        another user's.
    :raises DamagedFile: if there is no success in it.
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
        AttributeError, KeyError, RecursionError, TypeError, ValueError,
    ) as error:
        raise DamagedFile(f"{type(error).__name__}: {error}") from None
    if success.attempt != "committed" and owner not in (os.geteuid(), 0):
        # Nothing but the file says that it has succeeded.
        raise PermissionError(
            errno.EPERM, "it belongs to another user", str(path))
    return success


def _read(path: Path) -> tuple[str, int]:
    """What is in a file, if it is one and not too large; and its owner.

    A link is not followed, and nothing is waited for.
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
    """The files, in the order in which their runs started, to the second.

    :raises OSError: if the directory cannot be read.
    """
    return sorted(
        Path(entry.path) for entry in os.scandir(directory)
        if entry.name.endswith(".json"))


def set_aside(path: Path) -> Path:
    """Put a file out of the way of the others; return where it is now."""
    aside = path.with_suffix(".damaged")
    with suppress(OSError):
        path.rename(aside)
    return aside


def remove(path: Path) -> None:
    """Forget a file.

    Another process may have been faster; and one that is another user's may
    have to be left to that user.
    """
    with suppress(FileNotFoundError, PermissionError):
        path.unlink()


def remove_unfinished(directory: Path) -> None:
    """Remove what processes left that were killed while they wrote."""
    for path in directory.glob(f"*{UNFINISHED}*"):
        try:
            os.kill(int(path.suffix.removeprefix(UNFINISHED)), 0)
        except (ProcessLookupError, OverflowError, ValueError):
            remove(path)
        except PermissionError:
            pass
