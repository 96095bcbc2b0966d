"""The last durations equal those of all runs, sorted again each time."""

import datetime
import random
import unittest

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import EARLIER_RUNS
from canonical.launchpad.monitor.runtime import durations


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


class TestDurations(unittest.TestCase):

    def compare(self, earlier, average):
        """Runs of up to a thousand seconds, which overtake one another."""
        random.seed(2007)
        started = random.sample(range(10_000), 700)
        runs = sorted((
            Run("host", START + second * SECOND,
                START + (second + random.randrange(1000)) * SECOND)
            for second in started), key=lambda run: run.date_completed)
        expectation = expectation_from_text(
            "x", every="1d", runs=5, average=average)
        for number, (at, found) in enumerate(durations(expectation, runs), 1):
            known = sorted(
                runs[:number], key=lambda run: run.date_started)[-5-earlier:]
            seconds = [
                (each.date_completed - each.date_started).total_seconds()
                for each in known]
            self.assertEqual(
                (runs[number - 1].date_completed,
                 (seconds[-5:], sorted(seconds[:-5]))), (at, found))
        self.assertEqual(700, number)

    def test_what_is_judged(self):
        self.compare(0, "..1m")

    def test_what_is_learned_from(self):
        self.compare(EARLIER_RUNS, "learned")
