"""The factory of test data."""

import datetime
import unittest

from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


class TestFactory(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def test_no_two_values_are_the_same(self):
        one = LaunchpadObjectFactory()
        two = LaunchpadObjectFactory()
        strings = [each.getUniqueString() for each in (one, two, one)]
        self.assertEqual(3, len(set(strings)), strings)
        integers = [each.getUniqueInteger() for each in (one, two, one)]
        self.assertEqual(sorted(set(integers)), integers)

    def test_an_activity_of_which_nothing_is_said_has_just_completed(self):
        activity = LaunchpadObjectFactory().makeScriptActivity()
        now = datetime.datetime.now(datetime.UTC)
        self.assertLess(
            now - activity.date_completed, datetime.timedelta(minutes=1))

    def test_an_activity_is_as_it_is_asked_for(self):
        start = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
        activity = LaunchpadObjectFactory().makeScriptActivity(
            name="garbo", hostname="host", date_started=start,
            duration=datetime.timedelta(hours=2))
        self.assertEqual(
            ("garbo", "host", start, start.replace(hour=12)),
            (activity.name, activity.hostname, activity.date_started,
             activity.date_completed))
