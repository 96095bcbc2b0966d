"""The slots of a schedule equal a count minute by minute."""

import datetime
import itertools
import unittest
from zoneinfo import ZoneInfo

from cronsim import CronSim
from hypothesis import assume
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import check_schedule
from canonical.launchpad.monitor.schedule import latest_slot
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.monitor.schedule import shortest_period
from canonical.launchpad.monitor.schedule import slots_between


DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)
# Not Lord Howe, whose clocks move by half an hour: there `cronsim` leaves out
# the half hour after the change for an hour field such as `*/3`.
ZONES = ["UTC", "Europe/London", "America/New_York", "Australia/Adelaide",
         "Asia/Kathmandu", "America/Sao_Paulo", "Africa/Casablanca"]

# Fields of schedules that `by_brute_force` can count.
MINUTES = strategies.one_of(
    strategies.just("*"),
    strategies.integers(1, 30).map(lambda step: f"*/{step}"),
    strategies.lists(
        strategies.integers(0, 59), min_size=1, max_size=4,
    ).map(lambda values: ",".join(map(str, sorted(set(values))))))
DAYS = strategies.sampled_from(
    ["* * *", "* * *", "* * 1,2,3,4,5", "* * 0",
     "1,15 * *", "* 3,10 *"])
HOURS = strategies.one_of(
    strategies.just("*"),
    strategies.integers(1, 12).map(lambda step: f"*/{step}"))


def utc(*args):
    return datetime.datetime(*args, tzinfo=datetime.UTC)


def matches(field, value):
    """Does a value match a field, as crontab(5) defines it?"""
    if field == "*":
        return True
    if field.startswith("*/"):
        return value % int(field[2:]) == 0
    return value in {int(part) for part in field.split(",")}


def by_brute_force(schedule, timezone, since, until):
    """Every minute whose local time matches; for schedules that use `*`.

    cron(8) moves jobs at a fixed time of the day around the changes of
    daylight saving; those that say `*` for the minute or the hour it starts
    by the clock on the wall.
    """
    minute, hour, day, month, weekday = schedule.split()
    zone = ZoneInfo(timezone)
    slots = []
    moment = since
    while moment < until:
        local = moment.astimezone(zone)
        if all((
            matches(minute, local.minute), matches(hour, local.hour),
            matches(day, local.day), matches(month, local.month),
            matches(weekday, local.isoweekday() % 7),
        )):
            slots.append(moment)
        moment += MINUTE
    return slots


def by_steps(schedule, timezone, since, until):
    """Every slot that `cronsim` steps to, each once."""
    slots = []
    start = (since - MINUTE).astimezone(ZoneInfo(timezone))
    for slot in CronSim(schedule, start):
        slot = slot.astimezone(datetime.UTC)
        if slot >= until:
            return slots
        if slot >= since and slot not in slots[-1:]:
            slots.append(slot)


class TestSlots(unittest.TestCase):

    def count(self, schedule, timezone, *date):
        """The slots of a local day."""
        start = datetime.datetime(*date, tzinfo=ZoneInfo(timezone))
        end = (start + DAY)
        return len(slots_between(
            schedule, timezone, start.astimezone(datetime.UTC),
            end.astimezone(datetime.UTC)))

    def test_days_of_daylight_saving_have_23_and_25_hours(self):
        for date, slots in (
            ((2007, 3, 24), 288), ((2007, 3, 25), 276), ((2007, 10, 28), 300),
        ):
            self.assertEqual(
                slots, self.count("*/5 * * * *", "Europe/London", *date))

    def test_a_job_at_a_fixed_time_runs_once_on_each_day(self):
        for date in (2007, 3, 24), (2007, 3, 25), (2007, 10, 28):
            self.assertEqual(
                1, self.count("30 1 * * *", "Europe/London", *date))

    def test_a_window_has_its_start_and_not_its_end(self):
        self.assertEqual(
            (utc(2007, 2, 1, 10, 0), utc(2007, 2, 1, 10, 10)),
            slots_between("*/10 * * * *", "UTC",
                          utc(2007, 2, 1, 10, 0), utc(2007, 2, 1, 10, 20)))

    def test_the_latest_and_the_next_slot(self):
        for at, latest, following in (
            (utc(2007, 2, 1, 10, 0), (10, 0), (10, 10)),
            (utc(2007, 2, 1, 10, 0, 0, 1), (10, 0), (10, 10)),
            (utc(2007, 2, 1, 10, 9, 59), (10, 0), (10, 10)),
        ):
            self.assertEqual(
                utc(2007, 2, 1, *latest),
                latest_slot("*/10 * * * *", "UTC", at))
            self.assertEqual(
                utc(2007, 2, 1, *following),
                next_slot("*/10 * * * *", "UTC", at))

    def test_a_slot_that_is_years_ago(self):
        at = utc(2007, 2, 1)
        self.assertEqual(
            utc(2004, 2, 29), latest_slot("0 0 29 2 *", "UTC", at))
        self.assertEqual(
            utc(2008, 2, 29), next_slot("0 0 29 2 *", "UTC", at))
        self.assertEqual(
            utc(2096, 2, 29),
            latest_slot("0 0 29 2 *", "UTC", utc(2104, 2, 1)))

    def test_the_shortest_period(self):
        for schedule, minutes in (
            ("*/5 9-17 * * 1-5", 5), ("0,50 9-17 * * *", 10),
            ("0 0,1 15 8 *", 60), ("0 3 * * *", 24 * 60),
            ("OnCalendar=Mon 12:00; Mon 12:20", 20),
        ):
            self.assertEqual(
                datetime.timedelta(minutes=minutes),
                shortest_period(schedule), schedule)
        # The next one is years later.
        self.assertGreater(
            shortest_period("0 0 29 2 *"), datetime.timedelta(days=1))

    def test_nicknames(self):
        self.assertEqual(
            utc(2007, 2, 1), latest_slot("@daily", "UTC", utc(2007, 2, 1, 9)))
        check_schedule("@Hourly", "UTC")

    def test_what_is_no_schedule(self):
        for schedule, timezone, words in (
            ("* * * *", "UTC", "expected five fields"),
            ("* * * * * *", "UTC", "expected five fields"),
            ("@reboot", "UTC", "expected five fields"),
            ("61 * * * *", "UTC", "Bad minute"),
            ("0 0 31 2 *", "UTC", "Bad day-of-month"),
            ("* * * * *", "Mars/Olympus", "unknown time zone: 'Mars/Olympus'"),
            ("* * * * *", "../etc/passwd", "unknown time zone"),
            ("* * * * *", "", "unknown time zone"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                check_schedule(schedule, timezone)

    @settings(max_examples=150, deadline=None)
    @given(
        minute=MINUTES,
        hour=HOURS,
        days=DAYS,
        timezone=strategies.sampled_from(ZONES),
        start=strategies.datetimes(
            datetime.datetime(2000, 1, 1), datetime.datetime(2036, 1, 1)),
    )
    def test_slots_are_what_a_count_minute_by_minute_finds(
        self, minute, hour, days, timezone, start
    ):
        schedule = f"{minute} {hour} {days}"
        since = start.replace(second=0, microsecond=0, tzinfo=datetime.UTC)
        until = since + DAY
        expected = by_brute_force(schedule, timezone, since, until)
        self.assertEqual(
            tuple(expected), slots_between(schedule, timezone, since, until))
        if expected:
            self.assertEqual(
                expected[-1],
                latest_slot(schedule, timezone, until - MINUTE / 60))


class TestLongPeriods(unittest.TestCase):

    @given(
        minute=strategies.sampled_from(["0", "7,30", "*/20"]),
        hour=strategies.one_of(HOURS, strategies.just("1-3")),
        days=strategies.sampled_from([
            "* * *", "* * *", "* * 1", "1-7 * 1", "L * *", "* * 1#2",
            "1 2-4 *"]),
        timezone=strategies.sampled_from([
            *ZONES, "Australia/Lord_Howe", "Pacific/Apia", "Asia/Gaza",
            "Africa/Cairo"]),
        start=strategies.datetimes(
            datetime.datetime(2000, 1, 1), datetime.datetime(2013, 1, 1)),
    )
    @example("0", "1-3", "* * *", "Australia/Lord_Howe",
             datetime.datetime(2007, 1, 1))
    @settings(max_examples=55, derandomize=True, deadline=None)
    def test_days_are_as_cronsim_steps_through_them(
        self, minute, hour, days, timezone, start
    ):
        # After clocks go back by half an hour, cronsim loses a slot of "*/11".
        assume(timezone != "Australia/Lord_Howe" or "/" not in hour)
        schedule = f"{minute} {hour} {days}"
        since = start.replace(tzinfo=datetime.UTC)
        until = since + 90 * DAY
        slots = by_steps(schedule, timezone, since, until)
        self.assertEqual(
            tuple(slots), slots_between(schedule, timezone, since, until))
        for before, after in list(itertools.pairwise(slots))[::17]:
            self.assertEqual(after, next_slot(schedule, timezone, before))
            self.assertEqual(
                before, latest_slot(schedule, timezone, after - INSTANT))


class TestOnCalendar(unittest.TestCase):
    """What "systemd-analyze calendar" of systemd 252 prints, too."""

    def slots(self, expressions, timezone, since, until):
        return slots_between(
            f"OnCalendar={expressions}", timezone, since, until)

    def test_in_the_time_zone_of_the_rule_or_of_the_expression(self):
        for expression, timezone in (
            ("Mon..Fri 02:30", "Europe/Berlin"),
            ("Mon..Fri 02:30 Europe/Berlin", "Asia/Tokyo"),
        ):
            self.assertEqual(
                (utc(2007, 2, 2, 1, 30), utc(2007, 2, 5, 1, 30)),
                self.slots(expression, timezone, utc(2007, 2, 2),
                           utc(2007, 2, 6)))

    def test_an_hour_that_is_skipped_and_one_that_is_repeated(self):
        for date, slots in (
            ((2007, 3, 24), [utc(2007, 3, 24, 1, 30)]),
            ((2007, 10, 27), [utc(2007, 10, 27, 0, 30),
                              utc(2007, 10, 28, 0, 30)]),
        ):
            since = utc(*date)
            self.assertEqual(
                slots, list(self.slots(
                    "02:30", "Europe/Berlin", since, since + 2 * DAY)))

    def test_from_within_an_hour_that_is_repeated(self):
        # 02:40 for the second time.
        at = utc(2007, 10, 28, 1, 40)
        schedule = "OnCalendar=*:0/30"
        self.assertEqual(
            utc(2007, 10, 28, 2, 0),
            next_slot(schedule, "Europe/Berlin", at))
        self.assertEqual(
            utc(2007, 10, 28, 0, 30),
            latest_slot(schedule, "Europe/Berlin", at))

    def test_several_expressions(self):
        self.assertEqual(
            (utc(2007, 2, 1, 6), utc(2007, 2, 1, 12), utc(2007, 2, 1, 18)),
            self.slots("0/12:00; 06,12,18:00:00 ;2020-01-01", "UTC",
                       utc(2007, 2, 1, 1), utc(2007, 2, 2)))

    def test_seconds(self):
        self.assertEqual(
            utc(2007, 2, 1, 3, 10, 20),
            next_slot("OnCalendar=03:10:20", "UTC",
                      utc(2007, 2, 1, 3, 10, 19, 5)))

    def test_what_is_no_expression(self):
        for expression, timezone, words in (
            ("* * * * *", "UTC", r"not an OnCalendar expression: '\* \* "),
            ("Mon 25:00", "UTC", "Bad hour"),
            ("", "UTC", "Wrong number of fields"),
            ("12:00 Mars/Olympus", "UTC", "not an OnCalendar expression"),
            ("2007-02-01", "UTC", "starts in some years only, or never"),
            ("*-02-30", "UTC", "starts in some years only, or never"),
            ("*:*:0/30", "UTC", "starts more than once a minute"),
            ("daily", "Mars/Olympus", "unknown time zone"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                check_schedule(f"OnCalendar={expression}", timezone)
