"""What all scripts are made of."""

from __future__ import annotations

import datetime
import inspect
import logging
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from optparse import OptionParser
from pathlib import Path

from storm.exceptions import OperationalError

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.embedded import EmbeddedClusterError
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import check_isolation
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.scripts.ending import call_main
from canonical.launchpad.scripts.ending import end_of_process
from canonical.launchpad.scripts.failures import LaunchpadScriptFailure
from canonical.launchpad.scripts.failures import SilentLaunchpadScriptFailure
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.lock import lock_file_name
from canonical.launchpad.scripts.logger import add_logging_options
from canonical.launchpad.scripts.logger import script_logger
from canonical.launchpad.scripts.sending import first_line
from canonical.launchpad.scripts.signals import DeadlySignals
from canonical.launchpad.scripts.signals import Killed
from canonical.launchpad.scripts.stopwatch import Stopwatch
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "LaunchpadScript",
]


class LaunchpadScript:
    """A script beside the application.

    A subclass overrides `main`, and what else it needs to::

        class UpdateBugs(LaunchpadScript):
            def main(self):
                ...

        if __name__ == "__main__":
            UpdateBugs("update-bugs").lock_and_run()

    :cvar usage: for --help; see `optparse`.
    :cvar description: for --help; `None` means the docstring of the class.
    :cvar loglevel: of `logging`; what is logged without -v and -q.
    :ivar parser: an `optparse.OptionParser`.
    :ivar options: what it made of the command line.
    :ivar args: and the arguments that it left over.
    :ivar logger: a `logging.Logger` that writes to standard error.
    :ivar txn: within `main`, the `ZopelessTransactionManager`.

    :param name: the script's name, by default that of its class in lower
        case.
    :param dbuser: the database role to connect as; see `initZopeless`.
    :param test_args: the command line, if not that of the process.
    :param logger: to use instead of one that the options govern.
    """

    usage: str | None = None
    description: str | None = None
    loglevel = logging.INFO

    txn: ZopelessTransactionManager

    def __init__(
        self,
        name: str | None = None,
        dbuser: str | None = None,
        test_args: Sequence[str] | None = None,
        logger: logging.Logger | None = None,
    ):
        self._name = name
        self._dbuser = dbuser
        self._lock: LockFile | None = None
        self._signals = DeadlySignals()
        description = self.description or type(self).__doc__
        self.parser = OptionParser(
            usage=self.usage,
            description=description and inspect.cleandoc(description))
        add_logging_options(self.parser)
        self.add_my_options()
        self.options, self.args = self.parser.parse_args(
            None if test_args is None else list(test_args))
        self.logger = logger or script_logger(
            self.parser, self.options, self.loglevel)
        self.handle_options()

    # What a subclass may override.

    @property
    def name(self) -> str:
        """The script's name.  A subclass may make it depend on options."""
        return self._name or type(self).__name__.lower()

    @property
    def dbuser(self) -> str | None:
        """The role to connect as.  May likewise depend on options."""
        return self._dbuser

    def main(self) -> None:
        """Do the script's work.  To be overridden.

        What it leaves uncommitted is committed after it has returned.  An
        exception means that the script has failed.
        """
        raise NotImplementedError

    def add_my_options(self) -> None:
        """Add options to `self.parser`."""

    def handle_options(self) -> None:
        """Look at `self.options`, and call `self.parser.error` for mistakes.

        Nothing is locked, and there is no database, yet.
        """

    def record_activity(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Called once the work has been committed; does nothing here."""

    @property
    def lockfilename(self) -> str:
        """The name of the lock file: scripts that share it take turns."""
        return lock_file_name(self.name)

    @property
    def lockfilepath(self) -> Path:
        """The lock file, in the configured directory."""
        directory = config.directory_for("scripts", "lock_directory")
        return directory / self.lockfilename

    # What a script is started with.

    def lock_and_run(
        self,
        blocking: bool = False,
        skip_delete: bool = False,
        isolation: str = "read_committed",
    ) -> None:
        """Run the script if it does not run already; see `run`.

        :param blocking: if it does, wait until that is over.
        :param skip_delete: leave the lock file there afterwards.
        :raises SystemExit: with status 1 too if it runs already, or if it
            cannot be locked.
        """
        check_isolation(isolation)
        with self._ending():
            self._check()
            self.lock_or_die(blocking)
            try:
                self._run(isolation)
            finally:
                self.unlock(skip_delete)

    def run(self, isolation: str = "read_committed") -> None:
        """Run the script: execute the ZCML, connect, call `main`, commit.

        :param isolation: see `initZopeless`.
        :raises ValueError: for an isolation that there is not.
        :raises SystemExit: if the script has failed, with the exit status
            that the chapter "Failing on purpose" of the manual says, 2 if the
            configuration is wrong; and with 0 if `main` called `sys.exit` and
            all is well, or if the script is switched off.
        """
        check_isolation(isolation)
        with self._ending():
            self._check()
            self._run(isolation)

    def lock_or_die(self, blocking: bool = False) -> None:
        """Lock the script; if it is locked, exit with status 1."""
        self._lock_or_exit(blocking, 1)

    def lock_or_quit(self, blocking: bool = False) -> None:
        """Lock the script; if it is locked, exit with status 0."""
        self._lock_or_exit(blocking, 0)

    def unlock(self, skip_delete: bool = False) -> None:
        """Give the lock up; see `lock_and_run`."""
        if self._lock is not None:
            self._lock.release(skip_delete)
            self._lock = None

    # How it comes about.

    def _lock_or_exit(self, blocking: bool, status: int) -> None:
        if self._lock is not None:
            return
        try:
            self._lock = LockFile(self.lockfilepath, blocking)
        except LockTaken as taken:
            self.logger.info("%s", taken)
            self._skipped(str(taken), status)
            sys.exit(status)
        except OSError as error:
            self.logger.error(
                "Cannot lock %s: %s", self.lockfilepath, error.strerror)
            sys.exit(1)
        except ConfigError as error:
            self.logger.error("%s", error)
            sys.exit(2)

    def _check(self) -> None:
        """May the script run?  Asked before anything else is touched."""

    def _run(self, isolation: str) -> None:
        execute_zcml()
        was_installed = ZopelessTransactionManager._installed
        self._connect(isolation)
        try:
            leave = self._work()
        except BaseException as error:
            ending = error
            if isinstance(error, Exception) and self._signals.signum:
                # What was raised in the middle of C has become an error there.
                ending = Killed(self._signals.signum)
            self.txn.disconnect()
            self._failed(ending)
            if ending is not error:
                raise ending from None
            raise
        finally:
            if was_installed is None:
                self.txn.uninstall()
        if leave is not None:
            raise leave

    def _work(self) -> SystemExit | None:
        """All that may fail, from the first transaction to the last.

        :return: how `main` wants to leave, if it has not just returned.
        """
        self._prepare()
        watch = Stopwatch()
        leave = call_main(self.main)
        with self._signals.deferred():
            self._commit(watch)
            date_completed = watch.date_completed()
            self.logger.debug(
                "Ran for %.3f s",
                (date_completed - watch.date_started).total_seconds())
            self.record_activity(watch.date_started, date_completed)
            self._finish()
        return leave

    def _connect(self, isolation: str) -> None:
        try:
            self.txn = initZopeless(self.dbuser, isolation)
        except (EmbeddedClusterError, OperationalError) as error:
            raise LaunchpadScriptFailure(str(error)) from None
        self.txn.begin()
        self._signals.cancel = self.txn.cancel
        self._signals.cut = self.txn.cut

    def _prepare(self) -> None:
        """What comes between the connection and `main`."""

    def _finish(self) -> None:
        """What comes after the success is recorded, by whom ever."""

    def _failed(self, error: BaseException) -> None:
        """What comes after the work of a failed run is rolled back."""

    def _skipped(self, reason: str, status: int) -> None:
        """What comes before the exit of a run that has found it locked."""

    def _commit(self, watch: Stopwatch) -> None:
        """Commit what `main` has left."""
        try:
            self.txn.commit()
        except Exception as error:
            self._commit_failed(error)

    def _commit_failed(self, error: Exception) -> None:
        self.logger.error(
            "The final commit failed: %s", first_line(error), exc_info=True)
        raise SilentLaunchpadScriptFailure(1) from error

    def _ending(self) -> AbstractContextManager[None]:
        return end_of_process(
            self._signals, self.options.profile, self.logger)
