"""Ctrl-C: a line and an exit status, from the first line of a program on.

The programs import this first, so it imports only what Python has imported at
its start.
"""

# Unlike `signal` it makes no enumerations, which takes some milliseconds.
import _signal  # type: ignore[import-not-found]
import os


__all__ = [
    "UNKNOWN",
    "end_when_interrupted",
    "print_interrupted",
    "raise_when_interrupted",
]


# What a shell adds to the number of the signal that has ended a program.
KILLED = 128

# The exit status of what knows nothing, by the Monitoring Plugins Development
# Guidelines.
UNKNOWN = 3

# Set by `end_when_interrupted`.
_program = ""
_is_for_nagios = False


def end_when_interrupted(program: str, is_for_nagios: bool) -> None:
    """Let SIGINT end this process with a line, while nothing can be lost.

    A KeyboardInterrupt does not do while modules are imported: Python calls
    functions of its own then, and prints a traceback of what they raise.
    Where SIGINT is ignored, as by a shell in the background, it stays so.

    :param is_for_nagios: Nagios reads standard output.
    """
    global _program, _is_for_nagios
    _program, _is_for_nagios = program, is_for_nagios
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _end)


def raise_when_interrupted() -> None:
    """Let SIGINT raise KeyboardInterrupt again: the command itself begins."""
    if _signal.getsignal(_signal.SIGINT) is _end:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)


def print_interrupted(name: str, signum: int) -> int:
    """Print a line about a signal; returns the exit status.

    :param name: of the signal.
    """
    if _is_for_nagios:
        descriptor, status = 1, UNKNOWN
        line = f"SCRIPTS UNKNOWN - interrupted by {name}\n"
    else:
        descriptor, status = 2, KILLED + signum
        line = f"{_program}: interrupted by {name}\n"
    try:  # noqa: SIM105
        os.write(descriptor, line.encode())
    except OSError:
        # Nobody can read it.
        pass
    return status


def _end(signum: int, frame: object) -> None:
    os._exit(print_interrupted("SIGINT", signum))
