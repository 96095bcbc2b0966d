"""The last durations equal those of all runs, sorted again each time."""

import datetime
import random
import unittest

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import EARLIER_RUNS
from canonical.launchpad.monitor.runtime import durations
from canonical.launchpad.monitor.runtime import longest_run
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
                 (seconds[:-6:-1], sorted(seconds[:-5]))), (at, found))
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

    def rows(self, scatter, factor, slow=3):
        """How many of 50 spells of a few slow runs are off at their end."""
        random.seed(2007)
        rule = expectation_from_text("x", every="1d", average="learned")
        return sum(
            runtime_is_off(
                rule, [(factor if number < slow else 1)
                       * random.lognormvariate(5, scatter)
                       for number in range(20)],
                [random.lognormvariate(5, scatter) for _ in range(200)])
            for _ in range(50))

    def test_three_runs_in_a_row_that_take_four_times_as_long(self):
        self.assertEqual([50, 50], [self.rows(0.1, 4), self.rows(0.2, 4)])
        self.assertEqual([0, 0], [self.rows(0.1, 4, 2), self.rows(0.2, 1.5)])

    def test_three_that_had_more_to_do_are_not_slow(self):
        rule = expectation_from_text("x", every="1d", average="learned")
        recent = [60.0] * 3 + [1.0] * 17
        for heavy, is_off in (2, True), (30, False):
            earlier = [1.0] * (200 - heavy) + [61.0] * heavy
            self.assertEqual(is_off, runtime_is_off(rule, recent, earlier))

    def test_nothing_has_changed(self):
        self.assertEqual(
            [0, 0, 0], [self.off(scatter, 1) for scatter in (0.1, 0.5, 1)])

    def test_what_takes_no_time_is_not_off(self):
        self.assertFalse(runtime_is_off(self.RULE, [0.004], [0.0] * 20))


class TestRunning(unittest.TestCase):
    """How long one run may take, while it still runs."""

    RULE = expectation_from_text("x", every="1d", average="learned")

    def test_what_is_usual_or_happens_now_and_then_is_not_too_long(self):
        for earlier, longest in (
            ([10.0] * 200, 30),
            # One long run does not make another one usual.
            ([10.0] * 199 + [900.0], 30),
            ([10.0] * 190 + [600.0] * 10, 900),
        ):
            self.assertAlmostEqual(
                longest,
                longest_run(self.RULE, earlier).total_seconds(), places=3)

    def test_hardly_one_run_a_year_takes_so_long_by_chance(self):
        random.seed(2007)
        for scatter in 0.1, 0.3, 0.5, 0.8:
            limit = longest_run(self.RULE, [
                random.lognormvariate(0, scatter) for _ in range(200)])
            self.assertLess(sum(
                random.lognormvariate(0, scatter) > limit.total_seconds()
                for _ in range(8766)), 3, scatter)
