"""The command ``scriptactivity alert``: notify people of what changed.

What could not be sent is not on record as sent, so the next run sends it.  A
mail that a server refused for the moment is tried again too.
"""

from __future__ import annotations

import argparse
import datetime
import socket
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import transaction
from zope.component import getUtility

from canonical.launchpad.command.cronscript import CommandScript
from canonical.launchpad.command.execute import with_database
from canonical.launchpad.command.mail import addresses
from canonical.launchpad.command.mail import mail_server
from canonical.launchpad.command.notify import check_channels
from canonical.launchpad.command.notify import instance_name
from canonical.launchpad.command.notify import message_of
from canonical.launchpad.command.notify import notify
from canonical.launchpad.command.notify import send
from canonical.launchpad.command.outage import end_outage
from canonical.launchpad.command.outage import report_outage
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import channels
from canonical.launchpad.command.rules import check_tags
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import expected
from canonical.launchpad.command.rules import record_seen_rules
from canonical.launchpad.command.rules import record_switches
from canonical.launchpad.command.rules import repeat
from canonical.launchpad.command.webhook import ping
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.monitor.alertchanges import changes
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import DAY
from canonical.launchpad.monitor.incidents import Answers
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.message import Message
from canonical.launchpad.monitor.message import plain_message
from canonical.launchpad.monitor.notifications import Notification
from canonical.launchpad.monitor.notifications import notifications_of
from canonical.launchpad.monitor.recordedlate import with_recorded_late
from canonical.launchpad.monitor.registry import assess_fleet
from canonical.launchpad.plaintext import printable
from canonical.launchpad.scripts.base import LaunchpadScriptFailure
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.logger import script_logger


__all__ = [
    "AlertScript",
    "NotNotified",
    "alert",
]


class NotNotified(LaunchpadScriptFailure):
    """A channel does not work.  All else does."""


class AlertScript(CommandScript):
    """Notify people of which scripts broke, which recovered, and which are
    still broken.

    cron should run it every few minutes.  What people were notified of is on
    record, and is not sent again before [monitor] repeat.

    :ivar expectations: a rules file, instead of the configured one.
    :ivar tags: if any, only incidents of scripts with at least one of these.
    """

    expectations: Path | None = None
    tags: Sequence[str] = ()

    @property
    def claimant(self) -> str:
        """What its claims are known by; see `IScriptAlertSet`.

        Whoever holds the lock file is the only one.  So a claim by that name
        that it finds is one of a process that was killed.
        """
        return printable(f"{socket.gethostname()}:{self.lockfilepath}")

    def work(self) -> None:
        """See `CommandScript`."""
        # What is broken is on record before anyone is notified, so that
        # nothing is lost if nobody can be.
        with self.in_time():
            self._at, self._answers = _bring_up_to_date(self)
            self.txn.commit()
        failures = [
            failure for channel in channels()
            for failure in self._notify(channel)]
        if failures:
            raise NotNotified(
                "; ".join(failures) + "; the next run tries again")

    def _notify(self, channel: str) -> list[str]:
        """Notify people by a channel; return what went wrong.

        A server may take longer than a transaction may last, and longer than
        a connection may be idle.  So there is neither while it is asked.
        """
        failures = []
        tried: set[tuple[str, ...]] = set()
        while (claimed := self._claim(channel, tried)) is not None:
            notification, message = claimed
            tried.add(notification.recipients)
            ids = [each.id for each in notification.alerts]
            self.txn.disconnect()
            try:
                pending = notify(channel, notification, message, self.logger)
            except OSError as error:
                failures.append(
                    f"cannot notify by {channel}: {in_a_line(error)}")
                with self.in_time():
                    getUtility(IScriptAlertSet).release(ids, self.claimant)
                    self.txn.commit()
                continue
            with self._signals.deferred(), self.in_time():
                getUtility(IScriptAlertSet).recordNotified(
                    ids, self.claimant, self._at, pending)
                self.txn.commit()
        return failures

    def _claim(
        self, channel: str, tried: set[tuple[str, ...]]
    ) -> tuple[Notification, Message] | None:
        """A notification that nobody else sends and that was not tried."""
        alert_set = getUtility(IScriptAlertSet)
        with self.in_time():
            alert_set.lock()
            for notification in notifications_of(
                _unsettled(self, self._answers), self._answers, channel,
                repeat(), self._at
            ):
                if notification.recipients not in tried:
                    alert_set.claim(
                        [each.id for each in notification.alerts],
                        self.claimant)
                    self.txn.commit()
                    return notification, message_of(notification)
            self.txn.abort()
        return None


def alert(args: argparse.Namespace) -> int:
    """Notify people of what changed.

    The exit status is that of a script.
    """
    logger = script_logger(args.parser, args, AlertScript.loglevel)
    # Whom to notify is in the configuration, so nobody can be without one.
    channels()
    script = AlertScript("scriptactivity-alert", test_args=[], logger=logger)
    script.expectations = args.expectations
    script.tags = args.tags
    if args.test:
        return _test()
    if args.dry_run:
        return with_database(partial(_dry_run, script))
    try:
        script.lock_and_run()
    except SystemExit as leave:
        # Python keeps what the exit was made of.
        error = leave.__cause__ or leave.__context__
        if isinstance(error, NotNotified):
            end_outage(script.logger)
        elif error is not None and not isinstance(error, LockTaken):
            report_outage(error, script.logger)
        raise
    end_outage(script.logger)
    try:
        ping()
    except OSError as error:
        script.logger.warning("The heartbeat failed: %s", in_a_line(error))
    return 0


def _test() -> int:
    """Send a test by each channel, and print the answers."""
    check_channels()
    message = plain_message(
        datetime.datetime.now(datetime.UTC), "TEST: nothing is broken",
        "This is a test of scriptactivity alert on"
        f" {socket.gethostname()}.\nNothing is broken.\n", instance_name())
    status = 0
    for channel in channels():
        try:
            replies = send(channel, message)
        except OSError as error:
            complain(f"cannot notify by {channel}: {in_a_line(error)}")
            status = 1
            continue
        server = f"{mail_server()}: " if channel == "mail" else ""
        for reply in replies:
            say(f"{channel}: {server}{reply.recipient}: {reply}")
            status = status if reply.is_accepted else 1
    return status


def _dry_run(script: AlertScript) -> int:
    """Do what `AlertScript` does, but print the messages, and roll back."""
    at, answers = _bring_up_to_date(script)
    unsettled = _unsettled(script, answers)
    notifications = [
        (channel, notification.recipients, message_of(notification))
        for channel in channels() for notification in notifications_of(
            unsettled, answers, channel, repeat(), at)]
    # Whoever reads may take longer than others should wait.
    transaction.abort()
    for channel, recipients, message in notifications:
        to = recipients or (addresses() if channel == "mail" else ())
        say(f"{channel}: {', '.join(to)}" if to else channel)
        say(f"Subject: {message.subject}")
        print(f"\n{message.text}")
    return 0


def _bring_up_to_date(
    script: AlertScript
) -> tuple[datetime.datetime, dict[Key, Answers]]:
    """Assess all scripts, and bring the alerts on record up to date.

    It commits nothing.

    :return: as of when, and the answers; see `answers_of`.
    :raises ExpectationError: if nothing is expected, or if that cannot be
        read.
    """
    expectations = expected(script.expectations)
    check_tags(expectations, script.tags)
    check_channels()
    now = datetime.datetime.now(datetime.UTC)
    record_switches(now)
    record_seen_rules(expectations, now)
    alert_set = getUtility(IScriptAlertSet)
    alert_set.lock()
    at = datetime.datetime.now(datetime.UTC)
    answers = answers_of(
        assess_fleet(expectations, at, clock_skew()), script.tags)
    reaches = {
        each.name: reach(Case(each, skew=clock_skew()))
        for each in expectations}
    changed = changes(
        _unsettled(script, answers), alert_set.getOpenings(at - DAY), answers,
        {each.name: each.grace for each in expectations}, channels(), at,
        alert_set.getClosings(ALL, at - max(reaches.values())), reaches)
    alert_set.update(with_recorded_late(
        changed.updated, lambda names, opened: assess_fleet(
            [each for each in expectations if names & {ALL, each.name}],
            opened, clock_skew())))
    alert_set.open(changed.opened)
    return at, answers


def _unsettled(
    script: AlertScript, answers: Mapping[Key, Answers]
) -> list[Alert]:
    """The alerts that are not settled; with tags, only those of its scripts.

    :param answers: of these scripts, and of groups of scripts.
    """
    names = {name for name, _ in answers if name != ALL}
    return [
        each for each in getUtility(IScriptAlertSet).getUnsettled(
            script.claimant)
        if not script.tags or each.name in names
        or (each.name, each.hostname) in answers]
