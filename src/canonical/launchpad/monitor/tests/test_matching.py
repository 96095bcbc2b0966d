"""A model matches runs with the slots that a check finds."""

import datetime
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.monitor.clocks import local
from canonical.launchpad.monitor.inference.model import HOURS
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import SKEW
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.matching import slot_numbers
from canonical.launchpad.monitor.schedule import slots_of_period


DAY = datetime.timedelta(days=1)


class TestMatching(unittest.TestCase):

    @settings(max_examples=25, derandomize=True, deadline=None)
    @given(
        fields=strategies.sampled_from([
            ((0, 20, 40), HOURS, MONTH, WEEKDAYS),
            ((30,), (1, 2), MONTH, WEEKDAYS), ((0,), (0,), MONTH, (0,)),
            ((0,), (0,), (31,), WEEKDAYS),
            ((15,), HOURS[::2], MONTH, (1, 2, 3, 4, 5))]),
        timezone=strategies.sampled_from(["UTC", "Asia/Kolkata"]),
        starts=strategies.sets(
            strategies.integers(0, 400 * 86400), min_size=1, max_size=30))
    def test_slots_are_the_same(self, fields, timezone, starts):
        begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        cron = Cron(*fields, timezone)
        starts = [begin.timestamp() + start for start in sorted(starts)]
        slots = [slot.timestamp() for slot in slots_of_period(
            cron.text, timezone, begin - 100 * DAY, begin + 401 * DAY)]
        numbers = slot_numbers(slots, starts, SKEW)
        clock = local(timezone, starts)
        self.assertEqual(
            local(timezone, slots[numbers[0] - 1:numbers[-1]]),
            cron.slots(clock[0], clock[-1]))
