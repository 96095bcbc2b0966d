"""Runs scripts, each in a process of its own, and has something happen.

What a script does between its start and its end is cut into moments: before
and after each call of the functions below.  At one of them the script is
killed, or the server, or the connection.

A line of JSON on standard input is a run; what became of it is a line of JSON
on standard output.  The processes are forked from this one, which has all
modules imported, so that hundreds of runs take seconds.
"""

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import psycopg2

from canonical.database import sqlbase
from canonical.database.embedded import embedded_parameters
from canonical.database.embedded import stop_embedded
from canonical.database.sqlbase import main_store
from canonical.launchpad.database.scriptactivity import ScriptActivitySet
from canonical.launchpad.database.scriptattempt import ScriptAttemptSet
from canonical.launchpad.scripts import attempt
from canonical.launchpad.scripts import base
from canonical.launchpad.scripts import lock
from canonical.launchpad.scripts import record
from canonical.launchpad.scripts import spool
from canonical.launchpad.scripts.base import LaunchpadCronScript


CALLS = [
    (base, "execute_zcml"),
    (base, "initZopeless"),
    (base, "send_spool"),
    (record, "write_success"),
    (lock.LockFile, "__init__"),
    (lock.LockFile, "release"),
    (lock.os, "ftruncate"),
    (lock.os, "pwrite"),
    (record, "read_success"),
    (record, "remove"),
    (spool.os, "fsync"),
    (spool.Path, "rename"),
    (attempt.Attempt, "commit"),
    (sqlbase.ZopelessTransactionManager, "commit"),
    (sqlbase.ZopelessTransactionManager, "disconnect"),
    (ScriptActivitySet, "recordSuccess"),
    (ScriptAttemptSet, "begin"),
    (ScriptAttemptSet, "end"),
    (ScriptAttemptSet, "endVanished"),
    (ScriptAttemptSet, "getUnrecorded"),
    (ScriptAttemptSet, "isCommitted"),
    (ScriptAttemptSet, "markCommitted"),
    (ScriptAttemptSet, "wasCommitted"),
]


class Work(LaunchpadCronScript):
    """Leaves its name in the table ``work``, if all goes well."""

    def main(self):
        main_store().execute("INSERT INTO work VALUES (?)", (self.name,))


class Moments:
    """Counts the moments of this process, and acts at one of them."""

    def __init__(self, number, action, calls):
        self.number = number
        self.action = action
        self.labels = []
        for owner, name in calls:
            self.wrap(owner, name)

    def wrap(self, owner, name):
        function = getattr(owner, name)

        def wrapper(*args, **kwargs):
            self.pass_moment(f"before {name}")
            result = function(*args, **kwargs)
            self.pass_moment(f"after {name}")
            return result

        setattr(owner, name, wrapper)

    def pass_moment(self, label):
        self.labels.append(label)
        if len(self.labels) == self.number:
            self.action()


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def stop_server():
    stop_embedded(Path(os.environ["FAULT_CLUSTER"]))


def restart_server():
    stop_server()
    embedded_parameters(Path(os.environ["FAULT_CLUSTER"]))


def terminate():
    """What an administrator does to a session."""
    connection = psycopg2.connect(
        **embedded_parameters(Path(os.environ["FAULT_CLUSTER"])))
    connection.autocommit = True
    connection.cursor().execute("""
        SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'""")
    connection.close()


ACTIONS = {
    "none": lambda: None,
    "kill": kill,
    "stop": stop_server,
    "restart": restart_server,
    "terminate": terminate,
}


def run(order, answer):
    """Run a script, in a child of its own, and answer with its moments."""
    moments = Moments(
        order["moment"], ACTIONS[order["action"]], [*CALLS, (Work, "main")])
    os.environ.update(order["environment"])
    # An alarm kills, too, but the kernel decides when.
    signal.setitimer(signal.ITIMER_REAL, order["alarm"])
    try:
        Work(order["name"], dbuser=order["dbuser"], test_args=["-qqq"],
             ).lock_and_run(isolation=order["isolation"])
    finally:
        os.write(answer, json.dumps(moments.labels).encode())


def in_a_child(function):
    """Call a function with a pipe to write to, in a process of its own.

    :return: its exit status, or minus the signal it died of; and what it has
        written.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        status = 70
        try:
            function(write)
            status = 0
        except SystemExit as leave:
            status = leave.code or 0
        finally:
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), text


def main():
    for line in sys.stdin:
        status, labels = in_a_child(partial(run, json.loads(line)))
        print(json.dumps({
            "status": status,
            "moments": json.loads(labels) if labels else None,
        }), flush=True)


if __name__ == "__main__":
    main()
