"""What is expected of a script."""

from __future__ import annotations

from zope.interface import Interface
from zope.schema import Bool
from zope.schema import Choice
from zope.schema import Int
from zope.schema import TextLine
from zope.schema import Timedelta
from zope.schema import Tuple


__all__ = [
    "IScriptExpectation",
]


class IScriptExpectation(Interface):
    """How a script should fare.

    A utility, named as the script.  Operators declare it in ZCML, with the
    directive ``script``; see ``canonical/launchpad/meta.zcml``.
    """

    name = TextLine(
        title="Script name",
        description="As in `IScriptActivity`.",
        readonly=True,
    )

    schedule = TextLine(
        title="Schedule",
        description=(
            "When it should start: five fields as in crontab(5), or a"
            " nickname such as @daily.  `None` if `every` is given."),
        required=False,
        readonly=True,
    )

    timezone = TextLine(
        title="Time zone",
        description="That the schedule is meant in, by its IANA name.",
        default="UTC",
        readonly=True,
    )

    every = Timedelta(
        title="Every",
        description=(
            "How long after its last completion it should complete again."
            "  `None` if `schedule` is given."),
        required=False,
        readonly=True,
    )

    grace = Timedelta(
        title="Grace",
        description="How long after its slot a completion may come.",
        readonly=True,
    )

    hosts = Tuple(
        title="Hosts",
        description=(
            "Where it is expected, on each by itself.  Empty: any host will"
            " do."),
        value_type=TextLine(),
        readonly=True,
    )

    missed = Int(
        title="Missed",
        description="How many slots may be missed in the window.",
        min=0,
        default=0,
        readonly=True,
    )

    extra = Int(
        title="Extra",
        description=(
            "How many runs there may be beside one for each slot that is due"
            " in the window; `None` for any number."),
        min=0,
        required=False,
        readonly=True,
    )

    window = Timedelta(
        title="Window",
        description="The time back from now that slots are counted in.",
        readonly=True,
    )

    average_min = Timedelta(
        title="Least average",
        description="The mean runtime should not be shorter than this.",
        required=False,
        readonly=True,
    )

    average_max = Timedelta(
        title="Greatest average",
        description="The mean runtime should not be longer than this.",
        required=False,
        readonly=True,
    )

    learned = Bool(
        title="Learned",
        description="Is the runtime compared with that of earlier runs?",
        default=False,
        readonly=True,
    )

    runs = Int(
        title="Runs",
        description="How many successes the average is taken over.",
        min=1,
        max=1000,
        default=20,
        readonly=True,
    )

    severity = Choice(
        title="Severity",
        description="What a script is that does not do as it should.",
        values=("warning", "critical"),
        default="critical",
        readonly=True,
    )
