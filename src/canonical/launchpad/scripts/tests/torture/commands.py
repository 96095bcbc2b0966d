"""Attacks on ``scriptactivity run``; see `attacks`.

A command leaves nothing in the database itself.  What has succeeded is put
into the table ``work`` when its exit status is known.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from psycopg2.extensions import make_dsn

from canonical.launchpad.scripts.tests.faults import crash_server
from canonical.launchpad.scripts.tests.faults import freeze
from canonical.launchpad.scripts.tests.ground import Hung
from canonical.launchpad.scripts.tests.ground import unique
from canonical.launchpad.scripts.tests.runsupport import PROGRAM


__all__ = [
    "COMMANDS",
]


# How long a run takes from its start, at most, with a database that answers.
USUAL = 1.0

# Seconds that an end may be late, on a machine that is busy.
LATE = 60

TWO_GIGABYTES = 2 * 1000 ** 3

# Of memory, in kB: the imports, and what is copied at once.
ENOUGH = 100_000


def start(ground, name, *command, **how):
    """The process of a run."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(""), "run", name, "--",
         *command],
        # After a failover it is another server.
        env=dict(
            ground.environment, LP_DATABASE_URI=make_dsn(**ground.parameters)),
        stderr=subprocess.DEVNULL, **how)


def end(process):
    """Its exit status.

    :raises Hung: if it does not end.
    """
    try:
        return process.wait(LATE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Hung from None


def note(ground, name):
    """Count a success as work."""
    ground.query(f"INSERT INTO work VALUES ('{name}')")


def server_dies(how):
    """The server is attacked at any time; the command ends as it ends."""
    def attack(ground, name, share):
        process = start(ground, name, "sh", "-c", "sleep 0.2")
        time.sleep(USUAL * random.random())
        how(ground.cluster)
        status = end(process)
        ground.thaw()
        ground.start_server()
        if status != 0:
            raise RuntimeError(f"exit status {status}")
        note(ground, name)
    return attack


def killed(ground, name, share):
    """SIGKILL at any time: what is on record has succeeded."""
    with tempfile.TemporaryDirectory() as temporary:
        done = Path(temporary, "done")
        process = start(ground, name, "sh", "-c", f"sleep 0.2; echo > {done}")
        time.sleep(USUAL * random.random())
        process.kill()
        end(process)
        ground.wait_for_sessions()
        ground.flush()
        # The command goes on by itself.
        time.sleep(0.3)
        if done.exists() and ground.names("scriptactivity", name):
            note(ground, name)


def many_at_once(ground, name, share):
    """200 commands at once: none is hurt, and all are on record."""
    names = [unique(name) for _ in range(200)]
    processes = [start(ground, each, "true") for each in names]
    deadline = time.monotonic() + 10 * LATE
    for each, process in zip(names, processes, strict=True):
        try:
            status = process.wait(max(1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            raise Hung from None
        if status != 0:
            raise RuntimeError(f"exit status {status}")
        note(ground, each)


def gigabytes(ground, name, share):
    """2 GB pass, and memory stays bounded."""
    process = start(
        ground, name, "head", "-c", str(TWO_GIGABYTES), "/dev/zero",
        stdout=subprocess.PIPE)
    size = most = 0
    while data := os.read(process.stdout.fileno(), 1_000_000):
        size += len(data)
        if size % 1000 < 5:
            most = max(most, memory(process.pid))
    process.stdout.close()
    if end(process) != 0 or size != TWO_GIGABYTES or most > ENOUGH:
        raise RuntimeError(f"{size} bytes came, with {most} kB of memory")
    note(ground, name)


def memory(pid):
    """The most that a process has had, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def terminated(ground, name, share):
    """SIGTERM at any time: the command has ended when its run has."""
    with tempfile.TemporaryDirectory() as temporary:
        pid_file = Path(temporary, "pid")
        process = start(
            ground, name, "sh", "-c", f"echo $$ > {pid_file}; exec sleep 60")
        ground.wait_for(pid_file)
        time.sleep(USUAL * random.random())
        process.send_signal(signal.SIGTERM)
        status = end(process)
        if status != -signal.SIGTERM or Path(
            f"/proc/{pid_file.read_text().strip()}").exists():
            raise RuntimeError(f"exit status {status}")


COMMANDS = [
    ("command: the server crashes at any time", server_dies(crash_server), 1),
    ("command: the server freezes at any time", server_dies(freeze), 1),
    ("command: SIGKILL at any time", killed, 1),
    ("command: SIGTERM at any time", terminated, 1),
    ("command: 200 at once", many_at_once, 0.05),
    ("command: 2 GB through a pipe", gigabytes, 0.05),
]
