"""The directives of a rules file: ``lp:script`` and ``lp:downtime``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from zope.component import getSiteManager
from zope.interface import Interface
from zope.schema import getFields

from canonical.launchpad.interfaces import IScriptDowntime
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.pauses import downtime_from_text
from canonical.launchpad.nearest import nearest


if TYPE_CHECKING:
    from zope.configuration.config import ConfigurationContext


__all__ = [
    "DIRECTIVES",
    "IDirective",
    "downtime",
    "place",
    "script",
]


class IDirective(Interface):
    """Any attributes, exactly as written in the file.

    The handler of a directive checks them, with better messages than
    `zope.configuration`.
    """


IDirective.setTaggedValue("keyword_arguments", True)


# The attributes of each directive.  "average" stands for three fields.
DIRECTIVES = {
    "script": [
        *(name for name in getFields(IScriptExpectation)
          if name not in ("average_min", "average_max", "learned")),
        "average", "oncalendar"],
    "downtime": ["schedule", "timezone", "for"],
}


def script(_context: ConfigurationContext, **attributes: str) -> None:
    """Register a rule as a utility with the name of the script."""
    _check("script", attributes, ["name"])
    _register(
        _context, expectation_from_text(**attributes), IScriptExpectation,
        attributes["name"])
    if "after" in attributes:
        # When all rules are registered, since the other may follow.
        _context.action(
            discriminator=None, callable=_check_after,
            args=(attributes["name"],), order=1)


def _check_after(name: str) -> None:
    """Check the chain of scripts that a registered rule begins.

    :raises ValueError: if a script in it has no rule, or is after itself.
    """
    site = getSiteManager()
    chain = [name]
    while after := site.getUtility(IScriptExpectation, chain[-1]).after:
        chain.append(after)
        if after in chain[:-1]:
            raise ValueError(
                f"after goes round in a circle: {' after '.join(chain)}")
        if site.queryUtility(IScriptExpectation, after) is None:
            known = [name for name, _ in site.getUtilitiesFor(
                IScriptExpectation)]
            raise ValueError(
                f"after: no rule for {after!r}{nearest(after, known)}")


def downtime(_context: ConfigurationContext, **attributes: str) -> None:
    """Register a downtime as a utility.  Its values make up its name."""
    _check("downtime", attributes, ["schedule", "for"])
    attributes = {"timezone": "UTC", **attributes}
    values = [attributes[each] for each in ("schedule", "for", "timezone")]
    _register(
        _context, downtime_from_text(*values), IScriptDowntime,
        " ".join(values))


def _check(
    directive: str, attributes: Mapping[str, str], needed: list[str]
) -> None:
    """Check that a directive has the attributes that it needs, and no others.

    :raises ValueError: if not.  The text says what is expected.
    """
    known = DIRECTIVES[directive]
    for name, value in attributes.items():
        if name not in known:
            raise ValueError(
                f"unknown attribute {name!r} of lp:{directive}"
                + (nearest(name, known)
                   or f"; expected one of {', '.join(known)}"))
        # A script may be called " ".
        if not value or (name != "name" and not value.strip()):
            raise ValueError(
                f"attribute {name!r} of lp:{directive} is empty")
    for name in needed:
        if name not in attributes:
            raise ValueError(
                f"lp:{directive} needs the attribute {name!r}")


def place(info: Any) -> str:
    """The file and line of a directive.

    :param info: the information of the parser about the directive.
    """
    return f"{info.file}:{info.line}" if hasattr(info, "line") else str(info)


def _register(
    context: ConfigurationContext,
    component: object,
    provided: type[Interface],
    name: str,
) -> None:
    """Register a utility once only, and without an event.

    `getUtility` finds it, but `unregisterUtility` does not know it.  Its
    ``info`` says where it is declared.
    `zope.configuration` lets a file override a utility of a file that it
    includes.  A rule that is hidden in that way would not be noticed.
    """
    vars(component)["info"] = context.info
    context.action(
        discriminator=None,
        callable=_register_once,
        args=(component, provided, name))


def _register_once(
    component: Any, provided: type[Interface], name: str
) -> None:
    site = getSiteManager()
    there = site.queryUtility(provided, name)
    if there is not None:
        info = getattr(there, "info", None)
        # The same file may be loaded again.
        if repr(info) != repr(component.info):
            raise ValueError(
                f"{name!r} is declared already, "
                + (f"at {place(info)}" if info else "in no rules file"))
    # `registerUtility` also keeps a tuple of all components, and copies it for
    # each: with ten thousand rules, that would take as long as all the rest.
    site.utilities.register((), provided, name, component)
