"""No success that was committed is lost, and no failure is on record.

Real scripts, a real PostgreSQL, and everything that can happen to either, at
every moment of a script's life.  At the end there are the counts.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest
import uuid
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from canonical.database.embedded import discard_embedded
from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import apply_schema
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.tests.proxy import CommitCutter
from canonical.testing.children import python_path


DRIVE = "from canonical.launchpad.scripts.tests import faultdriver;" \
    " faultdriver.main()"
FLUSH = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main(['flush']))"

CONFIGURATION = """
[scripts]
record_timeout: 0.6s
"""


class FaultLayer:
    """A PostgreSQL of its own, and a driver; at the end, the counts."""

    @classmethod
    def setUp(cls):
        cls.directory = Path(tempfile.mkdtemp(prefix="scriptactivity-fault-"))
        cls.cluster = cls.directory / "postgresql"
        cls.parameters = embedded_parameters(cls.cluster)
        apply_schema(cls.parameters)
        cls.query("CREATE TABLE work (name text)")
        # A role that may work, but not record.
        cls.query("CREATE ROLE worker LOGIN")
        cls.query("GRANT ALL ON work, scriptattempt TO worker")
        configuration = cls.directory / "test.conf"
        configuration.write_text(CONFIGURATION)
        cls.environment = dict(
            os.environ,
            FAULT_CLUSTER=str(cls.cluster),
            LPCONFIG=str(configuration),
            LP_DATABASE_URI=make_dsn(**cls.parameters),
            LP_STATE_DIRECTORY=str(cls.directory / "state"),
            PYTHONPATH=python_path(),
        )
        cls.driver = cls.start_driver()
        cls.statuses = []

    @classmethod
    def start_driver(cls):
        return subprocess.Popen(
            [sys.executable, "-c", DRIVE], env=cls.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    @classmethod
    def tearDown(cls):
        cls.driver.communicate()
        print("  Over all faults:")
        for title, count in cls.counts().items():
            print(f"    {title:<34}{count:>5}")
        discard_embedded(cls.cluster)
        shutil.rmtree(cls.directory)

    @classmethod
    def query(cls, statement):
        connection = psycopg2.connect(**cls.parameters)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    @classmethod
    def counts(cls):
        """The promises, as numbers."""
        worked = [name for name, in cls.query("SELECT name FROM work")]
        recorded = [
            name for name, in cls.query("SELECT name FROM scriptactivity")]
        stale = 0
        for path in (cls.directory / "state" / "locks").iterdir():
            try:
                LockFile(path).release()
            except LockTaken:
                stale += 1
        return {
            "runs": len(cls.statuses),
            "runs that were killed":
                sum(status < 0 for status in cls.statuses),
            "successes committed by scripts": len(worked),
            "rows on record after flushing": len(recorded),
            "differences": len(set(worked) ^ set(recorded)),
            "duplicates": len(recorded) - len(set(recorded)),
            "records of runs that failed": len(set(recorded) - set(worked)),
            "stale locks": stale,
        }


class TestFaults(unittest.TestCase):

    layer = FaultLayer

    def order(self, action="none", moment=0, dbuser=None, alarm=0,
              isolation="read_committed", **environment):
        return json.dumps({
            "name": f"{self._testMethodName}-{uuid.uuid4().hex[:12]}",
            "action": action,
            "moment": moment,
            "dbuser": dbuser,
            "alarm": alarm,
            "isolation": isolation,
            "environment": environment,
        }) + "\n"

    def run_script(self, *args, **settings):
        self.layer.driver.stdin.write(self.order(*args, **settings))
        self.layer.driver.stdin.flush()
        answer = json.loads(self.layer.driver.stdout.readline())
        self.layer.statuses.append(answer["status"])
        return answer

    def spooled(self):
        return list((self.layer.directory / "state" / "spool").iterdir())

    def assert_promises_kept(self):
        """After a flush, what scripts committed is what is on record."""
        self.layer.parameters.update(embedded_parameters(self.layer.cluster))
        flush = subprocess.run(
            [sys.executable, "-c", FLUSH],
            env=self.layer.environment,
            capture_output=True, text=True, check=False)
        self.assertEqual((0, ""), (flush.returncode, flush.stderr))
        self.assertEqual([], self.spooled())
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
        """By the run of another script, as it would be."""
        self.assertEqual(0, self.run_script()["status"])
        self.assertEqual([], self.spooled())

    def kill_at_every_moment(self, **settings):
        labels = self.moments(**settings)
        for number in range(1, len(labels) + 1):
            self.empty_spool()
            answer = self.run_script("kill", number, **settings)
            self.assertEqual(-9, answer["status"], (number, settings))
        self.assert_promises_kept()
        return labels

    def test_killed_at_every_moment(self):
        # With autocommit there is no commit that all work hangs on.
        for isolation in "read_committed", "repeatable_read", "serializable":
            labels = self.kill_at_every_moment(isolation=isolation)
            self.assertIn("after commit", labels)
            self.assertIn("after recordSuccess", labels)

    def test_killed_at_every_moment_of_a_run_that_spools(self):
        labels = self.kill_at_every_moment(dbuser="worker")
        self.assertIn("after rename", labels)

    def test_killed_at_any_time(self):
        random.seed(2007)
        for _ in range(100):
            self.run_script(alarm=random.uniform(0.001, 0.05))
        self.assertGreater(self.layer.statuses.count(-14), 20)
        self.assert_promises_kept()

    def test_killed_at_every_moment_of_sending_the_spool_in(self):
        self.run_script(dbuser="worker")
        labels = self.run_script()["moments"]
        for number in range(1, labels.index("before main") + 1):
            self.empty_spool()
            self.run_script(dbuser="worker")
            self.assertEqual(
                -9, self.run_script("kill", number)["status"], number)
        self.assert_promises_kept()

    def disturb(self, action):
        """Have something happen at every moment from the work to the end."""
        labels = self.moments()
        first = labels.index("before main") + 1
        statuses = set()
        for number in range(first, len(labels) + 1):
            statuses.add(self.run_script(action, number)["status"])
            self.layer.parameters.update(embedded_parameters(self.layer.cluster))
        self.assert_promises_kept()
        return statuses

    def test_the_server_is_stopped(self):
        self.assertEqual({0, 1}, self.disturb("stop"))

    def test_the_server_is_restarted(self):
        self.assertEqual({0, 1}, self.disturb("restart"))

    def test_the_session_is_terminated_by_an_administrator(self):
        self.assertEqual({0, 1}, self.disturb("terminate"))

    def test_the_network_is_cut_in_the_middle_of_a_commit(self):
        # The first COMMIT is of a look at what others have left, the second
        # of the attempt, the third of the work, the fourth of the record.
        for number, when, status in (
            (1, "before", 0), (1, "after", 0),
            (2, "before", 0), (2, "after", 0),
            (3, "before", 1), (3, "after", 0),
            (4, "before", 0), (4, "after", 0),
        ):
            with (
                self.subTest(number=number, when=when),
                CommitCutter(self.layer.cluster, number, when) as cutter,
            ):
                answer = self.run_script(LP_DATABASE_URI=make_dsn(
                    **dict(self.layer.parameters, host=cutter.directory)))
                self.assertTrue(cutter.has_cut)
                self.assertEqual(status, answer["status"])
                if status == 0:
                    self.assertEqual([], self.spooled())
            self.assert_promises_kept()

    def test_the_network_swallows_the_commit_of_the_record(self):
        with CommitCutter(self.layer.cluster, 4, "never") as cutter:
            answer = self.run_script(LP_DATABASE_URI=make_dsn(
                **dict(self.layer.parameters, host=cutter.directory)))
            self.assertTrue(cutter.has_cut)
            self.assertEqual(0, answer["status"])
        self.assert_promises_kept()

    def test_the_network_is_gone_from_a_commit_on(self):
        for number, status, spooled in (3, 1, 0), (4, 0, 1):
            with (
                self.subTest(number=number),
                CommitCutter(
                    self.layer.cluster, number, "after", for_good=True,
                ) as cutter,
            ):
                answer = self.run_script(LP_DATABASE_URI=make_dsn(
                    **dict(self.layer.parameters, host=cutter.directory)))
                self.assertTrue(cutter.has_cut)
                self.assertEqual(status, answer["status"])
                self.assertEqual(spooled, len(self.spooled()))
            self.assert_promises_kept()

    def test_two_flush_at_once(self):
        for _ in range(30):
            self.run_script(dbuser="worker")
        self.assertEqual(30, len(self.spooled()))
        flushes = [
            subprocess.Popen(
                [sys.executable, "-c", FLUSH],
                env=self.layer.environment,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        for flush in flushes:
            _, err = flush.communicate()
            self.assertEqual((0, ""), (flush.returncode, err))
        self.assert_promises_kept()

    def test_two_hundred_scripts_in_twenty_processes_at_a_time(self):
        drivers = [self.layer.start_driver() for _ in range(20)]
        for driver in drivers:
            orders = "".join(self.order() for _ in range(10))
            driver.stdin.write(orders)
            driver.stdin.close()
        answers = [
            json.loads(line) for driver in drivers for line in driver.stdout]
        for driver in drivers:
            driver.stdout.close()
            self.assertEqual(0, driver.wait())
        statuses = [answer["status"] for answer in answers]
        self.layer.statuses.extend(statuses)
        self.assertEqual([0] * 200, statuses)
        (recorded,), = self.layer.query(
            "SELECT count(*) FROM scriptactivity"
            f" WHERE name LIKE '{self._testMethodName}-%'")
        self.assertEqual(200, recorded)
        self.assert_promises_kept()
