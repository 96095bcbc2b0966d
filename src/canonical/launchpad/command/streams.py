"""Standard streams that may be closed, full or broken.

Nothing slow is imported here; see `canonical.launchpad.command.program`.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any


__all__ = [
    "OutputError",
    "discard",
    "open_streams",
]


# Where a standard descriptor is closed, one that fails as a closed one does
# keeps its number from a connection or a lock.  Nobody can read an error about
# standard error, so what is written there vanishes.
FLAGS = {0: os.O_WRONLY, 1: os.O_RDONLY, 2: os.O_WRONLY}


class OutputError(OSError):
    """Standard output cannot be written to.

    :ivar status: the exit status.
    """

    status = 1

    def __str__(self) -> str:
        return f"cannot write to standard output: {self.strerror}"


def open_streams() -> None:
    """Make standard streams that no fault of theirs can end a program in.

    Characters that an encoding does not have are escaped.
    """
    for descriptor, flags in FLAGS.items():
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    streams: Any = sys
    for descriptor, name in (1, "stdout"), (2, "stderr"):
        old = getattr(sys, name)
        if old is None or isinstance(old, io.TextIOWrapper):
            setattr(streams, name, _stream(descriptor, old))


def _stream(descriptor: int, old: io.TextIOWrapper | None) -> io.TextIOWrapper:
    if old is not None:
        old.flush()
    is_terminal = os.isatty(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(_Writer(descriptor, "w", closefd=False)),
        encoding=None if old is None else old.encoding,
        errors="backslashreplace",
        line_buffering=descriptor == 2 or is_terminal,
        write_through=old is not None and old.write_through)


def discard(descriptor: int) -> None:
    """Let what is written there vanish."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


class _Writer(io.FileIO):
    """Once it cannot write, what is written to it vanishes.

    Otherwise the interpreter would try again at its end, and fail.
    """

    def write(self, data: Any) -> Any:
        """See `io.FileIO`.

        :raises OutputError: if it is standard output that fails.
        """
        try:
            return super().write(data)
        except OSError as error:
            discard(self.fileno())
            if self.fileno() == 1:
                raise OutputError(error.errno, error.strerror) from None
            return len(data)
