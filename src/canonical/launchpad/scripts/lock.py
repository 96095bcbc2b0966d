"""One script of a name at a time.

The lock is the kernel's, on a file: it is gone with the process that held it,
however that ends, and children that a script forks have no part in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote


__all__ = [
    "LockFile",
    "LockTaken",
    "lock_file_name",
]


# The longest name that file systems allow, less what stands around it.
LONGEST_NAME = 255 - len("launchpad-.lock")


def lock_file_name(name: str) -> str:
    """The name of the lock file of a script.

    No script's name leads out of the lock directory, and no two have the same
    file.
    """
    safe = name.replace("%", "%25").replace("/", "%2F")
    if len(safe.encode()) > LONGEST_NAME:
        digest = hashlib.sha256(name.encode()).hexdigest()
        safe = f"{quote(name, safe='')[:LONGEST_NAME - 65]}-{digest}"
    return f"launchpad-{safe}.lock"


class LockTaken(Exception):
    """Another process holds the lock; the text says which."""


class LockFile:
    """A lock that this process holds, at `path`.

    :param blocking: wait until the lock is free.
    :raises LockTaken: if it is not, and `blocking` is false.
    :raises OSError: if the file cannot be made or written.
    """

    def __init__(self, path: Path, blocking: bool = False):
        self.path = path
        mode = fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB
        while True:
            self._file = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
            try:
                fcntl.lockf(self._file, mode)
                if self._is_in_place():
                    break
            except BlockingIOError:
                holder = os.pread(self._file, 20, 0).decode().strip()
                os.close(self._file)
                who = f"process {holder}" if holder else "another process"
                raise LockTaken(f"{path} is locked by {who}") from None
            except BaseException:
                os.close(self._file)
                raise
            # Who held the lock has removed the file as we opened it.
            os.close(self._file)
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self, skip_delete: bool = False) -> None:
        """Give the lock up.

        :param skip_delete: leave the file.
        """
        if skip_delete:
            os.ftruncate(self._file, 0)
        else:
            with suppress(OSError):
                self.path.unlink()
        os.close(self._file)

    def _is_in_place(self) -> bool:
        """Is the file that we have locked the one that others would lock?"""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file))
