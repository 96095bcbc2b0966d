"""The programs as a shell starts them: Ctrl-C, and the exit status.

Nothing slow is imported before Ctrl-C is caught.
"""

import sys

from canonical.launchpad.command.interrupt import end_when_interrupted
from canonical.launchpad.command.interrupt import print_interrupted


__all__ = [
    "is_for_nagios",
    "script_monitor",
    "script_monitor_nagios",
    "scriptactivity",
]


def scriptactivity() -> int:
    """The program ``scriptactivity``; returns its exit status."""
    arguments = sys.argv[1:]
    if "run" in arguments:
        end_when_interrupted("scriptactivity", is_for_nagios=False)
        # It leaves standard streams and signals to what it runs.  Nothing
        # that is imported for it is garbage.
        import gc
        gc.disable()
        from canonical.launchpad.command.run import is_run
        from canonical.launchpad.command.run import run
        if is_run(arguments):
            run(arguments)
    return _run("scriptactivity", is_for_nagios(arguments), "main", "main")


def script_monitor() -> int:
    """The program ``script-monitor``; returns its exit status."""
    return _run("script-monitor", False, "scriptmonitor", "script_monitor")


def script_monitor_nagios() -> int:
    """The program ``script-monitor-nagios``; returns its exit status."""
    return _run(
        "script-monitor-nagios", True, "scriptmonitor",
        "script_monitor_nagios")


def is_for_nagios(arguments: list[str]) -> bool:
    """Does Nagios read it?  The arguments may be wrong."""
    return "check" in arguments and any(
        "--nagios".startswith(option) and len(option) > 2
        for option in (each.partition("=")[0] for each in arguments))


def _run(program: str, nagios: bool, module: str, function: str) -> int:
    """Call a function of a module of this package.

    :param nagios: does Nagios read standard output?
    """
    end_when_interrupted(program, nagios)
    import errno

    from canonical.launchpad.command.streams import OutputError
    from canonical.launchpad.command.streams import open_streams
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
        return _interrupted(interrupt)
    finally:
        # Python prints a traceback of what interrupts its end, too.
        end_when_interrupted(program, nagios)
    return status


def _interrupted(interrupt: KeyboardInterrupt) -> int:
    """Print a line about it; returns the exit status."""
    import signal

    from canonical.launchpad.command.streams import discard
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signum = getattr(interrupt, "signum", signal.SIGINT)
    status = print_interrupted(signal.Signals(signum).name, signum)
    # What is written already may be in the buffer still.
    discard(1)
    return status


def _call(module: str, function: str) -> int:
    from importlib import import_module
    try:
        status: int = getattr(
            import_module(f"canonical.launchpad.command.{module}"),
            function)()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0
    return status
