"""What a script is built on."""

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

from storm.exceptions import DisconnectionError
from storm.exceptions import OperationalError

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.connection import occupy_standard_descriptors
from canonical.database.errors import first_line
from canonical.database.postgres import EmbeddedClusterError
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
from canonical.launchpad.scripts.exitstatus import end_child
from canonical.launchpad.scripts.exitstatus import end_of_process
from canonical.launchpad.scripts.exitstatus import ending_of
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.lock import lock_file_name
from canonical.launchpad.scripts.logger import add_logging_options
from canonical.launchpad.scripts.logger import check_profile
from canonical.launchpad.scripts.logger import profiled
from canonical.launchpad.scripts.logger import script_logger
from canonical.launchpad.scripts.metrics import send_duration
from canonical.launchpad.scripts.signals import DeadlySignals
from canonical.launchpad.scripts.signals import Killed
from canonical.launchpad.scripts.unrecorded import others_may_wait
from canonical.launchpad.scripts.unrecorded import record_runs
from canonical.launchpad.scripts.unrecorded import send_spool
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "LaunchpadCronScript",
    "LaunchpadScript",
    "LaunchpadScriptFailure",
    "SilentLaunchpadScriptFailure",
]


# Seconds that a script spends on successes that others have left, in the spool
# and in the database each.
SECONDS_FOR_OTHERS = 5.0


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
        self._run(isolation, lambda: self.lock_or_die(blocking), skip_delete)

    def run(self, isolation: str = "read_committed") -> None:
        """Run the script: execute the ZCML, connect, call `main`, commit.

        :param isolation: see `initZopeless`.
        :raises ValueError: for an isolation that there is not.
        :raises SystemExit: if the script has failed, with the exit status
            that the chapter "Failing on purpose" of the manual says, 2 if the
            configuration is wrong; and with 0 if `main` called `sys.exit` and
            all is well, or if the script is switched off.
        """
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

    def _run(
        self,
        isolation: str,
        lock: Callable[[], None] | None = None,
        skip_delete: bool = False,
    ) -> None:
        """All that happens, in that order.

        :param lock: what is done first and undone last, if anything.
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
        """All that happens while there is a connection, in that order.

        :return: how `main` wants to leave, if it has not just returned.
        """
        record_timeout = config.duration_of("scripts", "record_timeout")
        commit_timeout = config.duration_of("scripts", "commit_timeout")
        if self._is_recorded:
            directory = config.path_of("scripts", "spool_directory")
            with others_may_wait(f"the spool {directory}", self.logger):
                config.directory_for("scripts", "spool_directory")
                send_spool(
                    self.txn, directory, SECONDS_FOR_OTHERS, self.logger)
        attempt = self._attempt = self._new_attempt()
        try:
            unrecorded = attempt.begin()
            with others_may_wait("the database", self.logger):
                record_runs(
                    self.txn, unrecorded, SECONDS_FOR_OTHERS, self.logger)
            leave = call_main(self.main, self._signals, self.logger)
            with self._signals.deferred():
                try:
                    attempt.commit(commit_timeout, record_timeout)
                except Exception as error:
                    raise self._commit_failed(attempt, error) from error
                date_completed = attempt.date_completed()
                self.logger.debug(
                    "Ran for %.3f s",
                    (date_completed - attempt.date_started).total_seconds())
                self.record_activity(attempt.date_started, date_completed)
                attempt.succeed()
        except BaseException as error:
            if not attempt.is_mine:
                end_child(error, self.logger)
            self.txn.disconnect()
            attempt.fail(error)
            raise
        if not attempt.is_mine:
            end_child(leave, self.logger)
        return leave

    def _exit_if_switched_off(self) -> None:
        url = config.scripts.cron_control_url
        if not url:
            return
        # Slow to import, for those who switch nothing off.
        from canonical.launchpad.scripts.croncontrol import cronscript_enabled
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
        if self._lock is not None and self._lock.is_held:
            return
        try:
            self._lock = LockFile(self.lockfilepath, blocking)
        except LockTaken as taken:
            self.logger.info("%s", taken)
            self._keep("skipped", status, str(taken))
            sys.exit(status)
        except OSError as error:
            failure = LaunchpadScriptFailure(
                f"Cannot lock {self.lockfilepath}: {error.strerror}")
            self.logger.error("%s", failure)
            self._keep(*ending_of(failure))
            sys.exit(1)
        except ConfigError as error:
            self.logger.error("%s", error)
            sys.exit(2)

    def _keep(
        self, outcome: str, exit_status: int | None, reason: str
    ) -> None:
        """Keep an attempt that ends before its work."""
        if not self._is_recorded:
            return
        try:
            with self._connected("read_committed"):
                self._new_attempt().end(outcome, exit_status, reason)
        except Exception as error:
            self.logger.warning(
                "This run is not on record: %s", first_line(error))

    def _new_attempt(self) -> Attempt:
        return Attempt(
            self.name, self.txn, self._is_recorded, self._signals.arrived,
            self.logger)

    @contextmanager
    def _connected(self, isolation: str) -> Iterator[None]:
        """With the ZCML executed, and the transaction manager installed."""
        execute_zcml()
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

    def _commit_failed(
        self, attempt: Attempt, error: Exception
    ) -> BaseException:
        """What to raise for it."""
        if self._signals.signum is not None and isinstance(
            error, DisconnectionError
        ):
            return Killed(self._signals.signum)
        if attempt.is_in_doubt:
            # That is logged.
            return SilentLaunchpadScriptFailure(1)
        self.logger.error(
            "The final commit failed: %s", first_line(error), exc_info=True)
        return SilentLaunchpadScriptFailure(1)


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
        """Record the run, in a transaction of its own.

        If that cannot be done it is spooled, and the next cron script on this
        host sends it.  A child of the script's process records nothing.

        :param date_started: aware, as is `date_completed`.
        :raises LaunchpadScriptFailure: if it cannot be spooled either, or if
            its work is no longer in the database.
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
