"""The base classes of scripts, with the steps of a run in order."""

from __future__ import annotations

import datetime
import logging
import os
import sys
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from optparse import OptionParser
from pathlib import Path
from typing import ClassVar

from storm.exceptions import OperationalError

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.connection import occupy_standard_descriptors
from canonical.database.errors import first_line
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.signals import DeadlySignals
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import leave_stores_to_parent
from canonical.database.stormuri import check_isolation
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import checked_text
from canonical.launchpad.scripts.attempt import Attempt
from canonical.launchpad.scripts.exitstatus import LaunchpadScriptFailure
from canonical.launchpad.scripts.exitstatus import SilentLaunchpadScriptFailure
from canonical.launchpad.scripts.exitstatus import call_main
from canonical.launchpad.scripts.exitstatus import children_end_here
from canonical.launchpad.scripts.exitstatus import end_of_process
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.lock import lock_file_name
from canonical.launchpad.scripts.logger import add_logging_options
from canonical.launchpad.scripts.logger import check_profile
from canonical.launchpad.scripts.logger import profiled
from canonical.launchpad.scripts.logger import script_logger
from canonical.launchpad.scripts.metrics import send_duration
from canonical.launchpad.scripts.record import others_may_wait
from canonical.launchpad.scripts.record import record_runs
from canonical.launchpad.scripts.spool import send_spool
from canonical.launchpad.zcml import register_recording


__all__ = [
    "LaunchpadCronScript",
    "LaunchpadScript",
    "LaunchpadScriptFailure",
    "SilentLaunchpadScriptFailure",
]


class LaunchpadScript:
    """A script of the application.

    A subclass overrides `main`, and other methods if needed::

        class UpdateBugs(LaunchpadScript):
            def main(self):
                ...

        if __name__ == "__main__":
            UpdateBugs("update-bugs").lock_and_run()

    :cvar usage: for --help; see `optparse`.
    :cvar description: for --help; `None` means the docstring of the class.
    :cvar loglevel: a level of `logging`; the level without -v and -q.
    :ivar parser: an `optparse.OptionParser`.
    :ivar options: the parsed options of the command line.
    :ivar args: the other arguments of the command line.
    :ivar logger: a `logging.Logger` that writes to standard error.
    :ivar txn: within `main`, the `ZopelessTransactionManager`.

    :param name: the script's name; by default the name of its class in lower
        case.
    :param dbuser: the database role to connect as; see `initZopeless`.
    :param test_args: the command line; by default that of the process.
    :param logger: a logger to use instead of the one that the options
        configure.
    """

    usage: str | None = None
    description: str | None = None
    loglevel = logging.INFO

    txn: ZopelessTransactionManager

    _is_recorded = False
    _ignore_cron_control = True

    # How many scripts run in this process.
    _running: ClassVar[int] = 0

    def __init__(
        self,
        name: str | None = None,
        dbuser: str | None = None,
        test_args: Sequence[str] | None = None,
        logger: logging.Logger | None = None,
    ):
        occupy_standard_descriptors()
        self._name = name
        self._dbuser = dbuser
        self._lock: LockFile | None = None
        self._attempt: Attempt | None = None
        self._signals = DeadlySignals()
        description = self.description or type(self).__doc__
        self.parser = OptionParser(
            usage=self.usage,
            description=description and " ".join(description.split()))
        add_logging_options(self.parser)
        self.add_my_options()
        self.options, self.args = self.parser.parse_args(
            None if test_args is None else list(test_args))
        self.logger = logger or script_logger(
            self.parser, self.options, self.loglevel)
        check_profile(self.parser, self.options.profile)
        self.handle_options()

    # The members that a subclass may override.

    @property
    def name(self) -> str:
        """The script's name.  A subclass may make it depend on options."""
        return self._name or type(self).__name__.lower()

    @property
    def dbuser(self) -> str | None:
        """The role to connect as.  It may depend on options, as the name."""
        return self._dbuser

    def main(self) -> None:
        """Do the script's work.  A subclass overrides this.

        After it has returned, uncommitted work is committed.  If it raises an
        exception, the script has failed.
        """
        raise NotImplementedError

    def add_my_options(self) -> None:
        """Add options to `self.parser`."""

    def handle_options(self) -> None:
        """Check `self.options`, and call `self.parser.error` for mistakes.

        The script is not locked yet, and not connected to the database.
        """

    def record_activity(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Do nothing.  This is called after the work is committed."""

    @property
    def lockfilename(self) -> str:
        """The name of the lock file.  Scripts that share it take turns."""
        return lock_file_name(self.name)

    @property
    def lockfilepath(self) -> Path:
        """The lock file, in the configured directory."""
        directory = config.directory_for("scripts", "lock_directory")
        return directory / self.lockfilename

    # The methods that start a script.

    def lock_and_run(
        self,
        blocking: bool = False,
        skip_delete: bool = False,
        isolation: str = "read_committed",
    ) -> None:
        """Run the script if it does not run already; see `run`.

        :param blocking: if it runs already, wait for the end of that run.
        :param skip_delete: do not remove the lock file at the end.
        :raises SystemExit: as `run` does; also with status 1 if the script
            runs already, or if it cannot be locked.
        """
        self._run(isolation, lambda: self.lock_or_die(blocking), skip_delete)

    def run(self, isolation: str = "read_committed") -> None:
        """Run the script: connect, call `main`, commit, record.

        :param isolation: see `initZopeless`.
        :raises ValueError: if `isolation` is unknown.
        :raises SystemExit: if the script has failed, with an exit status from
            the chapter "Failing on purpose" of the manual; with 2 if the
            configuration is wrong; with 0 if `main` called `sys.exit` to
            report success, or if the script is switched off.
        """
        self._run(isolation)

    def lock_or_die(self, blocking: bool = False) -> None:
        """Lock the script; if it is locked, exit with status 1."""
        self._lock_or_exit(blocking, 1)

    def lock_or_quit(self, blocking: bool = False) -> None:
        """Lock the script; if it is locked, exit with status 0."""
        self._lock_or_exit(blocking, 0)

    def unlock(self, skip_delete: bool = False) -> None:
        """Release the lock; see `lock_and_run`."""
        if self._lock is not None:
            self._lock.release(skip_delete)
            self._lock = None

    # The steps of a run.

    def _run(
        self,
        isolation: str,
        lock: Callable[[], None] | None = None,
        skip_delete: bool = False,
    ) -> None:
        """The steps of a run, in order.

        :param lock: locks the script; `None` to run without a lock.
        """
        check_isolation(isolation)
        with (
            end_of_process(self._signals, self.logger),
            profiled(self.options.profile, self.logger),
        ):
            if not self._ignore_cron_control:
                self._exit_if_switched_off()
            if self._is_recorded:
                self._check_name()
            if lock is not None:
                lock()
            try:
                with self._connected(isolation):
                    leave = self._work()
            finally:
                if lock is not None:
                    self.unlock(skip_delete)
            if leave is not None:
                raise leave

    def _work(self) -> SystemExit | None:
        """The steps of a run that need the database, in order.

        :return: the `SystemExit` of a `main` that succeeded with `sys.exit`.
        """
        record_timeout = config.duration_of("scripts", "record_timeout")
        commit_timeout = config.duration_of("scripts", "commit_timeout")
        if self._is_recorded:
            directory = config.path_of("scripts", "spool_directory")
            with others_may_wait(f"the spool {directory}", self.logger):
                config.directory_for("scripts", "spool_directory")
                send_spool(self.txn, directory, self.logger)
        attempt = self._attempt = self._new_attempt()
        try:
            unrecorded = attempt.begin()
            with others_may_wait("the database", self.logger):
                record_runs(self.txn, unrecorded, self.logger)
            leave = call_main(self.main, self._signals, self.logger)
            with children_end_here(self.logger), self._signals.deferred():
                attempt.commit(commit_timeout, record_timeout)
                date_completed = attempt.date_completed()
                self.logger.debug(
                    "Ran for %.3f s",
                    (date_completed - attempt.date_started).total_seconds())
                self.record_activity(attempt.date_started, date_completed)
                attempt.succeed()
        except BaseException as error:
            self.txn.disconnect()
            attempt.fail(error)
            raise
        return leave

    def _exit_if_switched_off(self) -> None:
        url = config.scripts.cron_control_url
        if not url:
            return
        # croncontrol is slow to import, and needed only with a control file.
        from canonical.config.croncontrol import cronscript_enabled
        if not cronscript_enabled(
            url, self.name, config.directory, self.logger
        ):
            self.logger.info("%s is switched off", self.name)
            sys.exit(0)

    def _check_name(self) -> None:
        try:
            checked_text(IScriptActivity["name"], self.name)
        except (TypeError, ValueError) as error:
            raise LaunchpadScriptFailure(
                f"The script's name cannot be recorded: {error}") from None

    def _lock_or_exit(self, blocking: bool, status: int) -> None:
        """Lock the script, or record why not and exit.

        :param status: the exit status if it is locked.
        :raises SystemExit: its cause says why.
        """
        why: Exception
        if self._lock is not None and self._lock.is_held:
            return
        try:
            self._lock = LockFile(self.lockfilepath, blocking)
            return
        except LockTaken as taken:
            outcome, why = "skipped", taken
            self.logger.info("%s", why)
        except OSError as error:
            outcome, status = "failure", 1
            why = LaunchpadScriptFailure(
                f"Cannot lock {self.lockfilepath}: {error.strerror}")
            self.logger.error("%s", why)
        except ConfigError as error:
            self.logger.error("%s", error)
            raise SystemExit(2) from error
        if self._is_recorded:
            try:
                with self._connected("read_committed"):
                    self._new_attempt().end(outcome, status, str(why))
            except Exception as error:
                self.logger.warning(
                    "This run is not on record: %s", first_line(error))
        raise SystemExit(status) from why

    def _new_attempt(self) -> Attempt:
        return Attempt(
            self.name, self.txn, self._is_recorded, self._signals.arrived,
            self.logger)

    @contextmanager
    def _connected(self, isolation: str) -> Iterator[None]:
        """Register what records, and install the transaction manager."""
        register_recording()
        was_installed = ZopelessTransactionManager._installed
        try:
            self.txn = initZopeless(self.dbuser, isolation)
        except (EmbeddedClusterError, OperationalError) as error:
            raise LaunchpadScriptFailure(str(error)) from None
        self.txn.begin()
        self._signals.cancel = self.txn.cancel
        self._signals.cut = self.txn.cut
        LaunchpadScript._running += 1
        try:
            yield
        finally:
            LaunchpadScript._running -= 1
            if was_installed is None:
                self.txn.uninstall()


class LaunchpadCronScript(LaunchpadScript):
    """A script whose successful runs are recorded.

    :param ignore_cron_control: run even if it is switched off.
    """

    _is_recorded = True

    def __init__(
        self,
        name: str | None = None,
        dbuser: str | None = None,
        test_args: Sequence[str] | None = None,
        logger: logging.Logger | None = None,
        ignore_cron_control: bool = False,
    ):
        self._ignore_cron_control = ignore_cron_control
        super().__init__(name, dbuser, test_args, logger)

    def record_activity(
        self,
        date_started: datetime.datetime,
        date_completed: datetime.datetime,
    ) -> None:
        """Record the success of the run, in a separate transaction.

        If that fails, the success is spooled, and the next cron script on
        this host records it.  A child of the script's process records
        nothing.

        :param date_started: aware, as is `date_completed`.
        :raises LaunchpadScriptFailure: if the success cannot be spooled
            either, or if the work is no longer in the database.
        """
        if self._attempt is None or not self._attempt.is_mine:
            return
        is_recorded = self._attempt.record(
            date_started, date_completed,
            config.duration_of("scripts", "record_timeout"),
            config.path_of("scripts", "spool_directory"))
        if is_recorded:
            send_duration(
                self.name, (date_completed - date_started).total_seconds(),
                self.logger)


def _in_forked_child() -> None:
    if LaunchpadScript._running:
        leave_stores_to_parent()


os.register_at_fork(after_in_child=_in_forked_child)
