"""Checks that a streaming standby answers.

The server and its standby run for all tests here.  The standby stops to
receive, or receives again, as a test says.
"""

import contextlib
import datetime
import os
import subprocess
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path

from psycopg2.extensions import make_dsn
from storm.exceptions import OperationalError

from canonical.database.replica import LONGEST_LAG
from canonical.database.replica import check_lag
from canonical.launchpad.scripts.tests.faults import crash_server
from canonical.launchpad.scripts.tests.ground import Ground
from canonical.launchpad.scripts.tests.runsupport import PROGRAM
from canonical.launchpad.scripts.tests.serving import pages
from canonical.launchpad.scripts.tests.torture.failover import Standby
from canonical.testing import PostgresLayer
from canonical.testing.children import start_python


NOW = datetime.datetime(2007, 2, 1, 12, 0, tzinfo=datetime.UTC)

# A success is due each second, and may be a second late.
RULES = """
<configure xmlns:lp="http://namespaces.canonical.com/lp">
  <include package="canonical.launchpad" file="meta.zcml" />
  <lp:script name="tidy" every="1s" window="5s" grace="1s" />
</configure>
"""

SUCCESS = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT 'tidy', 'host', due, due
    FROM generate_series(
        clock_timestamp() - interval '10 s', clock_timestamp(),
        interval '0.5 s') AS due
"""


class ReplicaLayer(PostgresLayer):
    """A primary and its standby."""

    @classmethod
    def setUp(cls):
        """See `PostgresLayer`, which is set up before."""
        cls.ground = Ground()
        cls.standby = Standby(cls.ground)

    @classmethod
    def tearDown(cls):
        crash_server(cls.standby.cluster)
        cls.ground.close()

    @classmethod
    def testSetUp(cls):
        """See `PostgresLayer`, which is called before."""


class TestReplica(unittest.TestCase):

    layer = ReplicaLayer
    level = 2

    def setUp(self):
        self.ground, self.standby = self.layer.ground, self.layer.standby
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        (self.directory / "rules.zcml").write_text(RULES)

    def environment(self, role="postgres"):
        """An environment whose configuration names the replica, too."""
        configuration = self.directory / "test.conf"
        uri, read_uri = (
            make_dsn(**{**each.parameters, "user": role})
            for each in (self.ground, self.standby))
        configuration.write_text(
            f"[database]\nuri: {uri}\nread_uri: {read_uri}\n"
            "[monitor]\nexpectations: rules.zcml\n")
        return {"LPCONFIG": str(configuration), "LP_DATABASE_URI": ""}

    def command(self, *arguments, role="postgres"):
        """The exit status, and what it has printed."""
        process = start_python(
            ["-c", PROGRAM.format(""), *arguments],
            {**os.environ, **self.environment(role)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def wait_for_lag(self, seconds):
        while self.standby.query(
            "SELECT clock_timestamp() - pg_last_xact_replay_timestamp()"
            f" > interval '{seconds} s'"
        ) != [(True,)]:
            time.sleep(0.1)

    def test_a_replica_that_is_behind_causes_no_false_alarm(self):
        self.ground.query(SUCCESS)
        self.standby.catch_up()
        self.standby.lag()
        self.wait_for_lag(5)
        status, out, err = self.command("check", "--nagios")
        self.assertEqual(0, status, out + err)
        self.assertRegex(out, r" lag=([5-9]|\d\d+)s\n$")
        self.assertRegex(
            err, "^scriptactivity: the replica is .*s behind, and this is as"
            r" of 20\d\d-.* UTC\n$")
        # By the time of the primary, the same rows raise an alarm.
        status, out, _ = self.command(
            "alert", "--dry-run", "--expectations",
            str(self.directory / "rules.zcml"))
        self.assertIn("tidy", out)
        self.standby.receive()

    @contextlib.contextmanager
    def only_the_replica_is_asked(self):
        """The primary sees no statement, and the replica sees them all."""
        self.standby.receive()
        self.ground.query(SUCCESS)
        self.standby.catch_up()
        before = self.scans()
        yield
        after = self.scans()
        self.assertEqual(before[0], after[0])
        self.assertGreater(after[1], before[1])

    def scans(self):
        """How often a table was read, on the primary and on the replica."""
        found = []
        for each in self.ground, self.standby:
            each.query("SELECT pg_stat_clear_snapshot()")
            found += each.query(
                "SELECT sum(idx_scan) + sum(seq_scan)"
                " FROM pg_stat_user_tables")
        return found

    def test_checks_ask_the_replica(self):
        with self.only_the_replica_is_asked():
            _, out, _ = self.command("check", "--nagios")
            self.assertIn("lag=", out)

    def test_pages_ask_the_replica(self):
        with self.only_the_replica_is_asked(), pages(
            **self.environment()
        ) as url:
            for path in "/", "/scripts/tidy", "/metrics":
                self.assertIn(
                    b"tidy", urllib.request.urlopen(url + path).read())

    def test_what_happens_on_the_primary_is_seen_soon(self):
        self.standby.receive()
        self.ground.query(SUCCESS)
        self.ground.query(
            "UPDATE scriptactivity SET date_started = date_started"
            " - interval '1 day', date_completed = date_completed"
            " - interval '1 day'")
        self.standby.catch_up()
        self.assertEqual(2, self.command("check", "--nagios")[0])

    def test_a_replica_that_was_left_behind_knows_nothing(self):
        check_lag(NOW - LONGEST_LAG, NOW)
        for until in None, NOW - LONGEST_LAG * 1.01:
            with self.assertRaisesRegex(
                OperationalError, "has replayed nothing"
            ):
                check_lag(until, NOW)


class TestPromotion(unittest.TestCase):
    """`make torture` does this at each COMMIT of a run."""

    layer = PostgresLayer
    level = 2

    def test_what_the_standby_has_lost_is_neither_worked_nor_recorded(self):
        ground = Ground()
        self.addCleanup(ground.close)
        standby = Standby(ground)
        ground.run("kept")
        standby.catch_up()
        standby.lag()
        ground.run("lost")
        # It may not record, so its success is spooled.
        ground.run("spooled", dbuser="worker")
        self.assertEqual(
            ["kept", "lost", "spooled"], sorted(ground.names("work")))
        standby.take_over()
        ground.settle()
        self.assertEqual(["kept"], ground.names("work"))
        self.assertEqual(["kept"], ground.names("scriptactivity"))
        ground.run("after")
        for table in "work", "scriptactivity":
            self.assertEqual(["after", "kept"], sorted(ground.names(table)))
