"""What is left of pruned days, in the buckets of a picture."""

import datetime
import unittest

from canonical.launchpad.interfaces import Column
from canonical.launchpad.interfaces import Counts
from canonical.launchpad.interfaces import ScriptDay
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.pruned import columns_with
from canonical.launchpad.webapp.pruned import counts_with
from canonical.launchpad.webapp.pruned import missed_of


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
DAY = datetime.timedelta(days=1)
WEEKS = Period(START, 7 * DAY, 2)


def day_of(number, runs, median, hostname="host", **values):
    minutes = median * MINUTE if runs else None
    return ScriptDay(**{
        "name": "garbo", "hostname": hostname,
        "day": (START + number * DAY).date(), "runs": runs, "failures": 0,
        "total": minutes and runs * minutes, "minimum": minutes,
        "maximum": minutes, "median": minutes, "due": None, "met": None,
        **values})


class TestPruned(unittest.TestCase):

    def test_days_of_a_bucket_and_its_runs_are_one_column(self):
        days = [day_of(0, 2, 1), day_of(1, 2, 4), day_of(8, 1, 9)]
        known = Column(0, 4, 30.0, 60.0, 90.0, (START,), (60.0,))
        self.assertEqual([
            Column(0, 8, 30.0, 105.0, 240.0, (), ()),
            Column(1, 1, 540.0, 540.0, 540.0, (), ()),
        ], columns_with(days, WEEKS, [known]))

    def test_days_without_a_run_and_outside_of_the_period_are_left_out(self):
        days = [day_of(-1, 1, 1), day_of(14, 1, 1), day_of(3, 0, 0)]
        self.assertEqual([], columns_with(days, WEEKS, []))
        self.assertEqual({}, counts_with(days, WEEKS, {}))

    def test_runs_and_failures_are_added_to_those_on_record(self):
        days = [day_of(0, 2, 1, failures=1), day_of(1, 3, 1, "other")]
        self.assertEqual(
            {0: Counts(runs=6, met=1, failed=1)},
            counts_with(days, WEEKS, {0: Counts(runs=1, met=1)}))

    def test_what_was_missed_is_known_for_the_host_of_the_rule(self):
        days = [
            day_of(0, 0, 0, "", due=9, met=7),
            day_of(1, 0, 0, "", due=1, met=0),
            day_of(0, 0, 0, "host", due=5, met=0), day_of(2, 1, 1, "host")]
        self.assertEqual({0: 3}, missed_of(days, WEEKS, None))
        self.assertEqual({0: 5}, missed_of(days, WEEKS, "host"))
