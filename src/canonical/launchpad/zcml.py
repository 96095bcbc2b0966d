"""Executing the ZCML of the package, for scripts and commands."""

from __future__ import annotations

from zope.component import queryUtility
from zope.configuration import xmlconfig

from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "execute_zcml",
]


def execute_zcml() -> None:
    """Register what the package provides, if it is not registered yet.

    An application that includes the package in its own ``site.zcml`` executes
    that before, and nothing more is done here.
    """
    if queryUtility(IScriptActivitySet) is None:
        import canonical.launchpad
        xmlconfig.file("configure.zcml", canonical.launchpad)
