"""No success that was committed is lost, and no failure is on record.

Real scripts, a real PostgreSQL, and everything that can happen to either, at
every moment of a script's life.  At the end there are the counts.
"""

import random
import subprocess
import unittest

from psycopg2.extensions import make_dsn

from canonical.launchpad.scripts.tests.ground import Ground
from canonical.launchpad.scripts.tests.ground import unique
from canonical.launchpad.scripts.tests.proxy import CommitCutter
from canonical.testing import Short
from canonical.testing.children import start_python


FLUSH = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main(['flush']))"


class FaultLayer(Short):
    """A private PostgreSQL and a driver.  It checks the counts at the end."""

    @classmethod
    def setUp(cls):
        cls.ground = Ground()
        # No fault here is of the machine.
        cls.ground.query("ALTER SYSTEM SET fsync = off")
        cls.ground.query("SELECT pg_reload_conf()")

    @classmethod
    def tearDown(cls):
        print("  Over all faults:")
        for title, count in cls.counts().items():
            print(f"    {title:<34}{count:>5}")
        cls.ground.close()

    @classmethod
    def counts(cls):
        """The promises, as numbers."""
        worked = cls.ground.names("work")
        recorded = cls.ground.names("scriptactivity")
        statuses = cls.ground.statuses
        return {
            "runs": len(statuses),
            "runs that were killed": sum(status < 0 for status in statuses),
            "successes committed by scripts": len(worked),
            "rows on record after flushing": len(recorded),
            "differences": len(set(worked) ^ set(recorded)),
            "duplicates": len(recorded) - len(set(recorded)),
            "records of runs that failed": len(set(recorded) - set(worked)),
            "stale locks": cls.ground.stale_locks(),
        }


class FaultTestCase(unittest.TestCase):

    layer = FaultLayer

    def setUp(self):
        self.ground = self.layer.ground

    def run_script(self, *args, **settings):
        return self.ground.run(unique(self._testMethodName), *args, **settings)

    def run_through(self, proxy, *args, **settings):
        return self.run_script(*args, LP_DATABASE_URI=make_dsn(
            **dict(self.ground.parameters, host=proxy.directory)), **settings)

    def assert_promises_kept(self):
        """After a flush, the committed work equals the records."""
        status, output = self.ground.settle()
        self.assertEqual((0, 1), (status, output.count("\n")), output)
        self.assertEqual([], self.ground.spooled())
        counts = self.layer.counts()
        for title in (
            "differences", "duplicates", "records of runs that failed",
            "stale locks",
        ):
            self.assertEqual(0, counts[title], title)

    def moments(self, **settings):
        """The labels of all moments of an undisturbed run."""
        self.empty_spool()
        return self.run_script(**settings)["moments"]

    def empty_spool(self):
        """Flush by running another script, as cron would."""
        self.assertEqual(0, self.run_script()["status"])
        self.assertEqual([], self.ground.spooled())

    def kill_at_every_moment(
        self, first="before register_recording", **settings
    ):
        labels = self.moments(**settings)
        committing = labels.index("after main") + 1
        for number in range(labels.index(first) + 1, len(labels) + 1):
            if number > committing:
                # The run before it may have left a success.
                self.empty_spool()
            answer = self.run_script("kill", number, **settings)
            self.assertEqual(-9, answer["status"], (number, settings))
        self.assert_promises_kept()
        return labels


class TestFaults(FaultTestCase):

    def test_killed_at_every_moment(self):
        # With autocommit, there is no single commit of the work.
        labels = self.kill_at_every_moment()
        self.assertIn("after commit", labels)
        self.assertIn("after recordSuccess", labels)

    def test_killed_at_every_moment_of_a_run_that_spools(self):
        labels = self.kill_at_every_moment("before main", dbuser="worker")
        self.assertIn("after rename", labels)

    def test_killed_at_any_time(self):
        random.seed(2007)
        for _ in range(50):
            self.run_script(alarm=random.uniform(0.001, 0.05))
        self.assertGreater(self.ground.statuses.count(-14), 10)
        self.assert_promises_kept()

    def test_killed_at_every_moment_of_sending_the_spool_in(self):
        self.run_script(dbuser="worker")
        labels = self.run_script()["moments"]
        first = labels.index("before send_spool") + 1
        last = labels.index("after send_spool") + 1
        for number in range(first, last + 1):
            self.run_script(dbuser="worker")
            self.assertEqual(
                -9, self.run_script("kill", number)["status"], number)
            self.empty_spool()
        self.assert_promises_kept()

    def disturb(self, action, moments):
        """Inject a fault at moments from the work to the end."""
        statuses = set()
        for moment in moments:
            statuses.add(self.run_script(action, moment)["status"])
            self.ground.start_server()
        self.assert_promises_kept()
        return statuses

    # One moment of each phase; `make torture` tries all moments.
    PHASES = (
        "before main", "after markCommitted", "before record_activity",
        "before recordSuccess",
    )

    def test_the_server_is_stopped(self):
        self.assertEqual({0, 1}, self.disturb("stop", self.PHASES))

    def test_the_server_is_restarted(self):
        self.assertEqual({0, 1}, self.disturb("restart", self.PHASES))

    def test_the_session_is_terminated_by_an_administrator(self):
        labels = self.moments()
        first = labels.index("before main") + 1
        self.assertEqual({0, 1}, self.disturb(
            "terminate", range(first, len(labels) + 1)))

    def test_the_network_is_cut_in_the_middle_of_a_commit(self):
        # The first COMMIT is of the attempt, the second of the work, the third
        # of the record.
        for number, when, status in (
            (1, "before", 0), (1, "after", 0),
            (2, "before", 1), (2, "after", 0),
            (3, "before", 0), (3, "after", 0),
        ):
            with (
                self.subTest(number=number, when=when),
                CommitCutter(self.ground.cluster, number, when) as cutter,
            ):
                answer = self.run_through(cutter)
                self.assertTrue(cutter.has_cut)
                self.assertEqual(status, answer["status"])
                if status == 0:
                    self.assertEqual([], self.ground.spooled())
            self.assert_promises_kept()

    def test_the_network_swallows_the_commit_of_the_record(self):
        with CommitCutter(self.ground.cluster, 3, "never") as cutter:
            answer = self.run_through(cutter)
            self.assertTrue(cutter.has_cut)
            self.assertEqual(0, answer["status"])
        self.assert_promises_kept()

    def test_the_network_is_gone_from_a_commit_on(self):
        for number, status, spooled in (2, 1, 0), (3, 0, 1):
            with (
                self.subTest(number=number),
                CommitCutter(
                    self.ground.cluster, number, "after", for_good=True,
                ) as cutter,
            ):
                answer = self.run_through(cutter)
                self.assertTrue(cutter.has_cut)
                self.assertEqual(status, answer["status"])
                self.assertEqual(spooled, len(self.ground.spooled()))
            self.assert_promises_kept()

    def test_two_flush_at_once(self):
        for _ in range(8):
            self.run_script(dbuser="worker")
        self.assertEqual(8, len(self.ground.spooled()))
        flushes = [
            start_python(
                ["-c", FLUSH], self.ground.environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        for flush in flushes:
            _, err = flush.communicate()
            self.assertEqual((0, ""), (flush.returncode, err))
        self.assert_promises_kept()

    def test_fifty_scripts_in_five_processes_at_a_time(self):
        statuses = self.ground.run_many(
            5, [unique(self._testMethodName) for _ in range(50)])
        self.assertEqual([0] * 50, statuses)
        self.assertEqual(50, len(
            self.ground.names("scriptactivity", self._testMethodName)))
        self.assert_promises_kept()


class TestSerializable(FaultTestCase):

    level = 2

    def test_killed_at_every_moment(self):
        self.kill_at_every_moment("before main", isolation="serializable")
