"""From the end of a script's work to the end of its process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
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
        if leave.code is None or leave.code == 0:
            return leave
        if isinstance(leave.code, int):
            raise SilentLaunchpadScriptFailure(leave.code) from None
        raise LaunchpadScriptFailure(leave.code) from None
    return None


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
        signum = getattr(interrupt, "signum", signal.SIGINT)
        logger.error("Killed by %s", signal.Signals(signum).name)
        die_of(signum)
    except ConfigError as error:
        logger.error("%s", error)
        sys.exit(2)
    except LaunchpadScriptFailure as failure:
        logger.error("%s", failure)
        sys.exit(failure_status(failure.exit_status))
    except SilentLaunchpadScriptFailure as failure:
        sys.exit(failure_status(failure.exit_status))
    except BaseException:
        logger.exception("Unhandled exception")
        sys.exit(1)
