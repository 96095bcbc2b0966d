"""Turns the end of a script's work into the exit status of its process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from logging import Logger
from typing import NoReturn

from canonical.config import ConfigError
from canonical.database.signals import DeadlySignals
from canonical.database.signals import die_of


__all__ = [
    "LaunchpadScriptFailure",
    "SilentLaunchpadScriptFailure",
    "call_main",
    "children_end_here",
    "end_of_process",
    "ending_of",
    "failure_status",
]


class LaunchpadScriptFailure(Exception):
    """The script has failed.  The text says why, and no traceback is logged.

    :cvar exit_status: the exit status of the process.  A subclass or an
        instance may have another one.
    """

    exit_status: int = 1


class SilentLaunchpadScriptFailure(Exception):
    """The script has failed, and has logged the reason itself.

    :param exit_status: the exit status of the process.
    """

    def __init__(self, exit_status: int = 1):
        super().__init__(exit_status)
        self.exit_status = exit_status


def failure_status(status: object) -> int:
    """The exit status of a failure that asks for `status`.

    A status outside 1 to 255 becomes 1.  The kernel keeps only the last eight
    bits, so 256 would mean success.
    """
    if isinstance(status, int) and 1 <= status <= 255:
        return int(status)
    return 1


def call_main(
    main: Callable[[], None], signals: DeadlySignals, logger: Logger
) -> SystemExit | None:
    """Call `main`, and distinguish success from failure if it exits.

    :return: the `SystemExit` if `main` has succeeded with `sys.exit`.
    :raises LaunchpadScriptFailure: for a `sys.exit` with a text.
    :raises SilentLaunchpadScriptFailure: for a `sys.exit` with a status other
        than 0.
    """
    try:
        with signals.blamed(), children_end_here(logger):
            main()
    except SystemExit as leave:
        if leave.code is None or leave.code == 0:
            return leave
        if isinstance(leave.code, int):
            raise SilentLaunchpadScriptFailure(leave.code) from None
        raise LaunchpadScriptFailure(leave.code) from None
    return None


@contextmanager
def children_end_here(logger: Logger) -> Iterator[None]:
    """End a child of the script when it leaves the block, in whatever way.

    Only the process that has entered the block goes on.
    """
    pid = os.getpid()
    try:
        yield
    except BaseException as error:
        if os.getpid() != pid:
            _end_child(error, logger)
        raise
    if os.getpid() != pid:
        _end_child(None, logger)


def _end_child(leave: BaseException | None, logger: Logger) -> NoReturn:
    """End a child of the script without the cleanup of the parent.

    :param leave: the exception that ends the child, or `None` if it has
        returned.
    """
    status = 0
    if isinstance(leave, SystemExit):
        if isinstance(leave.code, str):
            logger.error("%s", leave.code)
        status = leave.code if isinstance(leave.code, int) else int(
            leave.code is not None)
    elif leave is not None:
        logger.error(
            "Unhandled exception in process %s, a child of the script",
            os.getpid(), exc_info=leave)
        status = 1
    for stream in sys.stdout, sys.stderr:
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status & 0xFF)


def ending_of(error: BaseException) -> tuple[str, int | None, str]:
    """The end of a run that has failed with `error`.

    :return: the outcome, exit status and reason; see `IScriptAttempt`.
    """
    if isinstance(error, KeyboardInterrupt):
        return "killed", None, signal.Signals(signum_of(error)).name
    if isinstance(error, ConfigError):
        status = 2
    elif isinstance(
        error, (LaunchpadScriptFailure, SilentLaunchpadScriptFailure)
    ):
        status = failure_status(error.exit_status)
    else:
        status = 1
    cause = error
    if isinstance(error, SilentLaunchpadScriptFailure) and error.__cause__:
        cause = error.__cause__
    return "failure", status, f"{type(cause).__name__}: {cause}"


def signum_of(interrupt: KeyboardInterrupt) -> int:
    """The number of the signal that `interrupt` stands for."""
    signum: int = getattr(interrupt, "signum", signal.SIGINT)
    return signum


@contextmanager
def end_of_process(signals: DeadlySignals, logger: Logger) -> Iterator[None]:
    """Turn every exception of the block into an end of the process.

    :raises SystemExit: in place of any other exception.
    """
    try:
        with signals:
            yield
    except SystemExit:
        raise
    except KeyboardInterrupt as interrupt:
        _, _, name = ending_of(interrupt)
        logger.error("Killed by %s", name)
        die_of(signum_of(interrupt))
    except BaseException as error:
        if isinstance(error, (ConfigError, LaunchpadScriptFailure)):
            logger.error("%s", str(error) or type(error).__name__)
        elif not isinstance(error, SilentLaunchpadScriptFailure):
            logger.exception("Unhandled exception")
        _, status, _ = ending_of(error)
        _drop_output()
        sys.exit(status)


def _drop_output() -> None:
    """Drop what cannot be written to standard output.

    Python would try again at its end, and exit with status 120.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, ValueError):
        # There is none, or it is closed.
        pass
