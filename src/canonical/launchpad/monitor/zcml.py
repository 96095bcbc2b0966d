"""The directives that declare what is expected of scripts, and when not."""

from __future__ import annotations

from typing import Any

from zope.component.zcml import utility
from zope.configuration.config import ConfigurationContext
from zope.interface import Interface
from zope.schema import Int
from zope.schema import TextLine

from canonical.launchpad.interfaces import IScriptDowntime
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.downtime import downtime_from_text
from canonical.launchpad.monitor.expectation import expectation_from_text


__all__ = [
    "IDowntimeDirective",
    "IScriptDirective",
    "downtime",
    "script",
]


class IScriptDirective(Interface):
    """What is expected of a script; see `IScriptExpectation`."""

    name = TextLine(
        title="Script name",
        description="The name that the script records.",
    )

    schedule = TextLine(
        title="Schedule",
        description="Five fields as in crontab(5), or a nickname.",
        required=False,
    )

    timezone = TextLine(
        title="Time zone",
        description="That the schedule is meant in; UTC unless given.",
        required=False,
    )

    every = TextLine(
        title="Every",
        description="A duration such as 1h30m, instead of a schedule.",
        required=False,
    )

    grace = TextLine(
        title="Grace",
        description="How late a completion may come; 5m unless given.",
        required=False,
    )

    hosts = TextLine(
        title="Hosts",
        description="Each is expected by itself; any will do unless given.",
        required=False,
    )

    missed = Int(
        title="Missed",
        description="How many slots may be missed; 0 unless given.",
        required=False,
    )

    extra = Int(
        title="Extra",
        description="How many runs more than slots there may be.",
        required=False,
    )

    window = TextLine(
        title="Window",
        description="The time that slots are counted in; 1d unless given.",
        required=False,
    )

    average = TextLine(
        title="Average",
        description="A band such as 2s..4m, or `learned`.",
        required=False,
    )

    runs = Int(
        title="Runs",
        description="How many the average is taken over; 20 unless given.",
        required=False,
    )

    severity = TextLine(
        title="Severity",
        description="warning or critical; critical unless given.",
        required=False,
    )


def script(_context: ConfigurationContext, name: str, **values: Any) -> None:
    """Register an expectation as a utility of the script's name."""
    utility(
        _context,
        provides=IScriptExpectation,
        component=expectation_from_text(name, **values),
        name=name,
    )


class IDowntimeDirective(Interface):
    """A planned downtime; see `IScriptDowntime`."""

    schedule = TextLine(
        title="Schedule",
        description="When it starts: five fields as in crontab(5).",
    )

    timezone = TextLine(
        title="Time zone",
        description="That the schedule is meant in; UTC unless given.",
        required=False,
    )

    for_ = TextLine(
        title="For",
        description="How long it takes; a duration such as 1h30m.",
    )


def downtime(
    _context: ConfigurationContext,
    schedule: str,
    for_: str,
    timezone: str = "UTC",
) -> None:
    """Register a downtime as a utility of a name that tells it apart."""
    utility(
        _context,
        provides=IScriptDowntime,
        component=downtime_from_text(schedule, for_, timezone),
        name=f"{schedule} {timezone} {for_}",
    )
