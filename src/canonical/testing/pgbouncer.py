"""A PgBouncer for tests, between them and the embedded PostgreSQL."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg2


__all__ = [
    "PgBouncer",
    "find_pgbouncer",
]


CONFIGURATION = """
[databases]
* = host={host} port={port} pool_size={size}

[pgbouncer]
pool_mode = transaction
listen_addr =
listen_port = {port}
listen_backlog = 1000
unix_socket_dir = {directory}
auth_type = trust
auth_file = {directory}/users
logfile = {directory}/log
max_client_conn = 1000
query_wait_timeout = {patience:g}
"""

# seconds
START_TIMEOUT = 30


def find_pgbouncer() -> str | None:
    """The program of Debian's package, if it is installed."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/local/bin:/usr/bin")


class PgBouncer:
    """A pooler in transaction mode, whose clients are trusted.

    It runs as the user of the server, who alone may connect to it.

    :param server: the parameters of a connection to the server.
    :param size: how many connections to the server it keeps, for each role.
    :param patience: for how many seconds a client may wait for one of them; 0
        for no limit.
    :param roles: who may connect.
    :ivar parameters: of a connection through it.
    """

    def __init__(
        self,
        server: dict[str, str],
        size: int,
        patience: float = 120,
        roles: Sequence[str] = ("postgres",),
    ):
        program = find_pgbouncer()
        if program is None:
            raise RuntimeError("pgbouncer is not installed")
        self.directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        configuration = self.directory / "pgbouncer.ini"
        configuration.write_text(CONFIGURATION.format(
            host=server["host"], port=server["port"], size=size,
            directory=self.directory, patience=patience))
        (self.directory / "users").write_text(
            "".join(f'"{role}" ""\n' for role in roles))
        owner = server["requirepeer"]
        shutil.chown(self.directory, owner)
        for path in self.directory.iterdir():
            shutil.chown(path, owner)
        self.parameters = {**server, "host": str(self.directory)}
        self._process = subprocess.Popen(
            [program, "-q", configuration], user=owner,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                psycopg2.connect(**self.parameters).close()
                return
            except psycopg2.OperationalError as error:
                if (self._process.poll() is not None
                        or time.monotonic() > deadline):
                    raise RuntimeError(self.log() or str(error)) from error
            time.sleep(0.02)

    def log(self) -> str:
        """What it has logged."""
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        """Stop at once, and remove its files."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.directory)


if __name__ == "__main__" and not find_pgbouncer():
    # `make test-engines` calls this.
    print("Left out: tests behind PgBouncer; they need Debian's pgbouncer")
