"""The command ``scriptactivity alert``: notify people of what changed."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from storm.exceptions import StormError
from zope.component import getUtility

from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.command.commands import COMMANDS
from canonical.launchpad.command.mail import NOT_SENT
from canonical.launchpad.command.mail import mail
from canonical.launchpad.command.mail import recipients
from canonical.launchpad.command.output import in_a_line
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import configured_channels
from canonical.launchpad.command.rules import expected
from canonical.launchpad.command.rules import notice_switches
from canonical.launchpad.command.webhook import post
from canonical.launchpad.command.webhook import webhook_url
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.incidents import Answer
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.incidents import Notice
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.incidents import changes
from canonical.launchpad.monitor.incidents import notice_of
from canonical.launchpad.monitor.message import notice_as_dict
from canonical.launchpad.monitor.message import notice_id
from canonical.launchpad.monitor.message import notice_subject
from canonical.launchpad.monitor.message import notice_text
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.rulesfile import ExpectationError
from canonical.launchpad.scripts.base import LaunchpadCronScript
from canonical.launchpad.scripts.base import LaunchpadScriptFailure


__all__ = [
    "AlertScript",
    "alert",
]


class AlertScript(LaunchpadCronScript):
    """Tell people which scripts broke, which recovered, and what still is.

    cron should run it every few minutes.  Once something is told it is on
    record, and is not told again before [monitor] repeat.
    """

    usage = "scriptactivity alert [options]"

    def add_my_options(self) -> None:
        """See `LaunchpadScript`."""
        self.parser.epilog = "Examples: " + "; ".join(
            f"{example} ({purpose})" for example, purpose
            in COMMANDS["alert"].examples.items())
        self.parser.add_option(
            "--expectations", metavar="FILE",
            help="ZCML that says what is expected, instead of [monitor]"
                 " expectations; always the same, for what is not in it is"
                 " no longer expected")

    def main(self) -> None:
        """See `LaunchpadScript`."""
        path = self.options.expectations
        try:
            expectations = expected(path and Path(path))
            self._alert(expectations)
        except ExpectationError as error:
            # As for all that is wrong with the configuration.
            raise ConfigError(str(error)) from None
        except (StormError, psycopg2.Error) as error:
            raise LaunchpadScriptFailure(in_a_line(error)) from None

    def handle_options(self) -> None:
        """See `LaunchpadScript`."""
        if self.args:
            self.parser.error(f"unexpected arguments: {' '.join(self.args)}")
        if self.options.expectations == "":
            self.parser.error("--expectations: must not be empty")

    def _alert(self, expectations: Sequence[IScriptExpectation]) -> None:
        channels = configured_channels() or ["output"]
        self._repeat = datetime.timedelta(
            seconds=config.duration_of("monitor", "repeat"))
        # What is wrong with these is said before anything is done.
        recipients()
        webhook_url()
        # What is known is on record before anyone is told, so that nothing
        # is lost if nobody can be.
        notice_switches(datetime.datetime.now(datetime.UTC))
        getUtility(IScriptAlertSet).lock()
        self._at = datetime.datetime.now(datetime.UTC)
        self._answers: dict[Key, Answer] = answers_of(
            assess_all(expectations, self._at, clock_skew()))
        self._record(channels)
        self.txn.commit()
        failures = [
            failure for channel in channels
            if (failure := self._tell(channel)) is not None]
        if failures:
            raise LaunchpadScriptFailure(
                "; ".join(failures) + "; the next run tells it")

    def _record(self, channels: Sequence[str]) -> None:
        """Bring the alerts on record up to date."""
        alert_set = getUtility(IScriptAlertSet)
        recorded = alert_set.getUnsettled()
        changed = changes(recorded, self._answers, channels, self._at)
        for state, ids in changed.states.items():
            alert_set.setState(ids, state)
        alert_set.close(changed.closed, self._at)
        alert_set.open(changed.opened)

    def _tell(self, channel: str) -> str | None:
        """Tell what has not been told; or else return why it could not be.

        A death between the telling and the commit has it told once more.
        """
        alert_set = getUtility(IScriptAlertSet)
        alert_set.lock()
        notice = notice_of(
            alert_set.getUnsettled(), self._answers, channel, self._repeat,
            self._at)
        if not notice:
            self.txn.abort()
            return None
        alert_set.tell([each.id for each in notice.alerts], self._at)
        try:
            with self._signals.deferred():
                self._send(channel, notice)
                self.txn.commit()
        except NOT_SENT as error:
            self.txn.abort()
            return f"nobody could be told by {channel}: {in_a_line(error)}"
        self.logger.info(
            "Told by %s: %s", channel, notice_subject(notice))
        return None

    def _send(self, channel: str, notice: Notice) -> None:
        if channel == "mail":
            mail(
                notice_subject(notice), notice_text(notice), notice_id(notice))
        elif channel == "webhook":
            post(notice_as_dict(notice))
        else:
            print(notice_text(notice), end="", flush=True)


def alert(args: argparse.Namespace) -> int:
    """Tell people what has changed; see ``scriptactivity alert --help``."""
    # It mails, which takes a while to import, and most commands do not.
    from canonical.launchpad.command.alert import AlertScript
    AlertScript(
        "scriptactivity-alert", test_args=args.arguments).lock_and_run()
    return 0
