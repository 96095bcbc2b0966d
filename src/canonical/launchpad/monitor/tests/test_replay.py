"""A replay finds the same alerts as a check at every minute."""

import bisect
import datetime
import itertools
import unittest
from typing import NamedTuple

import transaction
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from zope.component import getUtility

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.answers import assess
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.firstseen import counted
from canonical.launchpad.monitor.firstseen import seen_rule
from canonical.launchpad.monitor.incidents import QUESTIONS
from canonical.launchpad.monitor.incidents import Answer
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.incidents import followed
from canonical.launchpad.monitor.incidents import incidents_of
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import inquiry
from canonical.launchpad.monitor.pastanswers import pieces
from canonical.launchpad.monitor.pastrecords import STRETCH
from canonical.launchpad.monitor.pastrecords import stretches
from canonical.launchpad.monitor.pauses import merged
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import shortest_period
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)

# In Europe/London clocks go forward in the first night, and back in the
# second; New York's go forward in the third, at another hour of UTC.
NIGHTS = [
    datetime.datetime(2007, 3, 24, 20, tzinfo=datetime.UTC),
    datetime.datetime(2007, 10, 27, 20, tzinfo=datetime.UTC),
    datetime.datetime(2007, 3, 11, 3, tzinfo=datetime.UTC),
]
HOURS = 9


def at(hour, minute=0, second=0, day=1):
    return datetime.datetime(
        2007, 2, day, hour, minute, second, tzinfo=datetime.UTC)


def figures_by_hand(asked, runs, now):
    """The answers of the database, computed without it."""
    known = sorted((
        run for run in runs
        if asked.hostname in (None, run.hostname)
        and run.date_completed <= now
    ), key=lambda run: run.date_started, reverse=True)
    numbers = [
        bisect.bisect_right(asked.slots, run.date_started) for run in known
        if asked.slots and asked.slots[0] <= run.date_started < asked.until]
    counted = [each for each in numbers if each not in asked.skipped]
    latest = known[:asked.runs]
    first = min((run.date_started for run in known), default=None)
    return Figures(
        first_started=first if first and asked.slots and (
            first >= asked.slots[0]) else None,
        last_started=max((run.date_started for run in latest), default=None),
        last_completed=max(
            (run.date_completed for run in known), default=None),
        met=len(set(counted)), runs=len(counted),
        durations=tuple(
            (run.date_completed - run.date_started).total_seconds()
            for run in latest))


def in_database(asked, runs, now):
    figures, = getUtility(IScriptFiguresSet).getFigures([asked], now)
    return figures


def replayed_from(case, since):
    """The first moment of a replay."""
    return next(stretches(case.pauses, since, since, HOUR))[0]


def open_at(case, runs, moments, figures):
    """The questions with an open alert at each moment, from checks."""
    return questions_open(
        assessed(case, runs, now, figures) for now in moments)


def assessed(case, runs, now, figures):
    """The assessment of a check."""
    found = figures(inquiry(case, now), runs, now)
    return assess(counted(case, found, {}, now), found, now)


def questions_open(assessments):
    """The open alerts after each assessment of a script."""
    opened = set()
    found = []
    for assessment in assessments:
        for question in QUESTIONS:
            state = getattr(assessment, question).state
            if state == "ok":
                opened.discard(question)
            elif state != "paused":
                opened.add(question)
        found.append(sorted(opened))
    return found


class Span(NamedTuple):
    """From when to when a replayed answer was bad, paused or not."""

    question: str
    opened: datetime.datetime
    closed: datetime.datetime | None


def pieces_of(case, runs, since, until, length=STRETCH):
    """What `replay` makes incidents of."""
    runs = [run for run in runs if case.hostname in (None, run.hostname)]
    return [
        piece for stretch in stretches(case.pauses, since, until, length)
        for piece in pieces(case, runs, *stretch)]


def spans_of(pieces, since):
    found = []
    for question in QUESTIONS:
        opened = None
        for at, state in itertools.chain(*(each[question] for each in pieces)):
            if opened is None and state not in ("ok", "paused"):
                opened = max(at, since)
            elif opened is not None and state == "ok":
                found.append(Span(question, opened, at))
                opened = None
        if opened is not None:
            found.append(Span(question, opened, None))
    return found


def incidents_by_hand(case, since, assessments):
    """The incidents that `alert` finds if it runs at each moment.

    :param assessments: pairs of a moment and an assessment.
    """
    found, current = [], None
    for now, assessment in assessments:
        script = assessment.name, assessment.hostname
        over, current = followed(
            current, script, {
                question: Answer(each.state) for question, each
                in answers_of([assessment])[script].items()},
            max(now, since), case.expectation.grace,
            [each.opened for each in [*found, current] if each])
        found += [over] if over else []
    return [*found, current] if current else found


def differences(since, moments, found, alarms):
    """The first moments at which a replay differs from checks."""
    wrong = []
    for now, checked in zip(moments, found, strict=True):
        replayed = sorted(
            alarm.question for alarm in alarms
            if alarm.opened <= now and (
                alarm.closed is None or now < alarm.closed))
        if now >= since and checked != replayed:
            wrong.append((now, checked, replayed))
    return wrong[:3]


def moments_between(begin, until, exact=()):
    """Every minute, and an instant before and after each exact event."""
    minutes = int((until - begin) / MINUTE)
    moments = {begin + number * MINUTE for number in range(minutes + 1)}
    for moment in exact:
        moments.update((moment - INSTANT, moment, moment + INSTANT))
    return sorted(each for each in moments if begin <= each <= until)


def edges(case, runs, begin, until):
    """The moments of simple events, at which something may change."""
    expectation = case.expectation
    for pause in case.pauses:
        yield pause.date_started
        if pause.date_ended < FOREVER:
            yield pause.date_ended
    spans = [expectation.grace, expectation.grace + expectation.window]
    if expectation.every:
        spans += [expectation.every, expectation.every + expectation.grace]
    for run in runs:
        for moment in run.date_started, run.date_completed:
            yield moment
            for span in spans:
                yield moment + span


class TestReplay(unittest.TestCase):

    def alarms(self, times, since, until, pauses=(), host=None, **values):
        case = Case(
            expectation_from_text("garbo", **values), host, pauses)
        runs = [Run(*each) if len(each) == 3 else Run("a", *each)
                for each in times]
        return [*map(tuple, spans_of(
            pieces_of(case, runs, since, until), since))]

    def hourly(self, *times, question="recently", **values):
        values = {"schedule": "0 * * * *", "grace": "5m", "missed": 99,
                  **values}
        return [each[1:] for each in self.alarms(times, **values)
                if each[0] == question]

    def ran(self, hour, minute=1, minutes=1, host="a"):
        started = at(hour, minute)
        return host, started, started + minutes * MINUTE

    def test_it_is_late_from_the_grace_on_until_a_run_completes(self):
        self.assertEqual(
            [(at(2, 5), at(2, 21)), (at(4, 5), None)],
            self.hourly(
                self.ran(0), self.ran(1), self.ran(2, 20), self.ran(3),
                since=at(1), until=at(5)))

    def test_what_was_open_before_is_open_from_the_start(self):
        self.assertEqual(
            [(at(2, 30), at(3, 2))], self.hourly(
                self.ran(0), self.ran(3), since=at(2, 30), until=at(4)))

    def test_the_end_itself_still_counts(self):
        for until, found in (
            (at(1, 5) - INSTANT, []), (at(1, 5), [(at(1, 5), None)]),
        ):
            self.assertEqual(
                found, self.hourly(self.ran(0), since=at(0, 30), until=until))
        self.assertEqual([(at(1, 5), at(1, 9))], self.hourly(
            self.ran(0), self.ran(1, 8), since=at(0, 30), until=at(1, 9)))

    def test_an_instant_is_told_of_too(self):
        for late, found in (
            (0 * INSTANT, []),
            (INSTANT, [(question, at(1, 5), at(1, 5) + INSTANT)
                       for question in ("recently", "often")]),
        ):
            self.assertEqual(found, self.alarms(
                [self.ran(0), ("a", at(1, 1), at(1, 5) + late)],
                at(0, 30), at(1, 30), schedule="0 * * * *", window="1h"))

    def test_every_is_late_the_instant_after(self):
        self.assertEqual(
            [("recently", at(4, 40) + INSTANT, at(6))],
            self.alarms(
                [(at(3), at(3, 30)), (at(5), at(6))], at(4), at(7),
                every="1h", grace="10m", window="1h", missed=9))

    def test_a_slot_that_is_missed_is_so_until_it_leaves_the_window(self):
        runs = [self.ran(hour) for hour in range(10) if hour != 3]
        self.assertEqual(
            [(at(3, 5), at(6, 5))], self.hourly(
                *runs, question="often", since=at(2, 5), until=at(9),
                missed=0, window="3h"))

    def test_a_slot_is_met_late_once_its_run_completes(self):
        runs = [self.ran(0), self.ran(1, 1, 20), self.ran(2)]
        self.assertEqual(
            [(at(1, 5), at(1, 21))], self.hourly(
                *runs, question="often", since=at(0, 30), until=at(2, 30),
                missed=0, window="1h"))

    def test_a_run_too_many_counts_with_its_slot(self):
        runs = [self.ran(0), self.ran(1), self.ran(1, 2), self.ran(2)]
        self.assertEqual(
            [(at(1, 5), at(3, 5))], self.hourly(
                *runs, question="often", since=at(0, 30), until=at(4),
                extra=0, window="2h"))
        runs[2] = self.ran(1, 30)
        self.assertEqual(
            [(at(1, 31), at(3, 5))], self.hourly(
                *runs, question="often", since=at(0, 30), until=at(4),
                extra=0, window="2h"))

    def test_runs_of_intervals_leave_the_window_the_instant_after(self):
        self.assertEqual(
            [("often", at(5) + INSTANT, None)],
            [each for each in self.alarms(
                [(at(2), at(2, 1)), (at(3), at(3, 1)), (at(4), at(4, 1))],
                at(4, 30), at(6), every="1h", grace="0s", window="3h")
             if each[0] == "often"])

    def often_intervals(self, times, *period, pauses, **values):
        return [
            each[1:] for each in self.alarms(times, *period, pauses, **values)
            if each[0] == "often"]

    def test_what_a_pause_takes_from_intervals_comes_back_steadily(self):
        pauses = (Pause(at(10), at(11), "snoozed"),)
        # With 45 minutes of grace, the hour before 10:20 is asked of at
        # 11:05, and that before 11:40 at 12:25; both have 20 in the pause.
        self.assertEqual(
            [(at(10, 30), at(11, 5) + INSTANT), (at(12, 25), None)],
            self.often_intervals(
                [(at(1), at(1, 1))], at(10, 30), at(13), pauses=pauses,
                every="10m",
                grace="45m", window="1h", missed=3))

    def test_what_runs_in_a_pause_is_not_extra(self):
        runs = [(at(hour, 30), at(hour, 31)) for hour in range(8, 14)]
        runs.append((at(9), at(9, 1)))
        for pause, until, found in (
            ((at(10), at(11)), at(12, 20), []),
            ((at(10, 40), at(11, 20)), at(11, 30, 30),
             [(at(11, 20), at(11, 30) + INSTANT)]),
        ):
            self.assertEqual(found, self.often_intervals(
                runs, at(10, 10), until, pauses=(Pause(*pause, "snoozed"),),
                every="1h", grace="0s", window="3h", missed=9, extra=0))

    def test_a_run_in_the_grace_is_not_extra(self):
        # Each starts up to four minutes late, as it happens.
        runs = [
            (at(hour, hour * 7 % 5), at(hour, 6)) for hour in range(20)]
        for minutes in 0, 10, 59:
            values = {"every": "1h", "grace": f"{minutes}m", "window": "4h",
                      "extra": 0, "missed": 1, "pauses": ()}
            self.assertEqual(
                [], self.often_intervals(runs, at(6), at(19), **values))
        more = [(at(9, minute), at(9, minute)) for minute in (20, 30, 40)]
        opened, *_ = self.often_intervals(
            runs + more, at(6), at(19), **{**values, "grace": "10m"})
        self.assertEqual(at(9, 30) + INSTANT, opened[0])

    def test_an_average_is_off_from_a_completion_to_another(self):
        self.assertEqual(
            [(at(1, 21), at(3, 2))], self.hourly(
                self.ran(0), self.ran(1, 1, 20), self.ran(2), self.ran(3),
                question="runtime", since=at(0, 30), until=at(4),
                average="..5m", runs=2))

    def test_the_last_runs_are_those_that_started_last(self):
        # The long run completes after two later ones.
        self.assertEqual(
            [], self.hourly(
                self.ran(0, 1, 200), self.ran(1), self.ran(2),
                question="runtime", since=at(0, 30), until=at(4),
                average="..5m", runs=2))

    def test_what_is_learned_is_from_the_runs_before(self):
        runs = [self.ran(hour, 1, 5) for hour in range(15)]
        runs += [self.ran(hour, 1, 30) for hour in (15, 16)]
        self.assertEqual(
            [(at(16, 31), None)], self.hourly(
                *runs, question="runtime", since=at(1), until=at(17),
                average="learned", runs=3))

    def test_each_host_by_itself_or_any(self):
        runs = [self.ran(0), self.ran(1, host="b"), self.ran(2)]
        for host, found in (
            ("a", [(at(1, 5), at(2, 2))]), (None, []),
        ):
            self.assertEqual(found, self.hourly(
                *runs, host=host, since=at(0, 30), until=at(2, 30)))

    def test_a_pause_neither_opens_nor_closes(self):
        runs = [self.ran(0), self.ran(4)]
        for pause, found in (
            ((at(0, 50), at(2, 50)), [(at(3, 5), at(4, 2))]),
            ((at(1, 50), at(2, 50)), [(at(1, 5), at(4, 2))]),
            ((at(3, 50), at(4, 20)), [(at(1, 5), at(4, 20))]),
            ((at(3, 50), FOREVER), [(at(1, 5), None)]),
        ):
            self.assertEqual(found, self.hourly(
                *runs, pauses=(Pause(*pause, "snoozed"),),
                since=at(0, 30), until=at(4, 30)), pause)

    def test_what_was_open_when_a_pause_began_is_open_at_the_start(self):
        pauses = (Pause(at(1, 30), at(4, 30), "snoozed"),)
        self.assertEqual(
            [(at(3), None)], self.hourly(
                self.ran(0), pauses=pauses, since=at(3), until=at(5)))
        self.assertEqual(
            [], self.hourly(
                self.ran(0), self.ran(1), pauses=pauses, since=at(3),
                until=at(5)))

    def test_a_slot_put_off_by_a_pause_that_is_over_is_due(self):
        # When the pause ends, three of five minutes of grace are left.
        pauses = (Pause(at(1, 2), at(3, 30), "snoozed"),)
        self.assertEqual(
            [(at(3, 33), None)], self.hourly(
                self.ran(0), pauses=pauses, since=at(3, 31), until=at(3, 50),
                window="10m"))

    def test_a_severity_but_for_never(self):
        case = Case(expectation_from_text(
            "garbo", schedule="0 * * * *", severity="warning"))
        incident, = incidents_of(
            ("garbo", None), case.expectation.grace,
            pieces(case, [], at(1), at(2), (), {seen_rule(case): at(0)}),
            at(1))
        self.assertEqual(
            ("critical", at(1), None),
            (incident.state, incident.opened, incident.closed))
        incident, = replay(case, [Run("a", at(0, 1), at(0, 2))], at(1), at(2))
        self.assertEqual("warning", incident.state)


def durations(*minutes):
    return strategies.sampled_from([f"{each}m" for each in minutes])


def within(seconds, most=HOURS * 3600):
    return strategies.integers(-4 * 3600, most).map(
        lambda number: datetime.timedelta(seconds=number // seconds * seconds))


@strategies.composite
def expectations(draw):
    often = strategies.sampled_from([
        "*/10 * * * *", "*/7 * * * *", "0 * * * *", "30 1 * * *",
        "15 1,2,3 * * *", "59 23 * * *", "5 */3 * * *"])
    values = {
        "grace": draw(durations(0, 1, 5, 45)),
        "window": draw(durations(10, 60, 185, 600)),
        "missed": draw(strategies.integers(0, 2)),
        "extra": draw(strategies.sampled_from([None, 0, 1])),
        "average": draw(strategies.sampled_from(
            [None, "..5m", "1m..", "learned"])),
        "runs": draw(strategies.integers(1, 4)),
        "severity": draw(strategies.sampled_from(["warning", "critical"])),
    }
    if draw(strategies.booleans()):
        values.update(schedule=draw(often), timezone=draw(
            strategies.sampled_from(
                ["UTC", "Europe/London", "America/New_York"])))
        most = min(shortest_period(values["schedule"]) / 8, 2 * HOUR)
        values["early"] = duration_text(
            draw(strategies.integers(0, 4)) * most / 4)
    else:
        values["every"] = draw(durations(7, 30, 60, 100))
    return expectation_from_text("garbo", **values)


@strategies.composite
def histories(draw, most=40):
    """A case, its runs, and the period of a replay."""
    night = draw(strategies.sampled_from(NIGHTS))
    # Two runs that start at the same time have no order.
    starts = draw(strategies.lists(
        within(draw(strategies.sampled_from([1, 60]))), unique=True,
        max_size=most))
    took = strategies.builds(
        lambda seconds, instants: (
            datetime.timedelta(seconds=seconds) + instants * INSTANT),
        strategies.one_of(
            strategies.integers(0, 600), strategies.integers(0, 4 * 3600),
            strategies.integers(0, 60).map(lambda minutes: 60 * minutes)),
        strategies.sampled_from([0, 0, 1]))
    runs = []
    for start in starts:
        started = night + start
        runs.append(Run(
            draw(strategies.sampled_from("ab")), started,
            started + draw(took)))
    pauses = [
        Pause(night + start, FOREVER if length is None else (
            night + start + length * MINUTE), "paused", forgives)
        for start, length, forgives in draw(strategies.lists(
            strategies.tuples(
                within(60), strategies.sampled_from(
                    [None, 1, 5, 30, 90, 90, 240]), strategies.booleans()),
            max_size=3))]
    case = Case(
        draw(expectations()), draw(strategies.sampled_from([None, "a"])),
        merged(pauses))
    runs.sort(key=lambda run: run.date_started)
    return case, runs, night, night + HOURS * HOUR


class TestReplayAgainstChecks(unittest.TestCase):

    # The number of histories.
    examples = 8

    def test_it_is_what_checks_at_every_minute_find(self):
        settings(max_examples=self.examples, deadline=None)(
            given(history=histories())(self.check))()

    def check(self, history):
        case, runs, since, until = history
        incidents = replay(case, runs, since, until)
        # Several stretches give the same result.
        self.assertEqual(
            incidents, replay(case, runs, since, until, 100 * MINUTE))
        pieces = pieces_of(case, runs, since, until)
        begin = replayed_from(case, since)
        exact = {
            moment for piece in pieces for series in piece.values()
            for moment, _ in series}
        exact.update(edges(case, runs, begin, until))
        moments = moments_between(begin, until, {*exact, since})
        assessments = [
            assessed(case, runs, now, figures_by_hand) for now in moments]
        self.assertEqual([], differences(
            since, moments, questions_open(assessments),
            spans_of(pieces, since)))
        self.assertEqual(incidents, incidents_by_hand(
            case, since, zip(moments, assessments, strict=True)))


class TestReplayAgainstMoreChecks(TestReplayAgainstChecks):

    level = 3
    examples = 500


class TestReplayAgainstTheDatabase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    examples = 2

    def test_it_is_what_checks_of_the_database_at_every_minute_find(self):
        settings(max_examples=self.examples, deadline=None)(
            given(history=histories(most=15))(self.check))()

    def check(self, history):
        case, runs, since, until = history
        for run in runs:
            LaunchpadObjectFactory().makeScriptActivity(
                "garbo", run.hostname, run.date_started,
                run.date_completed - run.date_started)
        begin = replayed_from(case, since)
        # Minutes are too coarse if a pause begins soon after an event.
        moments = moments_between(
            begin, until, {since, *edges(case, runs, begin, until)})
        try:
            found = open_at(case, runs, moments, in_database)
        finally:
            transaction.abort()
        self.assertEqual([], differences(
            since, moments, found, spans_of(
                pieces_of(case, runs, since, until), since)))


class TestReplayAgainstMoreOfTheDatabase(TestReplayAgainstTheDatabase):

    level = 3
    examples = 50
