"""Attempts: runs of scripts from their start, and how they ended."""

from __future__ import annotations

import datetime
import uuid
from typing import NamedTuple

from zope.interface import Interface
from zope.schema import Choice
from zope.schema import Datetime
from zope.schema import Int
from zope.schema import TextLine

from canonical.launchpad.interfaces.names import hostname_field
from canonical.launchpad.interfaces.names import name_field


__all__ = [
    "FAILED",
    "IScriptAttempt",
    "IScriptAttemptSet",
    "KeptOutput",
    "OUTCOMES",
    "Output",
    "UnrecordedRun",
]


OUTCOMES = ("success", "failure", "killed", "vanished", "skipped")

# The outcomes of a run that began its work and did not succeed.
FAILED = ("failure", "killed", "vanished")


class IScriptAttempt(Interface):
    """One run of a script, from its start.

    The work is committed first, and then the end is recorded.  Between the
    two the attempt is a success already.

    An attempt has vanished if its process is gone and has recorded no end.
    The machine of the process reports it as vanished at once, even before
    that is recorded.
    """

    id = Int(
        title="Id",
        description="Identifies the attempt.",
        readonly=True,
    )

    name = name_field()
    hostname = hostname_field()

    pid = Int(
        title="Process id",
        description="The id of the script's process on its host.",
        min=1,
        readonly=True,
    )

    date_started = Datetime(
        title="Date started",
        description=(
            "When the work began; aware, in UTC.  For a skipped run, when it"
            " would have begun."),
        readonly=True,
    )

    date_ended = Datetime(
        title="Date ended",
        description=(
            "When the run ended, or was found to have vanished; aware, in UTC."
            "  `None` while it runs, and for a vanished run until that is"
            " recorded."),
        required=False,
        readonly=True,
    )

    outcome = Choice(
        title="Outcome",
        description=(
            "How the run ended.  success: its work is committed.  failure: the"
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
        description="The exit status of the process; `None` if it had none.",
        min=0,
        max=255,
        required=False,
        readonly=True,
    )

    reason = TextLine(
        title="Reason",
        description=(
            "Why the run did not succeed: the class and the message of an"
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

    The methods write in the current transaction.
    """

    def begin(name, run_key=None, date_started=None, hostname=None):
        """Record that a run begins, in this process.

        :param name: `str`, the script's name.
        :param run_key: a `uuid.UUID` that identifies the run; by default a
            new one.  If it is on record already, the attempt does not change.
        :param date_started: an aware datetime; by default now.
        :param hostname: `str`; by default what `socket.gethostname` returns.
        :return: the run's key.
        :raises TypeError, ValueError: as
            `IScriptActivitySet.recordSuccess` does.
        """

    def markCommitted(
        run_key, name, date_started, date_committed, hostname=None
    ):
        """Write the proof of a run's work in the transaction of that work.

        If the transaction is committed, the run has succeeded.  If it is
        rolled back, so is the proof.

        :param date_committed: the time of the call; an aware datetime.
        :raises TypeError, ValueError: as `begin` does.
        """

    def awaitCommitted(run_key, name, date_started, hostname=None):
        """Is the proof of a run's work in the database?

        If a transaction has written the proof and is still open, this waits
        until it ends.  The caller sets a time limit.

        :return: `bool`.  If it is False, the work is not committed and will
            not be, and the run is on record as begun.
        """

    def end(
        run_key, outcome, date_ended=None, exit_status=None, reason=None,
        output=None
    ):
        """Record that a run has ended.

        :param run_key: the key that `begin` returned.
        :param outcome: one of `OUTCOMES`.  A run whose work is committed can
            only have the outcome ``success``.
        :param date_ended: an aware datetime; by default now.  If it is before
            the start, the start is used.
        :param exit_status: `int`, or `None`.
        :param reason: `str` or `None`.  It is put on one line, and cut to
            1000 characters.
        :param output: an `Output`, or `None` if there is none to keep.
        :return: whether the attempt was open.  If not, nothing has changed.
        :raises ValueError: if `outcome` is not one of `OUTCOMES`.
        """

    def endCommitted(run_key, date_ended):
        """Record that a run has succeeded, if the proof of its work is there.

        :param date_ended: as in `end`.  An end that is on record stays.
        :return: whether the proof is there.  If not, nothing has changed.
        """

    def endVanished():
        """End the attempts of this machine whose process is gone.

        Runs of other machines and containers, and runs whose work is
        committed, are left alone.

        :return: `int`, the number of attempts.
        """

    def getUnrecorded():
        """The runs whose work is committed and whose success is not recorded.

        A run whose process still runs on this machine is left out, because
        the process will record the success.

        :return: a list of `UnrecordedRun`, the earliest first; at most 1000.
        """

    def getRunning(name=None, hostname=None):
        """The attempts that run now, as far as is known.

        Attempts that have vanished are left out.

        :return: a list of `IRunningAttempt`, the longest-running first.
        """

    def getFailures(name=None, hostname=None, limit=None, since=None):
        """The attempts that failed: those with an outcome in `FAILED`.

        :param limit: the greatest number of attempts; `None` for all.
        :param since: an aware datetime; attempts that started before it are
            left out.  `None` for all.
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
        :param until: an aware datetime, its end.  An attempt that started
            exactly then is left out.
        :return: a list of `IScriptAttempt`, the earliest first.
        """

    def countFailuresInARow(name, hostname=None):
        """How many attempts have failed since the last success.

        :param hostname: by default all hosts together.
        :return: `int`.
        """

    def getSummaries(name=None, hostname=None):
        """The last success and the last failure of each script.

        The last success is as in `IScriptActivitySet.getLastActivity`.

        :return: a list of `IScriptSummary`, one for each script and host, by
            name and host.
        """
