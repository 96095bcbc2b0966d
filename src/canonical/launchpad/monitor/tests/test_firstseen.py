"""A script has missed nothing from before it was there."""

import datetime
import unittest

from zope.component import getUtility

from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.firstseen import seen_rule
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


MINUTE = datetime.timedelta(minutes=1)
NOON = datetime.datetime(2007, 2, 1, 12, tzinfo=datetime.UTC)


class TestFirstSeen(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def ran(self, *minutes):
        """Runs that started so many minutes after noon, for a second each."""
        for minute in minutes:
            LaunchpadObjectFactory().makeScriptActivity(
                "it", "a", NOON + minute * MINUTE,
                datetime.timedelta(seconds=1))

    def seen(self, minute, **rule):
        rule = expectation_from_text("it", **rule)
        getUtility(IScriptRuleSet).recordSeen(
            [seen_rule(Case(rule))], NOON + minute * MINUTE)

    def check(self, minute, **rule):
        """The state, and how many runs were met and due, at a minute."""
        found, = assess_all(
            [expectation_from_text("it", **rule)], NOON + minute * MINUTE,
            datetime.timedelta(seconds=5))
        return found.state, found.often.met, found.often.due

    def test_a_script_that_is_five_minutes_old(self):
        self.ran(0, 1, 2, 3, 4)
        rule = {"schedule": "* * * * *", "grace": "30s"}
        self.assertEqual(("ok", 5, 5), self.check(4.9, **rule))
        self.assertEqual(("critical", 5, 6), self.check(5.9, **rule))

    def test_the_first_run_is_of_a_slot_that_is_not_due_yet(self):
        self.ran(0)
        self.assertEqual(
            ("ok", 0, 0), self.check(1, schedule="* * * * *", grace="5m"))

    def test_the_first_run_is_early(self):
        self.ran(-5)
        self.assertEqual(
            ("ok", 1, 1), self.check(20, schedule="0 * * * *", early="7m"))

    def test_a_script_with_an_interval(self):
        self.ran(0, 10, 20)
        rule = {"every": "10m", "grace": "1m", "extra": "0"}
        self.assertEqual(("ok", 3, 3), self.check(25, **rule))
        self.assertEqual("critical", self.check(32, **rule)[0])
        self.assertEqual("critical", self.check(40, missed="9", **rule)[0])

    def test_a_script_that_has_never_run_is_not_due_before_its_rule(self):
        for rule, due in (
            ({"schedule": "0 * * * *"}, "13:00"), ({"every": "1h"}, "13:20"),
        ):
            self.seen(20, **rule)
            self.assertEqual(("ok", 0, 0), self.check(10, **rule))
            self.assertEqual("ok", self.check(30, **rule)[0])
            self.assertEqual("ok", self.check(64, **rule)[0])
            self.assertEqual("critical", self.check(86, **rule)[0])
            found, = assess_all([expectation_from_text("it", **rule)],
                                NOON + 30 * MINUTE, MINUTE)
            self.assertEqual(
                f"has never succeeded; first due at {NOON:%F} {due}:00 UTC",
                found.recently.sentence)

    def test_a_rule_that_is_not_on_record_is_seen_now(self):
        for rule, due in (
            ({"schedule": "0 * * * *"}, "13:00"), ({"every": "1h"}, "13:00"),
            ({"schedule": "0 * * * *", "grace": "0s"}, "13:00"),
        ):
            rule = expectation_from_text("it", **rule)
            for other in (), [seen_rule(Case(rule))._replace(name="other")]:
                getUtility(IScriptRuleSet).recordSeen(
                    list(other), NOON - 99 * MINUTE)
                found, = assess_all([rule], NOON, MINUTE)
                self.assertEqual("ok", found.state)
                self.assertEqual(
                    f"has never succeeded; first due at {NOON:%F} {due}:00"
                    " UTC", found.recently.sentence)
                cases = registered_cases(
                    [rule], NOON - HORIZON, NOON, MINUTE)
                self.assertEqual([(0, [])], list(replay_all(
                    cases, NOON - 999 * MINUTE, NOON)))

    def test_a_new_script_may_be_snoozed(self):
        getUtility(IScriptPauseSet).snooze("it", NOON, NOON + MINUTE)
        self.assertEqual("paused", self.check(0, every="1h")[0])
        self.assertEqual("ok", self.check(2, every="1h")[0])

    def test_when_a_script_is_first_due_after_a_snooze(self):
        for rule, due in (
            ({"schedule": "2-59/5 * * * *"}, "12:37"),
            ({"every": "10m"}, "12:42"),
        ):
            expectation = expectation_from_text("it", **rule)
            self.seen(20, **rule)
            getUtility(IScriptPauseSet).snooze(
                "it", NOON + 21 * MINUTE, NOON + 33 * MINUTE)
            found, = assess_all([expectation], NOON + 38 * MINUTE, MINUTE)
            self.assertEqual("ok", found.state)
            self.assertEqual(
                f"has never succeeded; first due at {NOON:%F} {due}:00 UTC",
                found.recently.sentence)

    def test_a_host_that_is_new_in_a_rule(self):
        self.ran(0, 60, 120)
        rule = {"schedule": "0 * * * *", "hosts": "a b"}
        seen = expectation_from_text("it", **rule)
        getUtility(IScriptRuleSet).recordSeen(
            [seen_rule(Case(seen, "b"))], NOON + 119 * MINUTE)
        self.assertEqual(
            [("b", "ok"), ("a", "ok")],
            [(each.hostname, each.state) for each in assess_all(
                [seen], NOON + 121 * MINUTE, MINUTE)][::-1])

    def test_a_schedule_that_has_changed(self):
        self.ran(*range(-600, 0, 60))
        often = {"schedule": "*/5 * * * *", "window": "6h"}
        self.assertEqual(("critical", 6, 72), self.check(2, **often))
        self.seen(-900, schedule="0 * * * *", window="6h")
        self.seen(1, **often)
        self.ran(5, 10)
        self.assertEqual(("ok", 2, 2), self.check(16, **often))
        # What was expected before it was seen is as it was.
        self.assertEqual(
            ("critical", 6, 72), self.check(-1, **often))

    def test_what_is_known_stays(self):
        self.seen(0, schedule="0 * * * *")
        self.seen(5, schedule="0 * * * *")
        self.assertEqual(
            [NOON], list(getUtility(IScriptRuleSet).getSeen().values()))
