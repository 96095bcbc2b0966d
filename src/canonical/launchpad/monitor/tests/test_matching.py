"""The slots of a model are those that `slots_between` finds."""

import datetime
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.monitor.inference.model import HOURS
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.schedule import slots_between


INSTANT = datetime.timedelta(microseconds=1)


class TestSlots(unittest.TestCase):

    @settings(max_examples=25, derandomize=True, deadline=None)
    @given(
        fields=strategies.sampled_from([
            ((0, 20, 40), HOURS, MONTH, WEEKDAYS),
            ((30,), (1, 2), MONTH, WEEKDAYS), ((0,), (0,), MONTH, (0,)),
            ((0,), (0,), (1,), WEEKDAYS),
            ((15,), HOURS[::2], MONTH, (1, 2, 3, 4, 5))]),
        timezone=strategies.sampled_from([
            "UTC", "Europe/London", "America/New_York", "Asia/Kolkata",
            "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Gaza"]),
        minute=strategies.integers(0, 6 * 365 * 1440),
        days=strategies.integers(1, 90))
    def test_they_are_the_same(self, fields, timezone, minute, days):
        since = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        since += datetime.timedelta(minutes=minute)
        until = since + datetime.timedelta(days=days)
        cron = Cron(*fields, timezone)
        first, last = since.timestamp(), until.timestamp()
        self.assertEqual(
            [slot.timestamp() for slot in slots_between(
                cron.text, timezone, since, until + INSTANT)],
            cron.slots(first, last))
