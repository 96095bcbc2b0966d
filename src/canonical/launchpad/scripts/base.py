"""The base classes of scripts."""

from __future__ import annotations

import datetime
import logging
import sys
from optparse import OptionParser

import transaction
from zope.component import getUtility

from canonical.config import ConfigError
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.scripts.logger import script_logger
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "LaunchpadCronScript",
    "LaunchpadScript",
]


class LaunchpadScript:
    """A script beside the application.

    A subclass overrides `main`, and may override `add_my_options`::

        class UpdateBugs(LaunchpadScript):
            def main(self):
                ...

        if __name__ == "__main__":
            UpdateBugs("update-bugs").run()

    :ivar name: the script's name, by default that of its class in lower case.
    :ivar parser: an `optparse.OptionParser`.
    :ivar options: what it made of the command line.
    :ivar args: and the arguments that it left over.
    :ivar logger: a `logging.Logger` that writes to standard error.
    :ivar txn: within `main`, the `ZopelessTransactionManager`.

    :param name: the script's name.
    :param dbuser: the database role to connect as; see `initZopeless`.
    """

    txn: ZopelessTransactionManager

    def __init__(self, name: str | None = None, dbuser: str | None = None):
        self.name = name or type(self).__name__.lower()
        self.dbuser = dbuser
        self.parser = OptionParser(description=type(self).__doc__)
        self.add_my_options()
        self.options, self.args = self.parser.parse_args()
        self.logger = script_logger(logging.INFO)

    def main(self) -> None:
        """Do the script's work.  To be overridden.

        What it leaves uncommitted is committed after it has returned.  An
        exception means that the script has failed.
        """
        raise NotImplementedError

    def add_my_options(self) -> None:
        """Add options to `self.parser`.  May be overridden."""

    def record_activity(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Called once the work has been committed; does nothing here."""

    def run(self, isolation: str = "read_committed") -> None:
        """Run the script: execute the ZCML, connect, call `main`, commit.

        :param isolation: see `initZopeless`.
        :raises SystemExit: with status 1 if any of that failed: the traceback
            is on standard error, and what was not committed is rolled back.
            With status 2 if the configuration is wrong, which one line says.
        """
        try:
            execute_zcml()
            self.txn = initZopeless(self.dbuser, isolation)
            date_started = datetime.datetime.now(datetime.UTC)
            self.main()
            self.txn.commit()
            date_completed = datetime.datetime.now(datetime.UTC)
        except ConfigError as error:
            self.logger.error("%s", error)
            sys.exit(2)
        except Exception:
            self.logger.exception("Unhandled exception")
            transaction.abort()
            sys.exit(1)
        self.record_activity(date_started, date_completed)


class LaunchpadCronScript(LaunchpadScript):
    """A script whose successful runs are recorded."""

    def record_activity(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Record the run, in a transaction of its own."""
        getUtility(IScriptActivitySet).recordSuccess(
            name=self.name,
            date_started=date_started,
            date_completed=date_completed,
        )
        self.txn.commit()
