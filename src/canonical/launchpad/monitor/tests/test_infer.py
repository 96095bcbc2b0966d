"""Known schedules are inferred from the histories that they make."""

import random

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.tests.histories import DAY
from canonical.launchpad.monitor.tests.histories import HOUR
from canonical.launchpad.monitor.tests.histories import MINUTE
from canonical.launchpad.monitor.tests.histories import WINTER
from canonical.launchpad.monitor.tests.histories import SuggestionTestCase
from canonical.launchpad.monitor.tests.histories import alarms
from canonical.launchpad.monitor.tests.histories import by_start
from canonical.launchpad.monitor.tests.histories import daemon
from canonical.launchpad.monitor.tests.histories import history
from canonical.launchpad.monitor.tests.histories import seconds


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
            ("0 3 */2 * *", 100),
            ("0 0 1 * *", 700),
            ("0 4 1,15 * *", 160),
        ):
            with self.subTest(schedule=schedule):
                self.check(schedule, days=days)

    def test_minutes_that_are_near_to_each_other_come_back(self):
        found = self.check("* * * * *", days=2, jitter=40, duration=(1, 5))
        self.assert_evidence(found, "completion came 0s after its slot")
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

    @settings(max_examples=12, derandomize=True, deadline=None)
    @given(
        minute=strategies.integers(0, 59),
        hours=strategies.sets(
            strategies.integers(0, 23), min_size=1, max_size=4),
        jitter=strategies.integers(0, 90),
        seed=strategies.integers(0, 10 ** 6))
    def test_any_times_of_the_day_come_back(
            self, minute, hours, jitter, seed):
        times = f"{','.join(map(str, sorted(hours)))} * * *"
        runs = history(f"{minute} {times}", jitter=jitter, seed=seed, days=14)
        found = self.suggest(runs, WINTER + 14 * DAY)
        # A round minute is simpler, and a run after it is only late.
        if minute % 5 == 1 and jitter > 30 and (
                found.attributes["schedule"].split()[0] == str(minute - 1)):
            minute -= 1
        self.assert_same_slots(
            found, f"{minute} {times}", "UTC", WINTER, 14)

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
            ("*/10 0-22 * * *", "America/New_York", 10, 45),
        ):
            with self.subTest(schedule=schedule, timezone=timezone):
                since = WINTER.replace(month=month, day=1)
                found = self.check(schedule, timezone, since, days)
                self.assertIn("timezone", found.attributes)
                self.assert_evidence(found, "timezone: starts moved with")

    def test_a_gap_at_that_moment_does_not_hide_it(self):
        since = WINTER.replace(month=2, day=23)
        changed = WINTER.replace(month=3, day=25, hour=1)
        for schedule, hours in ("0 3 * * *", 2), ("0 */2 * * *", 24):
            runs = [
                run for run in history(schedule, "Europe/London", since, 60)
                if abs(run.date_started - changed) > hours * HOUR]
            found = self.suggest(runs, since + 60 * DAY)
            self.assertEqual("Europe/London", found.attributes["timezone"])
            self.assertEqual(schedule, found.attributes["schedule"])
            self.assertTrue(found.incidents)

    def test_without_a_change_none_can_be_told(self):
        for schedule in "0 3 * * *", "*/10 * * * *":
            found = self.suggest(history(schedule), WINTER + 30 * DAY)
            self.assertNotIn("timezone", found.attributes)
            self.assert_evidence(found, "UTC is assumed")

    def test_hours_and_days_alone_tell_no_zone(self):
        runs = history("*/5 9-17 * * 1-5", "Asia/Kolkata", days=28)
        found = self.suggest(runs, WINTER + 28 * DAY)
        self.assertNotIn("timezone", found.attributes)
        self.assert_evidence(found, "UTC is assumed")

    def test_the_zone_that_is_assumed_can_be_named(self):
        runs = history("0 1 1 * *", "Asia/Tokyo", days=700)
        found = self.suggest(
            runs, WINTER + 700 * DAY, "Asia/Tokyo")
        self.assertEqual("Asia/Tokyo", found.attributes["timezone"])
        self.assertEqual("0 1 1 * *", found.attributes["schedule"])


class TestOddHistories(SuggestionTestCase):

    def test_long_runs_miss_slots_and_may(self):
        runs = history("*/10 * * * *", duration=(720, 2280), days=10)
        until = WINTER + 10 * DAY
        found = self.suggest(runs, until)
        self.assert_silent(found, runs, until - DAY, until)

    def test_what_always_runs_over_slots_hides_them(self):
        found = self.suggest(
            history("*/10 * * * *", duration=(1450, 1550), days=10),
            WINTER + 10 * DAY)
        self.assertEqual("*/30 * * * *", found.attributes["schedule"])

    def test_a_gap_is_told_and_raises_an_alarm(self):
        gap, end = WINTER + 9 * DAY + 6 * HOUR, WINTER + 10 * DAY + 6 * HOUR
        for schedule in "*/5 * * * *", "0 * * * *", "0 9-17 * * *":
            runs = [
                run for run in history(schedule, days=14)
                if not gap <= run.date_started < end]
            found = self.suggest(runs, WINTER + 14 * DAY)
            self.assert_same_slots(found, schedule, "UTC", WINTER, 14)
            self.assert_evidence(
                found, r"replay: \d+ incidents? on this history")
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
        self.assert_evidence(found, "recently at 2007-01-28 0")

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
            self.assert_evidence(found, "extra runs?")
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
        self.assert_evidence(found, "hosts: any will do")
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
        self.assertEqual([], found.incidents)

    def test_a_slot_without_a_run_is_not_allowed_for(self):
        runs = history("*/5 * * * *", days=3, jitter=5, duration=(1, 5))
        del runs[700]
        found = self.suggest(runs, WINTER + 3 * DAY)
        self.assertNotIn("missed", found.attributes)
        self.assert_evidence(
            found, "replay: 1 incident on this history: recently at 2007-01-10"
            " 10:2")

    def test_a_week_without_runs_is_a_gap(self):
        gap = WINTER + 10 * DAY
        runs = [
            run for run in history("*/10 * * * *")
            if not gap <= run.date_started < gap + 7 * DAY]
        found = self.suggest(runs, WINTER + 30 * DAY)
        self.assertEqual("*/10 * * * *", found.attributes["schedule"])
        self.assert_evidence(found, "recently at 2007-01-18 00:")

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
        self.assertEqual("3m50s", found.attributes["grace"])
        self.assertNotIn("missed", found.attributes)
        self.assert_evidence(found, "recently at 2007-01-11 00:03")

    def test_one_skipped_run_on_each_host_is_not_allowed_for(self):
        for schedule, grace in (
            ("30 9 * * 1-5", "6h"), ("0 */6 * * *", "1h30m"),
        ):
            each = [history(schedule, days=60, host=host, seed=seed)
                    for seed, host in enumerate(("gandwana", "loganberry"))]
            del each[0][14], each[1][17]
            found = self.suggest(by_start(*each[0], *each[1]),
                                 WINTER + 60 * DAY)
            self.assertEqual(grace, found.attributes["grace"])
            self.assertNotIn("missed", found.attributes)
            self.assertEqual(2, len(found.incidents))

    def test_runs_that_now_and_then_take_very_long_are_no_gaps(self):
        rand = random.Random(1)
        runs = []
        for run in history("*/30 * * * *", days=30):
            if not runs or run.date_started > runs[-1].date_completed:
                took = 25000 if rand.random() < 0.02 else 5
                runs.append(run._replace(
                    date_completed=run.date_started + seconds(took)))
        found = self.suggest(runs, WINTER + 30 * DAY)
        self.assertEqual("*/30 * * * *", found.attributes["schedule"])
        self.assertLess(len(found.incidents), 2)

    def test_one_that_starts_after_the_next_was_due_is_late(self):
        rand = random.Random(1)
        starts = [
            run.date_started.replace(second=0)
            + seconds(min(rand.expovariate(1 / 70), 500))
            for run in history("*/5 * * * *", days=10, jitter=0)]
        runs = [
            Run("loganberry", start, start + seconds(5))
            for start in sorted(starts)]
        found = self.suggest(runs, WINTER + 10 * DAY)
        self.assertEqual("*/5 * * * *", found.attributes["schedule"])
        self.assertEqual([], found.incidents)
        self.assert_silent(found, runs, WINTER, WINTER + 10 * DAY)

    def test_the_last_slot_of_a_day_that_fell_into_a_run(self):
        runs = [
            run._replace(date_completed=run.date_started + 40 * MINUTE)
            if run.date_started.hour == 6 else run
            for run in history("*/30 0-6 * * *", days=20)
            if (run.date_started.hour, run.date_started.minute // 30) != (
                6, 1)]
        runs += history("30 6 * * *", days=10)
        for days in [20]:
            found = self.suggest(by_start(*runs), WINTER + days * DAY)
            self.assert_same_slots(
                found, "*/30 0-6 * * *", "UTC", WINTER, 20)
            self.assert_silent(
                found, by_start(*runs), WINTER, WINTER + days * DAY)

    def test_a_host_that_joined_late_was_not_missing_before(self):
        runs = by_start(
            *history("*/15 * * * *", days=20),
            *history("*/15 * * * *", since=WINTER + 12 * DAY, days=8,
                     host="gandwana", seed=2))
        found = self.suggest(runs, WINTER + 20 * DAY)
        self.assertEqual("gandwana loganberry", found.attributes["hosts"])
        self.assertEqual([], found.incidents)

    def test_a_host_that_ran_once_or_twice_at_the_end(self):
        for days, hosts in (1, None), (2, "gandwana loganberry"):
            runs = by_start(
                *history("0 3 * * *", days=10),
                *history("0 3 * * *", since=WINTER + (10 - days) * DAY,
                         days=days, host="gandwana", seed=2))
            found = self.suggest(runs, WINTER + 10 * DAY)
            self.assertEqual("0 3 * * *", found.attributes["schedule"])
            self.assertEqual(hosts, found.attributes.get("hosts"))

    def test_hosts_that_lose_some_runs_each_are_still_one_script(self):
        rand = random.Random(1)
        for count, days in (12, 4), (5, 8):
            runs = by_start(*(
                run for number in range(count) for run in history(
                    "*/10 * * * *", days=days, jitter=150,
                    duration=(60, 400), host=f"host-{number}", seed=number)
                if rand.random() > 0.01))
            found = self.suggest(runs, WINTER + days * DAY)
            self.assertEqual("*/10 * * * *", found.attributes["schedule"])
            self.assertEqual(count, len(found.attributes["hosts"].split()))
            self.assert_evidence(found, r"\Aschedule")

    def test_hosts_with_times_of_their_own_share_a_rule(self):
        runs = by_start(
            *history("0 3 * * *"),
            *history("0 15 * * *", host="gandwana", seed=2))
        found = self.suggest(runs, WINTER + 30 * DAY)
        self.assertEqual("0 3,15 * * *", found.attributes["schedule"])
        self.assertNotIn("hosts", found.attributes)
        self.assertEqual([], found.incidents)

    def test_two_lines_of_which_each_has_its_hours(self):
        for first, second in (
            ("*/10 8-18 * * *", "0 0-7,19-23 * * *"),
            ("*/10 5-21 * * *", "0 0-4,22-23 * * *"),
            ("*/10 * * * 1-5", "0 * * * 0,6"),
        ):
            runs = by_start(
                *history(first, days=28), *history(second, days=28))
            found = self.suggest(runs, WINTER + 28 * DAY)
            with self.subTest(first=first):
                self.assertTrue(
                    {"missed", "severity"} & found.attributes.keys())
                self.assertLess(len(found.incidents), 3)

    def test_what_is_off_each_weekend_has_no_outages(self):
        off = [
            (WINTER + (7 * week + 4) * DAY + 17 * HOUR,
             WINTER + (7 * week + 7) * DAY + 8 * HOUR) for week in range(9)]
        runs = [
            run for run in history("0 * * * *", days=60)
            if not any(gone <= run.date_started < back for gone, back in off)]
        found = self.suggest(runs, WINTER + 60 * DAY)
        self.assertLess(len(found.incidents), 3)

    def test_a_day_of_either_kind_is_not_told_by_half(self):
        runs = history("0 6 1-7 * 1", days=400)
        found = self.suggest(runs, WINTER + 400 * DAY)
        self.assert_warns_at_most(found)

    def test_an_outage_of_a_day_in_a_week_or_two(self):
        for days in 7, 8, 10:
            for schedule in "*/15 * * * *", "0 3 * * *":
                gone = WINTER + 2 * DAY - 5 * MINUTE
                runs = [
                    run for run in history(schedule, days=days)
                    if not gone <= run.date_started < gone + DAY]
                found = self.suggest(runs, WINTER + days * DAY)
                self.assertEqual(schedule, found.attributes["schedule"])
                self.assertTrue(found.incidents)

    def test_a_second_try_is_no_run_beside_the_schedule(self):
        for seed in range(4):
            rand = random.Random(seed)
            runs = history("0 3 * * 1-5", days=100)
            runs = by_start(*runs, *(
                Run(run.hostname, run.date_completed + 5 * MINUTE,
                    run.date_completed + 6 * MINUTE)
                for run in runs if rand.random() < 0.25))
            found = self.suggest(runs, WINTER + 100 * DAY)
            self.assertEqual("0 3 * * 1-5", found.attributes["schedule"])
            self.assert_evidence(found, r"\Aschedule")
            self.assertEqual([], found.incidents)

    def test_a_random_delay_of_an_hour(self):
        rand = random.Random(1)
        for schedule in "30 3 * * *", "30 */6 * * *", "15 3 * * 0":
            runs = history(schedule, days=120, jitter=0)
            for number, run in enumerate(runs):
                delay = seconds(rand.uniform(0, 3600))
                runs[number] = Run(
                    run.hostname, run.date_started + delay,
                    run.date_completed + delay)
            found = self.suggest(runs, WINTER + 120 * DAY)
            self.assertEqual(schedule, found.attributes["schedule"])
            self.assert_silent(found, runs, WINTER, WINTER + 120 * DAY)

    def test_days_of_the_month_are_told_from_three_months(self):
        for schedule in "0 0 1-7 * *", "0 0 10-16 * *":
            with self.subTest(schedule=schedule):
                self.check(schedule, since=WINTER.replace(day=1), days=112)

    def test_a_month_with_an_outage_has_no_days_of_rest(self):
        for days, first, last in (45, 9, 13), (60, 20, 24), (59, 30, 31):
            runs = [
                run for run in history(
                    "0 3 * * *", since=WINTER.replace(day=1), days=days)
                if not (run.date_started.month == 1
                        and first <= run.date_started.day <= last)]
            found = self.suggest(
                runs, WINTER.replace(day=1) + days * DAY)
            self.assertEqual("0 3 * * *", found.attributes["schedule"])
            self.assertTrue(found.incidents)


class TestDrift(SuggestionTestCase):

    def moved(self, by):
        """Daily runs of which each starts later, or earlier, than the last."""
        return [
            run._replace(
                date_started=run.date_started + number * by,
                date_completed=run.date_completed + number * by)
            for number, run in enumerate(history("0 3 * * *", days=60))]

    def test_a_start_that_comes_later_and_later_is_reported_once(self):
        runs = self.moved(MINUTE)
        until = WINTER + 60 * DAY
        found = self.suggest(runs, until)
        self.assertEqual("0 3 * * *", found.attributes["schedule"])
        self.assert_evidence(found, "drift: it starts 45m.* later than it")
        self.assertNotIn("early", found.attributes)
        self.assert_silent(found, runs, WINTER, until)

    def test_a_start_that_comes_earlier_and_earlier_may_be_early(self):
        later = [
            run._replace(date_started=run.date_started + 2 * HOUR,
                         date_completed=run.date_completed + 2 * HOUR)
            for run in self.moved(-MINUTE)]
        until = WINTER + 60 * DAY
        found = self.suggest(later, until)
        self.assert_evidence(found, "drift: it starts 4.m.* earlier than it")
        self.assertIn("early", found.attributes)
        self.assert_silent(found, later + [
            run._replace(date_started=run.date_started + 20 * DAY,
                         date_completed=run.date_completed + 20 * DAY)
            for run in later[40:]], WINTER, until + 20 * DAY)

    def test_what_varies_from_day_to_day_is_no_drift(self):
        for seed in range(20):
            found = self.suggest(
                history("0 3 * * *", days=40, jitter=7200, seed=seed),
                WINTER + 40 * DAY)
            self.assertNotIn("drift", " ".join(found.evidence))


class TestIntervals(SuggestionTestCase):

    def test_what_sleeps_between_runs_has_an_interval(self):
        for sleep, duration, count in (
            (600, (2, 4), 600), (60, (4, 6), 2000), (600, (1, 300), 600),
            (3600, (1, 10), 600), (86400, (600, 900), 40),
        ):
            with self.subTest(sleep=sleep, duration=duration):
                runs = daemon(sleep, duration, count)
                until = runs[-1].date_completed
                found = self.suggest(runs, until)
                self.assertIn("every", found.attributes, found.evidence)
                self.assert_silent(
                    found, runs, WINTER, until)

    def test_a_gap_in_it_is_told(self):
        runs = daemon(600, (2, 4), 1000)
        del runs[400:500]
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertIn("every", found.attributes, found.evidence)
        self.assert_evidence(found, "replay: . incidents? on this history")

    def test_a_host_that_joined_late_and_one_that_left(self):
        runs = daemon(600, (1, 60), 1500)
        until = runs[-1].date_completed
        joined = by_start(*runs, *daemon(
            600, (1, 60), 450, host="gandwana", seed=2,
            since=WINTER + 7 * DAY))
        found = self.suggest(joined, until)
        self.assertEqual("gandwana loganberry", found.attributes["hosts"])
        # It is silent at the end.
        self.assertEqual(
            {"gandwana"}, {alarm.hostname for alarm in found.incidents})
        left = by_start(*runs, *daemon(
            600, (1, 60), 750, host="gandwana", seed=2))
        found = self.suggest(left, until)
        self.assertNotIn("hosts", found.attributes)
        self.assertEqual([], found.incidents)

    def test_what_now_and_then_takes_long_is_not_away(self):
        rand = random.Random(1)
        runs = []
        started = WINTER
        for _ in range(3000):
            completed = started + seconds(
                3600 if rand.random() < 0.005 else 5)
            runs.append(Run("loganberry", started, completed))
            started = completed + seconds(300)
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertEqual("5m5s", found.attributes["every"])
        self.assertEqual([], found.incidents)
        self.assert_silent(found, runs, WINTER, runs[-1].date_completed)

    def test_two_hosts_sleep_by_themselves(self):
        runs = by_start(
            *daemon(600, (1, 60), 250),
            *daemon(600, (1, 60), 250, host="gandwana", seed=2))
        found = self.suggest(runs, runs[-1].date_completed)
        self.assertEqual("gandwana loganberry", found.attributes["hosts"])


class TestWhatCannotBeTold(SuggestionTestCase):

    # The number of histories of each kind.
    seeds = 2

    def test_too_few_runs(self):
        for count in 0, 1, 4:
            found = self.suggest(
                history("0 3 * * *", days=count), WINTER + 30 * DAY)
            self.assertEqual({}, found.attributes)
            self.assertRegex(
                found.evidence[0], f"^{count} runs?: too few to infer")

    def test_noise(self):
        for seed in range(self.seeds):
            rand = random.Random(seed)
            for count in 5, 8, 20, 100, 3000:
                runs = by_start(*(
                    Run("loganberry", started, started + MINUTE)
                    for started in (
                        WINTER + seconds(rand.uniform(0, 30 * 86400))
                        for _ in range(count))))
                found = self.suggest(runs, WINTER + 30 * DAY)
                self.assert_warns_at_most(found)
                self.assertRegex(
                    found.evidence[0],
                    "too few|can be inferred|no schedule fits")

    def test_what_rests_for_any_time(self):
        for seed in range(self.seeds):
            rand = random.Random(seed)
            runs = []
            started = WINTER
            while started < WINTER + 40 * DAY:
                runs.append(Run("loganberry", started, started + MINUTE))
                started += seconds(60 + rand.expovariate(1 / 3600))
            found = self.suggest(runs, WINTER + 40 * DAY)
            self.assert_warns_at_most(found)

    def test_people(self):
        for seed in range(self.seeds):
            rand = random.Random(seed)
            runs = by_start(*(
                Run("loganberry", start, start + seconds(
                    rand.uniform(60, 20000)))
                for day in range(60) if day % 7 < 5
                for start in (
                    WINTER + day * DAY + seconds(
                        rand.uniform(9 * 3600, 17 * 3600))
                    for _ in range(rand.randint(0, 4)))))
            self.assert_warns_at_most(self.suggest(runs, WINTER + 60 * DAY))

    def test_two_days_that_may_be_all_or_a_weekend(self):
        runs = history("*/20 8-18 * * 6,0", days=9)
        found = self.suggest(runs, WINTER + 9 * DAY)
        self.assertEqual({}, found.attributes)
        self.assertRegex(
            found.evidence[0], "no rule can be inferred: it ran from"
            " 2007-01-13 08:00 UTC to 2007-01-14 18:4. UTC, and has not since"
            " then")

    def test_five_days_of_work_and_a_weekend(self):
        for schedule in "0 3 * * 1-5", "*/10 8-18 * * 1-5", "0 * * * 1-5":
            found = self.suggest(
                history(schedule, days=5), WINTER + 6.5 * DAY)
            self.assertEqual({}, found.attributes)
            self.assertRegex(
                found.evidence[0], "it ran from .*, and has not since then")

    def test_less_than_a_day(self):
        for schedule, hours in ("*/10 * * * *", 5), ("0 * * * *", 20):
            until = WINTER + hours * HOUR
            found = self.suggest(history(schedule, days=hours / 24), until)
            self.assertEqual(schedule, found.attributes["schedule"])
        found = self.suggest(
            history("*/10 8-18 * * *", days=1), WINTER + 21.5 * HOUR)
        self.assertEqual({}, found.attributes)
        self.assertRegex(
            found.evidence[0], "it ran from .*, and has not since then")

    def test_too_few_for_an_average(self):
        found = self.suggest(
            history("0 3 * * *", days=10), WINTER + 10 * DAY)
        self.assertNotIn("average", found.attributes)
        self.assert_evidence(found, "unknown, with fewer than 20 runs")

    def test_runs_at_one_instant(self):
        runs = 10 * [Run("loganberry", WINTER, WINTER)]
        self.assertEqual({}, self.suggest(runs, WINTER + DAY).attributes)


class TestMoreOfWhatCannotBeTold(TestWhatCannotBeTold):

    level = 3
    seeds = 20
