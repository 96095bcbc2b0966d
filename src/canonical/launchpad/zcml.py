"""Executes the ZCML of the package, for scripts and commands."""

from __future__ import annotations

import os
import threading

from zope.component import queryUtility
from zope.configuration import xmlconfig

from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "execute_zcml",
]


# Of threads that record at once.
_lock = threading.Lock()


def execute_zcml() -> None:
    """Register the utilities of the package, if they are not registered yet.

    If an application includes the package in its ``site.zcml``, they are
    registered already, and this does nothing.
    """
    with _lock:
        if queryUtility(IScriptActivitySet) is None:
            import canonical.launchpad
            xmlconfig.file("configure.zcml", canonical.launchpad)


def _in_forked_child() -> None:
    # A thread that held it is not there.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_in_forked_child)
