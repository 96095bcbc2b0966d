"""Starts child processes that can import the same modules as this process."""

from __future__ import annotations

import atexit
import functools
import json
import os
import pty
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from typing import Any


__all__ = [
    "python_path",
    "run_on_terminal",
    "start_python",
]


SERVE = "import sys; from canonical.testing.forkserver import serve;" \
    " serve(int(sys.argv[1]))"

# Prefixes of environment variables that Python or the C library reads at the
# start of a process.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_")


def python_path() -> str:
    """The PYTHONPATH for a child that is started with `sys.executable`.

    `sys.executable` is the bare interpreter.  ``bin/py`` and ``bin/test`` have
    the other packages only on their `sys.path`.
    """
    return os.pathsep.join(filter(None, sys.path))


def start_python(
    arguments: Sequence[str | bytes | os.PathLike[str]],
    env: Mapping[str, str] | None = None,
    **options: Any,
) -> subprocess.Popen[Any]:
    """Start a process that runs a script or code, as ``python ARGUMENTS``.

    The process is forked from one that has already imported our modules, so it
    starts fast.  A test of imports, or of the start of a process, should use
    `subprocess.Popen`.

    :param arguments: a path, or ``-c`` and code; then the arguments of the
        script or code.
    :param env: the environment; by default that of this process.  If it has no
        PYTHONPATH, `python_path` is used.
    :param options: ``cwd``, and the options of `subprocess.Popen` for pipes
        and their encoding.
    """
    ours = {"PYTHONPATH": python_path(), **os.environ}
    env = ours if env is None else {"PYTHONPATH": python_path(), **env}
    alike = _read_at_start(env) == _read_at_start(ours)
    return (_Forked if alike else subprocess.Popen)(
        [sys.executable, *arguments], env=env, **options)


def run_on_terminal(
    arguments: Sequence[str | bytes | os.PathLike[str]],
    columns: int,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a script or code on a terminal; see `start_python`.

    :param columns: the width of the terminal.
    :return: the exit status, and the output on the terminal.
    """
    ours, theirs = pty.openpty()
    process = start_python(
        arguments,
        dict(os.environ if env is None else env, COLUMNS=str(columns),
             TERM="xterm"),
        stdout=theirs)
    os.close(theirs)
    out = b""
    # When the process is gone, a read raises an OSError on Linux.
    with suppress(OSError):
        while data := os.read(ours, 10000):
            out += data
    os.close(ours)
    return process.wait(), out.decode().replace("\r\n", "\n")


def _read_at_start(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(
        item for item in env.items() if item[0].startswith(READ_AT_START)))


@functools.cache
def _server(environment: tuple[tuple[str, str], ...]) -> socket.socket:
    """The socket for requests to a server; it ends with this process.

    :param environment: the variables that matter at the start of a process.
    """
    # To compile the templates of the pages takes three seconds.
    templates = tempfile.mkdtemp(prefix="scriptactivity-templates-")
    atexit.register(shutil.rmtree, templates, ignore_errors=True)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(theirs.fileno())],
            env=dict(
                os.environ, **dict(environment), CHAMELEON_CACHE=templates),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()])
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


class _Forked(subprocess.Popen[Any]):
    """A child of the server, which starts it and waits for it.

    This overrides the methods of `subprocess.Popen` that differ between
    operating systems.
    """

    def _execute_child(self, args: Any, *parameters: Any) -> None:
        (_executable, _preexec_fn, _close_fds, _pass_fds, cwd, env,
         _startupinfo, _creationflags, _shell, *pipes) = parameters
        stdin, _, _, stdout, _, stderr = pipes[:6]
        request = json.dumps({
            "arguments": [os.fsdecode(argument) for argument in args[1:]],
            "cwd": os.path.abspath(cwd or ""),
            "environment": env,
        })
        self._report, report = map(open, os.pipe(), "rw")
        with report:
            socket.send_fds(
                _server(_read_at_start(env)), [request.encode()],
                [0 if stdin == -1 else stdin, 1 if stdout == -1 else stdout,
                 2 if stderr == -1 else stderr, report.fileno()])
        self.pid = int(self._report.readline())
        self._child_created = True
        self._close_pipe_fds(*pipes[:6])  # type: ignore[attr-defined]

    def _internal_poll(self, _deadstate: Any = None) -> int | None:
        if self.returncode is None:
            with suppress(subprocess.TimeoutExpired):
                self._wait(timeout=0)
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
            self.returncode = int(self._report.readline())
            self._report.close()
        return self.returncode
