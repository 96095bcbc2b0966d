"""Histories that known schedules make, and the alerts of rules over them."""

import datetime
import random
import re
import unittest
from typing import NamedTuple

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.inference.proposal import suggest_expectation
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import interval_span
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.monitor.schedule import slots_between


MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = datetime.timedelta(days=1)
WINTER = datetime.datetime(2007, 1, 8, tzinfo=datetime.UTC)


def seconds(number):
    return datetime.timedelta(seconds=number)


def history(schedule, timezone="UTC", since=WINTER, days=30, jitter=90,
            duration=(5, 60), host="loganberry", seed=1):
    """The runs if each run holds a lock, so that the next is skipped."""
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


def daemon(sleep, duration, count, host="loganberry", seed=1, since=WINTER):
    """The runs if each run begins some time after the previous one."""
    rand = random.Random(seed)
    runs = []
    started = since + seconds(rand.uniform(0, 600))
    for _ in range(count):
        completed = started + seconds(rand.uniform(*duration))
        runs.append(Run(host, started, completed))
        started = completed + seconds(sleep + rand.uniform(0, 0.5))
    return runs


class Suggestion(NamedTuple):
    """What was inferred from some runs until a time."""

    attributes: dict
    evidence: list
    runs: list
    at: datetime.datetime

    @property
    def since(self):
        """When the runs begin that the rule is from."""
        changed = re.search(
            r"^schedule changed from .* at (\S+ \S+) UTC;",
            "\n".join(self.evidence), re.MULTILINE)
        return self.runs[0].date_started if changed is None else (
            datetime.datetime.fromisoformat(changed[1] + "Z"))

    @property
    def incidents(self):
        """What the rule would have found, since the first run on each host."""
        if not self.attributes:
            return []
        expectation = expectation_of(self)
        hosts = expectation.hosts or (None,)
        begins = [next(
            run.date_started for run in self.runs
            if run.date_started >= self.since
            and host in (None, run.hostname)) for host in hosts]
        return [
            alarm for host, begin in zip(hosts, begins, strict=True)
            for alarm in alarms(
                self, self.runs, begin + reach(expectation), self.at)
            if alarm.hostname == host]


def alarms(suggestion, runs, since, until):
    """The alerts that a rule would have opened after its first full window."""
    expectation = expectation_of(suggestion)
    begin = suggestion.since
    runs = [run for run in runs if run.date_started >= begin]
    return [
        alarm for host in expectation.hosts or (None,)
        for alarm in replay(
            Case(expectation, host), runs,
            max(since, begin.replace(second=0) + reach(expectation)), until)]


def expectation_of(suggestion):
    return expectation_from_text("it", **suggestion.attributes)


def reach(expectation):
    """How long after an event its effect on a figure may last."""
    window = (
        expectation.window if expectation.schedule
        else interval_span(expectation))
    return window + expectation.grace + 2 * (expectation.every or MINUTE)


class SuggestionTestCase(unittest.TestCase):

    def suggest(self, runs, at, timezone="UTC"):
        return Suggestion(*suggest_expectation(
            History(runs), at, timezone), runs, at)

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

    def assert_evidence(self, suggestion, pattern):
        self.assertRegex("\n".join(suggestion.evidence), pattern)

    def assert_warns_at_most(self, suggestion):
        """No rule, or one that only warns of a silence."""
        self.assertIn(
            suggestion.attributes.get("severity"), (None, "warning"))
        self.assertNotIn("schedule", suggestion.attributes)

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
