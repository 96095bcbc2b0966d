"""Runs scripts, each in a new process, and injects faults.

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
import time
from functools import partial
from pathlib import Path

from storm.uri import URI

from canonical.database import sqlbase
from canonical.database import storeregistry
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.main import main as scriptactivity
from canonical.launchpad.database.scriptactivity import ScriptActivitySet
from canonical.launchpad.database.scriptattempt import ScriptAttemptSet
from canonical.launchpad.scripts import attempt
from canonical.launchpad.scripts import base
from canonical.launchpad.scripts import lock
from canonical.launchpad.scripts import spool
from canonical.launchpad.scripts.base import LaunchpadCronScript
from canonical.launchpad.scripts.tests.faults import ACTIONS


CALLS = [
    (base, "register_recording"),
    (base, "initZopeless"),
    (base, "send_spool"),
    (spool, "write_success"),
    (lock.LockFile, "__init__"),
    (lock.LockFile, "release"),
    (lock.os, "ftruncate"),
    (lock.os, "pwrite"),
    (spool, "read_success"),
    (spool, "_remove"),
    (spool.os, "fsync"),
    (spool.Path, "rename"),
    (base.LaunchpadCronScript, "record_activity"),
    (attempt.Attempt, "commit"),
    (attempt.Attempt, "_prove"),
    (sqlbase.ZopelessTransactionManager, "commit"),
    (sqlbase.ZopelessTransactionManager, "disconnect"),
    (ScriptActivitySet, "recordSuccess"),
    (ScriptAttemptSet, "begin"),
    (ScriptAttemptSet, "end"),
    (ScriptAttemptSet, "endCommitted"),
    (ScriptAttemptSet, "endVanished"),
    (ScriptAttemptSet, "getUnrecorded"),
    (ScriptAttemptSet, "markCommitted"),
    (ScriptAttemptSet, "awaitCommitted"),
]


class Work(LaunchpadCronScript):
    """Writes its name to the table ``work``."""

    how = "work"

    def main(self):
        self.write()
        MAINS[self.how](self)

    def write(self, store=None):
        (store or main_store()).execute(
            "INSERT INTO work VALUES (?)", (self.name,))


def wait(script):
    """Make a file, and wait until it is removed."""
    flag = Path(os.environ["FAULT_FLAG"])
    flag.touch()
    while flag.exists():
        time.sleep(0.01)


def work_in_two_stores(script):
    store = storeregistry.zstorm().create(
        "other", URI(os.environ["FAULT_OTHER_URI"]))
    script.write(store)


def child(leave, fail=False):
    """Fork a child that ends in one of several ways."""
    def fork(script):
        pid = os.fork()
        if pid == 0:
            leave()
            return
        os.waitpid(pid, 0)
        if fail:
            raise base.SilentLaunchpadScriptFailure

    return fork


def raise_error():
    raise base.SilentLaunchpadScriptFailure


MAINS = {
    "work": lambda script: None,
    "wait": wait,
    "two stores": work_in_two_stores,
    "child returns": child(lambda: None),
    "child raises": child(raise_error),
    "child exits": child(lambda: sys.exit(0)),
    "child is gone": child(lambda: os._exit(0)),
    "child returns, script fails": child(lambda: None, fail=True),
    "child exits, script fails": child(lambda: sys.exit(0), fail=True),
}


class Moments:
    """Counts the moments of this process, and injects a fault at one.

    :param number: the moment; or a label, for its first moment.
    """

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
        if self.number in (len(self.labels), label):
            self.number = None
            self.action()


def run(order, answer):
    """Run a script in a new child, and answer with its moments."""
    if "FAULT_LOG" in os.environ:
        os.dup2(os.open(os.environ["FAULT_LOG"], os.O_WRONLY | os.O_CREAT), 2)
    Work.how = order["main"]
    moments = Moments(
        order["moment"], ACTIONS[order["action"]], [*CALLS, (Work, "main")])
    # An alarm kills too, but the kernel decides when.
    signal.setitimer(signal.ITIMER_REAL, order["alarm"])
    try:
        Work(order["name"], dbuser=order["dbuser"],
             test_args=order["options"],
             ).lock_and_run(isolation=order["isolation"])
    finally:
        os.write(answer, json.dumps(moments.labels).encode())


def flush(order, answer):
    """Answer with the output on standard output or standard error."""
    os.dup2(answer, 1)
    os.dup2(answer, 2)
    sys.exit(scriptactivity(["flush"]))


def in_a_child(function):
    """Call a function in a new process, with a pipe to write to.

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
            sys.stdout.flush()
            os._exit(status)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), text


def obey(order, answer):
    os.environ.update(order["environment"])
    if order["action"] == "flush":
        flush(order, answer)
    else:
        run(order, answer)


def main():
    for line in sys.stdin:
        order = json.loads(line)
        status, text = in_a_child(partial(obey, order))
        answer = {"status": status}
        if order["action"] == "flush":
            answer["output"] = text
        else:
            answer["moments"] = json.loads(text) if text else None
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
