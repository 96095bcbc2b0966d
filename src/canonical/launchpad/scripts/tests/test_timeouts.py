"""A script ends even if the server does not answer any more.

A run that does not end within a minute raises `Hung`.
"""

import signal
import tempfile

from canonical.launchpad.scripts.tests.faults import freeze
from canonical.launchpad.scripts.tests.proxy import CommitCutter
from canonical.launchpad.scripts.tests.proxy import CommitStriker
from canonical.launchpad.scripts.tests.test_faults import FaultTestCase


# The COMMIT of the work; see
# `test_the_network_is_cut_in_the_middle_of_a_commit`.
WORK = 2


class TestTimeouts(FaultTestCase):

    def setUp(self):
        super().setUp()
        self.addCleanup(self.ground.thaw)

    def configured(self, name):
        return {"LPCONFIG": str(self.ground.configuration(name))}

    def succeeded(self):
        """The number of scripts of this test whose success is on record."""
        return len(
            self.ground.names("scriptactivity", self._testMethodName + "-"))

    def freeze_at_commit(self, *args, **settings):
        """The status and the log of a script whose COMMIT gets no answer.

        The COMMIT and a request to cancel it are both sent; either may win.
        """
        with (
            tempfile.NamedTemporaryFile(mode="r") as log,
            CommitStriker(
                self.ground.cluster, WORK, "before",
                lambda: freeze(self.ground.cluster),
            ) as proxy,
        ):
            answer = self.run_through(
                proxy, *args, options=[], FAULT_LOG=log.name, **settings)
            return answer["status"], log.read()

    def test_main_waits_and_is_terminated(self):
        answer = self.run_script("freeze and terminate", "before main")
        self.assertEqual(-signal.SIGTERM, answer["status"])
        self.assert_promises_kept()
        self.assertEqual(0, self.succeeded())

    def test_the_commit_takes_longer_than_is_configured(self):
        status, log = self.freeze_at_commit(**self.configured("hasty"))
        self.assertEqual(1, status, log)
        self.assertIn("it is not known yet whether the work is committed", log)
        self.assert_promises_kept()

    def test_the_commit_waits_and_the_script_is_terminated(self):
        status, log = self.freeze_at_commit("SIGTERM soon", "after _prove")
        self.assertEqual(-signal.SIGTERM, status, log)
        self.assertIn("it is not known yet whether the work is committed", log)
        self.assert_promises_kept()

    def test_the_script_was_terminated_right_before_the_commit_waits(self):
        status, log = self.freeze_at_commit("SIGTERM", "after markCommitted")
        self.assertEqual(-signal.SIGTERM, status, log)
        self.assertIn("it is not known yet whether the work is committed", log)
        self.assert_promises_kept()

    def test_the_record_waits(self):
        answer = self.run_script("freeze", "before record_activity")
        self.assertEqual(0, answer["status"])
        self.assertEqual(1, len(self.ground.spooled()))
        self.assert_promises_kept()
        self.assertEqual(1, self.succeeded())


class TestLostCommits(FaultTestCase):

    def test_one_of_two_stores_loses_its_connection(self):
        for main, other in (WORK, 0), (0, 1):
            with (
                CommitCutter(self.ground.cluster, main, "before") as proxy,
                CommitCutter(self.ground.cluster, other, "before") as second,
            ):
                answer = self.run_through(
                    proxy, main="two stores",
                    FAULT_OTHER_URI=self.ground.other_uri(second.directory))
                self.assertTrue(proxy.has_cut or second.has_cut)
            self.assertEqual(1, answer["status"])
            # There is no two-phase commit, so one of them may have committed.
            self.ground.query("DELETE FROM work"
                              f" WHERE name LIKE '{self._testMethodName}%'")
            self.assert_promises_kept()

    def test_two_stores_that_both_commit(self):
        answer = self.run_script(
            main="two stores",
            FAULT_OTHER_URI=self.ground.other_uri(self.ground.cluster))
        self.assertEqual(0, answer["status"])
        self.assert_promises_kept()

    def test_the_server_crashes_and_did_not_write_at_once(self):
        self.ground.query("ALTER SYSTEM SET synchronous_commit = off")
        self.ground.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
        self.ground.query("SELECT pg_reload_conf()")
        try:
            answer = self.run_script(
                "crash and restart", "before record_activity")
        finally:
            for name in "synchronous_commit", "wal_writer_delay":
                self.ground.query(f"ALTER SYSTEM RESET {name}")
            self.ground.query("SELECT pg_reload_conf()")
        # Usually 1, because the work is lost.
        self.assertIn(answer["status"], (0, 1))
        self.assert_promises_kept()
