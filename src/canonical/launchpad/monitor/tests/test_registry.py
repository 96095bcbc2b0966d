"""Assessments of rules against records."""

import datetime
import unittest

import transaction
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.tests.test_schedule import DAY
from canonical.launchpad.monitor.tests.test_schedule import DAYS
from canonical.launchpad.monitor.tests.test_schedule import HOURS
from canonical.launchpad.monitor.tests.test_schedule import MINUTE
from canonical.launchpad.monitor.tests.test_schedule import MINUTES
from canonical.launchpad.monitor.tests.test_schedule import ZONES
from canonical.launchpad.monitor.tests.test_schedule import by_brute_force
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


def count(schedule, timezone, window, grace, at, runs):
    """Count slots that are due and met, and extra runs, minute by minute."""
    due_until = at - grace
    slots = by_brute_force(
        schedule, timezone,
        (due_until - window - MINUTE).replace(second=0),
        due_until.replace(second=0) + 2 * DAY)
    due = [slot for slot in slots if due_until - window < slot <= due_until]
    met = set()
    extra = 0
    for started, completed in runs:
        belongs = [slot for slot in slots if slot - MINUTE <= started][-1:]
        if completed <= at and belongs and belongs[0] in due:
            extra += belongs[0] in met
            met.update(belongs)
    return len(due), len(met), extra


class TestAssessAll(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    @settings(max_examples=30, deadline=None)
    @given(
        minute=MINUTES, hour=HOURS, days=DAYS,
        timezone=strategies.sampled_from(ZONES),
        now=strategies.datetimes(
            datetime.datetime(2000, 1, 1), datetime.datetime(2036, 1, 1)),
        hours=strategies.integers(1, 30),
        grace=strategies.integers(0, 90).map(lambda number: number * MINUTE),
        runs=strategies.lists(max_size=40, elements=strategies.tuples(
            strategies.integers(0, 40 * 3600), strategies.integers(0, 7200))),
    )
    def test_slots_due_and_met_are_what_a_count_minute_by_minute_finds(
        self, minute, hour, days, timezone, now, hours, grace, runs
    ):
        schedule = f"{minute} {hour} {days}"
        at = now.replace(microsecond=0, tzinfo=datetime.UTC)
        window = hours * 60 * MINUTE
        times = sorted(
            (at - ago * MINUTE / 60, at + (took - ago) * MINUTE / 60)
            for ago, took in runs)
        # Slots count from the first run on.
        LaunchpadObjectFactory().makeScriptActivity(
            "garbo", "host", at - datetime.timedelta(days=1000))
        for started, completed in times:
            LaunchpadObjectFactory().makeScriptActivity(
                "garbo", "host", started, completed - started)
        try:
            found, = assess_all([expectation_from_text(
                "garbo", schedule=schedule, timezone=timezone,
                window=f"{hours}h", grace=f"{grace // MINUTE}m",
            )], at, MINUTE)
        finally:
            transaction.abort()
        self.assertEqual(
            count(schedule, timezone, window, grace, at, times),
            (found.often.due, found.often.met, found.often.extra))
