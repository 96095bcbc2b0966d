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


# Of threads that record at once.
_lock = threading.Lock()


def register_recording() -> None:
    """Register what a script needs to record its runs.

    If an application includes the package in its ``site.zcml``, it is
    registered already, and this does nothing.
    """
    with _lock:
        if queryUtility(IScriptActivitySet) is None:
            _execute("recording.zcml")


def execute_zcml() -> None:
    """Register all utilities of the package, unless they are registered."""
    with _lock:
        if queryUtility(interfaces.IScriptHistorySet) is None:
            _execute("configure.zcml")


def _execute(name: str) -> None:
    """Register the utilities of a ZCML file of the package.

    It is read without `zope.configuration`: importing that, and the reader of
    XML that it uses, takes a fifth of the time of a whole script.  So security
    declarations are for those who include the package in their own ZCML.
    """
    parser = expat.ParserCreate()
    parser.StartElementHandler = _directive
    parser.Parse(Path(__file__).with_name(name).read_bytes(), True)


def _directive(tag: str, attributes: dict[str, str]) -> None:
    """Do what a directive says, if it registers utilities."""
    if tag == "utility":
        factory = _resolved(attributes["factory"])
        provideUtility(factory(), _resolved(attributes["provides"]))
    elif tag == "include" and "package" not in attributes:
        _execute(attributes["file"])


def _resolved(name: str) -> Any:
    """What a name in a ZCML file of the package stands for."""
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(module, __package__), attribute)


def _in_forked_child() -> None:
    # A thread that held it is not there.
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_in_forked_child)
