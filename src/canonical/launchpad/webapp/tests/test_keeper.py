"""Who gets which snapshot, and what becomes of rules, errors and proposals."""

import contextlib
import threading
import time
from contextlib import closing
from types import SimpleNamespace
from unittest import mock

import psycopg2
from storm.exceptions import DisconnectionError

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.webapp import keeper as module
from canonical.launchpad.webapp import reading as reading_module
from canonical.launchpad.webapp.keeper import PATIENCE
from canonical.launchpad.webapp.keeper import STALE
from canonical.launchpad.webapp.keeper import Keeper
from canonical.launchpad.webapp.proposals import proposal_for
from canonical.launchpad.webapp.reading import reading
from canonical.launchpad.webapp.tests.support import AT
from canonical.launchpad.webapp.tests.support import HOUR
from canonical.launchpad.webapp.tests.support import MINUTE
from canonical.launchpad.webapp.tests.support import WebTestCase
from canonical.testing import PostgresLayer


REFRESH = 60


class KeeperTestCase(WebTestCase):

    def setUp(self):
        super().setUp()
        self.write_rules('name="garbo" every="1h"')
        self.commit()
        self.seconds = 1000.0
        self.enterContext(mock.patch.object(
            module, "time", SimpleNamespace(monotonic=lambda: self.seconds)))
        self.error = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.begun = threading.Event()
        self.keeper = Keeper(self.rules, MINUTE, REFRESH, self.clock)
        self.addCleanup(self.keeper.close)
        self.addCleanup(self.may_go_on.set)

    def clock(self):
        self.begun.set()
        self.may_go_on.wait(60)
        if self.error is not None:
            raise self.error
        return AT

    def hang(self):
        """Let the database have hung a moment ago."""
        self.enterContext(mock.patch.object(
            reading_module._Hang, "until", time.monotonic() + 60))

    def wait_for(self, number):
        """Wait until a computation has ended."""
        with self.keeper._changed:
            self.assertTrue(self.keeper._changed.wait_for(
                lambda: self.keeper._ended == number, 60))


class TestAge(KeeperTestCase):

    def test_a_new_one_is_computed_when_it_is_old_and_somebody_looks(self):
        self.assertEqual(1, self.keeper.current().number)
        self.seconds += REFRESH - 1
        self.assertEqual(1, self.keeper.current().number)
        self.assertEqual(1, self.keeper._started)
        self.may_go_on.clear()
        self.seconds += 1
        # Nobody waits for it.
        self.assertEqual(1, self.keeper.current().number)
        self.may_go_on.set()
        self.wait_for(2)
        self.assertEqual(2, self.keeper.current().number)

    def test_nobody_gets_one_that_is_very_old(self):
        self.keeper.current()
        self.seconds += STALE * REFRESH
        self.assertEqual(2, self.keeper.current().number)

    def test_who_waits_too_long_is_answered_so(self):
        self.may_go_on.clear()
        with (
            mock.patch.object(module, "PATIENCE", 0.05),
            self.assertRaisesRegex(TimeoutError, "could not be assessed"),
        ):
            self.keeper.current()

    def test_who_comes_when_others_have_waited_long_does_not_wait(self):
        self.may_go_on.clear()
        self.keeper.prepare()
        self.assertTrue(self.begun.wait(60))
        self.seconds += PATIENCE
        # Who waits all the same gets a snapshot.
        later = threading.Timer(1, self.may_go_on.set)
        later.start()
        self.addCleanup(later.cancel)
        with self.assertRaisesRegex(TimeoutError, "could not be assessed"):
            self.keeper.current()

    def test_after_a_hang_nobody_waits_until_it_answers_again(self):
        self.may_go_on.clear()
        self.hang()
        with self.assertRaisesRegex(DisconnectionError, "did not answer"):
            self.keeper.current()
        self.may_go_on.set()
        self.wait_for(1)
        self.assertEqual(1, self.keeper.current().number)
        with reading():
            pass


class TestErrors(KeeperTestCase):

    def test_after_an_error_nobody_gets_an_old_one_for_a_new_one(self):
        self.keeper.current()
        self.error = psycopg2.OperationalError("the server is gone")
        self.seconds += STALE * REFRESH
        with self.assertLogs(module.__name__) as logged:
            for _ in range(2):
                with self.assertRaisesRegex(
                    psycopg2.OperationalError, "the server is gone"
                ):
                    self.keeper.current()
        self.assertEqual(2, len(logged.output))
        self.error = None
        self.assertEqual(4, self.keeper.current().number)

    def test_when_it_is_closed_its_thread_has_ended(self):
        self.keeper.current()
        self.keeper.close()
        self.assertFalse(self.keeper._thread.is_alive())

    def test_wrong_rules_are_named_until_they_are_mended(self):
        self.keeper.read_rules()
        site = self.keeper._site
        self.keeper.read_rules()
        self.assertIs(site, self.keeper._site)
        self.rules.write_text("<configure")
        for _ in range(2):
            with self.assertRaisesRegex(ExpectationError, "rules.zcml:1"):
                self.keeper.read_rules()
        self.rules.unlink()
        with self.assertRaisesRegex(
            ExpectationError, "rules.zcml: No such file or directory"
        ):
            self.keeper.read_rules()
        self.write_rules('name="garbo" every="2h"')
        self.keeper.read_rules()
        self.assertIsNot(site, self.keeper._site)


class TestProposals(KeeperTestCase):

    def test_one_is_inferred_once_a_day(self):
        self.assertEqual("", self.keeper.proposed("other"))
        with reading():
            first = self.keeper.proposal("other", AT)
            self.assertEqual(first.words, self.keeper.proposed("other"))
            self.assertIs(first, self.keeper.proposal("other", AT + 24 * HOUR))
            later = self.keeper.proposal("other", AT + 24 * HOUR + MINUTE)
            self.assertIsNot(first, later)


    def test_some_are_inferred_for_a_while_each_once(self):
        snapshot = SimpleNamespace(at=AT, rows=[
            SimpleNamespace(name=name, assessment=None) for name in "abc"])
        inferred = []

        def infer(name, at):
            inferred.append(name)
            # Two take longer than the thread may go on.
            self.seconds += REFRESH / 9
            if name == "c" and inferred.count("c") == 1:
                raise psycopg2.OperationalError("the server is gone")
            return proposal_for(name, at)

        with (
            mock.patch.object(module, "proposal_for", infer),
            self.assertLogs(module.__name__),
        ):
            for expected in "ab", "abc", "abcc", "abcc":
                self.keeper._propose(snapshot)
                self.assertEqual(expected, "".join(inferred))


class TestReading(WebTestCase):

    def test_it_only_reads_and_in_bounded_time(self):
        with reading():
            self.assertEqual(
                ("on", "20s"), main_store().execute(
                    "SELECT current_setting('transaction_read_only'),"
                    " current_setting('statement_timeout')").get_one())
            with self.assertRaises(psycopg2.errors.ReadOnlySqlTransaction):
                main_store().execute("CREATE TABLE x (y text)")
        self.assertEqual(("off",), main_store().execute(
            "SHOW transaction_read_only").get_one())

    def test_a_connection_that_was_lost_is_opened_again(self):
        with contextlib.suppress(Exception), reading():
            main_store().execute(
                "SELECT pg_terminate_backend(pg_backend_pid())")
        with reading():
            self.assertEqual((1,), main_store().execute("SELECT 1").get_one())

    def test_one_that_was_lost_while_nobody_asked_is_opened_again_at_once(
        self
    ):
        with reading():
            (process,) = main_store().execute(
                "SELECT pg_backend_pid()").get_one()
        with closing(psycopg2.connect(**embedded_parameters(
            PostgresLayer.directory
        ))) as other, other.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(%s, 60000)", (process,))
        with reading():
            self.assertEqual((1,), main_store().execute("SELECT 1").get_one())
