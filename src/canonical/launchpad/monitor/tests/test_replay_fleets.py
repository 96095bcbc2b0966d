"""A replay of a random fleet finds the same alerts as checks."""

import datetime
from typing import NamedTuple

import transaction
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from zope.component import getUtility

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.firstseen import seen_rule
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.incidents import followed
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.recordedlate import with_recorded_late
from canonical.launchpad.monitor.registry import assess_fleet
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import ONCALENDAR
from canonical.launchpad.monitor.schedule import shortest_period
from canonical.launchpad.monitor.schedule import slots_between
from canonical.launchpad.monitor.states import HORIZON
from canonical.launchpad.monitor.tests.test_replay import MINUTE
from canonical.launchpad.monitor.tests.test_replay import NIGHTS
from canonical.launchpad.monitor.tests.test_replay import at
from canonical.launchpad.monitor.tests.test_replay import moments_between
from canonical.launchpad.monitor.tests.test_replay_all import ReplayAllTestCase
from canonical.launchpad.monitor.tests.test_replay_all import ReplayLayer


# When a fleet begins to run.  Checks begin four hours later, and most of
# these nights have a change of clocks in the three hours of the checks.
BEGINS = [at(0), *NIGHTS]
SINCE, UNTIL, END = 240, 420, 480

ZONES = ["UTC", "Europe/London", "America/New_York"]
SCHEDULES = [
    "*/20 * * * *", "7 * * * *", "*/15 2-5 * * *", "30 1,2 * * *",
    "*/10 1-3 * * *", ONCALENDAR + "*:00/20", None]
EVERY = 25

# How often `alert` runs, where the records that are there decide.
OFTEN = 5


class Ran(NamedTuple):
    """A run.

    :ivar minutes: how long it took; `None` if it never ends.
    :ivar outcome: that of its attempt; `None` if only its success is on
        record.
    """

    name: str
    host: str
    started: int
    minutes: int | None
    outcome: str | None


class Fleet(NamedTuple):
    """Rules, runs, pauses and when rules were first seen.

    All times are full minutes after the begin.
    """

    begin: datetime.datetime
    rules: dict[str, dict[str, object]]
    runs: list[Ran]
    pauses: list[tuple[str, int, int]]
    seen: list[tuple[str, str | None, int]]

    def at(self, minute):
        return self.begin + minute * MINUTE

    def expectations(self):
        return [
            expectation_from_text(name, **{
                key: value for key, value in rule.items()
                if value is not None})
            for name, rule in self.rules.items()]


@strategies.composite
def fleets(draw, trouble=0.5):
    """A fleet.

    :param trouble: the part of scripts and hosts that have some for a while.
    """
    # One that is made of choices gives simple fleets and extreme ones, and
    # one that is seeded gives more usual ones.
    chance = draw(strategies.randoms(use_true_random=draw(
        strategies.booleans())))
    fleet = Fleet(draw(strategies.sampled_from(BEGINS)), {}, [], [], [])
    silent = {
        host: spell(chance, trouble, 200)
        for host in ("a", "b", "c", None)}
    for number in range(draw(strategies.integers(3, 6))):
        name = f"x{number}"
        fleet.rules[name] = rule = rules(chance, number)
        is_new = chance.random() < 0.3
        named = (rule["hosts"] or "").split()
        for host in named or chance.choice([["c"], ["a", "b"]]):
            fleet.runs.extend(
                run for run in runs(
                    chance, fleet, name, host, is_new, trouble)
                if not any(
                    run.started in silent[each] for each in (host, None)))
        if chance.random() < 0.4:
            # Perhaps it was another rule before.
            for host in named or [None]:
                fleet.seen.append((name, host, chance.randrange(SINCE, 400)))
                if chance.random() < 0.5:
                    fleet.seen.append((name, host, -60))
        if chance.random() < 0.2:
            # A replay that begins in a pause begins before it, but a check
            # does not.
            begin = chance.randrange(SINCE + 1, UNTIL)
            fleet.pauses.append(
                (name, begin, begin + chance.randrange(1, 60)))
    return fleet


def spell(chance, often, longest):
    """The minutes of something that happens once, or not at all."""
    begin = chance.randrange(200, 400)
    return range(
        begin, begin + chance.randrange(longest)
        if chance.random() < often else begin)


def rules(chance, number):
    """The attributes of a rule."""
    schedule = chance.choice(SCHEDULES)
    rule = {
        "grace": chance.choice(["2m", "6m", "13m"]), "runs": 2,
        "missed": chance.choice([0, 1, 99]),
        "hosts": chance.choice(["a b", "a", "b", None])}
    if schedule is None:
        rule["every"] = f"{EVERY}m"
    else:
        rule.update(
            schedule=schedule, window="1h", timezone=chance.choice(ZONES))
        if chance.random() < 0.5:
            rule["early"] = f"{shortest_period(schedule) // 8 // MINUTE}m"
    for key, often, value in (
        ("failures", 0.5, "2"), ("extra", 0.5, chance.choice([0, 1])),
        ("average", 0.5, chance.choice(["..8m", "..8m", "learned"])),
        ("after", 0.3, f"x{number - 1}" if number else None),
    ):
        if chance.random() < often:
            rule[key] = value
    return rule


def runs(chance, fleet, name, host, is_new, trouble):
    """What a script did on a host."""
    rule = fleet.rules[name]
    if "schedule" in rule:
        slots = [
            (slot - fleet.begin) // MINUTE for slot in slots_between(
                rule["schedule"], rule["timezone"], fleet.at(0),
                fleet.at(END))]
    else:
        slots = range(0, END, EVERY)
    # Some start a minute too early.  The clock skew allows one minute.
    early = int(rule.get("early", "1m").removesuffix("m")) + 1
    failing = spell(chance, trouble, 100)
    missing = 0.3 if chance.random() < trouble else 0.03
    # Two runs that start at the same time have no order.
    taken = {each.started for each in fleet.runs if each.name == name}
    free = 180 if is_new else 0
    for slot in slots:
        for started in [slot + chance.randrange(-early, 5)] * (
            1 if chance.random() < 0.8 else 2
        ):
            started += chance.randrange(1, 9) if started in taken else 0
            if started < free or started in taken or (
                chance.random() < missing
            ):
                continue
            taken.add(started)
            outcome = chance.choice(
                ["failure", "killed", "vanished"] if started in failing
                else [None] * 16 + ["success"] * 8 + [
                    "failure", "killed", "vanished", "skipped"] + [
                    "hung"] * 2)
            minutes = chance.choice([1, 1, 2, 4, 12])
            if chance.random() < 0.03:
                minutes = chance.randrange(30, 120)
                outcome = "success"
            if outcome == "hung":
                minutes = None
                free = started + chance.randrange(120)
            elif outcome is not None and chance.random() < 0.8:
                # Mostly no other starts meanwhile, since it holds a lock.
                free = started + minutes
            yield Ran(name, host, started, minutes, outcome)


class FleetsLayer(ReplayLayer):
    """A layer of its own, so that another process can run it."""


class FleetsTestCase(ReplayAllTestCase):

    layer = FleetsLayer
    examples = 6

    def record(self, fleet, run):
        started = fleet.at(run.started)
        if run.outcome is None:
            self.ran(run.name, run.host, started, run.minutes)
        else:
            self.attempted(
                run.name, run.host, started, run.minutes, run.outcome)

    def record_rules(self, fleet):
        """Put on record what is no run."""
        for name, begin, end in fleet.pauses:
            getUtility(IScriptPauseSet).snooze(
                name, fleet.at(begin), fleet.at(end))
        by_name = {each.name: each for each in fleet.expectations()}
        for name, host, minute in fleet.seen:
            rule = seen_rule(Case(by_name[name], host))
            getUtility(IScriptRuleSet).recordSeen([
                rule if minute > 0 else rule._replace(schedule="before")],
                fleet.at(minute))


class TestReplayOfFleets(FleetsTestCase):

    def test_it_is_what_checks_find_in_random_fleets(self):
        settings(max_examples=self.examples, deadline=None)(
            given(fleet=fleets())(self.check))()

    def check(self, fleet):
        try:
            for run in fleet.runs:
                self.record(fleet, run)
            self.record_rules(fleet)
            since, until = fleet.at(SINCE), fleet.at(UNTIL)
            # Events are at full minutes, and some count an instant later.
            self.assert_same_fleet(
                fleet.expectations(), since, until, sorted({
                    each for moment in moments_between(since, until)
                    for each in (moment, min(moment + INSTANT, until))}))
        finally:
            transaction.abort()


class TestReplayOfMoreFleets(TestReplayOfFleets):

    level = 3
    examples = 150


@strategies.composite
def late_fleets(draw):
    """A fleet, and when each run that was spooled came in."""
    fleet, spooled = draw(fleets(trouble=0.1)), {}
    chance = draw(strategies.randoms(use_true_random=False))
    for host in chance.choice([["a"], ["b"], ["c"], ["a", "b", "c"]]):
        begin = chance.randrange(200, 360)
        away = range(begin, begin + chance.randrange(10, 120))
        for run in fleet.runs:
            if run.host == host and run.outcome is None and (
                run.started + run.minutes in away
            ):
                spooled[run] = away.stop + chance.randrange(30)
    return fleet, spooled


class TestLateRecords(FleetsTestCase):
    """Successes that were spooled, and were recorded later.

    It is not on record when they came in.  A replay assumes that each was
    recorded when its run completed.
    """

    examples = 3

    def test_a_replay_is_what_checks_find_unless_a_record_is_outstanding(self):
        settings(max_examples=self.examples, deadline=None)(
            given(late_fleet=late_fleets())(self.check))()

    def check(self, late_fleet):
        fleet, spooled = late_fleet
        expectations = fleet.expectations()
        waiting = sorted(spooled, key=spooled.get)
        checked = {}
        current = {}
        try:
            for run in fleet.runs:
                if run not in spooled:
                    self.record(fleet, run)
            self.record_rules(fleet)
            for minute in range(SINCE, UNTIL + 1, OFTEN):
                while waiting and spooled[waiting[0]] <= minute:
                    self.record(fleet, waiting.pop(0))
                now = fleet.at(minute)
                answers = answers_of(assess_fleet(expectations, now, MINUTE))
                if not any(
                    run.started + run.minutes <= minute for run in waiting
                ):
                    checked[now] = answers
                for script, its in answers.items():
                    over, current[script] = followed(
                        current.get(script), script, its, now, 0 * MINUTE, [])
                    if over is not None:
                        self.check_recorded_late(over, expectations)
            for run in waiting:
                self.record(fleet, run)
            for now, answers in checked.items():
                self.assert_replayed(expectations, now, answers)
        finally:
            transaction.abort()

    def assert_replayed(self, expectations, now, answers):
        """A replay of a moment finds what a check found."""
        bad = {
            script: {
                (question, answer.state) for question, answer in its.items()
                if answer.state in BROKEN}
            for script, its in answers.items()}
        # A replay that begins in a pause begins before it.
        paused = [
            script for script, its in answers.items()
            if its["recently"].state == "paused"]
        self.assertEqual(
            {script: its for script, its in bad.items() if its},
            {script: its
             for script, its in self.replayed(expectations, now).items()
             if script not in paused}, now)

    def replayed(self, expectations, now):
        """The answers that are bad at a moment, as a replay finds them."""
        cases = registered_cases(expectations, now - HORIZON, now, MINUTE)
        return {
            (each.name, each.hostname): {
                (answer.question, answer.state) for answer in each.answers}
            for _, incidents in replay_all(cases, now, now)
            for each in incidents}

    def check_recorded_late(self, over, expectations):
        """What is said to be recorded late is no incident of a replay."""
        alert, = with_recorded_late([Alert(
            None, "output", over.name, over.hostname, over.state,
            over.answers, over.opened,
        )], lambda names, opened: assess_fleet(
            [each for each in expectations if names & {ALL, each.name}],
            opened, MINUTE))
        late = {
            each.question for each in alert.answers if each.recorded_late}
        replayed = self.replayed(expectations, over.opened) if late else {}
        self.assertEqual(set(), late & {
            question for question, _ in replayed.get(
                (over.name, over.hostname), ())}, over)


class TestMoreLateRecords(TestLateRecords):

    level = 3
    examples = 100
