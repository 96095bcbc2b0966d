"""Registers the utilities of the package, for scripts and commands."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.parsers import expat

from zope.component import provideUtility
from zope.component import queryUtility

from canonical.launchpad import interfaces
from canonical.launchpad.interfaces import IScriptActivitySet


__all__ = [
    "execute_zcml",
    "register_recording",
]


RECORDING = Path(__file__).with_name("recording.zcml")


# Of threads that record at once.
_lock = threading.Lock()


def register_recording() -> None:
    """Register what a script needs to record its runs.

    If an application includes the package in its ``site.zcml``, it is
    registered already, and this does nothing.

    It is the utilities of ``recording.zcml``.  They are read from there
    without `zope.configuration`: importing that, and the reader of XML that it
    uses, takes a fifth of the time of a whole script.
    """
    with _lock:
        if queryUtility(IScriptActivitySet) is None:
            parser = expat.ParserCreate()
            parser.StartElementHandler = _register
            parser.Parse(RECORDING.read_bytes(), True)


def execute_zcml() -> None:
    """Register all utilities of the package, unless they are registered."""
    with _lock:
        if queryUtility(interfaces.IScriptHistorySet) is None:
            from zope.configuration import xmlconfig

            import canonical.launchpad
            xmlconfig.file("configure.zcml", canonical.launchpad)


def _register(tag: str, attributes: dict[str, str]) -> None:
    """Do what a directive of ZCML says, if it is `utility`."""
    if tag == "utility":
        factory = _resolved(attributes["factory"])
        provideUtility(factory(), _resolved(attributes["provides"]))


def _resolved(name: str) -> Any:
    """What a name in a ZCML file of the package stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module, __package__), attribute)


def _in_forked_child() -> None:
    # A thread that held it is not there.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_in_forked_child)
