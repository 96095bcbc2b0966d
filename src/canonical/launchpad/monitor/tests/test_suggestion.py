"""From histories made of known schedules, the schedules must come back."""

import datetime
import random
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.case import Case
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.monitor.schedule import slots_between
from canonical.launchpad.monitor.suggesting.suggestion import (
    suggest_expectation,
)


MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
WINTER = datetime.datetime(2007, 1, 8, tzinfo=datetime.UTC)


def seconds(number):
    return datetime.timedelta(seconds=number)


def history(schedule, timezone="UTC", since=WINTER, days=30, jitter=90,
            duration=(5, 60), host="loganberry", seed=1):
    """What ran, if each run held a lock against the next."""
    rand = random.Random(seed)
    runs = []
    for slot in slots_between(
            schedule, timezone, since, since + days * DAY):
        started = slot + seconds(rand.uniform(0, jitter))
        if not runs or started >= runs[-1].date_completed:
            runs.append(Run(
                host, started, started + seconds(rand.uniform(*duration))))
    return runs


def by_start(*runs):
    return sorted(runs, key=lambda run: run.date_started)


def alarms(suggestion, runs, since, until):
    """What it would have told of, once its first window is full."""
    attributes = dict(suggestion.attributes)
    missed = int(attributes.pop("missed", 0))
    expectation = expectation_from_text("it", missed=missed, **attributes)
    reach = (
        expectation.window + expectation.grace
        + 2 * (expectation.every or MINUTE))
    return [
        alarm for host in expectation.hosts or (None,)
        for alarm in replay(
            Case(expectation, host), runs,
            max(since, runs[0].date_started.replace(second=0) + reach),
            until)]


class SuggestionTestCase(unittest.TestCase):

    def suggest(self, runs, at):
        return suggest_expectation(runs, at)

    def assert_same_slots(self, suggestion, schedule, timezone, since, days):
        found = suggestion.attributes
        self.assertIn("schedule", found, suggestion.evidence)
        until = since + days * DAY
        self.assertEqual(
            slots_between(schedule, timezone, since, until),
            slots_between(
                found["schedule"], found.get("timezone", "UTC"), since,
                until),
            found)

    def assert_silent(self, suggestion, runs, since, until):
        self.assertEqual(
            [], alarms(suggestion, runs, since, until)[:1], suggestion)

    def check(self, schedule, timezone="UTC", since=WINTER, days=30, **how):
        runs = history(schedule, timezone, since, days, **how)
        until = since + days * DAY
        suggestion = self.suggest(runs, until)
        self.assert_same_slots(suggestion, schedule, timezone, since, days)
        self.assert_silent(suggestion, runs, since, until)
        return suggestion


class TestSchedules(SuggestionTestCase):

    def test_they_come_back(self):
        for schedule, days in (
            ("*/5 * * * *", 7),
            ("7,37 * * * *", 7),
            ("0,10,40 * * * *", 7),
            ("*/7 * * * *", 5),
            ("0 */6 * * *", 30),
            ("13 3 * * *", 6),
            ("15 4 * * 1-5", 30),
            ("0 9-17 * * 1-5", 30),
            ("20 8,12,19 * * *", 14),
            ("0 4 * * 0", 60),
            ("0 3 */2 * *", 60),
            ("0 0 1 * *", 700),
            ("0 4 1,15 * *", 160),
        ):
            with self.subTest(schedule=schedule):
                self.check(schedule, days=days)

    def test_minutes_that_are_near_to_each_other_come_back(self):
        self.check("* * * * *", days=2, jitter=40, duration=(1, 5))
        self.check("*/2 * * * *", days=3, jitter=50, duration=(1, 5))

    def test_a_clock_that_is_ahead_does_not_matter(self):
        runs = [
            run._replace(date_started=run.date_started - seconds(3))
            for run in history("17 * * * *", jitter=2, days=7)]
        self.assertEqual("17 * * * *", self.suggest(
            runs, WINTER + 7 * DAY).attributes["schedule"])

    def test_long_delays_do_not_hide_the_hour(self):
        self.check("0 3 * * *", jitter=3000)
        self.check("0 * * * *", jitter=1200, days=14)

    @settings(max_examples=25, derandomize=True, deadline=None)
    @given(
        minute=strategies.integers(0, 59),
        hours=strategies.sets(
            strategies.integers(0, 23), min_size=1, max_size=4),
        jitter=strategies.integers(0, 90),
        seed=strategies.integers(0, 10 ** 6))
    def test_any_times_of_the_day_come_back(
            self, minute, hours, jitter, seed):
        schedule = f"{minute} {','.join(map(str, sorted(hours)))} * * *"
        runs = history(schedule, jitter=jitter, seed=seed, days=14)
        self.assert_same_slots(
            self.suggest(runs, WINTER + 14 * DAY), schedule, "UTC", WINTER,
            14)

    @settings(max_examples=10, derandomize=True, deadline=None)
    @given(
        every=strategies.sampled_from([5, 6, 10, 12, 15, 20, 30]),
        first=strategies.integers(0, 29),
        seed=strategies.integers(0, 10 ** 6))
    def test_any_phase_of_the_hour_comes_back(self, every, first, seed):
        schedule = f"{first % every}-59/{every} * * * *"
        runs = history(schedule, seed=seed, days=4)
        self.assert_same_slots(
            self.suggest(runs, WINTER + 4 * DAY), schedule, "UTC", WINTER, 4)


class TestZones(SuggestionTestCase):

    def test_a_change_of_clocks_tells_the_zone(self):
        for schedule, timezone, month, days in (
            ("0 3 * * *", "Europe/London", 3, 60),
            ("0 3 * * *", "Europe/London", 10, 60),
            ("0 3 * * *", "Europe/London", 3, 240),
            ("30 2 * * *", "America/New_York", 3, 60),
            ("30 1 * * *", "America/New_York", 10, 60),
            ("30 9 * * 1-5", "America/New_York", 10, 60),
            ("0 */6 * * *", "Europe/Berlin", 3, 60),
            ("*/15 0-6 * * *", "Australia/Sydney", 3, 40),
            ("5 1-23 * * *", "Europe/London", 10, 60),
            ("*/10 0-22 * * *", "America/New_York", 10, 60),
        ):
            with self.subTest(schedule=schedule, timezone=timezone):
                since = WINTER.replace(month=month, day=1)
                found = self.check(schedule, timezone, since, days)
                self.assertIn("timezone", found.attributes)
                self.assertRegex(
                    "\n".join(found.evidence), "timezone: starts moved with")

    def test_others_that_fit_are_named(self):
        runs = history("0 3 * * *", "Europe/London", days=120)
        found = self.suggest(runs, WINTER + 120 * DAY)
        self.assertEqual("Europe/London", found.attributes["timezone"])
        self.assertRegex(
            "\n".join(found.evidence),
            r"alike: Europe/Berlin with 0 4 \* \* \*, Europe/Athens with")

    def test_without_a_change_none_can_be_told(self):
        for schedule, words in (
            ("0 3 * * *", "no clocks were changed"),
            ("*/10 * * * *", "it runs every hour"),
        ):
            found = self.suggest(history(schedule), WINTER + 30 * DAY)
            self.assertNotIn("timezone", found.attributes)
            self.assertRegex("\n".join(found.evidence), words)

    def test_days_and_hours_tell_a_zone_too(self):
        for schedule, timezone, days in (
            ("0 1 1 * *", "Asia/Tokyo", 700),
            ("*/5 9-17 * * 1-5", "Asia/Kolkata", 14),
        ):
            found = self.check(schedule, timezone, days=days)
            self.assertRegex(
                "\n".join(found.evidence), "timezone: hours or days fit")


class TestOddHistories(SuggestionTestCase):

    def test_long_runs_miss_slots_and_may(self):
        runs = history("*/10 * * * *", duration=(720, 2280), days=10)
        until = WINTER + 10 * DAY
        found = self.suggest(runs, until)
        self.assert_same_slots(found, "*/10 * * * *", "UTC", WINTER, 10)
        self.assertGreater(int(found.attributes["missed"]), 50)
        self.assertRegex(
            "\n".join(found.evidence),
            r"missed: \d+ while the run before was not done, of \d+ slots")
        self.assert_silent(found, runs, until - DAY, until)

    def test_what_always_runs_over_slots_hides_them(self):
        found = self.suggest(
            history("*/10 * * * *", duration=(1450, 1550), days=10),
            WINTER + 10 * DAY)
        self.assertEqual("*/30 * * * *", found.attributes["schedule"])
        self.assertRegex(
            "\n".join(found.evidence), "if it was due more often meanwhile")

    def test_a_gap_is_told_and_raises_an_alarm(self):
        gap, end = WINTER + 9 * DAY + 6 * HOUR, WINTER + 10 * DAY + 6 * HOUR
        for schedule in "*/5 * * * *", "0 * * * *", "0 9-17 * * *":
            runs = [
                run for run in history(schedule, days=14)
                if not gap <= run.date_started < end]
            found = self.suggest(runs, WINTER + 14 * DAY)
            self.assert_same_slots(found, schedule, "UTC", WINTER, 14)
            self.assertRegex(
                "\n".join(found.evidence), r"gap: no run for \d+ slots, at")
            self.assertNotIn("missed", found.attributes)
            self.assert_silent(found, runs, WINTER, gap)
            self.assert_silent(
                found, runs, end + 1.2 * DAY, WINTER + 14 * DAY)
            self.assertTrue(
                alarms(found, runs, gap + 10 * HOUR, end))

    def test_one_that_is_gone_is_known_and_missed(self):
        runs = history("0 3 * * *", days=20)
        found = self.suggest(runs, WINTER + 30 * DAY)
        self.assertEqual("0 3 * * *", found.attributes["schedule"])
        self.assertRegex(
            "\n".join(found.evidence), "gap: no run for 10 slots")

    def test_runs_by_hand_do_not_matter(self):
        rand = random.Random(3)
        for schedule, count in ("0 * * * *", 20), ("0 3 * * *", 3):
            by_hand = [
                Run("loganberry", started, started + MINUTE)
                for started in (
                    WINTER + seconds(rand.uniform(0, 30 * 86400))
                    for _ in range(count))]
            runs = by_start(*history(schedule), *by_hand)
            until = WINTER + 30 * DAY
            found = self.suggest(runs, until)
            self.assert_same_slots(found, schedule, "UTC", WINTER, 30)
            self.assertRegex("\n".join(found.evidence), "runs? beside them")
            self.assert_silent(found, runs, WINTER, until)

    def test_two_hosts_are_each_expected(self):
        runs = by_start(
            *history("*/10 * * * *", days=5),
            *history("*/10 * * * *", days=5, host="gandwana", seed=2))
        found = self.suggest(runs, WINTER + 5 * DAY)
        self.assertEqual("gandwana loganberry", found.attributes["hosts"])
        self.assert_same_slots(found, "*/10 * * * *", "UTC", WINTER, 5)
        self.assert_silent(
            found, runs, WINTER, WINTER + 5 * DAY)

    def test_of_two_hosts_that_take_turns_any_will_do(self):
        runs = [
            run._replace(hostname="ab"[number % 2])
            for number, run in enumerate(history("*/10 * * * *", days=5))]
        found = self.suggest(runs, WINTER + 5 * DAY)
        self.assertNotIn("hosts", found.attributes)
        self.assertRegex("\n".join(found.evidence), "hosts: any will do")
        self.assert_silent(
            found, runs, WINTER, WINTER + 5 * DAY)

    def test_a_host_that_took_over_does_not_count_twice(self):
        runs = [
            run._replace(hostname="a" if number < 500 else "b")
            for number, run in enumerate(history("*/10 * * * *", days=7))]
        found = self.suggest(runs, WINTER + 7 * DAY)
        self.assertNotIn("hosts", found.attributes)

    def test_many_hosts_are_each_expected(self):
        runs = by_start(*(
            run for number in range(40) for run in history(
                "0 * * * *", days=3, host=f"host-{number}", seed=number)))
        found = self.suggest(runs, WINTER + 3 * DAY)
        self.assertEqual(40, len(found.attributes["hosts"].split()))

    def test_hosts_with_spaces_cannot_be_listed(self):
        runs = by_start(
            *history("0 * * * *", days=3),
            *history("0 * * * *", days=3, host="my host", seed=2))
        found = self.suggest(runs, WINTER + 3 * DAY)
        self.assertNotIn("hosts", found.attributes)
        self.assertRegex(
            "\n".join(found.evidence), "with spaces cannot be listed")

    def test_a_gap_of_a_minute_is_not_allowed_for(self):
        runs = history("* * * * *", days=1, jitter=5, duration=(1, 5))
        del runs[700]
        found = self.suggest(runs, WINTER + DAY)
        self.assertNotIn("missed", found.attributes)
        self.assertRegex(
            "\n".join(found.evidence),
            "gap: no run for 1 slot, at 2007-01-08 11:40 UTC")

    def test_a_week_without_runs_is_a_gap(self):
        gap = WINTER + 10 * DAY
        runs = [
            run for run in history("*/10 * * * *")
            if not gap <= run.date_started < gap + 7 * DAY]
        found = self.suggest(runs, WINTER + 30 * DAY)
        self.assertEqual("*/10 * * * *", found.attributes["schedule"])
        self.assertRegex(
            "\n".join(found.evidence), "gap: no run for 1008 slots")

    def test_before_1970(self):
        self.check("10 3 * * *", since=WINTER.replace(year=1907))

    def test_rare_runs_that_are_long_or_late_are_no_gaps(self):
        for schedule, late, took in (
            ("0 * * * *", 0, 170), ("*/15 * * * *", 0, 40),
            ("0 3 * * *", 120, 1), ("0 * * * *", 25, 1),
        ):
            runs = []
            for number, run in enumerate(history(schedule, days=30)):
                if number % 20 == 10:
                    start = run.date_started + late * MINUTE
                    run = Run(run.hostname, start, start + took * MINUTE)
                if not runs or run.date_started > runs[-1].date_completed:
                    runs.append(run)
            with self.subTest(schedule=schedule, late=late, took=took):
                found = self.suggest(runs, WINTER + 30 * DAY)
                self.assertEqual(schedule, found.attributes["schedule"])
                self.assertNotIn("gap:", "\n".join(found.evidence))
                self.assert_silent(found, runs, WINTER, WINTER + 30 * DAY)

    def test_one_run_that_is_stuck_is_not_allowed_for(self):
        runs = [
            run for run in history("*/10 * * * *", days=7)
            if not WINTER + 3 * DAY < run.date_started < (
                WINTER + 3 * DAY + 5 * HOUR)]
        runs = by_start(*runs, Run(
            "loganberry", WINTER + 3 * DAY + 10 * MINUTE,
            WINTER + 3 * DAY + 5 * HOUR))
        found = self.suggest(runs, WINTER + 7 * DAY)
        self.assertEqual("*/10 * * * *", found.attributes["schedule"])
        self.assertEqual("5m", found.attributes["grace"])
        self.assertNotIn("missed", found.attributes)


class TestIntervals(SuggestionTestCase):

    def daemon(self, sleep, duration, count, host="loganberry", seed=1):
        rand = random.Random(seed)
        runs = []
        started = WINTER + seconds(rand.uniform(0, 600))
        for _ in range(count):
            completed = started + seconds(rand.uniform(*duration))
            runs.append(Run(host, started, completed))
            started = completed + seconds(sleep + rand.uniform(0, 0.5))
        return runs

    def test_what_sleeps_between_runs_has_an_interval(self):
        for sleep, duration, count in (
            (600, (2, 4), 600), (60, (4, 6), 2000), (600, (1, 300), 600),
            (3600, (1, 10), 600), (86400, (600, 900), 40),
        ):
            with self.subTest(sleep=sleep, duration=duration):
                runs = self.daemon(sleep, duration, count)
                until = runs[-1].date_completed
                found = self.suggest(runs, until)
                self.assertIn("every", found.attributes, found.evidence)
                self.assert_silent(
                    found, runs, WINTER, until)

    def test_a_gap_in_it_is_told(self):
        runs = self.daemon(600, (2, 4), 1000)
        del runs[400:500]
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertIn("every", found.attributes, found.evidence)
        self.assertRegex(
            "\n".join(found.evidence), "gap: none completed from")

    def test_two_hosts_sleep_by_themselves(self):
        runs = by_start(
            *self.daemon(600, (1, 60), 500),
            *self.daemon(600, (1, 60), 500, host="gandwana", seed=2))
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertEqual("gandwana loganberry", found.attributes["hosts"])


class TestWhatCannotBeTold(SuggestionTestCase):

    def test_too_few_runs(self):
        for count in 0, 1, 4:
            found = self.suggest(
                history("0 3 * * *", days=count), WINTER + 30 * DAY)
            self.assertEqual({}, found.attributes)
            self.assertRegex(
                found.evidence[0], f"from {count} runs?; 5 at least would")

    def test_noise(self):
        for seed in range(5):
            rand = random.Random(seed)
            for count in 5, 8, 20, 100, 3000:
                runs = by_start(*(
                    Run("loganberry", started, started + MINUTE)
                    for started in (
                        WINTER + seconds(rand.uniform(0, 30 * 86400))
                        for _ in range(count))))
                found = self.suggest(runs, WINTER + 30 * DAY)
                self.assertEqual({}, found.attributes, (seed, count))
                self.assertEqual(2, len(found.evidence))

    def test_people(self):
        for seed in range(10):
            rand = random.Random(seed)
            runs = by_start(*(
                Run("loganberry", start, start + seconds(
                    rand.uniform(60, 20000)))
                for day in range(60) if day % 7 < 5
                for start in (
                    WINTER + day * DAY + seconds(
                        rand.uniform(9 * 3600, 17 * 3600))
                    for _ in range(rand.randint(0, 4)))))
            self.assertEqual(
                {}, self.suggest(runs, WINTER + 60 * DAY).attributes)

    def test_too_few_for_an_average(self):
        found = self.suggest(
            history("0 3 * * *", days=10), WINTER + 10 * DAY)
        self.assertNotIn("average", found.attributes)
        self.assertRegex("\n".join(found.evidence), "20 would be needed")

    def test_runs_at_one_instant(self):
        runs = 10 * [Run("loganberry", WINTER, WINTER)]
        self.assertEqual({}, self.suggest(runs, WINTER + DAY).attributes)
