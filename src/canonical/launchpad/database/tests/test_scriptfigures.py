"""Figures, against a count by hand."""

import datetime
import random
import unittest

from storm.tracer import install_tracer
from storm.tracer import remove_all_tracers
from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
SLOTS = tuple(START + number * HOUR for number in range(10))
UNTIL = START + 10 * HOUR


class TestFigures(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptFiguresSet)
        self.factory = LaunchpadObjectFactory()

    def run_at(self, hour, name="garbo", hostname="host", hours=0.1):
        self.factory.makeScriptActivity(
            name, hostname, START + hour * HOUR, hours * HOUR)

    def ask(self, name="garbo", hostname="host", at=UNTIL, runs=3,
            slots=SLOTS):
        figures, = self.set.getFigures(
            [Inquiry(name, hostname, slots, UNTIL, runs)], at)
        return figures

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptFiguresSet, self.set))

    def test_nothing_is_known_of_a_script_without_records(self):
        self.assertEqual(Figures(), self.ask())
        self.assertEqual([], self.set.getFigures([], UNTIL))

    def test_slots_are_met_by_what_started_in_them(self):
        for hour in 0, 0.5, 0.9, 3, 9.99, 10, -0.1:
            self.run_at(hour, hours=0)
        figures = self.ask()
        self.assertEqual((3, 5), (figures.met, figures.runs))

    def test_no_slots_are_met_by_none(self):
        self.run_at(1)
        figures = self.ask(slots=())
        self.assertEqual((0, 0), (figures.met, figures.runs))
        self.assertEqual(START + HOUR, figures.last_started)
        self.assertEqual(1, len(figures.durations))
        self.assertIsNone(figures.first_started)

    def test_the_last_runs_may_be_in_the_slots_or_before_them(self):
        for hour in range(6):
            self.run_at(hour, hours=hour / 10)
        for first in range(10):
            figures = self.ask(slots=SLOTS[first:])
            self.assertEqual(
                (0.5 * 3600, 0.4 * 3600, 0.3 * 3600), figures.durations)
            self.assertEqual(START + 5 * HOUR, figures.last_started)
            self.assertEqual(max(6 - first, 0), figures.runs)

    def test_the_first_run_is_known_if_it_is_in_the_slots(self):
        for hour in 2, 5, 7:
            self.run_at(hour)
        self.assertEqual(START + 2 * HOUR, self.ask().first_started)
        self.assertEqual(
            START + 2 * HOUR, self.ask(slots=SLOTS[2:]).first_started)
        self.assertIsNone(self.ask(slots=SLOTS[3:]).first_started)

    def test_what_had_not_completed_does_not_count(self):
        self.run_at(1, hours=0.5)
        self.run_at(2, hours=5)
        figures = self.ask(at=START + 6 * HOUR)
        self.assertEqual(START + HOUR, figures.last_started)
        self.assertEqual(1, figures.met)
        self.assertEqual(
            START + 2 * HOUR, self.ask(at=START + 7 * HOUR).last_started)

    def test_the_last_durations_are_the_latest_first(self):
        for hour in range(5):
            self.run_at(hour, hours=hour / 10)
        self.assertEqual(
            (0.4 * 3600, 0.3 * 3600, 0.2 * 3600), self.ask().durations)

    def test_the_last_completion_need_not_be_of_the_last_start(self):
        self.run_at(1, hours=5)
        self.run_at(2, hours=1)
        figures = self.ask()
        self.assertEqual(START + 2 * HOUR, figures.last_started)
        self.assertEqual(START + 6 * HOUR, figures.last_completed)

    def test_the_last_completion_may_be_of_one_that_many_have_overtaken(self):
        self.run_at(0, hours=9)
        for number in range(5):
            self.run_at(1 + number)
        for hostname in "host", None:
            figures = self.ask(hostname=hostname)
            self.assertEqual(START + 9 * HOUR, figures.last_completed)
            self.assertEqual(START + 5 * HOUR, figures.last_started)
            self.assertEqual(3, len(figures.durations))

    def test_a_host_is_looked_at_by_itself_or_all_of_them(self):
        self.run_at(1)
        self.run_at(2, hostname="other")
        self.run_at(3, name="else")
        self.assertEqual(1, self.ask().met)
        self.assertEqual(1, self.ask(hostname="other").met)
        self.assertEqual(2, self.ask(hostname=None).met)

    def test_attempts_tell_why(self):
        attempts = getUtility(IScriptAttemptSet)

        def attempt(hour, outcome, reason=None):
            number = attempts.begin(
                "garbo", date_started=START + hour * HOUR, hostname="host")
            if outcome:
                attempts.end(
                    number, outcome, START + (hour + 0.5) * HOUR,
                    reason=reason)

        attempt(0, "failure", "old")
        self.run_at(1)
        attempt(2, "failure", "first")
        attempt(3, "killed", "second")
        attempt(4, "skipped")
        attempt(5, None)
        figures = self.ask()
        self.assertEqual(
            (START + 5 * HOUR, 2, "skipped", "second"),
            (figures.running_since, figures.failures, figures.last_outcome,
             figures.last_reason))
        earlier = self.ask(at=START + 3.2 * HOUR)
        self.assertEqual(
            (START + 3 * HOUR, 1, "failure", "first"),
            (earlier.running_since, earlier.failures, earlier.last_outcome,
             earlier.last_reason))

    def test_the_process_that_has_run_longest(self):
        for hour in 2, 1, 3:
            getUtility(IScriptAttemptSet).begin(
                "garbo", date_started=START + hour * HOUR, hostname="host")
        main_store().execute(
            "UPDATE scriptattempt SET process = NULL,"
            " pid = date_part('hour', date_started)")
        figures = self.ask()
        self.assertEqual(
            (START + HOUR, 1), (figures.longest_running, figures.longest_pid))

    def test_the_statement_is_not_compiled_and_later_ones_may_be(self):
        def compiles():
            (setting,), = main_store().execute("SHOW jit")
            return setting

        main_store().execute("SET jit = on")
        self.ask()
        self.assertEqual("off", compiles())
        main_store().commit()
        self.assertEqual("on", compiles())

    def test_a_reason_may_have_any_characters(self):
        for reason in r"C:\new\Table", r"\N", r"\.", "a\tb\nc\rd", "Käse":
            main_store().execute("""
                INSERT INTO scriptattempt (name, hostname, pid, date_started,
                    date_ended, outcome, reason)
                VALUES ('garbo', 'host', 1, ?, ?, 'failure', ?)
                """, (START, START, reason))
            self.assertEqual(reason, self.ask().last_reason)
            main_store().execute("DELETE FROM scriptattempt")

    def test_many_are_asked_in_three_statements_and_answered_in_order(self):
        random.seed(2007)
        names = [f"script-{number}" for number in range(40)]
        for name in names:
            for _ in range(random.randrange(6)):
                self.run_at(
                    random.uniform(0, 9), name, random.choice("ab"))
        inquiries = [
            Inquiry(name, hostname, SLOTS[:random.choice([3, 10])], UNTIL, 3)
            for name in names for hostname in ("a", "b", None)]
        random.shuffle(inquiries)
        one_by_one = [
            self.set.getFigures([each], UNTIL)[0] for each in inquiries]
        statements = []

        class Tracer:
            def connection_raw_execute(self, *args):
                statements.append(args)

        install_tracer(Tracer())
        try:
            together = self.set.getFigures(inquiries, UNTIL)
        finally:
            remove_all_tracers()
        self.assertEqual(one_by_one, together)
        self.assertEqual(3, len(statements))
