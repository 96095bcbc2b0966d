"""One script of a name at a time.

The lock is the kernel's (flock), on a file: it is gone with the process that
held it, however that ends, and children that a script forks have no part in
it.  It needs no byte on the disk; the pid in the file is for people.
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


# The longest name that file systems allow, less what stands around it.
LONGEST_NAME = 255 - len("launchpad-.lock")


def lock_file_name(name: str) -> str:
    """The name of the lock file of a script.

    No script's name leads out of the lock directory.
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
    """A lock that this process holds, at `path`.

    :param blocking: wait until the lock is free.
    :raises LockTaken: if it is not, and `blocking` is false.
    :raises OSError: if the file cannot be made or opened.
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
            # Who held the lock has removed the file as we opened it.
            os.close(self._file)
        self._held.add(self)
        self._write(f"{os.getpid()}\n")

    @property
    def is_held(self) -> bool:
        """Does this process hold it?  A child of it does not."""
        return self in self._held

    def release(self, skip_delete: bool = False) -> None:
        """Give the lock up.  Harmless if it is not held, or any longer.

        :param skip_delete: leave the file.
        """
        if not self.is_held:
            return
        self._held.discard(self)
        self._write("")
        if not skip_delete:
            # In a directory that users share it may be another's.
            with suppress(OSError):
                self.path.unlink()
        os.close(self._file)

    def _write(self, text: str) -> None:
        """Say who holds it, if the disk and the owner of the file permit."""
        with suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, text.encode(), 0)

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
        for lock in cls._held:
            os.close(lock._file)
        cls._held.clear()


os.register_at_fork(after_in_child=LockFile._leave_to_parent)


def _open(path: Path) -> int:
    """The file, made if need be; by whom does not matter.

    To lock a file it is enough to read it.  In a directory that several users
    may write to, all of them may read it whatever the umask of its maker was;
    and the kernel does not let O_CREAT open what another user has made there.
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
    """Who holds it, as the file says."""
    pid = os.pread(file, 20, 0).strip()
    return f"process {pid.decode()}" if pid.isdigit() else "another process"
