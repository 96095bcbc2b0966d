"""Attacks on a script and its server.

An attack is a function.  It takes the ground, the prefix of the names of its
scripts, and the fraction of its trials that are done, from 0 to less than 1.
It returns when its scripts have ended.  If it is not possible here, it returns
the reason.
"""

import os
import random
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from canonical.launchpad.scripts.tests.faults import crash_server
from canonical.launchpad.scripts.tests.proxy import CommitCutter
from canonical.launchpad.scripts.tests.proxy import CommitStriker


__all__ = [
    "ATTACKS",
    "WORK",
    "through",
    "within",
]


# The COMMITs of a run: for its start, for the work, for the record.
COMMITS = range(1, 4)
WORK = 2

OTHERS_USE_UP_TRANSACTION_IDS = """
    DO $$ BEGIN
        FOR i IN 1..300 LOOP PERFORM txid_current(); COMMIT; END LOOP;
    END $$"""

# How many seconds a COMMIT takes at most.
SOON = 0.003

def within(items, share):
    """The item of a list at this fraction of its length."""
    return items[int(share * len(items))]


def moments(ground, name, first=None, **settings):
    """The numbers of the moments of a run, starting at a label."""
    labels = ground.run(f"{name}-undisturbed", **settings)["moments"]
    start = 0 if first is None else labels.index(first)
    return range(start + 1, len(labels) + 1)


def through(ground, proxy, configuration="quick"):
    """The environment of a script that connects through a proxy."""
    return {
        "LP_DATABASE_URI": make_dsn(
            **dict(ground.parameters, host=proxy.directory)),
        "LPCONFIG": str(ground.configuration(configuration)),
    }


def at_moment(action, first="before main", configuration="quick"):
    """A fault is injected at every moment in turn."""
    def attack(ground, name, share):
        moment = within(moments(ground, name, first), share)
        ground.run(
            name, action, moment,
            LPCONFIG=str(ground.configuration(configuration)))
        if action.startswith("crash"):
            others_go_on(ground)

    return attack


def killed_at_every_moment(isolation, dbuser=None):
    def attack(ground, name, share):
        settings = {"isolation": isolation, "dbuser": dbuser}
        moment = within(moments(ground, name, **settings), share)
        ground.flush()
        ground.run(name, "kill", moment, **settings)

    return attack


def killed_at_any_time(ground, name, share):
    ground.run(name, alarm=random.uniform(0.001, 0.25))


def killed_while_it_sends_the_spool(ground, name, share):
    ground.run(f"{name}-undisturbed", dbuser="worker")
    labels = ground.run(f"{name}-sender")["moments"]
    ground.run(f"{name}-spooled", dbuser="worker")
    last = labels.index("before main") + 1
    ground.run(name, "kill", 1 + int(share * last))


def killed_after_a_slow_start(ground, name, share):
    """The start of the run is not on record when its work is committed."""
    with tempfile.TemporaryDirectory() as directory:
        flag = Path(directory, "started")
        other = psycopg2.connect(**ground.parameters)
        other.cursor().execute("LOCK TABLE scriptattempt")
        ground.send(name, "kill", "before record_activity", main="wait",
                    FAULT_FLAG=str(flag))
        ground.wait_for(flag)
        other.close()
        flag.unlink()
        ground.receive()


def others_go_on(ground):
    """Start the server; use up the transaction ids that a crash has freed."""
    ground.start_server()
    ground.query(OTHERS_USE_UP_TRANSACTION_IDS)


def crash_at_commit(when):
    """The server crashes around the COMMIT of the work.

    In half of the trials, the server runs again while the script asks for the
    result.
    """
    def attack(ground, name, share):
        def strike():
            if when == "sent":
                time.sleep(random.uniform(0, SOON))
            crash_server(ground.cluster)
            if at_once:
                others_go_on(ground)

        at_once = random.random() < 0.5
        configuration = "patient" if at_once else "quick"
        with CommitStriker(ground.cluster, WORK, when, strike) as proxy:
            ground.run(name, **through(ground, proxy, configuration))
        others_go_on(ground)

    return attack


def backend_dies_at_commit(signum, when):
    """The script's session gets a signal around a COMMIT.

    SIGTERM is what pg_terminate_backend sends.
    """
    def attack(ground, name, share):
        def strike():
            time.sleep(random.uniform(0, SOON))
            for (pid,) in monitor():
                os.kill(pid, signum)

        with (
            sessions(ground) as monitor,
            CommitStriker(
                ground.cluster, within((WORK, WORK, WORK + 1), share), when,
                strike,
            ) as proxy,
        ):
            ground.run(name, **through(ground, proxy))

    return attack


@contextmanager
def sessions(ground):
    """A function that returns the pids of all other sessions."""
    connection = psycopg2.connect(**ground.parameters)
    connection.autocommit = True
    cursor = connection.cursor()

    def look():
        cursor.execute("""
            SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()
                AND backend_type = 'client backend'""")
        return cursor.fetchall()

    try:
        yield look
    finally:
        connection.close()


def cut_at_commit(when, for_good=False):
    """The network is gone around each COMMIT in turn."""
    # Without a limit, the script would wait for this COMMIT for ever.
    configuration = "hasty" if when == "never" else "quick"

    def attack(ground, name, share):
        number = within(COMMITS, share)
        with CommitCutter(
            ground.cluster, number, when, for_good,
        ) as proxy:
            ground.run(name, **through(ground, proxy, configuration))

    return attack


def crash_without_synchronous_commit(action):
    """Committed work may be lost.  Then no success is on record."""
    def attack(ground, name, share):
        ground.query("ALTER SYSTEM SET synchronous_commit = off")
        ground.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
        ground.query("SELECT pg_reload_conf()")
        ground.run(
            name, action, "before record_activity",
            LPCONFIG=str(ground.configuration("patient")))
        others_go_on(ground)
        ground.query("ALTER SYSTEM RESET ALL")
        ground.query("SELECT pg_reload_conf()")

    return attack


# The title, the function, and its trials for each requested trial.
ATTACKS = [
    ("server frozen at every moment, commit_timeout",
     at_moment("freeze", "after main", configuration="hasty"), 1),
    ("server frozen at every moment, SIGTERM",
     at_moment("freeze and terminate"), 1),
    ("start takes too long, SIGKILL after the work's COMMIT",
     killed_after_a_slow_start, 0.25),
    *(
        (f"SIGKILL at every moment, {isolation}",
         killed_at_every_moment(isolation), 3)
        for isolation in ("read_committed", "serializable")
    ),
    ("SIGKILL at every moment, a run that spools",
     killed_at_every_moment("read_committed", "worker"), 3),
    ("SIGKILL at every moment of sending the spool",
     killed_while_it_sends_the_spool, 2),
    ("SIGKILL at any time", killed_at_any_time, 10),
    *(
        (f"server: {action} at every moment", at_moment(action), 1.5)
        for action in (
            "stop", "restart", "terminate", "crash", "crash and restart")
    ),
    ("crash before the work's COMMIT", crash_at_commit("before"), 1),
    ("crash 0 to 3 ms after the work's COMMIT was sent",
     crash_at_commit("sent"), 3),
    ("crash after the work's COMMIT was answered",
     crash_at_commit("answered"), 1),
    *(
        (f"backend gets {signum.name} around a COMMIT, {when}",
         backend_dies_at_commit(signum, when), 1.5)
        for signum in (signal.SIGKILL, signal.SIGTERM)
        for when in ("before", "sent", "answered")
    ),
    ("network cut before each COMMIT", cut_at_commit("before"), 1),
    ("network cut after each COMMIT", cut_at_commit("after"), 1),
    ("network swallows each COMMIT", cut_at_commit("never"), 1),
    ("network gone for good before each COMMIT",
     cut_at_commit("before", for_good=True), 1),
    ("network gone for good after each COMMIT",
     cut_at_commit("after", for_good=True), 1),
    *(
        (f"synchronous_commit=off, {action} after the work's COMMIT",
         crash_without_synchronous_commit(action), 1)
        for action in ("crash", "crash and restart")
    ),
]
