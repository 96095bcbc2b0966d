"""Executes the ZCML of the package, for scripts and commands."""

from __future__ import annotations

import os
import threading

from zope.component import queryUtility
from zope.configuration import xmlconfig
from zope.interface import Interface

from canonical.launchpad import interfaces
from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "execute_recording_zcml",
    "execute_zcml",
]


# Of threads that record at once.
_lock = threading.Lock()


def execute_recording_zcml() -> None:
    """Register what a script needs to record its runs.

    If an application includes the package in its ``site.zcml``, it is
    registered already, and this does nothing.
    """
    _execute("recording.zcml", IScriptActivitySet)


def execute_zcml() -> None:
    """Register all utilities of the package, unless they are registered."""
    _execute("configure.zcml", interfaces.IScriptHistorySet)


def _execute(file: str, registers: type[Interface]) -> None:
    with _lock:
        if queryUtility(registers) is None:
            import canonical.launchpad
            xmlconfig.file(file, canonical.launchpad)


def _in_forked_child() -> None:
    # A thread that held it is not there.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_in_forked_child)
