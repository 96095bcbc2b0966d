"""Failover to a standby that may lack transactions.

The standby streams asynchronously.  At a COMMIT of the run, it may stop to
receive.  At this or a later COMMIT, the primary dies, and the standby takes
over.
"""

import os
import random
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil
from psycopg2.extensions import make_dsn

from canonical.database.embedded import embedded_parameters
from canonical.launchpad.scripts.tests.faults import crash_server
from canonical.launchpad.scripts.tests.faults import server_processes
from canonical.launchpad.scripts.tests.ground import unique
from canonical.launchpad.scripts.tests.proxy import CommitStriker
from canonical.launchpad.scripts.tests.torture.attacks import WORK
from canonical.launchpad.scripts.tests.torture.attacks import through


__all__ = [
    "FAILOVERS",
]


class Standby:
    """A standby of a ground's server."""

    def __init__(self, ground):
        self.ground = ground
        self.cluster = ground.directory / unique("standby")
        postmaster = psutil.Process(server_processes(ground.cluster)[0])
        with (ground.cluster / "pg_hba.conf").open("a") as access:
            access.write("local replication all trust\n")
        ground.query("SELECT pg_reload_conf()")
        subprocess.run(
            [Path(postmaster.exe()).with_name("pg_basebackup"),
             "--pgdata", self.cluster, "--checkpoint=fast",
             "--write-recovery-conf", "--no-sync", "--dbname",
             make_dsn(**ground.parameters)],
            check=True, capture_output=True)
        owner = ground.cluster.stat()
        for path in [self.cluster, *self.cluster.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid)
        # pg_basebackup also copies the lock file of the running server.
        (self.cluster / ".s.PGSQL.5432.lock").unlink()
        self.parameters = embedded_parameters(self.cluster)
        self.wait_for_stream()

    def query(self, statement):
        return self.ground.query(statement, **self.parameters)

    def wait_for_stream(self):
        while not self.query("SELECT 1 FROM pg_stat_wal_receiver"):
            time.sleep(0.02)

    def lag(self):
        """Stop to receive from the primary."""
        self.query("ALTER SYSTEM SET primary_conninfo = ''")
        self.query("SELECT pg_reload_conf()")
        while self.query("SELECT 1 FROM pg_stat_wal_receiver"):
            pass

    def receive(self):
        """Receive from the primary again."""
        address = make_dsn(**self.ground.parameters).replace("'", "''")
        self.query(f"ALTER SYSTEM SET primary_conninfo = '{address}'")
        self.query("SELECT pg_reload_conf()")
        self.wait_for_stream()

    def catch_up(self):
        """Wait until the standby has everything from the primary."""
        (position,), = self.ground.query("SELECT pg_current_wal_lsn()")
        while self.query(
            f"SELECT pg_last_wal_replay_lsn() < '{position}'"
        ) != [(False,)]:
            pass

    def take_over(self):
        """Kill the primary, and promote the standby."""
        old = self.ground.cluster
        crash_server(old)
        self.query("SELECT pg_promote()")
        self.ground.cluster = self.cluster
        self.ground.start_server()
        with suppress(OSError):
            shutil.rmtree(old)


def run_lagging(ground, standby, name, **settings):
    """Run a script; at some COMMIT the standby stops to receive."""
    lags = random.choice(["never", "from the start", "from the work on"])
    if lags != "from the work on":
        standby.catch_up()
        if lags == "from the start":
            standby.lag()
        ground.run(name, **settings)
        return
    with tempfile.TemporaryDirectory() as directory:
        flag = Path(directory, "started")
        ground.send(name, main="wait", FAULT_FLAG=str(flag), **settings)
        ground.wait_for(flag)
        standby.catch_up()
        standby.lag()
        flag.unlink()
        ground.receive()


def failover_at_commit(number, when, many_hosts=False):
    """The script reaches the standby through a proxy, or through its URI."""
    def attack(ground, name, share):
        standby = Standby(ground)

        def strike():
            standby.take_over()
            if not many_hosts:
                proxy.cluster = standby.cluster

        with CommitStriker(ground.cluster, number, when, strike) as proxy:
            environment = through(ground, proxy, "patient")
            if many_hosts:
                environment["LP_DATABASE_URI"] = make_dsn(**dict(
                    ground.parameters,
                    host=f"{proxy.directory},{standby.parameters['host']}",
                    target_session_attrs="read-write"))
            run_lagging(ground, standby, name, **environment)
        if ground.cluster != standby.cluster:
            standby.take_over()

    return attack


def failover_when_spooled(ground, name, share):
    """The success is sent only after the failover."""
    standby = Standby(ground)
    run_lagging(ground, standby, name, dbuser="worker")
    standby.take_over()


# See `attacks.ATTACKS`.
FAILOVERS = [
    ("failover before the work's COMMIT",
     failover_at_commit(WORK, "before"), 0.5),
    ("failover when the work's COMMIT is sent",
     failover_at_commit(WORK, "sent"), 0.5),
    ("failover between COMMIT and record",
     failover_at_commit(WORK, "answered"), 0.5),
    ("failover between COMMIT and record, two hosts in the URI",
     failover_at_commit(WORK, "answered", many_hosts=True), 0.5),
    ("failover when the record's COMMIT is sent",
     failover_at_commit(WORK + 1, "sent"), 0.5),
    ("failover when the record's COMMIT is answered",
     failover_at_commit(WORK + 1, "answered"), 0.5),
    ("failover when the success is spooled", failover_when_spooled, 0.5),
]
