"""One script of a name at a time.

The lock is the kernel's (flock), on a file: it is gone with the process that
held it, however that ends, and children that a script forks have no part in
it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import ClassVar
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

    No script's name leads out of the lock directory.
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

    # The descriptors of the locks that this process holds.
    _held: ClassVar[set[int]] = set()

    def __init__(self, path: Path, blocking: bool = False):
        self.path = path
        mode = fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB
        while True:
            self._file = _open(path)
            try:
                fcntl.flock(self._file, mode)
                if self._is_in_place():
                    os.ftruncate(self._file, 0)
                    os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
                    break
            except BlockingIOError:
                holder = os.pread(self._file, 20, 0).decode(errors="replace")
                os.close(self._file)
                who = f"process {holder.strip()}" if holder.strip() else (
                    "another process")
                raise LockTaken(f"{path} is locked by {who}") from None
            except BaseException:
                os.close(self._file)
                raise
            # Who held the lock has removed the file as we opened it.
            os.close(self._file)
        self._held.add(self._file)

    def release(self, skip_delete: bool = False) -> None:
        """Give the lock up.

        :param skip_delete: leave the file.
        """
        os.ftruncate(self._file, 0)
        if not skip_delete:
            # In a directory that users share it may be another's.
            with suppress(OSError):
                self.path.unlink()
        self._held.discard(self._file)
        os.close(self._file)

    def _is_in_place(self) -> bool:
        """Is the file that we have locked the one that others would lock?"""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    @classmethod
    def _leave_to_parent(cls) -> None:
        """In a child that was forked: have no part in what the parent holds.

        The lock is free when the last descriptor of it is closed.
        """
        for file in cls._held:
            os.close(file)
        cls._held.clear()


os.register_at_fork(after_in_child=LockFile._leave_to_parent)


def _open(path: Path) -> int:
    """The file, made if need be; by whom does not matter.

    In a directory that all may write to, the kernel does not let O_CREAT
    open what another user has made; and all should be able to lock it.
    """
    flags = os.O_RDWR | os.O_NOFOLLOW
    while True:
        with suppress(FileNotFoundError):
            return os.open(path, flags)
        with suppress(FileExistsError):
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
            if os.stat(path.parent).st_mode & stat.S_IWOTH:
                os.fchmod(file, 0o666)
            return file
