"""What was due and met is the same before runs are pruned and after."""

import contextlib
import datetime
import io
import json
import random

from hypothesis import Phase
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from zope.component import getUtility

from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.main import main
from canonical.launchpad.command.rules import all_expected
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.tests.test_prune import DAY
from canonical.launchpad.command.tests.test_prune import HOUR
from canonical.launchpad.command.tests.test_prune import MINUTE
from canonical.launchpad.command.tests.test_prune import NOW
from canonical.launchpad.command.tests.test_prune import TODAY
from canonical.launchpad.command.tests.test_prune import PruneTestCase
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.monitor.matching import inquiry
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.schedule import slots_between
from canonical.launchpad.webapp.buckets import buckets_of
from canonical.launchpad.webapp.periods import Period
from canonical.launchpad.webapp.rows import Row
from canonical.testing import by_owner


# Runs are kept for ten years at most.
MARCH = datetime.datetime(TODAY.year - 2, 3, 1, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)

# Clocks change in one of these weeks in New York, and in the other in London.
WEEKS = 8, 23

# The slot of 00:00, those around it, and some that are moved when clocks
# change.
RULES = [
    'schedule="0 0 * * *"', 'schedule="59 23 * * *"',
    'schedule="0 0 * * *" early="20m"', 'schedule="*/30 * * * *"',
    'schedule="0 */6 * * *"', 'schedule="30 1,2 * * *"',
    'schedule="15 3 * * 1"', 'every="5h"']
ZONES = "UTC", "Europe/London", "America/New_York", "Asia/Kolkata"

# How long after its slot a run starts.  Clocks may differ by a minute.
DELAYS = -59, -30, 0, 30, 300
TOOK = 1, 200


class PrunedSlotsTestCase(PruneTestCase):

    def setUp(self):
        super().setUp()
        self.path = self.layer.directory.parent / "slots.zcml"

    def write_rules(self, *rules):
        lines = "\n".join(
            f'<lp:script name="script-{number}" {rule} />'
            for number, rule in enumerate(rules))
        self.path.write_text(f"""
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              {lines}
            </configure>""")

    def prune_before(self, day, *options):
        with registered_apart():
            self.prune("--keep", f"{(TODAY - day).days}d", *options)

    def report(self):
        """What was due and met of each script in March."""
        self.ztm.commit()
        out = io.StringIO()
        with contextlib.redirect_stdout(out), registered_apart():
            self.assertEqual(0, main([
                "report", "--month", f"{MARCH:%Y-%m}", "--json",
                "--expectations", str(self.path)]))
        self.ztm = initZopeless()
        return {
            each["name"]: (each["due"] or 0, each["met"] or 0, each["runs"])
            for each in json.loads(out.getvalue())}

    def missed(self, width=DAY):
        """What pictures say was missed in March, for each script and host."""
        with registered_apart():
            cases = [
                case for case in registered_cases(
                    all_expected(self.path), MARCH - HORIZON, NOW,
                    clock_skew())
                if case.expectation.schedule]
        figures = getUtility(IScriptFiguresSet).getFigures(
            [inquiry(case, NOW) for case in cases], NOW)
        rows = [
            Row(case.expectation.name, case.hostname, "ok", each, None, case)
            for case, each in zip(cases, figures, strict=True)]
        buckets = 31 * DAY // width
        # The last slots may be met by runs of April.
        found = buckets_of(rows, Period(MARCH, width, buckets + 1), NOW)
        self.ztm.abort()
        return {
            (row.name, row.hostname): [
                bucket.missed for bucket in each[:buckets]]
            for row, each in zip(rows, found, strict=True)}


class TestMidnight(PrunedSlotsTestCase):

    def check(self, rule, delay, due, took=1):
        """Let a run start some time after each midnight."""
        self.write_rules(rule)
        for day in range(5, 32):
            self.run_at(MARCH + day * DAY + delay, took, "script-0")
        self.newer("script-0")
        before, pictures = self.report(), self.missed()
        self.assertEqual((due, due), before["script-0"][:2])
        self.assertEqual({0}, set(pictures["script-0", None]))
        for day in 8, 9, 12:
            self.prune_before(
                MARCH + day * DAY, "--expectations", str(self.path))
            self.assertEqual(before, self.report(), day)
            self.assertEqual(pictures, self.missed(), day)

    def test_a_run_that_starts_just_before_its_slot(self):
        self.check('schedule="0 0 * * *"', -30 * SECOND, 26)

    def test_a_run_that_crosses_midnight(self):
        self.check('schedule="0 23 * * *"', -HOUR, 27, 200)

    def test_a_slot_at_the_end_of_a_day_met_on_the_next(self):
        self.check('schedule="59 23 * * *"', 30 * SECOND, 27)


class TestFirstRun(PrunedSlotsTestCase):

    def test_nothing_was_due_before_it(self):
        self.write_rules('schedule="0 * * * *"', 'every="1h"')
        for name in "script-0", "script-1":
            for hour in range(27, 31):
                self.run_at(MARCH + 29 * DAY + hour * HOUR + MINUTE, 1, name)
            self.newer(name)
        expected = {"script-0": (21, 4, 4), "script-1": (21, 4, 4)}
        self.assertEqual(expected, self.report())
        self.assertEqual(17, sum(self.missed(HOUR)["script-0", None]))
        self.prune_before(
            MARCH + 35 * DAY, "--expectations", str(self.path))
        self.assertEqual(expected, self.report())

    def test_nothing_was_due_while_no_rule_was_known(self):
        for day in range(5, 40):
            self.run_at(MARCH + day * DAY - 30 * SECOND, 1, "script-0")
        self.newer("script-0")
        self.prune_before(MARCH + 12 * DAY)
        for hosts in "", ' hosts="a"':
            self.write_rules(f'schedule="0 0 * * *"{hosts}')
            self.assertEqual((18, 18), self.report()["script-0"][:2])
            self.assertEqual({0}, set(*self.missed().values()))


    def test_nor_on_days_that_were_pruned_while_a_rule_was_away(self):
        for rule in (
            'schedule="0 0 * * *"', 'schedule="0 0 * * *" hosts="a"',
            'every="1d"',
        ):
            with self.subTest(rule):
                by_owner("TRUNCATE scriptactivity, scriptday")
                for day in range(5, 45):
                    self.run_at(MARCH + day * DAY + MINUTE, 1, "script-0")
                self.newer("script-0")
                self.check_away(rule)

    def check_away(self, rule):
        self.write_rules(rule)
        rules = "--expectations", str(self.path)
        self.prune_before(MARCH + 12 * DAY, *rules)
        self.prune_before(MARCH + 20 * DAY)
        # 5 to 12 are counted.  21 may be met by a run of 20.
        expected = (8 + 10, 8 + 10)
        for day in 20, 25, 35:
            self.prune_before(MARCH + day * DAY, *rules)
            self.assertEqual(expected, self.report()["script-0"][:2], day)
            self.assertEqual(0, sum(map(sum, self.missed().values())), day)


class TestRandomHistories(PrunedSlotsTestCase):

    # To find a smaller history would take minutes.
    @settings(
        max_examples=15, derandomize=True, deadline=None,
        phases=[Phase.generate], report_multiple_bugs=False)
    @given(
        rules=strategies.lists(
            strategies.tuples(
                strategies.sampled_from(RULES), strategies.sampled_from(ZONES),
                strategies.sampled_from(["", 'hosts="a"', 'hosts="a b"'])),
            min_size=2, max_size=4),
        week=strategies.sampled_from(WEEKS),
        days=strategies.sets(
            strategies.integers(0, 8), min_size=1, max_size=3),
        seed=strategies.integers(0, 99))
    def test_due_and_met_are_the_same(self, rules, week, days, seed):
        by_owner("TRUNCATE scriptactivity, scriptattempt, scriptday")
        self.write_rules(*(
            f"{rule} {hosts}" + (
                "" if "every" in rule else f' timezone="{zone}"')
            for rule, zone, hosts in rules))
        begin = MARCH + (week - 1) * DAY
        rand = random.Random(seed)
        for number, (rule, zone, _) in enumerate(rules):
            self.record(f"script-{number}", rule, zone, begin, rand)
        before, pictures = self.report(), self.missed()
        for (name, _), missed in pictures.items():
            others = [each for key, each in pictures.items() if key[0] == name]
            due, met, _ = before.get(name, (0, 0, 0))
            self.assertEqual(due - met, sum(map(sum, others)), (name, missed))
        for day in sorted(days):
            self.prune_before(
                begin + day * DAY, "--expectations", str(self.path))
            self.assertEqual(before, self.report(), day)
            self.assertEqual(pictures, self.missed(), day)
            # These bars do not begin at midnight.
            self.assertEqual(
                {key: sum(each) for key, each in pictures.items()},
                {key: sum(each) for key, each in self.missed(
                    31 * DAY / 97).items()}, day)

    def record(self, name, rule, zone, begin, rand):
        """Record runs on two hosts, some of which miss their slots."""
        schedule = rule.split('"')[1] if "every" not in rule else "0 */5 * * *"
        for host in "a", "b":
            for slot in slots_between(
                schedule, zone, begin, begin + 8 * DAY
            ):
                if rand.random() < 0.8:
                    self.run_at(
                        slot + rand.choice(DELAYS) * SECOND,
                        rand.choice(TOOK), name, host)
            self.newer(name, host)
