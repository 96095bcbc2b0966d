"""Attempts, kept in PostgreSQL."""

import datetime
import os
import socket
import subprocess
import threading
import unittest
import uuid

import psycopg2
from storm.tracer import install_tracer
from storm.tracer import remove_all_tracers
from zope.component import getUtility
from zope.interface.verify import verifyObject
from zope.schema import getFields

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.database import process
from canonical.launchpad.database.process import this_process
from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttempt
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptSummary
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import PostgresLayer


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


class AttemptTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptAttemptSet)
        self.factory = LaunchpadObjectFactory()

    def begin(self, minute=0, name="garbo", hostname="host", **values):
        return self.set.begin(
            name, hostname=hostname, date_started=START + minute * MINUTE,
            **values)

    def attempt(self, minute=0, outcome="failure", reason=None, **values):
        run_key = self.begin(minute, **values)
        self.set.end(
            run_key, outcome, START + (minute + 0.5) * MINUTE,
            reason=reason)
        return run_key

    def succeed(self, minute=0, name="garbo", hostname="host"):
        self.factory.makeScriptActivity(
            name, hostname, START + minute * MINUTE, MINUTE / 2)

    def all(self, name="garbo"):
        return self.set.getAttempts(name, START - MINUTE, START + 99 * MINUTE)


class TestProof(AttemptTestCase):

    def mark(self, run_key, minute=0):
        """Mark a run as committed by a process on another machine."""
        self.set.markCommitted(
            run_key, "garbo", START + minute * MINUTE,
            START + (minute + 1) * MINUTE, "host")
        main_store().execute("UPDATE scriptattempt SET process = NULL")

    def await_committed(self, run_key):
        return self.set.awaitCommitted(run_key, "garbo", START, "host")

    def other_session(self):
        connection = psycopg2.connect(
            **embedded_parameters(PostgresLayer.directory))
        self.addCleanup(connection.close)
        return connection

    def test_what_is_committed_and_not_recorded_is_found(self):
        for minute in 1, 0:
            self.mark(self.begin(minute), minute)
        self.begin(2)
        first, second = self.set.getUnrecorded()
        self.assertEqual(
            ("garbo", "host", START, START + MINUTE),
            (first.name, first.hostname, first.date_started,
             first.date_committed))
        self.assertEqual(START + MINUTE, second.date_started)
        self.set.end(first.run_key, "success", first.date_committed)
        self.assertEqual([second], self.set.getUnrecorded())

    def test_a_success_ends_only_if_its_proof_is_there(self):
        run_key = self.begin()
        self.assertFalse(self.set.endCommitted(run_key, START + MINUTE))
        self.mark(run_key)
        self.assertTrue(self.set.endCommitted(run_key, START + MINUTE))
        self.assertTrue(self.set.endCommitted(run_key, START + 2 * MINUTE))
        attempt, = self.set.getAttempts("garbo", START, START + MINUTE)
        self.assertEqual(
            ("success", START + MINUTE, 0),
            (attempt.outcome, attempt.date_ended, attempt.exit_status))

    def test_a_run_whose_process_is_about_to_record_it_is_left_to_that(self):
        self.set.markCommitted(self.begin(), "garbo", START, START, "host")
        self.assertEqual([], self.set.getUnrecorded())

    def test_the_proof_needs_no_attempt_that_has_begun(self):
        run_key = uuid.uuid4()
        self.assertFalse(self.set.endCommitted(run_key, START))
        self.mark(run_key)
        self.assertTrue(self.set.endCommitted(run_key, START))

    def test_what_is_committed_neither_fails_nor_vanishes(self):
        run_key = self.begin()
        self.mark(run_key)
        self.assertFalse(self.set.end(run_key, "failure"))
        self.assertEqual(0, self.set.endVanished())
        self.assertEqual(1, len(self.set.getUnrecorded()))

    def test_a_run_that_was_taken_for_vanished_may_succeed(self):
        for prove in True, False:
            run_key = self.begin()
            self.set.end(run_key, "vanished")
            if prove:
                self.mark(run_key)
                self.assertEqual(1, len(self.set.getUnrecorded()))
            self.assertTrue(self.set.end(run_key, "success"))
            self.assertFalse(self.set.end(run_key, "success"))
        self.assertEqual(
            ["success"] * 2, [each.outcome for each in self.all()])

    def test_a_look_puts_on_record_what_a_failover_has_lost(self):
        run_key = uuid.uuid4()
        self.assertFalse(self.await_committed(run_key))
        self.assertEqual([None], [each.outcome for each in self.all()])
        self.mark(run_key)
        self.assertTrue(self.await_committed(run_key))

    def look_while_another_session_writes(self, begun, ending):
        """The result of a query that waits for another transaction."""
        run_key = self.begin() if begun else uuid.uuid4()
        ztm = ZopelessTransactionManager._installed
        ztm.commit()
        other = self.other_session()
        other.cursor().execute(
            "INSERT INTO scriptattempt (run_key, name, hostname, pid,"
            " date_started, date_committed) VALUES (%s, 'garbo', 'host', 1,"
            " %s, %s) ON CONFLICT (run_key) DO UPDATE SET date_committed ="
            " excluded.date_committed", (str(run_key), START, START))
        backend, = main_store().execute("SELECT pg_backend_pid()").get_one()

        def end_once_it_is_waited_for():
            with self.other_session().cursor() as cursor:
                waits = False
                while not waits:
                    cursor.execute(
                        "SELECT count(*) > 0 FROM pg_locks"
                        " WHERE pid = %s AND NOT granted", (backend,))
                    waits, = cursor.fetchone()
            ending(other)

        thread = threading.Thread(target=end_once_it_is_waited_for)
        thread.start()
        found = self.await_committed(run_key)
        thread.join()
        ztm.abort()
        return found

    def test_a_look_waits_for_a_transaction_that_is_not_over(self):
        for begun in True, False:
            for ending, found in (
                (lambda other: other.commit(), True),
                (lambda other: other.rollback(), False),
                (lambda other: other.close(), False),
            ):
                self.assertIs(
                    found,
                    self.look_while_another_session_writes(begun, ending))


class TestVanished(AttemptTestCase):

    def begin_in_child(self, process):
        """An attempt of a process that has ended, or of another process.

        :param process: a text that identifies the other process.
        """
        run_key = self.begin()
        child = subprocess.Popen(["true"])
        child.wait()
        main_store().execute(
            "UPDATE scriptattempt SET pid = ?, process = ?"
            " WHERE run_key = ?", (child.pid, process, str(run_key)))
        return run_key

    def outcomes(self):
        return [each.outcome for each in self.all()]

    def test_one_whose_process_is_gone_is_ended(self):
        self.begin_in_child(this_process())
        self.assertEqual(1, self.set.endVanished())
        self.assertEqual(["vanished"], self.outcomes())

    def test_one_whose_pid_is_now_another_process_is_ended(self):
        self.begin()
        main_store().execute(
            "UPDATE scriptattempt SET process = ?",
            (this_process().rpartition("/")[0] + "/1",))
        self.assertEqual(1, self.set.endVanished())

    def test_one_from_before_the_machine_was_started_anew_is_ended(self):
        machine, boot, namespace, start = this_process().split("/")
        self.begin_in_child(f"{machine}/another-boot/{namespace}/{start}")
        ours = namespace == process.MACHINES_OWN
        self.assertEqual(int(ours), self.set.endVanished())

    def test_one_that_runs_is_left(self):
        self.begin()
        self.assertEqual(0, self.set.endVanished())
        self.assertEqual([None], self.outcomes())

    def test_one_of_another_place_is_left(self):
        machine, boot, namespace, start = this_process().split("/")
        for text in (
            f"{machine}/{boot}/pid:[1]/{start}",
            f"other/other/{namespace}/{start}",
            f"{machine}/other/pid:[1]/{start}",
            "nonsense",
            None,
        ):
            self.begin_in_child(text)
        self.assertEqual(0, self.set.endVanished())
        self.assertEqual([None] * 5, self.outcomes())

    def test_one_whose_transaction_is_not_over_is_left(self):
        run_key = self.begin_in_child(this_process())
        ztm = ZopelessTransactionManager._installed
        ztm.commit()
        other = psycopg2.connect(
            **embedded_parameters(PostgresLayer.directory))
        self.addCleanup(other.close)
        other.cursor().execute(
            "UPDATE scriptattempt SET date_committed = now()"
            " WHERE run_key = %s", (str(run_key),))
        self.set.endVanished()
        ztm.commit()
        other.commit()
        self.assertEqual(["success"], self.outcomes())
        self.assertTrue(self.set.endCommitted(run_key, START))


class TestInterfaces(AttemptTestCase):

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptAttemptSet, self.set))

    def test_what_it_returns_is_what_the_interfaces_say(self):
        self.succeed()
        self.attempt(1, reason="RuntimeError: no luck")
        self.begin(2)
        for interface, objects in (
            (IScriptAttempt, self.all()),
            (IRunningAttempt, self.set.getRunning()),
            (IFailedAttempt, self.set.getFailures()),
            (IScriptSummary, self.set.getSummaries()),
        ):
            self.assertTrue(objects)
            for each in objects:
                self.assertTrue(verifyObject(interface, each))
                for name, field in getFields(interface).items():
                    field.validate(getattr(each, name))
                    self.assertTrue(field.title and field.description)


class TestBeginAndEnd(AttemptTestCase):

    def test_an_attempt_runs_until_it_ends(self):
        run_key = self.begin()
        attempt, = self.set.getRunning()
        self.assertEqual(
            ("garbo", "host", os.getpid(), START, None, None),
            (attempt.name, attempt.hostname, attempt.pid,
             attempt.date_started, attempt.date_ended, attempt.outcome))
        self.assertTrue(self.set.end(
            run_key, "failure", START + MINUTE, 3, "OSError: no disk"))
        self.assertEqual([], self.set.getRunning())
        attempt, = self.all()
        self.assertEqual(
            ("failure", START + MINUTE, 3, "OSError: no disk"),
            (attempt.outcome, attempt.date_ended, attempt.exit_status,
             attempt.reason))

    def test_it_begins_here_and_now_unless_it_is_said(self):
        self.set.begin("garbo")
        attempt, = self.set.getRunning()
        self.assertEqual(socket.gethostname(), attempt.hostname)
        now = datetime.datetime.now(datetime.UTC)
        self.assertLess(now - attempt.date_started, MINUTE)

    def test_it_ends_once(self):
        run_key = self.begin()
        self.assertTrue(self.set.end(run_key, "success", START))
        self.assertFalse(self.set.end(run_key, "failure", START))
        self.assertEqual("success", self.all()[0].outcome)
        self.assertFalse(self.set.end(uuid.uuid4(), "failure", START))

    def test_a_clock_that_was_set_back_does_no_harm(self):
        self.set.end(self.begin(), "failure", START - MINUTE)
        self.assertEqual(START, self.all()[0].date_ended)

    def test_an_outcome_that_there_is_not(self):
        with self.assertRaisesRegex(
            ValueError, "success, failure, killed, vanished, skipped, not 'x'"
        ):
            self.set.end(self.begin(), "x")

    def test_what_a_success_refuses_is_refused(self):
        naive = datetime.datetime(2007, 1, 1)
        for error, values in (
            (ValueError, {"name": ""}),
            (ValueError, {"name": "x" * 256}),
            (ValueError, {"name": "a\nb"}),
            (TypeError, {"name": b"garbo"}),
            (ValueError, {"name": "garbo", "hostname": "\0"}),
            (ValueError, {"name": "garbo", "date_started": naive}),
        ):
            with self.assertRaises(error):
                self.set.begin(**values)
        self.assertEqual([], self.set.getRunning())

    def test_a_reason_is_one_line_and_bounded(self):
        for reason, stored in (
            ("one\ntwo\r\n  three\t", "one two three"),
            ("nul\0 bell\a", r"nul\x00 bell\x07"),
            ("half \ud800", r"half \ud800"),
            ("x" * 1001, "x" * 997 + "..."),
            ("größer 🐛 %s ? ' :name", "größer 🐛 %s ? ' :name"),
        ):
            self.attempt(reason=reason)
            self.assertEqual(
                stored, max(self.all(), key=lambda each: each.id).reason)

    def test_a_run_is_on_record_once(self):
        run_key = self.begin()
        self.assertEqual(run_key, self.begin(5, run_key=run_key))
        self.assertEqual([START], [each.date_started for each in self.all()])

    def test_what_was_skipped_has_not_failed(self):
        self.set.end(
            self.begin(), "skipped", START, 1, "locked by process 3")
        attempt, = self.all()
        self.assertEqual(
            ("skipped", 1, "locked by process 3"),
            (attempt.outcome, attempt.exit_status, attempt.reason))
        self.assertEqual(attempt.date_started, attempt.date_ended)
        self.assertEqual([], self.set.getRunning())
        self.assertEqual([], self.set.getFailures())


class TestQuestions(AttemptTestCase):

    def test_what_runs_comes_with_what_is_usual(self):
        for minute, seconds in enumerate([10, 20, 1000]):
            self.factory.makeScriptActivity(
                "garbo", "host", START + minute * MINUTE,
                datetime.timedelta(seconds=seconds))
        self.begin(5)
        self.begin(6, hostname="b")
        self.begin(4, hostname="a")
        self.begin(3, name="new")
        self.assertEqual(
            [
                ("new", "host", None, ()),
                ("garbo", "a", None, ("b", "host")),
                ("garbo", "host", datetime.timedelta(seconds=20), ("a", "b")),
                ("garbo", "b", None, ("a", "host")),
            ],
            [(each.name, each.hostname, each.usual_duration, each.also_on)
             for each in self.set.getRunning()])
        self.assertEqual(1, len(self.set.getRunning("new")))
        self.assertEqual(2, len(self.set.getRunning(hostname="host")))

    def test_failures_are_counted_from_the_last_success(self):
        self.attempt(0)
        self.succeed(1)
        self.attempt(2)
        self.attempt(3, "killed")
        self.attempt(4, "skipped")
        self.attempt(5, "vanished")
        self.attempt(6, hostname="elsewhere")
        self.begin(7)
        self.assertEqual(
            [("elsewhere", "failure", 1), ("host", "vanished", 3),
             ("host", "killed", 2), ("host", "failure", 1),
             ("host", "failure", 1)],
            [(each.hostname, each.outcome, each.failures_in_a_row)
             for each in self.set.getFailures()])
        self.assertEqual(3, self.set.countFailuresInARow("garbo", "host"))
        self.assertEqual(4, self.set.countFailuresInARow("garbo"))
        self.succeed(8)
        self.assertEqual(0, self.set.countFailuresInARow("garbo", "host"))
        self.assertEqual(0, self.set.countFailuresInARow("garbo"))

    def test_failures_of_one_time_are_counted_together(self):
        for reason in "first", "second":
            self.attempt(1, reason=reason)
        self.attempt(2)
        self.assertEqual(
            [3, 2, 2],
            [each.failures_in_a_row for each in self.set.getFailures()])

    def test_failures_are_counted_beyond_those_that_are_shown(self):
        self.succeed(0)
        for minute in range(1, 6):
            self.attempt(minute)
        self.succeed(6)
        self.attempt(7)
        self.assertEqual(
            [1, 5, 4],
            [each.failures_in_a_row
             for each in self.set.getFailures(limit=3)])

    def test_the_last_failure(self):
        self.assertIsNone(self.set.getLastFailure("garbo"))
        self.attempt(2, reason="second")
        self.attempt(1, reason="first")
        self.attempt(3, hostname="elsewhere", reason="third")
        self.assertEqual("third", self.set.getLastFailure("garbo").reason)
        self.assertEqual(
            "second", self.set.getLastFailure("garbo", "host").reason)
        self.assertIsNone(self.set.getLastFailure("garb"))

    def test_a_window_has_its_start_and_not_its_end(self):
        for minute in range(4):
            self.attempt(minute)
        self.attempt(1, name="other")
        self.assertEqual(
            [START + MINUTE, START + 2 * MINUTE],
            [each.date_started for each in self.set.getAttempts(
                "garbo", START + MINUTE, START + 3 * MINUTE)])
        self.assertEqual([], self.set.getAttempts(
            "garbo", START, START + 3 * MINUTE, "elsewhere"))

    def test_summaries_know_what_only_succeeded_and_what_never_did(self):
        self.succeed(0, name="fine")
        self.attempt(0, name="never", reason="no luck")
        self.succeed(0)
        self.attempt(1)
        self.attempt(2, "vanished")
        self.begin(3)
        self.assertEqual(
            [
                ("fine", "host", START, MINUTE / 2, None, None, 0, None),
                ("garbo", "host", START, MINUTE / 2, START + 2 * MINUTE,
                 "vanished", 2, START + 3 * MINUTE),
                ("never", "host", None, None, START, "no luck", 1, None),
            ],
            [(each.name, each.hostname, each.last_success,
              each.last_duration, each.last_failure, each.last_reason,
              each.failures_in_a_row, each.running_since)
             for each in self.set.getSummaries()])
        self.assertEqual(1, len(self.set.getSummaries("fine")))
        self.assertEqual([], self.set.getSummaries("fine", "elsewhere"))

    def test_the_last_activity_of_each_script(self):
        self.succeed(1)
        self.succeed(2, hostname="elsewhere")
        self.succeed(0, name="another")
        self.assertEqual(
            [("another", "host"), ("garbo", "elsewhere")],
            [(each.name, each.hostname) for each in getUtility(
                IScriptActivitySet).getLastActivities()])

    def test_twenty_thousand_attempts_take_two_statements(self):
        main_store().execute("""
            INSERT INTO scriptattempt
                (name, hostname, pid, date_started, date_ended, outcome)
            SELECT 'script-' || i % 100, 'host-' || i % 2, i,
                now() - i * interval '1 s',
                CASE WHEN i > 200 THEN now() END,
                CASE WHEN i > 200 THEN
                    CASE WHEN i % 3 = 0 THEN 'failure' ELSE 'success' END END
            FROM generate_series(1, 20000) AS i""")
        main_store().execute("""
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            SELECT name, hostname, date_started, date_ended FROM scriptattempt
            WHERE outcome = 'success'""")
        for question, answers in (
            (self.set.getSummaries, 100),
            (self.set.getRunning, 200),
            (lambda: self.set.getFailures(limit=100), 100),
            (getUtility(IScriptActivitySet).getLastActivities, 100),
        ):
            statements = []

            class Tracer:
                def connection_raw_execute(self, *args, seen=statements):
                    seen.append(args)

            install_tracer(Tracer())
            try:
                answer = question()
            finally:
                remove_all_tracers()
            self.assertEqual(answers, len(answer))
            self.assertEqual(2, len(statements))

    def test_an_abort_leaves_nothing(self):
        self.begin()
        ZopelessTransactionManager._installed.abort()
        self.assertEqual([], self.set.getRunning())
