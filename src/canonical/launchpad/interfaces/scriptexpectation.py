"""Rules: what is expected of a script."""

from __future__ import annotations

import datetime

from zope.interface import Interface
from zope.schema import Bool
from zope.schema import Choice
from zope.schema import Int
from zope.schema import TextLine
from zope.schema import Timedelta
from zope.schema import Tuple


__all__ = [
    "ExpectationError",
    "HORIZON",
    "IScriptExpectation",
]


# How far back a check looks, at runs and at pauses.
HORIZON = datetime.timedelta(days=400)

INSTANT = datetime.timedelta(microseconds=1)


class ExpectationError(Exception):
    """A rules file is wrong, or there is no rule for what a person names.

    The text is one line, with the file and line of what is wrong in a file.
    """


class IScriptExpectation(Interface):
    """A rule: what is expected of a script.

    A utility, named as the script.  Operators declare it in ZCML, with the
    directive ``lp:script``.  Its attributes are the fields below, written as
    text; but one attribute, ``average``, stands for the three fields
    `average_min`, `average_max` and `learned`, and another, ``oncalendar``,
    for a `schedule` of systemd.
    """

    name = TextLine(
        title="Script name",
        description="The name that the script records.",
        readonly=True,
    )

    schedule = TextLine(
        title="Schedule",
        description=(
            "When it should start: five fields as in crontab(5), or a"
            " nickname such as @daily; or OnCalendar= and expressions as in"
            " systemd.time(7), with semicolons between them.  `None` if"
            " `every` is given."),
        required=False,
        readonly=True,
    )

    timezone = TextLine(
        title="Time zone",
        description="The time zone of the schedule, by its IANA name.",
        default="UTC",
        readonly=True,
    )

    every = Timedelta(
        title="Every",
        description=(
            "How long after its last completion the script should complete"
            " again."
            "  `None` if `schedule` is given."),
        min=INSTANT,
        max=HORIZON,
        required=False,
        readonly=True,
    )

    grace = Timedelta(
        title="Grace",
        description="How long after its slot a run may complete.",
        min=datetime.timedelta(),
        max=HORIZON,
        default=datetime.timedelta(minutes=5),
        readonly=True,
    )

    early = Timedelta(
        title="Early",
        description=(
            "How long before its slot a run may start and meet it: at most an"
            " eighth of the time between two slots, and at most two hours."
            "  More is refused."),
        min=datetime.timedelta(),
        max=datetime.timedelta(hours=2),
        default=datetime.timedelta(),
        readonly=True,
    )

    hosts = Tuple(
        title="Hosts",
        description=(
            "The hosts that the script should run on.  Each is checked"
            " separately.  Empty: any host will do."),
        value_type=TextLine(),
        default=(),
        readonly=True,
    )

    tags = Tuple(
        title="Tags",
        description=(
            "Words that scripts have in common, such as billing; commands"
            " about scripts take --tag."),
        value_type=TextLine(),
        default=(),
        readonly=True,
    )

    after = TextLine(
        title="After",
        description=(
            "The name of another script with a rule.  While that one is late,"
            " failing or paused, this one waits for it, and people are not"
            " notified of it.  `None` for none."),
        required=False,
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
            "How many extra runs there may be in the window; `None` for any"
            " number.  With `every`, the last run and those in the grace are"
            " not extra: they belong to intervals that are not due yet."),
        min=0,
        required=False,
        readonly=True,
    )

    failures = Int(
        title="Failures",
        description=(
            "How many failed attempts in a row are critical, even before the"
            " grace has passed; `None` for any number."),
        min=1,
        required=False,
        readonly=True,
    )

    window = Timedelta(
        title="Window",
        description="How far back slots are counted.",
        min=INSTANT,
        max=HORIZON,
        default=datetime.timedelta(days=1),
        readonly=True,
    )

    average_min = Timedelta(
        title="Least average",
        description="The average runtime should not be shorter than this.",
        required=False,
        readonly=True,
    )

    average_max = Timedelta(
        title="Greatest average",
        description="The average runtime should not be longer than this.",
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
        description="How many of the last successes the average includes.",
        min=1,
        max=1000,
        default=20,
        readonly=True,
    )

    severity = Choice(
        title="Severity",
        description="The state of a script that breaks the rule.",
        values=("warning", "critical"),
        default="critical",
        readonly=True,
    )
