"""A changed schedule is inferred from the runs after the change."""

import datetime
import random

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.schedule import slots_between
from canonical.launchpad.monitor.tests.histories import DAY
from canonical.launchpad.monitor.tests.histories import HOUR
from canonical.launchpad.monitor.tests.histories import WINTER
from canonical.launchpad.monitor.tests.histories import SuggestionTestCase
from canonical.launchpad.monitor.tests.histories import by_start
from canonical.launchpad.monitor.tests.histories import daemon
from canonical.launchpad.monitor.tests.histories import history
from canonical.launchpad.monitor.tests.histories import seconds


AUTUMN = datetime.datetime(2026, 9, 21, tzinfo=datetime.UTC)


@strategies.composite
def histories(draw):
    """A schedule in a zone, when it had a gap, and what ran for 60 days."""
    timezone = draw(strategies.sampled_from(
        ["UTC", "Europe/London", "America/New_York", "Asia/Kolkata"]))
    schedules = draw(strategies.lists(
        strategies.sampled_from([
            "*/10 * * * *", "7,37 * * * *", "0 * * * *", "0 */6 * * *",
            "42 3 * * *", "0 0,12 * * *", "30 9 * * 1-5",
            # Without the zone, nobody can say that in Kolkata.
            *(["*/15 8-18 * * *"] if timezone != "Asia/Kolkata" else [])]),
        min_size=1, unique=True,
        # Near a change of clocks, a change of schedule hides the zone.
        max_size=2 if timezone in ("UTC", "Asia/Kolkata") else 1))
    change = draw(strategies.integers(15, 45))
    jitter = draw(strategies.sampled_from([2, 30, 90]))
    duration = draw(strategies.sampled_from([(1, 30), (60, 900), (600, 3000)]))
    gap = draw(strategies.none() | strategies.floats(5, 55))
    hosts = draw(strategies.integers(1, 3))
    rand = random.Random(draw(strategies.integers(0, 10 ** 6)))
    spans = [(AUTUMN, change), (AUTUMN + change * DAY, 60 - change)]
    if len(schedules) == 1:
        spans = [(AUTUMN, 60)]
    away = None if gap is None else AUTUMN + gap * DAY
    runs = by_start(*(
        run for number in range(hosts)
        for schedule, (since, days) in zip(schedules, spans, strict=True)
        for run in history(
            schedule, timezone, since, days, jitter, duration,
            f"host-{number}", rand.random())
        if away is None or not away <= run.date_started < away + 9 * HOUR))
    return schedules[-1], timezone, away, runs


class TestChanges(SuggestionTestCase):

    def change(self, before, after, first, days=60, **how):
        """The runs of a schedule that changes after some days."""
        return by_start(
            *history(before, since=AUTUMN, days=first, **how),
            *history(after, since=AUTUMN + first * DAY, days=days - first,
                     **how))

    def test_what_holds_now_is_told_and_what_did_before(self):
        # Some are near the days when clocks change in some zone.
        for before, after, first in (
            ("0 3 * * *", "0 4 * * *", 18), ("0 3 * * *", "30 4 * * *", 45),
            ("0 3 * * *", "0 5 * * *", 36), ("0 1 * * *", "0 23 * * *", 19),
            ("0 3 * * *", "30 3 * * *", 19), ("0 3 * * *", "0 15 * * *", 29),
            ("0 1 * * *", "0 2 * * *", 10),
            ("0 * * * *", "30 * * * *", 9), ("0 * * * *", "*/15 * * * *", 15),
            ("*/15 * * * *", "0 * * * *", 15),
            ("*/10 * * * *", "*/5 * * * *", 9),
            ("*/10 * * * *", "*/20 * * * *", 9),
        ):
            with self.subTest(before=before, after=after, first=first):
                days = 60 if " 3 " in before or " 1 " in before else 20
                runs = self.change(before, after, first, days)
                until = AUTUMN + days * DAY
                found = self.suggest(runs, until)
                self.assert_same_slots(
                    found, after, "UTC", AUTUMN + first * DAY, days - first)
                self.assertIn(
                    f"schedule changed from {before} at ", found.evidence[0])
                self.assertEqual([], found.incidents)
                self.assert_silent(found, runs, AUTUMN, until)

    def test_two_changes(self):
        runs = by_start(
            *self.change("0 3 * * *", "0 9 * * *", 20, 40),
            *history("0 15 * * *", since=AUTUMN + 40 * DAY, days=20))
        found = self.suggest(runs, AUTUMN + 60 * DAY)
        self.assertEqual("0 15 * * *", found.attributes["schedule"])
        self.assertRegex(
            found.evidence[0],
            "^schedule changed from 0 9 .* at 2026-10-31 15:0. UTC; 40d")

    def test_a_change_in_a_zone(self):
        runs = by_start(
            *history("0 3 * * *", "Europe/London", AUTUMN, 50),
            *history("0 5 * * *", "Europe/London", AUTUMN + 50 * DAY, 40))
        found = self.suggest(runs, AUTUMN + 90 * DAY)
        self.assertEqual("0 5 * * *", found.attributes["schedule"])
        self.assertIn(
            "schedule changed from 0 3 * * * in Europe/London at ",
            found.evidence[0])

    def test_a_change_of_a_few_runs_ago(self):
        for before in 24, 50:
            for schedule in "30 4 * * *", "0 1 * * *":
                runs = self.change(
                    "0 3 * * *", schedule, before, before + 6, jitter=20)
                found = self.suggest(runs, AUTUMN + (before + 6) * DAY)
                self.assertEqual(schedule, found.attributes["schedule"])
                self.assertIn(
                    "schedule changed from 0 3 * * * at ", found.evidence[0])

    def test_runs_that_are_lost_at_random_are_no_change(self):
        for seed in range(6):
            rand = random.Random(seed + 100)
            runs = [
                run for run in history(
                    "0 * * * *", since=AUTUMN, days=7, seed=seed)
                if rand.random() > 0.1]
            found = self.suggest(runs, AUTUMN + 7 * DAY)
            self.assertEqual("0 * * * *", found.attributes["schedule"])
            self.assert_evidence(found, r"\Aschedule")

    def test_an_outage_is_no_change(self):
        for schedule, start in ("*/10 * * * *", 30), ("0 3 * * *", 30), (
                "0 3 * * *", 54):
            runs = [
                run for run in history(schedule, since=AUTUMN, days=60)
                if not AUTUMN + start * DAY <= run.date_started < (
                    AUTUMN + (start + 4) * DAY)]
            found = self.suggest(runs, AUTUMN + 60 * DAY)
            self.assertEqual(schedule, found.attributes["schedule"])
            self.assertTrue(found.incidents)
            self.assert_evidence(found, r"\Aschedule")

    def test_runs_by_hand_at_the_end_are_no_change(self):
        runs = by_start(
            *history("0 3 * * *", since=AUTUMN, days=60),
            *(Run("loganberry", start, start + seconds(20)) for start in (
                AUTUMN + 58.6 * DAY, AUTUMN + 59.4 * DAY,
                AUTUMN + 59.5 * DAY)))
        found = self.suggest(runs, AUTUMN + 60 * DAY)
        self.assertEqual("0 3 * * *", found.attributes["schedule"])
        self.assert_evidence(found, r"\Aschedule.*; 3 extra runs")

    def test_a_time_between_runs_that_was_changed(self):
        for before, after in (600, 120), (120, 600):
            runs = daemon(before, (2, 4), 3000)
            runs += daemon(
                after, (2, 4), 3000, since=runs[-1].date_completed)
            found = self.suggest(runs, runs[-1].date_completed)
            self.assertIn("every", found.attributes, found.evidence)
            self.assertRegex(
                found.evidence[0], "^schedule changed from every ")
            self.assert_silent(found, runs, WINTER, runs[-1].date_completed)
            self.assertEqual([], found.incidents)

    def test_a_time_that_was_changed_a_few_runs_ago(self):
        runs = daemon(600, (2, 30), 5000)
        runs += daemon(
            7200, (2, 300), 60, seed=2, since=runs[-1].date_completed)
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertRegex(
                found.evidence[0], "^schedule changed from every ")
        self.assert_silent(found, runs, WINTER, runs[-1].date_completed)
        self.assertEqual([], found.incidents)

    def test_holidays_before_the_last_day_are_no_change(self):
        away = AUTUMN + 86 * DAY
        runs = [
            run for run in history(
                "*/15 7-19 * * 1-5", since=AUTUMN, days=99)
            if not away <= run.date_started < away + 12 * DAY]
        found = self.suggest(runs, AUTUMN + 99 * DAY)
        self.assertEqual("*/15 7-19 * * 1-5", found.attributes["schedule"])
        self.assert_evidence(found, r"\Aschedule")

    def test_starts_that_are_no_longer_late_are_no_change(self):
        runs = by_start(
            *history("0 3 * * *", since=AUTUMN, days=30, jitter=2400),
            *history("0 3 * * *", since=AUTUMN + 30 * DAY, days=30, jitter=5))
        found = self.suggest(runs, AUTUMN + 60 * DAY)
        self.assertEqual("0 3 * * *", found.attributes["schedule"])
        self.assert_evidence(found, r"\Aschedule")

    def test_a_slow_drift_is_no_change(self):
        runs = daemon(3600, (1, 10), 1000)
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertIn("every", found.attributes)
        self.assert_evidence(found, r"\Aevery")


class TestAnyHistory(SuggestionTestCase):

    # The number of histories.
    examples = 4

    def test_what_is_proposed_is_silent_but_for_gaps(self):
        settings(
            max_examples=self.examples, derandomize=True, deadline=None)(
                given(histories())(self.check_silent))()

    def check_silent(self, made):
        schedule, timezone, away, runs = made
        until = AUTUMN + 60 * DAY
        found = self.suggest(runs, until)
        since = found.since
        if "schedule" not in found.attributes:
            # It holds its lock over most slots.
            slots = slots_between(schedule, timezone, since, until)
            self.assertLess(len(runs), 0.6 * len(slots) * len({
                run.hostname for run in runs}))
            self.assert_warns_at_most(found)
            return
        self.assert_same_slots(found, schedule, timezone, since, 5)
        # The latest run of a year on each host is not allowed for.
        self.assertLessEqual(len([
            each for each in found.incidents
            if away is None
            or not away - HOUR < each.opened < away + 2 * DAY
        ]), len({run.hostname for run in runs}))


class TestMoreHistories(TestAnyHistory):

    level = 3
    examples = 100
