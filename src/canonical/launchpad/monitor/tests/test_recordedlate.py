"""What was recorded late is found for many incidents at once."""

import datetime
import unittest

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.monitor.answers import assess
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.recordedlate import with_recorded_late


OPENED = datetime.datetime(2007, 2, 1, 10, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def alert(number, opened=OPENED, is_over=True):
    return Alert(
        number, "mail", f"tidy-{number}", None, "critical",
        (BadAnswer("recently", "critical", "late", is_over),), opened)


class TestRecordedLate(unittest.TestCase):

    def setUp(self):
        self.asked = []

    def assess_at(self, names, opened):
        """All have run a quarter of an hour before, but for one."""
        self.asked.append((sorted(names), opened))
        figures = Figures(
            last_started=opened - 15 * MINUTE,
            last_completed=opened - 14 * MINUTE)
        return [
            assess(
                Case(expectation_from_text(name, every="1h"), None),
                Figures() if name == "tidy-2" else figures, opened)
            for name in sorted(names)]

    def test_incidents_that_opened_together_are_assessed_once(self):
        found = with_recorded_late(
            [*map(alert, range(4)), alert(4, OPENED + MINUTE),
             alert(5, is_over=False)], self.assess_at)
        self.assertEqual(
            [(["tidy-0", "tidy-1", "tidy-2", "tidy-3"], OPENED),
             (["tidy-4"], OPENED + MINUTE)], self.asked)
        early, late = "2007-02-01 09:45:00 UTC", "2007-02-01 09:46:00 UTC"
        self.assertEqual(
            [early, early, None, early, late, None],
            [each.answers[0].recorded_late for each in found])
