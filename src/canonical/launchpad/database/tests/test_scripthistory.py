"""Past runs."""

import datetime
import unittest

from storm.tracer import install_tracer
from storm.tracer import remove_all_tracers
from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import EndedRun
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.interfaces import Run
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


class TestHistory(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptHistorySet)
        self.factory = LaunchpadObjectFactory()

    def run_at(self, hour, name="garbo", hostname="host"):
        self.factory.makeScriptActivity(
            name, hostname, START + hour * HOUR, HOUR)

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptHistorySet, self.set))

    def test_names_are_of_scripts_that_started_in_the_time(self):
        for name, hour in (
            ("early", -0.1), ("first", 0), ("b", 3), ("b", 4), ("B", 3),
            ("é", 3), ("a-a", 3), ("aa", 3), ("late", 5), ("b", 9),
        ):
            self.run_at(hour, name)
        self.assertEqual(
            ["B", "a-a", "aa", "b", "first", "é"],
            self.set.getNames(START, START + 5 * HOUR))
        self.assertEqual([], self.set.getNames(START, START))

    def test_runs_are_those_that_started_in_the_time_in_order(self):
        for hour, hostname in (3, "b"), (0, "a"), (-0.1, "a"), (5, "a"):
            self.run_at(hour, hostname=hostname)
        self.run_at(1, name="other")
        runs = self.set.getRuns("garbo", START, START + 5 * HOUR)
        self.assertEqual([
            Run("a", START, START + HOUR),
            Run("b", START + 3 * HOUR, START + 4 * HOUR),
        ], runs)
        self.assertEqual(
            {datetime.UTC},
            {moment.tzinfo for run in runs for moment in run[1:]})

    def test_the_latest_have_ended_well_or_not_and_each_is_there_once(self):
        self.run_at(0)
        attempts = getUtility(IScriptAttemptSet)

        def attempt(hour, outcome, hostname="host"):
            key = attempts.begin(
                "garbo", None, START + hour * HOUR, hostname)
            if outcome is not None:
                attempts.end(
                    key, outcome, START + (hour + 1) * HOUR, 1, "why")
            return key

        attempt(1, "failure", "other")
        # A success is on record with its attempt, and without it.
        key = attempt(2, "success")
        getUtility(IScriptActivitySet).recordSuccess(
            "garbo", START + 2 * HOUR, START + 3 * HOUR, "host", key)
        attempt(3, "skipped")
        # This one still runs.
        attempt(4, None)
        self.run_at(9, name="another")
        latest = self.set.getLatest("garbo", 9)
        self.assertEqual(
            ["skipped", "success", "failure", "success"],
            [each.outcome for each in latest])
        self.assertEqual(
            EndedRun("other", START + HOUR, START + 2 * HOUR, "failure",
                     "why"),
            latest[2])
        self.assertEqual(latest[:2], self.set.getLatest("garbo", 2))
        self.assertEqual([], self.set.getLatest("gar\0bo", 2))

    def test_runs_before_are_the_last_and_those_that_took_longer(self):
        for hour, hostname in (0, "a"), (2, "a"), (3, "b"), (4, "a"), (9, "a"):
            self.run_at(hour, hostname=hostname)
        self.run_at(4, name="other")
        self.factory.makeScriptActivity(
            "garbo", "a", START + HOUR, 10 * HOUR)
        for hostname, count, hours in (
            (None, 2, [1, 3, 4]), ("a", 2, [1, 2, 4]), ("b", 2, [3]),
            ("a", 9, [0, 1, 2, 4]), ("c", 2, []),
        ):
            self.assertEqual(
                [START + hour * HOUR for hour in hours],
                [run.date_started for run in self.set.getRunsBefore(
                    "garbo", hostname, START + 5 * HOUR, START + 6 * HOUR,
                    count)])
        self.assertEqual(
            [START + hour * HOUR for hour in (1, 2, 3, 4)],
            [run.date_started for run in self.set.getRunsBefore(
                "garbo", None, START + 5 * HOUR, START + 4.5 * HOUR, 2)])

    def test_the_one_before_that_completed_last_need_not_be_of_the_last(self):
        self.factory.makeScriptActivity("garbo", "a", START, 4 * HOUR)
        for hour in 1, 2:
            self.run_at(hour, hostname="a")
        for hostname in "a", None:
            self.assertEqual(
                [START, START + 2 * HOUR],
                [run.date_started for run in self.set.getRunsBefore(
                    "garbo", hostname, START + 5 * HOUR, START + 5 * HOUR,
                    1)])

    def test_nothing_is_known_of_what_is_not_on_record(self):
        self.assertEqual([], self.set.getNames(START, START + HOUR))
        for name in "garbo", "", "\0", "\ud800":
            self.assertEqual(
                [], self.set.getRuns(name, START, START + HOUR))
        with self.assertRaisesRegex(TypeError, "name must be a str"):
            self.set.getRuns(b"garbo", START, START + HOUR)

    def test_each_takes_one_statement(self):
        for number in range(10):
            self.run_at(1, name=f"script-{number}")
        main_store().flush()
        # A store asks once whether its runs are spread over servers.
        self.set.getNames(START, START)
        statements = []

        class Tracer:
            def connection_raw_execute(self, connection, cursor, statement,
                                       parameters):
                statements.append(statement)

        install_tracer(Tracer())
        self.addCleanup(remove_all_tracers)
        self.set.getNames(START, START + 2 * HOUR)
        self.set.getRuns("script-3", START, START + 2 * HOUR)
        self.assertEqual(2, len(statements))
