"""Faults of a script, and of the server of the embedded cluster.

The environment variable FAULT_CLUSTER is the directory of the cluster.
"""

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.database.embedded import stop_embedded


__all__ = [
    "ACTIONS",
    "crash_server",
    "freeze",
    "kill",
    "server_processes",
]


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def cluster():
    return Path(os.environ["FAULT_CLUSTER"])


def server_processes(directory):
    """The postmaster of a cluster first, then all its children.

    :raises OSError: if it does not run.
    """
    postmaster = int((directory / "postmaster.pid").read_text().split()[0])
    try:
        children = psutil.Process(postmaster).children()
    except psutil.NoSuchProcess:
        raise ProcessLookupError from None
    return [postmaster, *(child.pid for child in children)]


def stop_server():
    stop_embedded(cluster())


def restart_server():
    stop_server()
    embedded_parameters(cluster())


def crash_server(directory=None):
    """Stop the server as a power cut would: memory is lost."""
    pid_file = (directory or cluster()) / "postmaster.pid"
    with suppress(OSError, psutil.NoSuchProcess):
        # The postmaster ends after its children.
        postmaster = psutil.Process(int(pid_file.read_text().split()[0]))
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait()


def crash_and_restart():
    crash_server()
    embedded_parameters(cluster())


def freeze(directory=None):
    """Freeze all processes of the server."""
    for pid in server_processes(directory or cluster()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)


def terminate_soon():
    """Kill the script, as an administrator may do."""
    timer = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGTERM])
    timer.daemon = True
    timer.start()


def freeze_and_terminate():
    freeze()
    terminate_soon()


def terminate():
    """End a session, as an administrator may do."""
    connection = psycopg2.connect(**embedded_parameters(cluster()))
    connection.autocommit = True
    connection.cursor().execute("""
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'""")
    connection.close()


# The faults at a moment, by name; they run in the script's process.
ACTIONS = {
    "none": lambda: None,
    "kill": kill,
    "stop": stop_server,
    "restart": restart_server,
    "crash": crash_server,
    "crash and restart": crash_and_restart,
    "freeze": freeze,
    "freeze and terminate": freeze_and_terminate,
    "terminate": terminate,
    "SIGTERM soon": terminate_soon,
    "SIGTERM": lambda: os.kill(os.getpid(), signal.SIGTERM),
}
