"""The last runs, against all runs that are sorted anew each time."""

import datetime
import random
import unittest

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.lastruns import LastRuns
from canonical.launchpad.monitor.matching import EARLIER_RUNS


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


class TestLastRuns(unittest.TestCase):

    def compare(self, earlier, **values):
        """With runs that overtake one another, a thousand seconds long."""
        random.seed(2007)
        started = random.sample(range(10_000), 700)
        runs = sorted((
            Run("host", START + second * SECOND,
                START + (second + random.randrange(1000)) * SECOND)
            for second in started), key=lambda run: run.date_completed)
        last = LastRuns(expectation_from_text("x", every="1d", **values))
        for number, run in enumerate(runs, 1):
            last.add(run)
            known = sorted(
                runs[:number], key=lambda run: run.date_started)[-5-earlier:]
            seconds = [
                (each.date_completed - each.date_started).total_seconds()
                for each in known]
            self.assertEqual(
                (seconds[-5:], sorted(seconds[:-5]), known[-1].date_started,
                 run.date_completed),
                (last.recent, last.earlier, last.started, last.completed))

    def test_what_is_judged(self):
        self.compare(0, runs=5, average="..1m")

    def test_what_is_learned_from(self):
        self.compare(EARLIER_RUNS, runs=5, average="learned")
