"""The slots in an inquiry are those that `slots_between` finds."""

import datetime
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.monitor.inference.slots import slots_of
from canonical.launchpad.monitor.schedule import slots_between


INSTANT = datetime.timedelta(microseconds=1)


class TestSlotsOf(unittest.TestCase):

    @settings(max_examples=60, derandomize=True, deadline=None)
    @given(
        schedule=strategies.sampled_from([
            "*/20 * * * *", "30 1,2 * * *", "0 0 * * 0", "0 0 1 * *",
            "15 */2 * * *", "0 23 L * *"]),
        timezone=strategies.sampled_from([
            "UTC", "Europe/London", "America/New_York", "Asia/Kolkata",
            "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Gaza"]),
        minute=strategies.integers(0, 6 * 365 * 1440),
        days=strategies.integers(1, 90))
    def test_they_are_the_same(self, schedule, timezone, minute, days):
        since = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        since += datetime.timedelta(minutes=minute)
        until = since + datetime.timedelta(days=days)
        first, last = since.timestamp(), until.timestamp()
        self.assertEqual(
            [slot.timestamp() for slot in slots_between(
                schedule, timezone, since, until + INSTANT)],
            [slot for slot in slots_of(schedule, timezone, first, last)
             if slot >= first])
