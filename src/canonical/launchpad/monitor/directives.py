"""The directives that declare what is expected of scripts, and when not."""

from __future__ import annotations

from typing import Any

from zope.component import getSiteManager
from zope.configuration.config import ConfigurationContext
from zope.interface import Interface
from zope.schema import Int
from zope.schema import TextLine

from canonical.launchpad.interfaces import IScriptDowntime
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.pauses import downtime_from_text


__all__ = [
    "IDowntimeDirective",
    "IScriptDirective",
    "downtime",
    "script",
]


class Unbound:
    """A field that is bound to no context, and not copied for each directive.

    With it and `Line` ten thousand directives load a fifth faster.
    """

    def bind(self, context: Any) -> Any:
        """See `zope.schema.interfaces.IField`."""
        return self


class Line(Unbound, TextLine):
    """Text as it stands in an attribute; `ScriptExpectation` checks it.

    `TextLine` would normalize it, and a name would not be found.
    """

    def fromUnicode(self, value: str) -> str:
        """See `zope.schema.interfaces.IFromUnicode`."""
        return value


class Number(Unbound, Int):
    """An integer."""


class IScriptDirective(Interface):
    """What is expected of a script; see `IScriptExpectation`."""

    name = Line(
        title="Script name",
        description="The name that the script records.",
    )

    schedule = Line(
        title="Schedule",
        description="Five fields as in crontab(5), or a nickname.",
        required=False,
    )

    timezone = Line(
        title="Time zone",
        description="That the schedule is meant in; UTC unless given.",
        required=False,
    )

    every = Line(
        title="Every",
        description="A duration such as 1h30m, instead of a schedule.",
        required=False,
    )

    grace = Line(
        title="Grace",
        description="How late a completion may come; 5m unless given.",
        required=False,
    )

    hosts = Line(
        title="Hosts",
        description="Each is expected by itself; any will do unless given.",
        required=False,
    )

    missed = Number(
        title="Missed",
        description="How many slots may be missed; 0 unless given.",
        required=False,
    )

    extra = Number(
        title="Extra",
        description="How many runs more than slots there may be.",
        required=False,
    )

    window = Line(
        title="Window",
        description="The time that slots are counted in; 1d unless given.",
        required=False,
    )

    average = Line(
        title="Average",
        description="A band such as 2s..4m, or `learned`.",
        required=False,
    )

    runs = Number(
        title="Runs",
        description="How many the average is taken over; 20 unless given.",
        required=False,
    )

    severity = Line(
        title="Severity",
        description="warning or critical; critical unless given.",
        required=False,
    )


def script(_context: ConfigurationContext, name: str, **values: Any) -> None:
    """Register an expectation as a utility of the script's name."""
    _register(
        _context, expectation_from_text(name, **values), IScriptExpectation,
        name)


class IDowntimeDirective(Interface):
    """A planned downtime; see `IScriptDowntime`."""

    schedule = Line(
        title="Schedule",
        description="When it starts: five fields as in crontab(5).",
    )

    timezone = Line(
        title="Time zone",
        description="That the schedule is meant in; UTC unless given.",
        required=False,
    )

    for_ = Line(
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
    _register(
        _context, downtime_from_text(schedule, for_, timezone),
        IScriptDowntime, f"{schedule} {timezone} {for_}")


def _register(
    context: ConfigurationContext,
    component: object,
    provided: type[Interface],
    name: str,
) -> None:
    """As the directive ``utility`` does, but for no event, and only once.

    To declare a utility twice is allowed if one file includes the other, and
    what that hides would be missed by nobody.
    """
    context.action(
        discriminator=None,
        callable=_register_once,
        args=(component, provided, name, context.info))


def _register_once(
    component: object, provided: type[Interface], name: str, info: Any
) -> None:
    site = getSiteManager()
    if site.queryUtility(provided, name) is not None:
        there = next(
            each.info for registry in (site, *site.__bases__)
            for each in registry.registeredUtilities()
            if each.provided is provided and each.name == name)
        # A file may be loaded again.
        if str(there) != str(info):
            raise ValueError(
                f"{name} is declared already, in {there or 'code'}")
    site.registerUtility(component, provided, name, info, event=False)
