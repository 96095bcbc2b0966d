"""From the end of a script's work to the end of its process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from logging import Logger

from canonical.config import ConfigError
from canonical.launchpad.scripts.failures import LaunchpadScriptFailure
from canonical.launchpad.scripts.failures import SilentLaunchpadScriptFailure
from canonical.launchpad.scripts.failures import failure_status
from canonical.launchpad.scripts.logger import profiled
from canonical.launchpad.scripts.signals import DeadlySignals
from canonical.launchpad.scripts.signals import die_of


__all__ = [
    "call_main",
    "end_of_process",
    "ending_of",
]


def call_main(main: Callable[[], None]) -> SystemExit | None:
    """Call `main`, and tell success from failure if it calls `sys.exit`.

    :return: how it wants to leave, if it has succeeded but not returned.
    :raises LaunchpadScriptFailure, SilentLaunchpadScriptFailure: for a
        `sys.exit` with a text or a status.
    """
    try:
        main()
    except SystemExit as leave:
        if leave.code is None:
            return leave
        if isinstance(leave.code, int):
            if leave.code == 0:
                return leave
            raise SilentLaunchpadScriptFailure(leave.code) from None
        raise LaunchpadScriptFailure(leave.code) from None
    return None


@dataclass(frozen=True)
class Ending:
    """What becomes of an exception that ends a script.

    :ivar outcome: see `IScriptAttempt`, as for the others.
    """

    outcome: str
    exit_status: int | None
    reason: str | None


def ending_of(error: BaseException) -> Ending:
    """How a script ends that has failed with `error`."""
    if isinstance(error, KeyboardInterrupt):
        return Ending("killed", None, signal.Signals(signum_of(error)).name)
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
    return Ending("failure", status, f"{type(cause).__name__}: {cause}")


def signum_of(interrupt: KeyboardInterrupt) -> int:
    """The signal that it stands for."""
    signum: int = getattr(interrupt, "signum", signal.SIGINT)
    return signum


@contextmanager
def end_of_process(
    signals: DeadlySignals, profile: str | None, logger: Logger
) -> Iterator[None]:
    """Make of whatever is raised within an end of the process.

    :param profile: see `profiled`.
    :raises SystemExit: instead of all else.
    """
    try:
        with signals, profiled(profile, logger):
            yield
    except SystemExit:
        raise
    except KeyboardInterrupt as interrupt:
        logger.error("Killed by %s", ending_of(interrupt).reason)
        die_of(signum_of(interrupt))
    except BaseException as error:
        if isinstance(error, (ConfigError, LaunchpadScriptFailure)):
            logger.error("%s", error)
        elif not isinstance(error, SilentLaunchpadScriptFailure):
            logger.exception("Unhandled exception")
        sys.exit(ending_of(error).exit_status)
