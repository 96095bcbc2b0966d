"""Running attempts, failed attempts, and the last runs of each script."""

from __future__ import annotations

from zope.interface import Interface
from zope.schema import Bool
from zope.schema import Datetime
from zope.schema import Int
from zope.schema import Text
from zope.schema import TextLine
from zope.schema import Timedelta
from zope.schema import Tuple

from canonical.launchpad.interfaces.names import hostname_field
from canonical.launchpad.interfaces.names import name_field
from canonical.launchpad.interfaces.scriptattempt import IScriptAttempt


__all__ = [
    "IFailedAttempt",
    "IRunningAttempt",
    "IScriptSummary",
]


class IRunningAttempt(IScriptAttempt):
    """An attempt that still runs, as far as is known."""

    usual_duration = Timedelta(
        title="Usual duration",
        description=(
            "The median of the last 20 successes of the script on that host;"
            " `None` if there is none."),
        required=False,
        readonly=True,
    )

    is_seen = Bool(
        title="Is seen",
        description=(
            "Whether its process was seen on this machine.  If not, it may run"
            " on another machine: it has only not recorded its end."),
        readonly=True,
    )

    also_on = Tuple(
        title="Also on",
        description=(
            "Other hosts that the same script runs on now, as far as is"
            " known."),
        value_type=TextLine(),
        readonly=True,
    )


class IFailedAttempt(IScriptAttempt):
    """An attempt that did not succeed."""

    failures_in_a_row = Int(
        title="Failures in a row",
        description=(
            "How many attempts of the script on that host have failed since"
            " its last success there, up to and including this one."),
        min=0,
        readonly=True,
    )

    stdout = Text(
        title="Standard output",
        description=(
            "The end of what a command printed; `None` if it is not stored."),
        required=False,
        readonly=True,
    )

    stderr = Text(
        title="Standard error",
        description=(
            "The end of what a command printed there; likewise."),
        required=False,
        readonly=True,
    )


class IScriptSummary(Interface):
    """The last success and the last failure of a script on a host."""

    name = name_field()
    hostname = hostname_field()

    last_success = Datetime(
        title="Last success",
        description="When the last success started; `None` if there is none.",
        required=False,
        readonly=True,
    )

    last_duration = Timedelta(
        title="Last duration",
        description="How long the last success took.",
        required=False,
        readonly=True,
    )

    last_failure = Datetime(
        title="Last failure",
        description="When the last failure started; `None` if there is none.",
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
        description=(
            "The start of the attempt that runs now, as far as is known;"
            " `None` if there is none.  Of several, the first whose process"
            " was seen on this machine, or else the first."),
        required=False,
        readonly=True,
    )

    running_is_seen = Bool(
        title="Running is seen",
        description="Whether the process of that attempt was seen.",
        readonly=True,
    )
