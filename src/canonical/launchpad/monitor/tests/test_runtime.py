"""The last durations equal those of all runs, sorted again each time."""

import datetime
import random
import unittest

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import EARLIER_RUNS
from canonical.launchpad.monitor.runtime import durations
from canonical.launchpad.monitor.runtime import runtime_is_off


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


class TestLearned(unittest.TestCase):
    """Scripts whose durations scatter by a factor, as durations do."""

    RULE = expectation_from_text("x", every="1d", runs=5, average="learned")

    def off(self, scatter, factor):
        """For how many of 50 scripts runs are off if they take `factor`."""
        random.seed(2007)
        return sum(
            runtime_is_off(
                self.RULE,
                [factor * random.lognormvariate(5, scatter)
                 for _ in range(5)],
                [random.lognormvariate(5, scatter) for _ in range(200)])
            for _ in range(50))

    def test_a_noisy_script_that_is_ten_times_as_fast(self):
        self.assertEqual(50, self.off(0.5, 0.1))

    def test_a_noisy_script_that_is_ten_times_as_slow(self):
        self.assertEqual(50, self.off(0.5, 10))

    def test_a_steady_script_that_takes_twice_or_half_as_long(self):
        self.assertEqual([50, 50], [self.off(0.1, 2), self.off(0.1, 0.5)])

    def test_nothing_has_changed(self):
        self.assertEqual(
            [0, 0, 0], [self.off(scatter, 1) for scatter in (0.1, 0.5, 1)])

    def test_what_takes_no_time_is_not_off(self):
        self.assertFalse(runtime_is_off(self.RULE, [0.004], [0.0] * 20))
