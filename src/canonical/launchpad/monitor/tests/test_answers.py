"""The answers for a rule, figures and a time."""

import datetime
import unittest

from zope.interface.verify import verifyObject

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.monitor.answers import assess
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import inquiry
from canonical.launchpad.monitor.matching import slots_at
from canonical.launchpad.monitor.pauses import merged


DAY = datetime.timedelta(days=1)
MINUTE = datetime.timedelta(minutes=1)


def at(hour, minute=0, second=0, day=1):
    return datetime.datetime(
        2007, 2, day, hour, minute, second, tzinfo=datetime.UTC)


def expect(**values):
    return expectation_from_text("garbo", **values)


class TestExpectations(unittest.TestCase):

    def test_it_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptExpectation, expect(every="1d")))

    def test_what_is_refused(self):
        for values, words in (
            ({}, "^one of schedule, oncalendar and every"),
            ({"every": "1d", "schedule": "@daily"}, "and only one$"),
            ({"schedule": ""}, "^not a schedule: ''; expected five fields"),
            ({"schedule": "@daily", "timezone": "Europe/Londn"},
             "^unknown time zone: 'Europe/Londn'; do you mean"
             " 'Europe/London'[?]$"),
            ({"every": "0s"},
             "^every must be more than 0s and at most 400d, not 0s$"),
            ({"every": "1d", "window": "0s"}, "^window must be more than 0s"),
            ({"every": "1d", "window": "36525d"},
             "^window must be .* at most 400d, not 36525d$"),
            ({"every": "1d", "grace": "5000d"},
             "^grace must be at most 400d, not 5000d$"),
            ({"every": "1d", "missed": "-1"},
             "^missed must be a whole number of 0 or more, not -1$"),
            ({"every": "1d", "missed": "few"}, "^missed must .* not 'few'$"),
            ({"every": "1d", "runs": "0"},
             "^runs must be a whole number from 1 to 1000, not 0$"),
            ({"every": "1d", "severity": "critcal"},
             "^severity must be warning or critical, not 'critcal'; do you"
             " mean 'critical'[?]$"),
            ({"every": "1d", "grace": "soon"},
             "^grace: not a duration: 'soon'; expected"),
            ({"every": "1d", "average": "fast"},
             "^average: not a band: 'fast'; expected"),
            ({"every": "1d", "average": "lerned"}, "do you mean 'learned'"),
            ({"every": "1d", "hosts": "a b a"},
             "^hosts names a host twice: a b a$"),
            ({"every": "1d", "tags": "a b a"},
             "^tags has a tag twice: a b a$"),
            ({"every": "1d", "tags": "a,b"},
             "^tags are separated by spaces, not commas: 'a,b'$"),
            ({"schedule": "@daily", "early": "2h1m"},
             "^early must be at most 2h, not 2h1m$"),
            ({"schedule": "0 9-17 * * 1-5", "early": "10m"},
             "^early must be at most 7m30s, an eighth of the time between two"
             " slots, not 10m$"),
            ({"every": "1d", "early": "10m"},
             "^early needs a schedule or oncalendar"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                expect(**values)
        with self.assertRaisesRegex(ValueError, "^name must not be empty"):
            expectation_from_text("", every="1d")


class TestRecently(unittest.TestCase):

    def recently(self, expectation, now, **figures):
        return assess(Case(expectation), Figures(**figures), now).recently

    def test_it_is_late_once_the_grace_has_passed(self):
        hourly = expect(schedule="0 * * * *", grace="10m")
        for now, state in (
            (at(10, 9, 59), "ok"), (at(10, 10), "critical"),
            (at(10, 59), "critical"),
        ):
            self.assertEqual(state, self.recently(
                hourly, now, last_started=at(9, 1)).state, now)

    def test_a_run_up_to_a_minute_early_belongs_to_its_slot(self):
        hourly = expect(schedule="0 * * * *", grace="10m")
        for started, state in (
            (at(9, 59), "ok"), (at(9, 58, 59), "critical"), (at(10), "ok"),
            (at(10, 15), "ok"),
        ):
            self.assertEqual(state, self.recently(
                hourly, at(10, 20), last_started=started).state, started)

    def test_a_run_that_is_early_meets_its_slot_where_the_rule_says_so(self):
        hourly = expect(schedule="0 * * * *", grace="10m", early="7m")
        for started, state in (
            (at(9, 53), "ok"), (at(9, 52, 59), "critical"),
        ):
            self.assertEqual(state, self.recently(
                hourly, at(10, 20), last_started=started).state, started)
        asked = inquiry(Case(expect(
            schedule="0 * * * *", grace="10m", early="7m", window="2h")),
            at(10, 20))
        self.assertEqual((at(8, 53), at(9, 53)), asked.slots)
        self.assertEqual(at(10, 53), asked.until)

    def test_every_counts_from_the_last_completion(self):
        daily = expect(every="1d", grace="2h")
        for now, state in (
            (at(12, day=2), "ok"), (at(12, 1, day=2), "critical"),
        ):
            found = self.recently(
                daily, now, last_started=at(8), last_completed=at(10))
            self.assertEqual(state, found.state)
            self.assertEqual(at(10, day=2), found.next_due)

    def test_the_severity_is_the_expectations_but_for_never(self):
        mild = expect(schedule="0 * * * *", severity="warning")
        self.assertEqual(
            "warning", self.recently(mild, at(12), last_started=at(9)).state)
        self.assertEqual("critical", self.recently(mild, at(12)).state)

    def test_what_is_due_next(self):
        hourly = expect(schedule="0 * * * *")
        self.assertEqual(at(11), self.recently(hourly, at(10)).next_due)
        self.assertIsNone(self.recently(expect(every="1h"), at(10)).next_due)

    def test_why(self):
        hourly = expect(schedule="0 * * * *")
        for figures, words in (
            ({}, "not started since then"),
            ({"running_since": at(8, 30), "running_is_seen": True},
             "still running, for 1h30m, since 2007-02-01 08:30:00 UTC"),
            ({"running_since": at(8, 30)},
             "has not reported its end since 2007-02-01 08:30:00 UTC"),
            ({"failures": 3, "last_outcome": "failure",
              "last_reason": "OSError: disk"},
             "failed 3 times in a row, last with OSError: disk"),
            ({"failures": 1, "last_outcome": "killed",
              "last_reason": "SIGTERM"}, "failed once, last with SIGTERM"),
            ({"failures": 2, "last_outcome": "vanished"},
             "vanished; failed 2 times in a row"),
            ({"last_outcome": "skipped"},
             "skipped, since another run held its lock"),
            ({"last_outcome": "success"}, "not started since then"),
        ):
            sentence = self.recently(
                hourly, at(10), last_started=at(7), **figures).sentence
            self.assertTrue(sentence.endswith(": " + words), sentence)


class TestOften(unittest.TestCase):

    def often(self, expectation, now, **figures):
        return assess(Case(expectation), Figures(**figures), now).often

    def test_a_slot_is_due_once_its_grace_has_passed(self):
        hourly = expect(schedule="0 * * * *", grace="10m", window="3h")
        asked = inquiry(Case(hourly), at(10, 9, 59))
        self.assertEqual(
            (at(6, 59), at(7, 59), at(8, 59)), asked.slots)
        self.assertEqual(at(9, 59), asked.until)
        asked = inquiry(Case(hourly), at(10, 10))
        self.assertEqual((at(7, 59), at(8, 59), at(9, 59)), asked.slots)
        self.assertEqual(at(10, 59), asked.until)

    def test_missed_slots_count_from_one_more_than_may_be(self):
        for missed, met, state in (
            (0, 3, "ok"), (0, 2, "critical"), (1, 2, "ok"), (1, 1, "critical"),
        ):
            found = self.often(
                expect(schedule="0 * * * *", window="3h", missed=missed),
                at(10, 30), met=met, runs=met)
            self.assertEqual(
                (state, 3, met, 0),
                (found.state, found.due, found.met, found.extra))

    def test_sentences(self):
        for values, met, runs, sentence in (
            ({}, 3, 3, "3 of 3 scheduled runs in the last 3h"),
            ({}, 1, 1, "1 of 3 scheduled runs in the last 3h (0 misses"
                       " allowed)"),
            ({"missed": 1}, 1, 1, "1 of 3 scheduled runs in the last 3h"
                                  " (1 miss allowed)"),
            ({"extra": 0}, 3, 4, "3 of 3 scheduled runs in the last 3h, and 1"
                                 " extra run (0 allowed)"),
            ({"window": "1m"}, 0, 0, "no run was due in the last 1m"),
        ):
            values = {"window": "3h", **values}
            self.assertEqual(sentence, self.often(
                expect(schedule="0 * * * *", **values), at(10, 30),
                met=met, runs=runs).sentence)

    def test_extra_runs_count_only_if_it_is_said(self):
        for extra, state in ((None, "ok"), (2, "ok"), (1, "critical")):
            found = self.often(
                expect(schedule="0 * * * *", window="3h", extra=extra),
                at(10, 30), met=3, runs=5)
            self.assertEqual((state, 2), (found.state, found.extra))

    def test_intervals_are_counted_and_not_placed(self):
        six_hourly = expect(every="6h", window="1d", grace="1h")
        asked = inquiry(Case(six_hourly), at(12, day=2))
        self.assertEqual((at(11),), asked.slots)
        self.assertEqual(at(12, day=2), asked.until)
        found = self.often(six_hourly, at(12, day=2), met=3, runs=4)
        self.assertEqual(("ok", 4, 0), (found.state, found.met, found.extra))

    def test_a_slot_of_a_leap_day(self):
        leap = expect(schedule="0 0 29 2 *", window="1d")
        self.assertEqual((), inquiry(Case(leap), at(10)).slots)
        self.assertEqual("ok", self.often(leap, at(10)).state)

    def test_a_window_longer_than_the_history_misses_slots(self):
        found = self.often(
            expect(schedule="@daily", window="30d"), at(10), met=3, runs=3)
        self.assertEqual(("critical", 30), (found.state, found.due))


class TestRuntime(unittest.TestCase):

    def runtime(self, durations, **values):
        return assess(
            Case(expect(every="1d", **values)),
            Figures(durations=tuple(durations)), at(10)).runtime

    def test_the_mean_is_compared_with_the_band(self):
        for average, state in (
            ("5s..20s", "ok"), ("10s..10s", "ok"), ("..9s", "critical"),
            ("11s..", "critical"), ("..10s", "ok"), (None, "ok"),
        ):
            found = self.runtime([5, 15], average=average)
            self.assertEqual(
                (state, 2, 10.0),
                (found.state, found.runs, found.average_seconds), average)

    def test_only_the_last_runs_count(self):
        found = self.runtime([1, 1, 100], average="..2s", runs=2)
        self.assertEqual(("ok", 2), (found.state, found.runs))

    def test_sentences(self):
        usual = [9, 10, 11] * 10
        for durations, values, sentence in (
            ([], {}, "no average runtime, since there are no runs yet"),
            ([60], {}, "average runtime 1m over 1 run"),
            ([5, 15], {"average": "..9s"},
             "average runtime 10s over 2 runs (expected at most 9s)"),
            ([5, 15], {"average": "11s.."},
             "average runtime 10s over 2 runs (expected at least 11s)"),
            ([9.0004], {"average": "..9s"},
             "average runtime 9.0004s over 1 run (expected at most 9s)"),
            ([30] * 5 + usual, {"average": "learned", "runs": 5},
             "median runtime 30s over 5 runs (usually 10s)"),
            ([30] * 8, {"average": "learned", "runs": 5},
             "usual runtime not known yet: 3 of 10 earlier runs"),
        ):
            self.assertEqual(
                sentence, self.runtime(durations, **values).sentence)

    def test_without_runs_there_is_no_average(self):
        found = self.runtime([], average="..2s")
        self.assertEqual(("ok", None), (found.state, found.average_seconds))

    def test_it_is_still_learning_from_fewer_than_ten(self):
        found = self.runtime([100] * 5 + [1] * 9, average="learned", runs=5)
        self.assertEqual("ok", found.state)

    def test_what_is_learned_works_in_both_directions(self):
        usual = [9, 10, 11] * 10
        for recent, state in (
            (10, "ok"), (14, "ok"), (30, "critical"), (3, "critical"),
        ):
            found = self.runtime(
                [recent] * 5 + usual, average="learned", runs=5)
            self.assertEqual(state, found.state, recent)

    def test_outliers_do_not_disturb_what_is_learned(self):
        usual = [9, 10, 11, 10, 5000] * 6
        self.assertEqual("critical", self.runtime(
            [30] * 5 + usual, average="learned", runs=5).state)
        self.assertEqual("ok", self.runtime(
            [10, 10, 10, 10, 9000] + usual, average="learned", runs=5).state)

    def test_what_varies_widely_is_given_room(self):
        usual = [1, 20, 5, 40, 10, 80, 3, 30] * 4
        self.assertEqual("ok", self.runtime(
            [30] * 5 + usual, average="learned", runs=5).state)


class TestState(unittest.TestCase):

    def test_it_is_the_worst_of_the_three(self):
        figures = Figures(
            last_started=at(10), last_completed=at(10), met=1, runs=1,
            durations=(100.0,))
        for severity, average, state in (
            ("warning", "..1s", "warning"), ("critical", "..1s", "critical"),
            ("critical", None, "ok"),
        ):
            self.assertEqual(state, assess(
                Case(expect(
                    every="1d", severity=severity, average=average)),
                figures, at(10, 5)).state)


class TestPauses(unittest.TestCase):

    hourly = expect(schedule="0 * * * *", grace="10m", window="4h")

    def case(self, since, until, expectation=hourly):
        return Case(expectation, pauses=(Pause(since, until, "snoozed"),))

    def test_a_pause_hides_all_three_answers(self):
        case = self.case(at(10, 30), at(12, 30))
        figures = Figures(at(8, 1), at(8, 2), durations=(60.0,))
        for now, state in (
            (at(10, 29), "critical"), (at(10, 30), "paused"),
            (at(12, 29), "paused"),
        ):
            self.assertEqual(state, assess(case, figures, now).state, now)
        self.assertEqual(
            ["snoozed, until 2007-02-01 12:30:00 UTC"] * 3,
            [question.sentence for found in [assess(case, figures, at(11))]
             for question in (found.recently, found.often, found.runtime)])

    def test_without_an_end_it_is_said_since_when(self):
        found = assess(self.case(at(10), FOREVER), Figures(), at(11))
        self.assertEqual(
            "snoozed, since 2007-02-01 10:00:00 UTC", found.recently.sentence)

    def test_the_next_slot_has_its_grace_once_the_pause_is_over(self):
        case = self.case(at(9, 30), at(12, 30))
        figures = Figures(at(9), at(9, 1), met=1, runs=1)
        for now, state in (
            (at(12, 31), "ok"), (at(13, 9), "ok"), (at(13, 10), "critical"),
        ):
            self.assertEqual(
                state, assess(case, figures, now).recently.state, now)

    def test_what_was_late_before_is_late_again_unless_it_is_forgiven(self):
        figures = Figures(at(7), at(7, 1))
        for forgives, state in (False, "critical"), (True, "paused"):
            case = Case(self.hourly, pauses=(
                Pause(at(8, 20), at(8, 30), "paused", forgives),
                Pause(at(8, 40), at(8, 45), "paused")))
            self.assertEqual(
                "critical", assess(case, figures, at(8, 19)).recently.state)
            self.assertEqual(
                state, assess(case, figures, at(8, 50)).recently.state)
            self.assertEqual(
                "critical", assess(case, figures, at(9, 10)).recently.state)

    def test_the_same_for_one_that_has_never_run(self):
        for values, late in (
            ({"schedule": "0 * * * *"}, at(13, 10)),
            ({"every": "1h"}, at(13, 40, 1)),
        ):
            for forgives, states in (
                (False, ["critical", "critical", "critical", "critical"]),
                (True, ["critical", "paused", "paused", "critical"]),
            ):
                case = Case(expect(grace="10m", **values), pauses=(
                    Pause(at(9, 30), at(12, 30), "paused", forgives),))
                self.assertEqual(states, [
                    assess(case, Figures(), now).recently.state for now in (
                        at(9, 29), at(12, 30), late - MINUTE / 60, late)])

    def test_what_is_down_each_night_is_late_all_the_same(self):
        nights = tuple(
            Pause(at(2, day=day), at(3, day=day), "down")
            for day in range(1, 29))
        for values, late in (
            ({"every": "1d"}, at(5, 31, day=3)),
            ({"schedule": "30 1 * * *"}, at(4, 30, day=3)),
        ):
            case = Case(expect(grace="2h", **values), pauses=nights)
            figures = Figures(at(1, 30, day=2), at(1, 31, day=2))
            for now, state in (
                (late - MINUTE / 60, "ok"), (late + MINUTE / 60, "critical"),
                (at(12, day=28), "critical"),
            ):
                self.assertEqual(
                    state, assess(case, figures, now).recently.state, now)

    def test_what_is_always_paused_is_never_due(self):
        nights = tuple(
            Pause(at(2) + day * DAY, at(3) + day * DAY, "down")
            for day in range(-500, 1))
        case = Case(expect(schedule="30 2 * * *", grace="2h"), pauses=nights)
        self.assertEqual("ok", assess(case, Figures(), at(12)).state)

    def test_slots_in_a_pause_are_not_due_and_others_have_their_time(self):
        for pause, now, due in (
            ((at(8, 59), at(9, 5)), at(10, 15), (3, (3,))),
            ((at(9), at(9, 1)), at(10, 15), (3, (3,))),
            ((at(8, 11), at(9)), at(10, 15), (4, ())),
            ((at(9, 5), at(9, 30)), at(9, 34, 59), (3, (4,))),
            ((at(9, 5), at(9, 30)), at(9, 35), (4, ())),
        ):
            self.assertEqual(due, self.due(self.case(*pause), now), pause)

    def due(self, case, now):
        slots = slots_at(case, now)
        return slots.due, slots.skipped

    def test_an_interval_misses_what_was_paused(self):
        six_hourly = expect(every="6h", window="1d", grace="1h")
        case = self.case(at(13), at(20), six_hourly)
        slots = slots_at(case, at(12, day=2))
        self.assertEqual(
            ((at(11), at(13), at(20)), (2,), 2),
            (slots.starts, slots.skipped, slots.due))

    def test_an_interval_goes_on_after_a_pause(self):
        hourly = expect(every="1h", grace="10m")
        case = self.case(at(9, 30), at(12, 30), hourly)
        figures = Figures(at(9), at(9, 1))
        for now, state in (
            (at(12, 31), "ok"), (at(13, 11), "ok"), (at(13, 12), "critical"),
        ):
            self.assertEqual(
                state, assess(case, figures, now).recently.state, now)

    def test_pauses_that_overlap_are_one(self):
        pauses = [
            Pause(at(9), at(10), "snoozed"), Pause(at(7), at(8), "downtime"),
            Pause(at(9, 30), at(9, 45), "downtime"),
            Pause(at(10), at(11), "downtime")]
        self.assertEqual(
            (Pause(at(7), at(8), "downtime"),
             Pause(at(9), at(11), "downtime")), merged(pauses))
