"""A process that has imported what scripts need, and forks them.

Most of what a short script costs is its imports.  So a process pays for them
once, and each script is a fork of it.  It has executed no ZCML, read no
configuration and connected to nothing: a fork begins where a script of a
process of its own would be after its imports.

`canonical.testing.children` is the other side.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import sys
import time
import tokenize
import types
from contextlib import suppress
from typing import Any

import canonical.launchpad


__all__ = [
    "serve",
]


# What a request may have at most, in bytes: arguments and environment.
LARGEST_REQUEST = 1_000_000

# What Python ignores itself in a new process.
IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}

# What executing the ZCML imports that none of our modules does.
FOR_ZCML = (
    "storm.zope.zstorm",
    "zope.component.security",
    "zope.component.zcml",
)


def serve(descriptor: int) -> None:
    """Fork a process for each request, until the other side goes away.

    A request has four descriptors: the standard ones of the new process, and
    one for two lines about it, its pid and later how it has ended, as
    `os.waitstatus_to_exitcode` says it.

    :param descriptor: of a socket for packets.
    """
    _import_all()
    # Whoever interrupts the tests does not mean what they have started.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=descriptor) as requests:
        while True:
            message, descriptors, _, _ = socket.recv_fds(
                requests, LARGEST_REQUEST, 4)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG) != (0, 0):
                    pass
            if not message:
                return
            if os.fork() == 0:
                break
            for each in descriptors:
                os.close(each)
    _fork_and_report(*descriptors)
    _become(**json.loads(message))


def _import_all() -> None:
    """Import our modules but those for tests, and what they need."""
    for module in pkgutil.walk_packages(
        canonical.launchpad.__path__, "canonical.launchpad."
    ):
        if not {"tests", "testing"} & set(module.name.split(".")):
            importlib.import_module(module.name)
    for name in FOR_ZCML:
        importlib.import_module(name)
    # What is here stays as it is; no child need look at it.
    gc.collect()
    gc.freeze()


def _fork_and_report(*descriptors: int) -> None:
    """Return in a child, with its descriptors; wait for it here, and exit."""
    *standard, report = descriptors
    child = os.fork()
    if child != 0:
        os.write(report, b"%d\n" % child)
        os.closerange(0, report)
        _, status = os.waitpid(child, 0)
        os.write(report, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))


def _become(
    arguments: list[str], cwd: str, environment: dict[str, str]
) -> None:
    """Be what ``python ARGUMENTS`` would be, here and until the end.

    :param arguments: a script and its own, or ``-c``, code and its own.
    """
    for signum in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(
            signum,
            signal.SIG_IGN if signum in IGNORED else signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    os.chdir(cwd)
    _make_streams()
    program, *rest = arguments
    if program == "-c":
        code, *rest = rest
        directory, name = "", "<string>"
    else:
        name = os.path.abspath(program)
        directory = os.path.dirname(name)
        with tokenize.open(name) as file:
            code = file.read()
    sys.argv = [program, *rest]
    sys.path[0] = directory
    module = types.ModuleType("__main__")
    if program != "-c":
        module.__file__ = name
    sys.modules["__main__"] = module
    exec(compile(code, name, "exec"), module.__dict__)


def _make_streams() -> None:
    """Text streams, as Python makes them of the standard descriptors."""
    streams: Any = sys
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        # That is, PYTHONUNBUFFERED was set.
        unbuffered = old.write_through
        binary: Any = open(  # noqa: SIM115
            number, "wb" if number else "rb",
            0 if unbuffered and number else -1, closefd=False)
        new = io.TextIOWrapper(
            binary, old.encoding, old.errors, newline="\n",
            line_buffering=not unbuffered and (
                number == 2 or binary.isatty()),
            write_through=unbuffered)
        setattr(streams, name, new)
        setattr(streams, f"__{name}__", new)
