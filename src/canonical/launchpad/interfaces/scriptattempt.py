"""Runs of scripts that were begun, and how they ended."""

from __future__ import annotations

import datetime
import uuid
from typing import NamedTuple

from zope.interface import Interface
from zope.schema import Choice
from zope.schema import Datetime
from zope.schema import Int
from zope.schema import TextLine
from zope.schema import getFields

from canonical.launchpad.interfaces.scriptactivity import IScriptActivity
from canonical.launchpad.plaintext import is_printable


__all__ = [
    "FAILED",
    "IScriptAttempt",
    "IScriptAttemptSet",
    "KeptOutput",
    "OUTCOMES",
    "Output",
    "UnrecordedRun",
    "as_in_activity",
]


OUTCOMES = ("success", "failure", "killed", "vanished", "skipped")

# The outcomes of a run that had begun its work and did not succeed.
FAILED = ("failure", "killed", "vanished")


def as_in_activity(name: str) -> TextLine:
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
    """One run of a script, from its start.

    The work is committed first, and then the end is recorded.  Between the
    two the attempt is a success already.

    An attempt has vanished if its process is gone and has recorded no end.
    On the machine of the process this is seen at once, before it is recorded.
    """

    id = Int(
        title="Id",
        description="Identifies the attempt.",
        readonly=True,
    )

    name = as_in_activity("name")
    hostname = as_in_activity("hostname")

    pid = Int(
        title="Process id",
        description="Of the script's process, on its host.",
        min=1,
        readonly=True,
    )

    date_started = Datetime(
        title="Date started",
        description=(
            "When its work began; aware, in UTC.  For a skipped run, when it"
            " would have begun."),
        readonly=True,
    )

    date_ended = Datetime(
        title="Date ended",
        description=(
            "When it ended, or was found to have vanished; aware, in UTC."
            "  `None` while it runs, and until it is recorded that it has"
            " vanished."),
        required=False,
        readonly=True,
    )

    outcome = Choice(
        title="Outcome",
        description=(
            "How it ended.  success: its work is committed.  failure: the"
            " script failed.  killed: a signal ended it, and it could still"
            " record that.  vanished: its process is gone and recorded no end,"
            " as after SIGKILL or a power cut.  skipped: another run held its"
            " lock.  `None` while it runs, as far as is known."),
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
            " exception, the name of a signal, or which process held the lock."
            "  One line of at most 1000 characters."),
        max_length=1000,
        required=False,
        readonly=True,
    )


class Output(NamedTuple):
    """The end of what a command printed, on each stream.

    Printable text, with line breaks and tabs.
    """

    stdout: str
    stderr: str


class KeptOutput(NamedTuple):
    """The `output` of an attempt, and which attempt that is.

    :ivar date_started: aware, in UTC.
    :ivar outcome: as of `IScriptAttempt`.
    :ivar output: `None` if none was kept.
    """

    id: int
    hostname: str
    date_started: datetime.datetime
    outcome: str | None
    output: Output | None


class UnrecordedRun(NamedTuple):
    """A run whose work is committed and whose success is not recorded yet.

    :ivar date_started: aware, in UTC, as is `date_committed`.
    """

    run_key: uuid.UUID
    name: str
    hostname: str
    date_started: datetime.datetime
    date_committed: datetime.datetime


class IScriptAttemptSet(Interface):
    """The attempts that are on record.  A utility.

    What its methods write is part of the current transaction.
    """

    def begin(name, run_key=None, date_started=None, hostname=None):
        """Record that a run begins, in this process.

        :param name: `str`, the script's name.
        :param run_key: a `uuid.UUID` that identifies the run; by default a
            new one.  If it is on record already, nothing changes.
        :param date_started: an aware datetime; by default now.
        :param hostname: `str`; by default what `socket.gethostname` returns.
        :return: the run's key.
        :raises TypeError, ValueError: as
            `IScriptActivitySet.recordSuccess` does.
        """

    def markCommitted(
        run_key, name, date_started, date_committed, hostname=None
    ):
        """Write the proof of a run's work, in the transaction of that work.

        If that transaction is committed, the run has succeeded.  If it is
        rolled back, the proof is too.

        :param date_committed: an aware datetime, now.
        :raises TypeError, ValueError: as `begin` does.
        """

    def awaitCommitted(run_key, name, date_started, hostname=None):
        """Is the proof of a run's work in the database?

        This waits for a transaction that has written the proof and has
        neither been committed nor rolled back yet.  The caller bounds it.

        :return: `bool`.  If it is False, the work is not and will not be
            committed, and the run is on record as begun.
        """

    def end(
        run_key, outcome, date_ended=None, exit_status=None, reason=None,
        output=None
    ):
        """Record that a run has ended.

        :param run_key: what `begin` has returned.
        :param outcome: one of `OUTCOMES`.  A run whose work is committed has
            no other than ``success``.
        :param date_ended: an aware datetime; by default now.  If it is before
            the start, the start is taken.
        :param exit_status: `int`, or `None`.
        :param reason: `str` or `None`; put on one line, and cut to 1000
            characters.
        :param output: an `Output`, or `None` if there is none to keep.
        :return: whether the attempt was open; otherwise nothing has changed.
        :raises ValueError: for another outcome.
        """

    def endCommitted(run_key, date_ended):
        """Record that a run has succeeded, if the proof of its work is there.

        :param date_ended: as of `end`.  One that is on record stays.
        :return: whether it is there; otherwise nothing has changed.
        """

    def endVanished():
        """End the attempts of this machine whose process is gone.

        Runs of other machines and containers are left alone, and so are runs
        whose work is committed.

        :return: `int`, how many there were.
        """

    def getUnrecorded():
        """The runs whose work is committed and whose success is not recorded.

        Those whose process still runs on this machine are left out; it
        records them itself.

        :return: a list of `UnrecordedRun`, the earliest first; at most 1000.
        """

    def getRunning(name=None, hostname=None):
        """The attempts that run now, as far as is known.

        Attempts that have vanished are left out.

        :return: a list of `IRunningAttempt`, the longest-running first.
        """

    def getFailures(name=None, hostname=None, limit=None):
        """The attempts that failed: those with an outcome in `FAILED`.

        :param limit: how many at most, `None` for all.
        :param since: an aware datetime; leave out what started before it.
            `None` for all.
        :return: a list of `IFailedAttempt`, the latest first.
        """

    def getOutput(name, id=None):
        """What was kept of the output of an attempt.

        :param id: of the attempt; by default the last one of the script of
            which any output is kept.
        :return: a `KeptOutput`, or `None` if there is no such attempt.
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
        """The last success and the last failure of each script.

        The last success is as in `IScriptActivitySet.getLastActivity`.

        :return: a list of `IScriptSummary`, one for each script and host, by
            name and host.
        """
