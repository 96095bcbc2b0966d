"""Executing the ZCML of the package, for scripts and commands."""

from __future__ import annotations

from zope.component import queryUtility
from zope.configuration import xmlconfig
from zope.interface.interface import InterfaceClass

from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "execute_script_zcml",
    "execute_zcml",
]


def execute_zcml() -> None:
    """Register what the package provides, if it is not registered yet.

    An application that includes the package in its own ``site.zcml`` executes
    that before, and nothing more is done here.  A script whose `main` asks
    more than `IScriptActivitySet` and `IScriptAttemptSet` calls this first.
    """
    # Slow to import, for scripts.
    from canonical.launchpad.interfaces import IScriptAlertSet
    _execute("configure.zcml", IScriptAlertSet)


def execute_script_zcml() -> None:
    """Register what records a script, likewise; all else would delay it."""
    _execute("script.zcml", IScriptActivitySet)


def _execute(file: str, last: InterfaceClass) -> None:
    if queryUtility(last) is None:
        import canonical.launchpad
        xmlconfig.file(file, canonical.launchpad)
