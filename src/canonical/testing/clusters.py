"""Clusters that need not be initialised, which takes most of their start."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.database.embedded import stop_embedded


__all__ = [
    "place_cluster",
]


def place_cluster(directory: Path) -> None:
    """Put a cluster where `embedded_parameters` would create one.

    It is stopped.  It does not wait for the disk, so only a crash of the
    machine can hurt it.
    """
    directory.parent.mkdir(exist_ok=True)
    # The user who runs the server of root must pass through it.
    directory.parent.chmod(0o711)
    subprocess.run(["cp", "-a", _template(), directory], check=True)


@functools.cache
def _template() -> Path:
    temporary = Path(tempfile.mkdtemp(prefix="scriptactivity-template-"))
    temporary.chmod(0o711)
    atexit.register(shutil.rmtree, temporary)
    directory = temporary / "postgresql"
    connection = psycopg2.connect(**embedded_parameters(directory))
    connection.autocommit = True
    connection.cursor().execute("ALTER SYSTEM SET fsync = off")
    connection.close()
    stop_embedded(directory)
    (directory / "log").unlink()
    return directory
