"""Past runs, counted for pictures."""

import datetime
import unittest

from storm.tracer import install_tracer
from storm.tracer import remove_all_tracers
from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.launchpad.interfaces import Counts
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import IScriptTimelineSet
from canonical.launchpad.interfaces import Track
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
HOURLY = tuple(START + number * HOUR for number in range(-1, 5))


class TimelineTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptTimelineSet)
        self.factory = LaunchpadObjectFactory()

    def run_at(self, hour, minutes=1, name="garbo", hostname="host"):
        self.factory.makeScriptActivity(
            name, hostname, START + hour * HOUR, minutes * MINUTE)

    def fail_at(self, hour, name="garbo", hostname="host", reason="oops"):
        attempts = getUtility(IScriptAttemptSet)
        started = START + hour * HOUR
        key = attempts.begin(name, None, started, hostname)
        attempts.end(key, "failure", started + MINUTE, 1, reason)

    def counts(self, *tracks):
        return self.set.getCounts(tracks, START, HOUR, 4)


class TestCounts(TimelineTestCase):

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptTimelineSet, self.set))

    def test_a_run_counts_for_its_slot(self):
        self.run_at(-0.5)
        self.run_at(0.9)
        self.run_at(2.1)
        self.run_at(2.2)
        track = Track("garbo", None, HOURLY, MINUTE, 5 * MINUTE)
        self.assertEqual([{
            0: Counts(runs=1, met=1, late=1), 2: Counts(runs=2, met=1, late=1),
        }], self.counts(track))

    def test_a_run_that_completes_in_its_grace_is_not_late(self):
        self.run_at(1, minutes=5)
        self.run_at(2, minutes=6)
        track = Track("garbo", None, HOURLY, MINUTE, 5 * MINUTE)
        (found,) = self.counts(track)
        self.assertEqual([0, 1], [found[1].late, found[2].late])

    def test_a_run_that_starts_just_before_its_slot_counts_for_it(self):
        self.run_at(0.99)
        self.run_at(1.97)
        track = Track("garbo", None, HOURLY, MINUTE, 5 * MINUTE)
        (found,) = self.counts(track)
        self.assertEqual([1], sorted(found))
        self.assertEqual((2, 1, 0), found[1][:3])

    def test_slots_between_edges_do_not_count_as_met(self):
        for hour in range(4):
            self.run_at(hour)
        for edges, met in (
            ((), [1, 1, 1, 1]), (HOURLY[1:2], [0, 0, 0, 0]),
            (HOURLY[1:3], [0, 1, 1, 1]), (HOURLY[1:4], [0, 1, 0, 0]),
            ((HOURLY[0], HOURLY[2] + MINUTE), [0, 0, 1, 1]),
        ):
            (found,) = self.counts(Track(
                "garbo", None, HOURLY, MINUTE, HOUR, edges=edges))
            self.assertEqual(
                met, [found[hour].met for hour in range(4)], edges)

    def test_without_a_schedule_each_run_counts_when_it_starts(self):
        self.run_at(0.9)
        self.run_at(0.95)
        self.run_at(4)
        self.assertEqual([{0: Counts(runs=2)}], self.counts(Track(
            "garbo", None)))

    def test_unusual_durations(self):
        for hour, minutes in (0, 1), (1, 2), (2, 4):
            self.run_at(hour, minutes)
        for slots in (), HOURLY:
            (found,) = self.counts(Track(
                "garbo", None, slots, MINUTE, HOUR, 90.0, 180.0))
            self.assertEqual(
                [1, 0, 1], [found[hour].unusual for hour in range(3)])

    def test_limits_that_no_run_exceeds(self):
        self.run_at(0)
        for slots in (), HOURLY:
            (found,) = self.counts(Track(
                "garbo", None, slots, MINUTE, HOUR, 0.0, float("inf")))
            self.assertEqual([0], [each.unusual for each in found.values()])

    def test_each_host_counts_for_itself(self):
        self.run_at(0, hostname="a")
        self.run_at(1, hostname="b")
        self.fail_at(2, hostname="b")
        a, b, either, other = self.counts(
            Track("garbo", "a"), Track("garbo", "b"), Track("garbo", None),
            Track("other", None))
        self.assertEqual(
            [[0], [1, 2], [0, 1, 2], []], [
                sorted(each) for each in (a, b, either, other)])
        self.assertEqual(1, b[2].failed)

    def test_any_number_of_scripts_takes_the_same_number_of_statements(self):
        def statements(number):
            tracer = Statements()
            install_tracer(tracer)
            self.counts(*[Track("garbo", None)] * number)
            remove_all_tracers()
            return tracer.number
        # The first one also asks whether there are several servers.
        statements(1)
        self.assertEqual(2, statements(1))
        self.assertEqual(2, statements(50))


class TestBeginnings(TimelineTestCase):

    def test_the_first_run_or_the_last_day_of_which_more_is_known(self):
        self.run_at(3, hostname="a")
        self.run_at(1, hostname="b")
        tracks = [
            Track("garbo", "a"), Track("garbo", "b"), Track("garbo", None),
            Track("other", None)]
        first, second = START + 3 * HOUR, START + HOUR
        self.assertEqual(
            [(None, first), (None, second), (None, second), (None, None)],
            self.set.getBeginnings(tracks))
        getUtility(IScriptDaySet).recordDue([
            ("garbo", "a", START.date(), 1, 1),
            ("other", "", START.date(), 1, 0)])
        later = START + 24 * HOUR
        self.assertEqual(
            [(later, first), (None, second), (None, second), (later, None)],
            self.set.getBeginnings(tracks))


class TestGaps(TimelineTestCase):

    def test_gaps_are_longer_than_the_patience(self):
        for hour in -3, 1, 1.5, 3:
            self.run_at(hour, 0)
        track = Track("garbo", None, (), MINUTE, HOUR)
        self.assertEqual([[
            (START - 3 * HOUR, START + HOUR),
            (START + 1.5 * HOUR, START + 3 * HOUR),
            (START + 3 * HOUR, START + 5 * HOUR),
        ]], self.set.getGaps([track], START, START + 5 * HOUR))


class TestColumns(TimelineTestCase):

    def test_a_few_runs_one_by_one_and_many_together(self):
        for minute in range(5):
            self.run_at(0, minute + 1)
        self.run_at(2, 7)
        first, second = self.set.getColumns(
            Track("garbo", "host"), START, HOUR, 4, 3)
        self.assertEqual(
            (0, 5, 60.0, 180.0, 300.0, (), ()), first)
        self.assertEqual(
            (2, 1, 420.0, 420.0, 420.0, (START + 2 * HOUR,), (420.0,)), second)


class TestPages(TimelineTestCase):

    def page(self, before=None, limit=3, since=None, until=None):
        return self.set.getPage("garbo", None, since, until, before, limit)

    def test_pages_follow_each_other_without_a_gap(self):
        for number in range(4):
            self.run_at(0, hostname=f"host-{number}")
            self.fail_at(0, hostname=f"host-{number}")
        seen, before = [], None
        while page := self.page(before):
            seen += [(each.hostname, each.outcome) for each in page]
            before = page[-1].key
        self.assertEqual(8, len(seen))
        self.assertEqual(8, len(set(seen)))

    def test_the_latest_comes_first_with_what_became_of_it(self):
        self.run_at(0)
        self.fail_at(1)
        getUtility(IScriptAttemptSet).begin(
            "garbo", None, START + 2 * HOUR, "elsewhere")
        self.assertEqual(
            [(START + 2 * HOUR, None, None),
             (START + HOUR, "failure", "oops"), (START, "success", None)],
            [(each.date_started, each.outcome, each.reason)
             for each in self.page()])

    def test_a_period(self):
        for hour in range(4):
            self.run_at(hour)
        self.assertEqual(
            [START + 2 * HOUR, START + HOUR],
            [each.date_started for each in self.page(
                since=START + HOUR, until=START + 3 * HOUR)])

    def test_what_is_no_key_is_refused(self):
        for text in "", "1", "2007-02-01T10:00:00Z-3-1", (
            "2007-13-01T10:00:00Z-1-1"
        ):
            self.assertRaises(ValueError, self.page, text)


class TestNames(TimelineTestCase):

    def test_names_of_scripts_that_succeeded_or_only_failed(self):
        self.run_at(0, name="b")
        self.fail_at(0, name="a")
        self.fail_at(0, name="b")
        self.assertEqual(["a", "b"], self.set.getOtherNames([]))

    def test_names_before_between_and_after_those_that_are_known(self):
        for name in "a", "b", "c", "d", "e", "f":
            self.run_at(0, name=name)
        self.fail_at(0, name="g")
        for known, others in (
            ("", "abcdefg"), ("c", "abdefg"), ("fb", "acdeg"),
            ("xbB", "acdefg"), ("gfedcba", ""),
        ):
            self.assertEqual(list(others), self.set.getOtherNames(known))

    def test_no_names_are_on_record(self):
        self.assertEqual([], self.set.getOtherNames(["a"]))


class Statements:
    """Counts statements."""

    number = 0

    def connection_raw_execute(self, *arguments):
        self.number += 1
