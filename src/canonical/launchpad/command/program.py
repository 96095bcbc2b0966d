"""The programs as a shell starts them: standard streams, Ctrl-C, exit status.

Nothing slow is imported before Ctrl-C is caught.
"""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import signal
import sys
from typing import Any


__all__ = [
    "OutputError",
    "script_monitor",
    "script_monitor_nagios",
    "scriptactivity",
]


# What a shell adds to the number of the signal that has ended a program.
KILLED = 128

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


def scriptactivity() -> int:
    """The program ``scriptactivity``; returns its exit status."""
    if "run" in sys.argv:
        # It leaves standard streams and signals to what it runs.  Nothing
        # that is imported for it is garbage.
        gc.disable()
        from canonical.launchpad.command.run import is_run
        from canonical.launchpad.command.run import run
        if is_run(sys.argv[1:]):
            run(sys.argv[1:])
    return _run("scriptactivity", "main", "main")


def script_monitor() -> int:
    """The program ``script-monitor``; returns its exit status."""
    return _run("script-monitor", "scriptmonitor", "script_monitor")


def script_monitor_nagios() -> int:
    """The program ``script-monitor-nagios``; returns its exit status."""
    return _run(
        "script-monitor-nagios", "scriptmonitor", "script_monitor_nagios")


def _run(program: str, module: str, function: str) -> int:
    """Call a function of a module of this package."""
    try:
        _open_streams()
        status = _call(module, function)
        sys.stdout.flush()
    except OutputError as error:
        # Whoever closes a pipe has read enough.
        if error.errno != errno.EPIPE:
            print(f"{program}: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt as interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # What is written already may be in the buffer still.
        _discard(1)
        signum = getattr(interrupt, "signum", signal.SIGINT)
        name = signal.Signals(signum).name
        print(f"{program}: interrupted by {name}", file=sys.stderr)
        return int(KILLED + signum)
    return status


def _call(module: str, function: str) -> int:
    try:
        status: int = getattr(importlib.import_module(
            f"canonical.launchpad.command.{module}"), function)()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    return status


def _open_streams() -> None:
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


def _discard(descriptor: int) -> None:
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
            _discard(self.fileno())
            if self.fileno() == 1:
                raise OutputError(error.errno, error.strerror) from None
            return len(data)
