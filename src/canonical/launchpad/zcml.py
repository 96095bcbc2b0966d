"""Executes the ZCML of the package, for scripts and commands."""

from __future__ import annotations

from zope.component import queryUtility
from zope.configuration import xmlconfig

from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "execute_zcml",
]


def execute_zcml() -> None:
    """Register the utilities of the package, if they are not registered yet.

    If an application includes the package in its ``site.zcml``, they are
    registered already, and this does nothing.
    """
    if queryUtility(IScriptActivitySet) is None:
        import canonical.launchpad
        xmlconfig.file("configure.zcml", canonical.launchpad)
