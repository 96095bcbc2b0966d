"""A server that has imported the modules of scripts, and forks them.

Imports take most of the time of a short script.  So the server imports the
modules once, and each script is a fork of it.  The server executes no ZCML,
reads no configuration and connects to nothing.  So a fork is in the state of
a new process after its imports.

`canonical.testing.children` sends the requests.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import io
import json
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
import tokenize
import types
from contextlib import suppress
from typing import Any

import canonical.launchpad


__all__ = [
    "serve",
]


# The largest request in bytes: arguments and environment.
LARGEST_REQUEST = 1_000_000

# The signals that Python ignores in a new process.
IGNORED = {signal.SIGPIPE, signal.SIGXFSZ}

# The modules that only the execution of the ZCML imports.
FOR_ZCML = (
    "storm.zope.zstorm",
    "zope.component.security",
    "zope.component.zcml",
)


def serve(descriptor: int) -> None:
    """Fork a process for each request, until the other side closes the socket.

    A request has four descriptors: three for the standard streams of the new
    process, and one for two lines about the process.  The first line is its
    pid.  The second line is its end, as `os.waitstatus_to_exitcode` returns
    it.

    :param descriptor: of a socket for packets.
    """
    _import_all()
    # Ctrl-C is for the tests, not for the processes that they have started.
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
    """Import our modules, except those for tests."""
    path = sys.path[:]
    for module in pkgutil.walk_packages(
        canonical.launchpad.__path__, "canonical.launchpad."
    ):
        if not {"tests", "testing"} & set(module.name.split(".")):
            importlib.import_module(module.name)
    for name in FOR_ZCML:
        importlib.import_module(name)
    # An import of setuptools adds to it.
    sys.path[:] = path
    # These objects stay, so the collector of a child need not visit them.
    gc.collect()
    gc.freeze()


def _fork_and_report(*descriptors: int) -> None:
    """Fork.  The child returns; this process waits for it, reports and exits.
    """
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
    """Run a script or code in this process, as ``python ARGUMENTS`` does.

    :param arguments: see `canonical.testing.children.start_python`.
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
    try:
        exec(compile(code, name, "exec"), module.__dict__)
    except SystemExit as leave:
        if not isinstance(leave.code, int | None):
            raise
        _end(module, leave.code or 0)
        raise
    _end(module, 0)


def _end(module: types.ModuleType, status: int) -> None:
    """End this process as Python ends, but do not free every object.

    That takes four times as long as the fork, since the kernel copies each
    page that is written to.  If the streams cannot be flushed, this returns,
    and Python reports it.
    """
    private: Any = threading, atexit
    private[0]._shutdown()
    private[1]._run_exitfuncs()
    module.__dict__.clear()
    with suppress(Exception):
        for stream in sys.stdout, sys.stderr:
            if stream is not None and not stream.closed:
                stream.flush()
        os._exit(status & 0xff)


def _make_streams() -> None:
    """Create the standard streams, as Python does at its start."""
    streams: Any = sys
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        # This is true if PYTHONUNBUFFERED was set.
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
