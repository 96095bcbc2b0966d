"""The base class of those commands that are cron scripts themselves."""

from __future__ import annotations

from contextlib import AbstractContextManager

import psycopg2
from storm.exceptions import StormError

from canonical.config import ConfigError
from canonical.database.connection import time_limit
from canonical.launchpad.command import execute
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.scripts.base import LaunchpadCronScript
from canonical.launchpad.scripts.base import LaunchpadScriptFailure
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "CommandScript",
]


class CommandScript(LaunchpadCronScript):
    """A cron script that needs all utilities, and reports what fails in words.

    A subclass overrides `work` instead of `main`.
    """

    def main(self) -> None:
        """See `LaunchpadScript`."""
        # A script registers only what it needs to record its runs.
        execute_zcml()
        try:
            self.work()
        except ExpectationError as error:
            # As for all that is wrong with the configuration.
            raise ConfigError(str(error)) from None
        except (StormError, psycopg2.Error) as error:
            raise LaunchpadScriptFailure(in_a_line(error)) from None

    def in_time(self) -> AbstractContextManager[object]:
        """Limits how long a step waits for the database.

        While one waits, no other script of this name starts on this host.
        """
        return time_limit(self.txn.cut, execute.PATIENCE)

    def work(self) -> None:
        """Do the work.

        :raises ExpectationError: if the rules file is wrong.
        """
        raise NotImplementedError
