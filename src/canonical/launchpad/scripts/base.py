"""What a script is built on."""

from __future__ import annotations

import datetime
import logging
import sys
from collections.abc import Sequence

from zope.schema import ValidationError
from zope.schema import getFields

from canonical.config import config
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.scripts.attempt import AttemptLog
from canonical.launchpad.scripts.croncontrol import cronscript_enabled
from canonical.launchpad.scripts.failures import LaunchpadScriptFailure
from canonical.launchpad.scripts.failures import SilentLaunchpadScriptFailure
from canonical.launchpad.scripts.recording import Recorder
from canonical.launchpad.scripts.script import LaunchpadScript
from canonical.launchpad.scripts.stopwatch import Stopwatch
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "LaunchpadCronScript",
    "LaunchpadScript",
    "LaunchpadScriptFailure",
    "SilentLaunchpadScriptFailure",
]


class LaunchpadCronScript(LaunchpadScript):
    """A script whose successful runs are recorded.

    :param ignore_cron_control: run even if it is switched off.
    """

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
        host sends it in.

        :param date_started: aware, as is `date_completed`.
        :raises LaunchpadScriptFailure: if it cannot be spooled either.
        """
        self._recorder.record(date_started, date_completed)

    def _check(self) -> None:
        if not self._ignore_cron_control and not cronscript_enabled(
            config.scripts.cron_control_url, self.name, config.directory,
            self.logger,
        ):
            self.logger.info("%s is switched off", self.name)
            sys.exit(0)
        try:
            getFields(IScriptActivity)["name"].validate(self.name)
        except ValidationError as error:
            raise LaunchpadScriptFailure(
                f"The script's name cannot be recorded: {self.name!r}:"
                f" {error.doc()}") from None

    def _prepare(self) -> None:
        self._attempt = AttemptLog(self.name, self.txn, self.logger)
        self._recorder = Recorder(
            self.name, self.txn, self._attempt, self._signals.arrived,
            self.logger)
        self._recorder.prepare()
        self._attempt.begin(alone=self._lock is not None)

    def _finish(self) -> None:
        self._recorder.finish()
        self._attempt.succeeded()

    def _failed(self, error: BaseException) -> None:
        self._attempt.failed(error)

    def _skipped(self, reason: str, status: int) -> None:
        try:
            execute_zcml()
            self._connect("read_committed")
        except LaunchpadScriptFailure as failure:
            self.logger.warning(
                "This attempt is not kept on record: %s", failure)
        else:
            AttemptLog(self.name, self.txn, self.logger).skipped(
                reason, status)

    def _commit(self, watch: Stopwatch) -> None:
        try:
            self._recorder.commit(watch.date_started, watch.date_completed())
        except Exception as error:
            self._commit_failed(error)
