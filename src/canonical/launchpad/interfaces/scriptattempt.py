"""Runs of scripts that were begun, and how they ended."""

from __future__ import annotations

from zope.interface import Interface
from zope.schema import Choice
from zope.schema import Datetime
from zope.schema import Int
from zope.schema import TextLine
from zope.schema import Timedelta
from zope.schema import Tuple
from zope.schema import getFields

from canonical.launchpad.interfaces.plaintext import is_printable
from canonical.launchpad.interfaces.scriptactivity import IScriptActivity


__all__ = [
    "FAILED",
    "IFailedAttempt",
    "IRunningAttempt",
    "IScriptAttempt",
    "IScriptAttemptSet",
    "IScriptSummary",
    "OUTCOMES",
]


OUTCOMES = ("success", "failure", "killed", "vanished", "skipped")

# The outcomes of a run that had begun its work and did not succeed.
FAILED = ("failure", "killed", "vanished")


def _as_in_activity(name: str) -> TextLine:
    """A field of its own, with the bounds of the one in `IScriptActivity`."""
    field = getFields(IScriptActivity)[name]
    return TextLine(
        title=field.title,
        description=field.description,
        min_length=field.min_length,
        max_length=field.max_length,
        constraint=is_printable,
        readonly=True,
    )


class IScriptAttempt(Interface):
    """One run of a script that was begun."""

    id = Int(
        title="Id",
        description="Identifies the attempt.",
        readonly=True,
    )

    name = _as_in_activity("name")
    hostname = _as_in_activity("hostname")

    pid = Int(
        title="Process id",
        description="Of the script's process, on its host.",
        min=1,
        readonly=True,
    )

    date_started = Datetime(
        title="Date started",
        description="When its work began, or would have; aware, in UTC.",
        readonly=True,
    )

    date_ended = Datetime(
        title="Date ended",
        description=(
            "When it ended, or was found to have vanished; aware, in UTC;"
            " `None` while it runs."),
        required=False,
        readonly=True,
    )

    outcome = Choice(
        title="Outcome",
        description=(
            "How it ended.  success: its work is committed.  failure: it has"
            " said so, or an exception has.  killed: by a signal that it could"
            " tell of.  vanished: without a word, as by SIGKILL or a power"
            " cut.  skipped: another held its lock.  `None` while it runs."),
        values=OUTCOMES,
        required=False,
        readonly=True,
    )

    exit_status = Int(
        title="Exit status",
        description="Of the process; `None` if it had none.",
        min=0,
        max=255,
        required=False,
        readonly=True,
    )

    reason = TextLine(
        title="Reason",
        description=(
            "Why it did not succeed: the class and the message of an"
            " exception, the name of a signal, or who held the lock.  One"
            " line of at most 1000 characters."),
        max_length=1000,
        required=False,
        readonly=True,
    )


class IRunningAttempt(IScriptAttempt):
    """An attempt that runs now, and what is usual for it."""

    usual_duration = Timedelta(
        title="Usual duration",
        description=(
            "The median of the last 20 successes of the script on that host;"
            " `None` if there is none."),
        required=False,
        readonly=True,
    )

    also_on = Tuple(
        title="Also on",
        description="Other hosts that the same script runs on now.",
        value_type=TextLine(),
        readonly=True,
    )


class IFailedAttempt(IScriptAttempt):
    """An attempt that did not succeed, and how many of these there are."""

    failures_in_a_row = Int(
        title="Failures in a row",
        description=(
            "How many attempts of the script on that host have failed since"
            " its last success there, up to and including this one."),
        min=0,
        readonly=True,
    )


class IScriptSummary(Interface):
    """How a script fares on a host."""

    name = _as_in_activity("name")
    hostname = _as_in_activity("hostname")

    last_success = Datetime(
        title="Last success",
        description="When the last one started; `None` if there is none.",
        required=False,
        readonly=True,
    )

    last_duration = Timedelta(
        title="Last duration",
        description="How long that took.",
        required=False,
        readonly=True,
    )

    last_failure = Datetime(
        title="Last failure",
        description="When the last one started; `None` if there is none.",
        required=False,
        readonly=True,
    )

    last_reason = TextLine(
        title="Last reason",
        description="The reason of the last failure.",
        required=False,
        readonly=True,
    )

    failures_in_a_row = Int(
        title="Failures in a row",
        description="How many attempts have failed since the last success.",
        min=0,
        readonly=True,
    )

    running_since = Datetime(
        title="Running since",
        description="When the attempt that runs now started, or `None`.",
        required=False,
        readonly=True,
    )


class IScriptAttemptSet(Interface):
    """The attempts that are on record.

    A utility.  What it does belongs to the current transaction.
    """

    def begin(name, pid=None, date_started=None, hostname=None, alone=False):
        """Record that a run begins.

        :param name: `str`, the script's name.
        :param pid: `int`; by default that of this process.
        :param date_started: an aware datetime; by default now.
        :param hostname: `str`; by default what `socket.gethostname` says.
        :param alone: no other run of the script can be under way on that
            host, since this one holds its lock.  Attempts that seem to be are
            ended as ``vanished``.
        :return: the id of the new attempt, for `end`.
        :raises TypeError, ValueError: as
            `IScriptActivitySet.recordSuccess` does.
        """

    def end(
        attempt_id, outcome, date_ended=None, exit_status=None, reason=None
    ):
        """Record that a run has ended.

        :param attempt_id: what `begin` has returned.
        :param outcome: one of `OUTCOMES`.
        :param date_ended: an aware datetime; by default now.  If it is before
            the start, the start is taken.
        :param exit_status: `int`, or `None`.
        :param reason: `str` or `None`; put on one line, and cut to 1000
            characters.
        :return: whether the attempt was open; otherwise nothing has changed.
        :raises ValueError: for another outcome.
        """

    def skip(name, reason, exit_status, hostname=None):
        """Record that a run did not begin, since another holds the lock.

        :param reason: `str`, who that is.
        :param exit_status: `int`, of this process.
        """

    def getRunning(name=None, hostname=None):
        """What runs now.

        :return: a list of `IRunningAttempt`, the longest-running first.
        """

    def getFailures(name=None, hostname=None, limit=None):
        """What has failed, by the outcomes in `FAILED`.

        :param limit: how many at most, `None` for all.
        :return: a list of `IFailedAttempt`, the latest first.
        """

    def getLastFailure(name, hostname=None):
        """The failed attempt with the greatest `date_started`.

        :return: an `IFailedAttempt`, or `None` if there is none.
        """

    def getAttempts(name, since, until, hostname=None):
        """The attempts of a script that started within a window.

        :param since: an aware datetime, the start of the window.
        :param until: an aware datetime, its end, which is not within.
        :return: a list of `IScriptAttempt`, the earliest first.
        """

    def countFailuresInARow(name, hostname=None):
        """How many attempts have failed since the last success.

        :param hostname: by default all hosts are looked at together.
        :return: `int`.
        """

    def getSummaries(name=None, hostname=None):
        """How scripts fare, those that have only successes on record too.

        :return: a list of `IScriptSummary`, one for each script and host, by
            name and host.
        """
