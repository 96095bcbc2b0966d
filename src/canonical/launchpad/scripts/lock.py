"""Locks that let only one run of a script run at a time.

A lock is a flock(2) on a file.  The kernel releases it when the process ends,
in whatever way.  Forked children of a script do not hold it.  It works even
if the disk is full.  The pid in the file is for people.
"""

from __future__ import annotations

import fcntl
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


# The longest name that file systems allow, without the prefix and suffix.
LONGEST_NAME = 255 - len("launchpad-.lock")


def lock_file_name(name: str) -> str:
    """The name of the lock file of a script.

    The file is in the lock directory for every name of a script.
    """
    safe = name.replace("%", "%25").replace("/", "%2F")
    if len(safe.encode()) > LONGEST_NAME:
        import hashlib
        digest = hashlib.sha256(name.encode()).hexdigest()
        safe = f"{quote(name, safe='')[:LONGEST_NAME - 65]}-{digest}"
    return f"launchpad-{safe}.lock"


class LockTaken(Exception):
    """Another process holds the lock; the text says which."""


class LockFile:
    """A lock that this process holds, on the file `path`.

    :param blocking: wait until the lock is free.
    :raises LockTaken: if the lock is taken, and `blocking` is false.
    :raises OSError: if the file cannot be created or opened.
    """

    # The locks that this process holds.
    _held: ClassVar[set[LockFile]] = set()

    def __init__(self, path: Path, blocking: bool = False):
        self.path = path
        mode = fcntl.LOCK_EX if blocking else fcntl.LOCK_EX | fcntl.LOCK_NB
        while True:
            self._file = _open(path)
            try:
                fcntl.flock(self._file, mode)
                if self._is_in_place():
                    break
            except BlockingIOError:
                holder = _holder(self._file)
                os.close(self._file)
                raise LockTaken(f"{path} is locked by {holder}") from None
            except BaseException:
                os.close(self._file)
                raise
            # The previous holder removed the file after it was opened here.
            os.close(self._file)
        self._held.add(self)
        self._write(f"{os.getpid()}\n")

    @property
    def is_held(self) -> bool:
        """Does this process hold the lock?  A forked child does not."""
        return self in self._held

    def release(self, skip_delete: bool = False) -> None:
        """Release the lock.  If it is not held, do nothing.

        :param skip_delete: do not remove the file.
        """
        if not self.is_held:
            return
        self._held.discard(self)
        self._write("")
        if not skip_delete:
            # In a shared directory, the file may belong to another user.
            with suppress(OSError):
                self.path.unlink()
        os.close(self._file)

    def _write(self, text: str) -> None:
        """Write the holder into the file, if that is possible."""
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode(), 0)

    def _is_in_place(self) -> bool:
        """Is the locked file still the one at `path`?"""
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._file))

    @classmethod
    def _leave_to_parent(cls) -> None:
        """In a forked child, close the locks of the parent.

        A lock is free only when its last descriptor is closed.
        """
        for lock in cls._held:
            os.close(lock._file)
        cls._held.clear()


os.register_at_fork(after_in_child=LockFile._leave_to_parent)


def _open(path: Path) -> int:
    """Open the file; create it if it is missing.

    A file can be locked by any user who may read it.  In a directory that
    several users may write to, the mode of the file lets all of them read it,
    whatever the umask of its creator.  There, the kernel refuses O_CREAT for
    a file of another user.
    """
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        with suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | flags)
            except PermissionError:
                return os.open(path, os.O_RDONLY | flags)
        with suppress(FileExistsError):
            file = os.open(path, os.O_RDWR | flags | os.O_CREAT | os.O_EXCL,
                           0o644)
            shared = os.stat(path.parent).st_mode
            if shared & (stat.S_IWGRP | stat.S_IWOTH):
                os.fchmod(file, 0o666 if shared & stat.S_IWOTH else 0o664)
            return file


def _holder(file: int) -> str:
    """The holder of the lock, from the content of the file."""
    pid = os.pread(file, 20, 0).strip()
    return f"process {pid.decode()}" if pid.isdigit() else "another process"
