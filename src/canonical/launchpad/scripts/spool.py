"""Successes that are not on record yet, kept on disk.

A spool is a directory with one JSON file a success.  A file is complete or
absent: it is written beside its place, synced, renamed, and then the
directory is synced.

A file that ends in ``.json`` is a success.  One that ends in ``.pending`` is
a success if the transaction that it names has been committed; a script writes
it before it commits its work, so that a success is known of even if the
script is killed in the instant after.  A file that nobody can read ends in
``.damaged``, and is left to people.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


__all__ = [
    "DamagedFile",
    "Spool",
    "Success",
]


NUMBER = re.compile("[0-9]{1,19}").fullmatch

# What a file ends in before it is complete; the pid of its writer follows.
UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class Success:
    """A run that has succeeded, or will have if `transaction_id` committed.

    :ivar date_started: aware, as is `date_completed`.
    :ivar transaction_id: of the script's own work, or `None` if there is
        nothing left to depend on.
    :ivar cluster_id: where that is, see `ZopelessTransactionManager`.
    :ivar attempt_id: of the attempt that ends with the success, or `None`.
    """

    name: str
    hostname: str
    date_started: datetime.datetime
    date_completed: datetime.datetime
    run_key: uuid.UUID
    transaction_id: str | None = None
    cluster_id: str | None = None
    attempt_id: int | None = None

    def __str__(self) -> str:
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def as_dict(self) -> dict[str, str]:
        """Strings, as they stand in a file."""
        values = {
            "name": self.name,
            "hostname": self.hostname,
            "date_started": self.date_started.isoformat(),
            "date_completed": self.date_completed.isoformat(),
            "run_key": str(self.run_key),
        }
        for name in "transaction_id", "cluster_id", "attempt_id":
            value = getattr(self, name)
            if value is not None:
                values[name] = str(value)
        return values

    @classmethod
    def from_dict(cls, values: dict[str, str]) -> Success:
        """What `as_dict` returned.

        :raises KeyError, TypeError, ValueError: for anything else.
        """
        numbers = {
            name: values.get(name)
            for name in ("transaction_id", "cluster_id", "attempt_id")}
        for number in numbers.values():
            if number is not None and not NUMBER(number):
                raise ValueError(f"not a number: {number!r}")
        attempt_id = numbers["attempt_id"]
        return cls(
            name=values["name"],
            hostname=values["hostname"],
            date_started=datetime.datetime.fromisoformat(
                values["date_started"]),
            date_completed=datetime.datetime.fromisoformat(
                values["date_completed"]),
            run_key=uuid.UUID(values["run_key"]),
            transaction_id=numbers["transaction_id"],
            cluster_id=numbers["cluster_id"],
            attempt_id=None if attempt_id is None else int(attempt_id),
        )


class DamagedFile(Exception):
    """A file of the spool is not a success; the text says why."""


class Spool:
    """The spool in `directory`."""

    def __init__(self, directory: Path):
        self.directory = directory

    def write(self, success: Success) -> Path:
        """Keep a success.

        :return: the file.
        :raises OSError: if it cannot be written; then nothing is there.
        """
        path = self._path(success)
        text = json.dumps(success.as_dict(), ensure_ascii=False, indent=4)
        unfinished = path.with_suffix(f"{UNFINISHED}{os.getpid()}")
        try:
            with unfinished.open("w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.rename(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise
        directory = os.open(self.directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return path

    def remove(self, path: Path) -> None:
        """Forget what is in a file.

        Another process may have been faster; and one that is another user's
        may have to be left to that user.
        """
        with suppress(FileNotFoundError, PermissionError):
            path.unlink()

    def paths(self) -> list[Path]:
        """The files, in the order in which their runs started, to the second.

        :raises OSError: if the directory cannot be read.
        """
        return sorted(
            path for path in self.directory.iterdir()
            if path.suffix in (".json", ".pending") and path.is_file())

    def remove_unfinished(self) -> None:
        """Remove what processes left that were killed while they wrote."""
        for path in self.directory.glob(f"*{UNFINISHED}*"):
            try:
                os.kill(int(path.suffix.removeprefix(UNFINISHED)), 0)
            except (ProcessLookupError, OverflowError, ValueError):
                self.remove(path)
            except PermissionError:
                pass

    def read(self, path: Path) -> Success | None:
        """The success in a file; `None` if it is not there any more.

        :raises OSError: if it cannot be read, for instance because it is
            another user's.
        :raises DamagedFile: if there is no success in it.
        """
        try:
            return Success.from_dict(
                json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (
            AttributeError, KeyError, RecursionError, TypeError, ValueError,
        ) as error:
            raise DamagedFile(f"{type(error).__name__}: {error}") from None

    def set_aside(self, path: Path) -> Path:
        """Put a damaged file out of the way of the others."""
        aside = path.with_suffix(".damaged")
        with suppress(FileNotFoundError, PermissionError):
            path.rename(aside)
        return aside

    def _path(self, success: Success) -> Path:
        """By its name a person sees what a file is."""
        started = success.date_started.astimezone(datetime.UTC)
        name = quote(success.name, safe=" ")[:100]
        kind = "json" if success.transaction_id is None else "pending"
        return self.directory / (
            f"{started:%Y%m%dT%H%M%S} {name} {success.run_key}.{kind}")
