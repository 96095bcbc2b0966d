"""All queries agree on what a success is."""

import datetime
import os
import unittest
import uuid

from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.process import this_process
from canonical.launchpad.interfaces import FutureActivities
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Run
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import by_owner


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
UNTIL = START + 60 * MINUTE


class SuccessesTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.activities = getUtility(IScriptActivitySet)
        self.attempts = getUtility(IScriptAttemptSet)
        self.history = getUtility(IScriptHistorySet)
        self.factory = LaunchpadObjectFactory()

    def succeed(self, minute, name="garbo", hostname="host"):
        self.factory.makeScriptActivity(
            name, hostname, START + minute * MINUTE, MINUTE / 2)

    def insert(self, table, **values):
        main_store().flush()
        main_store().execute(
            f"INSERT INTO {table} ({', '.join(values)})"
            f" VALUES ({', '.join('?' * len(values))})",
            tuple(values.values()))

    def attempt(self, minute, committed=None, outcome=None, **values):
        """Make an attempt that is committed after some minutes."""
        started = START + minute * MINUTE
        self.insert("scriptattempt", **{
            "name": "garbo", "hostname": "host", "pid": 1,
            "date_started": started, "run_key": str(uuid.uuid4()),
            "date_committed": None if committed is None else (
                started + committed * MINUTE),
            "outcome": outcome,
            "date_ended": outcome and started + MINUTE, **values})

    def figures(self, hostname="host", at=UNTIL):
        slots = tuple(START + number * 10 * MINUTE for number in range(6))
        figures, = getUtility(IScriptFiguresSet).getFigures(
            [Inquiry("garbo", hostname, slots, UNTIL, 3)], at)
        return figures


class TestUnrecorded(SuccessesTestCase):
    """A run whose work is committed, and whose success is not recorded."""

    def test_it_is_the_last_activity(self):
        self.succeed(0)
        self.attempt(1, committed=2)
        for last in (
            self.activities.getLastActivity("garbo"),
            self.activities.getLastActivity("garbo", "host"),
            *self.activities.getLastActivities(),
        ):
            self.assertEqual(
                ("garbo", "host", START + MINUTE, START + 3 * MINUTE),
                (last.name, last.hostname, last.date_started,
                 last.date_completed))
            self.assertEqual(datetime.UTC, last.date_started.tzinfo)

    def test_it_is_not_the_last_activity_if_another_started_later(self):
        self.attempt(1, committed=5)
        self.succeed(2)
        last = self.activities.getLastActivity("garbo")
        self.assertEqual(START + 2 * MINUTE, last.date_started)
        self.assertEqual([last], self.activities.getLastActivities())

    def test_a_look_at_it_writes_nothing(self):
        self.attempt(1, committed=1)
        self.activities.getLastActivity("garbo").date_started
        self.activities.getLastActivities()
        main_store().flush()
        (count,) = main_store().execute(
            "SELECT count(*) FROM scriptactivity").get_one()
        self.assertEqual(0, count)

    def test_names_are_in_order_whichever_table_they_are_from(self):
        self.succeed(0, name="b")
        for name in "c", "a":
            self.attempt(1, committed=1, name=name)
        self.assertEqual(
            ["a", "b", "c"],
            [each.name for each in self.activities.getLastActivities()])
        self.assertEqual(
            ["a", "b", "c"], self.history.getNames(START, UNTIL))
        self.assertEqual(["b"], self.history.getNames(START, START + MINUTE))

    def test_it_counts_in_the_slots_and_before_them(self):
        for minute in 5, 15, 45:
            self.succeed(minute)
        for minute in -20, -10, 16, 30:
            self.attempt(minute, committed=2)
        for hostname in "host", None:
            figures = self.figures(hostname)
            self.assertEqual((4, 5), (figures.met, figures.runs))
            self.assertEqual((30, 120, 120), figures.durations)
            self.assertEqual(START + 45 * MINUTE, figures.last_started)
            self.assertIsNone(figures.first_started)
            # The slots come later than all runs but one.
            slots = START + 40 * MINUTE, START + 50 * MINUTE
            later, = getUtility(IScriptFiguresSet).getFigures(
                [Inquiry("garbo", hostname, slots, UNTIL, 3)], UNTIL)
            self.assertEqual((1, 1), (later.met, later.runs))
            self.assertEqual((30, 120, 120), later.durations)

    def test_it_no_longer_runs(self):
        self.attempt(1, committed=1)
        self.attempt(2, name="other")
        running, = self.attempts.getRunning()
        self.assertEqual("other", running.name)
        garbo, other = self.attempts.getSummaries()
        self.assertIsNone(garbo.running_since)
        self.assertEqual(START + 2 * MINUTE, other.running_since)
        self.assertIsNone(self.figures().running_since)

    def test_it_runs_on_no_other_host(self):
        self.attempt(1, committed=1, hostname="elsewhere")
        self.attempt(2)
        self.assertEqual((), self.attempts.getRunning()[0].also_on)

    def test_its_attempt_is_a_success(self):
        self.attempt(1, committed=2)
        attempt, = self.attempts.getAttempts("garbo", START, UNTIL)
        self.assertEqual(
            ("success", START + 3 * MINUTE),
            (attempt.outcome, attempt.date_ended))

    def test_it_ends_a_row_of_failures(self):
        self.attempt(0, outcome="failure")
        self.attempt(1, committed=0.5)
        self.assertEqual(0, self.attempts.countFailuresInARow("garbo"))
        self.assertEqual(0, self.attempts.getSummaries()[0].failures_in_a_row)
        self.attempt(2, outcome="failure")
        self.assertEqual(
            [1, 1], [each.failures_in_a_row
                     for each in self.attempts.getFailures()])
        self.assertEqual(1, self.attempts.countFailuresInARow("garbo"))
        self.assertEqual(
            1, self.attempts.countFailuresInARow("garbo", "host"))
        self.assertEqual(1, self.figures().failures)

    def test_it_is_the_last_success_of_a_summary(self):
        self.succeed(0)
        self.attempt(1, committed=3)
        summary, = self.attempts.getSummaries()
        self.assertEqual(
            (START + MINUTE, 3 * MINUTE),
            (summary.last_success, summary.last_duration))

    def test_its_duration_is_usual(self):
        self.attempt(1, committed=3)
        self.attempt(5)
        self.assertEqual(
            3 * MINUTE, self.attempts.getRunning()[0].usual_duration)

    def test_figures_have_it(self):
        self.succeed(0)
        self.attempt(11, committed=2)
        for hostname in "host", None:
            figures = self.figures(hostname)
            self.assertEqual(
                (START + 11 * MINUTE, START + 13 * MINUTE, 2, 2, (120, 30)),
                (figures.last_started, figures.last_completed, figures.met,
                 figures.runs, figures.durations))
        before = self.figures(at=START + 12 * MINUTE)
        self.assertEqual((START, 1), (before.last_started, before.met))
        self.assertEqual(START + 11 * MINUTE, before.running_since)

    def test_history_has_it(self):
        self.succeed(0)
        self.attempt(11, committed=2)
        run = Run("host", START + 11 * MINUTE, START + 13 * MINUTE)
        self.assertEqual(
            [run], self.history.getRuns("garbo", START + MINUTE, UNTIL))
        for hostname in "host", None:
            for at in UNTIL, START:
                self.assertIn(run, self.history.getRunsBefore(
                    "garbo", hostname, UNTIL, at, 9))

    def test_it_counts_once_when_it_is_on_record(self):
        key = uuid.uuid4()
        self.attempt(11, committed=2, run_key=str(key))
        self.activities.recordSuccess(
            "garbo", START + 11 * MINUTE, START + 13 * MINUTE, "host", key)
        figures = self.figures()
        self.assertEqual((1, 1, 1), (
            figures.met, figures.runs, len(figures.durations)))
        self.assertEqual(1, len(self.history.getRuns("garbo", START, UNTIL)))
        self.assertEqual(1, len(self.activities.getLastActivities()))

    def test_a_record_is_enough_for_an_attempt_without_an_end(self):
        key = uuid.uuid4()
        self.attempt(
            11, run_key=str(key), pid=os.getpid(), process=this_process())
        self.activities.recordSuccess(
            "garbo", START + 11 * MINUTE, START + 13 * MINUTE, "host", key)
        self.assertEqual([], self.attempts.getRunning())
        self.assertEqual({"seen": [], "gone": []}, open_attempts())
        self.assertIsNone(self.attempts.getSummaries()[0].running_since)
        attempt, = self.attempts.getAttempts("garbo", START, UNTIL)
        self.assertEqual(
            ("success", START + 13 * MINUTE),
            (attempt.outcome, attempt.date_ended))

    def test_a_clock_that_was_set_back_meanwhile_does_no_harm(self):
        self.attempt(1, committed=-5)
        last = self.activities.getLastActivity("garbo")
        self.assertEqual(START + MINUTE, last.date_completed)


class TestNonsense(SuccessesTestCase):
    """Rows that an older table may have."""

    TIMES = (
        ("2007-02-01 10:30+00", "2007-02-01 10:29+00"),
        ("2007-02-01 10:30+00", "infinity"),
        ("-infinity", "2007-02-01 10:30+00"),
        ("infinity", "infinity"),
        ("-infinity", "-infinity"),
        ("0044-03-15 12:00+00 BC", "2007-02-01 10:30+00"),
        ("2007-02-01 10:30+00", "12007-02-01 10:30+00"),
        ("2007-02-01 10:30+00", None),
        (None, "2007-02-01 10:30+00"),
        (None, None),
    )

    def setUp(self):
        super().setUp()
        by_owner("""
            ALTER TABLE scriptactivity
                ALTER name DROP NOT NULL,
                ALTER hostname DROP NOT NULL,
                ALTER date_started DROP NOT NULL,
                ALTER date_completed DROP NOT NULL,
                DROP CONSTRAINT scriptactivity__ends_after_start__check""")

    def row(self, name, hostname, started, completed):
        self.insert(
            "scriptactivity", name=name, hostname=hostname,
            date_started=started, date_completed=completed)

    def everything(self):
        """The answers of all queries."""
        last = self.activities.getLastActivity("garbo")
        return [
            last and last.date_started,
            [(each.name, each.date_started)
             for each in self.activities.getLastActivities()],
            self.activities.getFutureActivities(),
            self.attempts.getSummaries(),
            self.attempts.getRunning(),
            self.attempts.getFailures(),
            self.attempts.countFailuresInARow("garbo"),
            self.figures("host"),
            self.figures(None),
            self.history.getNames(START, UNTIL),
            self.history.getRuns("garbo", START, UNTIL),
            self.history.getRunsBefore("garbo", None, UNTIL, START, 9),
            self.history.getRunsBefore("garbo", "host", UNTIL, UNTIL, 9),
        ]

    def test_it_changes_no_answer(self):
        self.succeed(0)
        self.succeed(0, name="other")
        self.attempt(1, outcome="failure")
        self.attempt(2)
        expected = self.everything()
        for started, completed in self.TIMES:
            self.row("garbo", "host", started, completed)
            self.row("new", "host", started, completed)
        for name, hostname in (
            ("garbo", None), (None, "host"), (None, None), ("new", None)
        ):
            self.row(
                name, hostname, "2007-02-01 10:30+00", "2007-02-01 10:30+00")
        for zone in "UTC", "Pacific/Kiritimati", "Etc/GMT+12":
            main_store().execute("SET LOCAL timezone TO ?", (zone,))
            self.assertEqual(expected, self.everything())

    def test_it_may_be_all_there_is(self):
        expected = self.everything()
        self.row(None, None, None, None)
        self.row("garbo", None, "-infinity", "infinity")
        self.assertEqual(expected, self.everything())

    def test_all_that_can_be_recorded_can_be_read(self):
        almost_a_day = datetime.timedelta(hours=23, minutes=59)
        for name, offset in ("east", almost_a_day), ("west", -almost_a_day):
            zone = datetime.timezone(offset)
            first = datetime.datetime(2, 1, 1, tzinfo=zone)
            last = datetime.datetime(9998, 12, 31, 23, 59, 59, tzinfo=zone)
            self.activities.recordSuccess(name, first, last, "host")
            main_store().flush()
            main_store().invalidate()
            self.assertEqual(
                first, self.activities.getLastActivity(name).date_started)
            run, = self.history.getRunsBefore(name, None, UNTIL, UNTIL, 1)
            self.assertEqual(Run("host", first, last), run)


class TestFuture(SuccessesTestCase):
    """Runs that were recorded while a clock was ahead."""

    def setUp(self):
        super().setUp()
        self.now = datetime.datetime.now(datetime.UTC)
        self.ahead = self.now + datetime.timedelta(days=365)

    def record(self, started, name="garbo", hostname="host"):
        self.factory.makeScriptActivity(name, hostname, started)

    def test_it_is_not_the_last(self):
        self.succeed(0)
        self.record(self.ahead)
        for last in (
            self.activities.getLastActivity("garbo"),
            self.activities.getLastActivity("garbo", "host"),
            *self.activities.getLastActivities(),
        ):
            self.assertEqual(START, last.date_started)
        summary, = self.attempts.getSummaries()
        self.assertEqual(START, summary.last_success)
        figures = self.figures(at=self.now)
        self.assertEqual(
            (START, START + MINUTE / 2),
            (figures.last_started, figures.last_completed))

    def test_one_of_an_attempt_is_not_the_last(self):
        self.attempt(1, committed=1, date_started=self.ahead)
        self.assertIsNone(self.activities.getLastActivity("garbo"))
        self.assertEqual([], self.activities.getLastActivities())

    def test_it_hides_no_failure(self):
        self.record(self.ahead)
        self.attempt(1, outcome="failure")
        self.assertEqual(1, self.attempts.countFailuresInARow("garbo"))
        self.assertEqual(1, self.attempts.getSummaries()[0].failures_in_a_row)

    def test_within_an_hour_clocks_differ(self):
        soon = self.now + 30 * MINUTE
        self.record(soon)
        self.assertEqual(
            soon, self.activities.getLastActivity("garbo").date_started)
        self.assertEqual([], self.activities.getFutureActivities())

    def test_it_can_be_found(self):
        self.succeed(0)
        self.record(self.ahead)
        self.record(self.ahead + MINUTE)
        self.record(self.ahead, hostname="elsewhere")
        self.record(self.ahead, name="another")
        self.assertEqual(
            [
                FutureActivities("another", "host", self.ahead, 1),
                FutureActivities("garbo", "elsewhere", self.ahead, 1),
                FutureActivities("garbo", "host", self.ahead, 2),
            ],
            self.activities.getFutureActivities())
