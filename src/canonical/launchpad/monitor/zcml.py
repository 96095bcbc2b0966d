"""The directive ``script``, which declares what is expected of one."""

from __future__ import annotations

from typing import Any

from zope.component.zcml import utility
from zope.configuration.config import ConfigurationContext
from zope.interface import Interface
from zope.schema import Int
from zope.schema import TextLine

from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.expectation import expectation_from_text


__all__ = [
    "IScriptDirective",
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
