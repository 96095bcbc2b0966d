"""The programs as a shell starts them: Ctrl-C, and the exit status.

Nothing slow is imported before Ctrl-C is caught.
"""

from __future__ import annotations

import errno
import gc
import importlib
import signal
import sys

from canonical.launchpad.command.streams import OutputError
from canonical.launchpad.command.streams import discard
from canonical.launchpad.command.streams import open_streams


__all__ = [
    "script_monitor",
    "script_monitor_nagios",
    "scriptactivity",
]


# What a shell adds to the number of the signal that has ended a program.
KILLED = 128


def scriptactivity() -> int:
    """The program ``scriptactivity``; returns its exit status."""
    if "run" in sys.argv:
        # It leaves standard streams and signals to what it runs.  Nothing
        # that is imported for it is garbage.
        gc.disable()
        try:
            from canonical.launchpad.command.run import is_run
            from canonical.launchpad.command.run import run
            if is_run(sys.argv[1:]):
                run(sys.argv[1:])
        except KeyboardInterrupt as interrupt:
            return _interrupted("scriptactivity", interrupt)
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
        open_streams()
        status = _call(module, function)
        sys.stdout.flush()
    except OutputError as error:
        # Whoever closes a pipe has read enough.
        if error.errno != errno.EPIPE:
            print(f"{program}: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt as interrupt:
        return _interrupted(program, interrupt)
    return status


def _interrupted(program: str, interrupt: KeyboardInterrupt) -> int:
    """Print a line about it; returns the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is written already may be in the buffer still.
    discard(1)
    signum = getattr(interrupt, "signum", signal.SIGINT)
    name = signal.Signals(signum).name
    print(f"{program}: interrupted by {name}", file=sys.stderr)
    return int(KILLED + signum)


def _call(module: str, function: str) -> int:
    try:
        status: int = getattr(importlib.import_module(
            f"canonical.launchpad.command.{module}"), function)()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    return status
