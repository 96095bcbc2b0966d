"""Days count the slots that a check counts."""

import datetime
import unittest

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.availability import Tally
from canonical.launchpad.monitor.availability import tallies
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import Case


FIRST = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)


class TestTallies(unittest.TestCase):

    def test_a_run_that_is_early_meets_its_slot(self):
        case = Case(expectation_from_text(
            "garbo", schedule="0 2 * * *", early="30m"), None)
        runs = []
        for day in range(2):
            started = FIRST + day * DAY + 105 * MINUTE
            runs.append(Run("host", started, started + MINUTE))
        self.assertEqual(
            {FIRST.date(): Tally(1, 1), (FIRST + DAY).date(): Tally(1, 1)},
            tallies(case, runs, FIRST, FIRST + 2 * DAY,
                    runs[-1].date_started + DAY))
