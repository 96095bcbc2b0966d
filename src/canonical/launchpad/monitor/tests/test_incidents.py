"""Incidents, and messages about them."""

import datetime
import itertools
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.monitor.alertchanges import changes
from canonical.launchpad.monitor.answers import assess
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import QUESTIONS
from canonical.launchpad.monitor.incidents import Answer
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.incidents import followed
from canonical.launchpad.monitor.incidents import incidents_of
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.message import notification_id
from canonical.launchpad.monitor.message import notification_message
from canonical.launchpad.monitor.message import notification_text
from canonical.launchpad.monitor.message import plain_message
from canonical.launchpad.monitor.notifications import notifications_of
from canonical.launchpad.monitor.recordedlate import with_recorded_late
from canonical.launchpad.monitor.subject import notification_subject
from canonical.launchpad.plaintext import time_text


NOW = datetime.datetime(2007, 2, 1, 10, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)
HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR


def make_alert(name="garbo", hostname=None, question="recently", number=1,
               channel="mail", state="critical", opened=2, notified=None,
               closed=None, **values):
    """An alert.  Times are given in hours before now."""
    notified, closed = (
        None if hours is None else NOW - hours * HOUR
        for hours in (notified, closed))
    questions = [question] if isinstance(question, str) else question
    return Alert(
        number, channel, name, hostname, state, tuple(
            BadAnswer(each, state, "was late", closed is not None)
            for each in questions),
        NOW - opened * HOUR, notified, closed, closed, **values)


def answers(state="critical", name="garbo", hostname=None,
            question="recently"):
    questions = [question] if isinstance(question, str) else question
    return {(name, hostname): {
        each: Answer(state, f"{each} is bad") for each in questions}}


class TestIncidents(unittest.TestCase):
    """What becomes of answers, given as the hours at which they change."""

    def incidents(self, grace=1, until=48, excuses=(), **series):
        piece = {
            question: [(NOW, "ok"), *(
                (NOW + hour * HOUR, state) for hour, state in changes)]
            for question, changes in {
                "recently": [], "often": [], "runtime": [], **series}.items()}
        return [
            ((each.opened - NOW) / HOUR,
             each.closed and (each.closed - NOW) / HOUR, each.state,
             [answer.question for answer in each.answers],
             each.unstable and (each.unstable - NOW) / HOUR)
            for each in incidents_of(
                ("garbo", None), grace * HOUR, [piece], NOW, [
                    (NOW + begin * HOUR, NOW + end * HOUR)
                    for begin, end in excuses])]

    def test_what_was_missed_while_all_were_silent_is_no_new_one(self):
        for often, found in (
            ([(2, "critical"), (9, "ok")], []),
            # It was wrong before the silence, or is afterwards.
            ([(1, "critical"), (9, "ok")],
             [(1, 9, "critical", ["often"], None)]),
            ([(12, "critical"), (13, "ok")],
             [(12, 13, "critical", ["often"], None)]),
            ([(2, "critical"), (15, "ok")],
             [(10, 15, "critical", ["often"], None)]),
        ):
            self.assertEqual(
                found, self.incidents(often=often, excuses=[(2, 10)]))
        # All else that is wrong is one, with that in it.
        for question in "recently", "runtime":
            self.assertEqual(
                [(4, 9, "critical", [question, "often"], None)],
                self.incidents(
                    often=[(2, "critical"), (9, "ok")], excuses=[(2, 10)],
                    **{question: [(4, "warning"), (5, "ok")]}))

    def test_all_that_is_wrong_at_once_is_one(self):
        self.assertEqual(
            [(1, 5, "critical", ["recently", "often"], None)],
            self.incidents(
                recently=[(1, "warning"), (2, "ok")],
                often=[(1, "critical"), (5, "ok")]))

    def test_it_is_as_bad_as_it_ever_was(self):
        self.assertEqual(
            [(1, 3, "critical", ["recently"], None)],
            self.incidents(
                recently=[(1, "critical"), (2, "warning"), (3, "ok")]))

    def test_what_joins_is_in_it(self):
        self.assertEqual(
            [(1, 5, "warning", ["recently", "runtime"], None)],
            self.incidents(
                recently=[(1, "warning"), (3, "ok")],
                runtime=[(2, "warning"), (5, "ok")]))

    def test_what_breaks_again_within_the_grace_is_the_same(self):
        twice = [(1, "warning"), (2, "ok"), (3, "warning"), (4, "ok")]
        both = [(1, 2, "warning", ["recently"], None),
                (3, 4, "warning", ["recently"], None)]
        self.assertEqual(both, self.incidents(1, recently=twice))
        self.assertEqual(
            [(1, 4, "warning", ["recently"], None)],
            self.incidents(1.01, recently=twice))
        self.assertEqual(
            [(1, 4, "warning", ["recently", "often"], None)], self.incidents(
                2, recently=twice[:2], often=twice[2:]))

    def test_a_pause_neither_begins_nor_ends_one(self):
        for state in "paused", "unknown", "waiting":
            self.assertEqual([], self.incidents(recently=[(1, state)]))
            self.assertEqual(
                [(1, 4, "warning", ["recently"], None)], self.incidents(
                    recently=[(1, "warning"), (2, state), (4, "ok")]), state)
            self.assertEqual(
                [(1, None, "warning", ["recently"], None)], self.incidents(
                    recently=[(1, "warning"), (2, state)]), state)

    def flapping(self, *hours):
        return [
            change for hour in hours
            for change in ((hour, "warning"), (hour + 1, "ok"))]

    def test_the_third_in_a_day_is_unstable_until_a_day_without(self):
        for hours, found in (
            ((1, 5), [(1, 2, None), (5, 6, None)]),
            ((1, 5, 25.5), [(1, 2, None), (5, 6, None), (25.5, 26.5, None)]),
            ((1, 5, 9), [(1, 2, None), (5, 6, None), (9, 10, 1)]),
            ((1, 5, 9, 20, 44),
             [(1, 2, None), (5, 6, None), (9, 45, 1)]),
            ((1, 5, 9, 34), [
                (1, 2, None), (5, 6, None), (9, 10, 1), (34, 35, None)]),
        ):
            self.assertEqual(found, [
                (opened, closed, unstable)
                for opened, closed, _, _, unstable in self.incidents(
                    recently=self.flapping(*hours))], hours)


STATES = strategies.sampled_from(
    ["ok", "ok", "ok", "warning", "critical", "paused", "unknown", "waiting"])

# An answer, and for how many minutes it stays: seldom for more than a day.
SERIES = strategies.lists(strategies.tuples(STATES, strategies.one_of(
    *(strategies.integers(1, most) for most in (20, 120, 120, 2000)))),
    min_size=8, max_size=20)


class TestIncidentsAtEachMinute(unittest.TestCase):
    """A replay looks only when an answer has changed, and finds the same."""

    def test_it_finds_what_is_found_at_each_minute(self):
        unstable = []
        settings(max_examples=40, derandomize=True, deadline=None)(given(
            strategies.tuples(SERIES, SERIES, SERIES),
            strategies.sampled_from([0, 1, 30, 600, 2000]),
        )(lambda series, grace: unstable.extend(
            self.check(series, grace * MINUTE))))()
        self.assertTrue(any(unstable))

    def check(self, series, grace):
        piece, states = {}, {}
        for question, spells in zip(QUESTIONS, series, strict=True):
            states[question] = ["ok", *(
                state for state, minutes in spells for _ in range(minutes))]
            piece[question] = [
                (NOW + number * MINUTE, state)
                for number, (before, state) in enumerate(itertools.pairwise(
                    [None, *states[question]])) if state != before]
        script = "garbo", None
        found, current = [], None
        for number, each in enumerate(itertools.zip_longest(
            *states.values(), fillvalue=None
        )):
            answers = {
                question: Answer(state or states[question][-1])
                for question, state in zip(QUESTIONS, each, strict=True)}
            over, current = followed(
                current, script, answers, NOW + number * MINUTE, grace,
                [incident.opened for incident in [*found, current]
                 if incident])
            found += [over] if over else []
        found += [current] if current else []
        self.assertEqual(found, incidents_of(script, grace, [piece], NOW))
        return [each.unstable for each in found]


class TestChanges(unittest.TestCase):

    def changes(self, alerts, answers, channels=("mail",), grace=0,
                openings=None):
        changed = changes(
            alerts, openings or {}, answers,
            dict.fromkeys(["garbo", "b"], grace * HOUR), channels, NOW)
        return (
            [(each.channel, each.name, each.state) for each in changed.opened],
            [each.id for each in changed.updated if each.date_closed],
            [each for each in changed.updated if not each.date_closed])

    def test_what_is_broken_is_opened_for_each_channel(self):
        for state, opened in (
            ("critical", [("mail", "garbo", "critical"),
                          ("webhook", "garbo", "critical")]),
            ("warning", [("mail", "garbo", "warning"),
                         ("webhook", "garbo", "warning")]),
            ("ok", []), ("paused", []), ("unknown", []),
        ):
            self.assertEqual((opened, [], []), self.changes(
                [], answers(state), ("mail", "webhook")))

    def test_what_is_open_is_not_opened_again(self):
        self.assertEqual(
            ([], [], []), self.changes([make_alert()], answers()))
        for other in (
            make_alert(name="other"), make_alert(hostname="a"),
            make_alert(closed=1),
        ):
            opened, _, _ = self.changes([other], answers())
            self.assertEqual(1, len(opened), other)

    def test_what_is_fine_is_closed_and_what_is_paused_is_not(self):
        for state, closed in (("ok", [1]), ("paused", []), ("unknown", [])):
            self.assertEqual(
                ([], closed, []),
                self.changes([make_alert()], answers(state)), state)
        self.assertEqual(
            ([], [], []), self.changes([make_alert(closed=1)], answers("ok")))

    def test_what_is_not_expected_any_longer_is_closed(self):
        self.assertEqual(([], [1], []), self.changes([make_alert()], {}))

    def test_other_channels_are_left_alone(self):
        alerts = [make_alert(channel="webhook"), make_alert(number=2)]
        self.assertEqual(([], [], []), self.changes(alerts, answers()))
        self.assertEqual(([], [2], []), self.changes(alerts, answers("ok")))
        self.assertEqual(([], [2], []), self.changes(alerts, {}))

    def test_it_is_only_as_bad_as_what_is_bad_now(self):
        alert = make_alert(notified=1, question=["recently", "often"])
        both = {("garbo", None): {
            "recently": Answer("ok"), "often": Answer("warning")}}
        _, _, (better,) = self.changes([alert], both)
        self.assertEqual("warning", better.state)
        both["garbo", None]["recently"] = Answer("critical")
        _, _, (worse,) = self.changes([better], both)
        self.assertEqual(("critical", None), (worse.state, worse.date_told))

    def test_another_severity(self):
        sent = make_alert(notified=1, state="warning", pending=("x",))
        for alert, state, date_told, pending in (
            (sent, "critical", None, ()),
            (make_alert(notified=1), "warning", NOW - HOUR, ()),
        ):
            _, _, (changed,) = self.changes([alert], answers(state))
            self.assertEqual(
                (state, date_told, pending),
                (changed.state, changed.date_told, changed.pending))

    def test_what_joins_is_recorded_and_people_are_not_notified_again(self):
        alert = make_alert(notified=1)
        both = answers(question=["recently", "often"])
        opened, closed, (changed,) = self.changes([alert], both)
        self.assertEqual(([], []), (opened, closed))
        self.assertEqual(
            ["recently", "often"], [each.question for each in changed.answers])
        self.assertEqual(
            alert._replace(answers=changed.answers), changed)
        self.assertEqual(
            [], notifications_of([changed], both, "mail", DAY, NOW))

    def test_it_stays_open_for_the_grace_in_case_it_breaks_again(self):
        alert = make_alert(notified=2)
        _, closed, (good,) = self.changes([alert], answers("ok"), grace=1)
        self.assertEqual(([], NOW), (closed, good.date_good))
        self.assertEqual(
            [], notifications_of([good], answers("ok"), "mail", DAY, NOW))
        self.assertEqual(
            ([], [], []), self.changes([good], answers("ok"), grace=1))
        late = good._replace(answers=tuple(
            each._replace(recorded_late="before") for each in good.answers))
        _, closed, (broken,) = self.changes([late], answers(), grace=1)
        self.assertEqual(([], alert), (closed, broken))
        good = good._replace(date_good=NOW - 2 * HOUR)
        over, = changes(
            [good], {}, answers("ok"), {"garbo": HOUR}, ["mail"], NOW).updated
        self.assertEqual(good._replace(date_closed=good.date_good), over)
        good = good._replace(date_good=NOW - HOUR)
        self.assertEqual(
            ([], [1], []), self.changes([good], answers("ok"), grace=1))
        self.assertEqual(
            ([("mail", "garbo", "critical")], [1], []),
            self.changes([good], answers(), grace=1))

    def test_one_that_is_unstable_stays_open_for_a_day_or_for_the_grace(self):
        for hours, grace, closed in (
            (23, 1, []), (24, 1, [1]), (25, 30, []), (30, 30, [1]),
        ):
            alert = make_alert(
                opened=40, notified=40, date_unstable=NOW - 45 * HOUR,
                )._replace(date_good=NOW - hours * HOUR, answers=(
                    BadAnswer("recently", "critical", "", is_over=True),))
            self.assertEqual(
                ([], closed, []),
                self.changes([alert], answers("ok"), grace=grace), hours)

    def test_what_was_recorded_late_is_said(self):
        now = {("garbo", None): {"recently": Answer("ok", "")}}
        case = Case(expectation_from_text("garbo", every="1h", missed=99))
        alert = make_alert(notified=1)
        for before, is_late in (0.5, True), (1.5, False):
            ran = alert.date_opened - before * HOUR

            def assess_at(names, opened, ran=ran):
                self.assertEqual({"garbo"}, names)
                self.assertEqual(alert.date_opened, opened)
                return [assess(case, Figures(ran, ran), opened)]

            changed = changes(
                [alert], {}, now, {"garbo": 0 * HOUR}, ["mail"], NOW)
            text = notification_text(*notifications_of(
                with_recorded_late(changed.updated, assess_at), now, "mail",
                DAY, NOW))
            self.assertIn("* garbo\n  was late for 2h\n", text)
            self.assertEqual(
                is_late,
                f"\n  recorded late: it ran at {time_text(ran)}\n" in text)

    def test_the_end_of_a_silence_opens_no_alert_for_what_was_missed(self):
        silence = make_alert(ALL, "a", "recently", state="critical")
        for host, state, others, opened in (
            ("a", "ok", {}, []),
            (None, "ok", {}, ["garbo"]),
            ("b", "ok", {}, ["garbo"]),
            ("a", "critical", {}, ["garbo"]),
            ("b", "critical", {("mail", None): NOW - HOUR}, []),
            ("b", "critical", {("mail", None): NOW - 2 * HOUR}, ["garbo"]),
            ("b", "critical", {("webhook", None): NOW - HOUR}, ["garbo"]),
        ):
            changed = changes([silence], {}, {
                **answers(hostname=host, question="often"),
                **answers(state, ALL, "a")}, {}, ["mail"], NOW, others,
                {"garbo": 2 * HOUR})
            self.assertEqual(
                opened, [each.name for each in changed.opened], (host, state))
            self.assertEqual(
                state == "ok", bool(changed.updated[0].date_closed)
                if changed.updated else False)

    def test_all_scripts_are_answered_for_each_host_and_together(self):
        rule = expectation_from_text("garbo", every="1h")
        self.assertEqual(
            {("garbo", "a"), ("garbo", "b"), (ALL, "a"), (ALL, "b"),
             (ALL, None)},
            set(answers_of(
                assess(Case(rule, host), Figures(NOW, NOW), NOW)
                for host in ("a", "b"))))

    def test_the_third_in_a_day_is_unstable(self):
        for hours, unstable in (
            ([], None), ([3], None), ([25, 3], None),
            ([9, 3], NOW - 9 * HOUR), ([12, 9, 3], NOW - 12 * HOUR),
        ):
            changed = changes(
                [], {("mail", "garbo", None): [
                    NOW - hour * HOUR for hour in hours]},
                answers(), {"garbo": HOUR}, ["mail", "webhook"], NOW)
            self.assertEqual(
                [unstable, None],
                [each.date_unstable for each in changed.opened], hours)


class TestNotification(unittest.TestCase):

    def notification(self, alerts, answers, channel="mail"):
        found = notifications_of(alerts, answers, channel, DAY, NOW)
        self.assertLess(len(found), 2)
        return found[0] if found else None

    def test_each_alert_has_its_place(self):
        for alert, state, place in (
            (make_alert(), "critical", "broken"),
            (make_alert(notified=1), "critical", None),
            (make_alert(notified=23.9), "critical", None),
            (make_alert(notified=24), "critical", "still"),
            (make_alert(notified=24), "paused", None),
            (make_alert(), "paused", None),
            (make_alert(notified=2, closed=0), "ok", "recovered"),
            (make_alert(closed=0), "ok", "recovered"),
            (make_alert(channel="webhook"), "critical", None),
        ):
            notification = self.notification([alert], answers(state))
            self.assertEqual(
                {place} - {None},
                {name for name in (
                    "broken", "recovered", "forgotten", "still")
                 if notification and getattr(notification, name)}, alert)

    def test_what_is_pending_is_apart_for_those_that_it_is_for(self):
        def parts(*alerts):
            found = notifications_of(alerts, {
                **answers(), **answers("ok", name="b")}, "mail", DAY, NOW)
            return [
                (each.recipients, [
                    name for name in ("broken", "recovered", "still")
                    for _ in getattr(each, name)]) for each in found]

        late = make_alert(notified=1, pending=("x", "y"))
        over = make_alert(name="b", notified=1, closed=0.5)
        self.assertEqual([(("x", "y"), ["broken"])], parts(late))
        self.assertEqual([((), ["recovered"])], parts(over))
        self.assertEqual(
            [(("x",), ["recovered"])], parts(over._replace(pending=("x",))))
        self.assertEqual(
            [(("x", "y"), ["broken"]), ((), ["recovered"])],
            parts(late, over))
        self.assertEqual(
            [((), ["still"])],
            parts(late._replace(date_told=NOW - DAY)))

    def test_what_somebody_else_has_claimed_is_left_alone(self):
        claimed = make_alert(is_claimed=True)
        self.assertIsNone(self.notification([claimed], answers()))
        for state in "critical", "ok", "warning":
            changed = changes(
                [claimed], {}, answers(state), {"garbo": HOUR}, ["mail"], NOW)
            self.assertEqual(([], []), (changed.opened, changed.updated))
        changed = changes([claimed], {}, {}, {}, ["mail"], NOW)
        self.assertEqual(([], []), (changed.opened, changed.updated))

    def test_the_subject_is_the_most_important(self):
        for alerts, subject in (
            ([make_alert()], "CRITICAL: garbo, since 08:00 UTC"),
            ([make_alert(hostname="a", state="warning")],
             "WARNING: garbo on a, since 08:00 UTC"),
            ([make_alert(name="x", state="warning"),
              make_alert(name="y", opened=3)],
             "CRITICAL, WARNING: y, x, since 07:00 UTC"),
            ([make_alert(notified=2, closed=0),
              make_alert(name="b", notified=30)],
             "RECOVERED: garbo; 1 still broken"),
            ([make_alert(notified=30)], "STILL BROKEN: garbo"),
            ([make_alert()._replace(date_unstable=NOW - 9 * HOUR)],
             "UNSTABLE: garbo, since 01:00 UTC"),
            ([make_alert(name=f"script-number-{number}")
              for number in range(1000)],
             "CRITICAL: script-number-0, script-number-1, script-number-2 and"
             " 997 more, since 08:00 UTC"),
        ):
            notification = self.notification(alerts, {
                key: its for each in alerts for key, its in answers(
                    "ok" if each.date_closed else "critical", each.name,
                    each.hostname).items()})
            self.assertEqual(subject, notification_subject(notification))

    def test_the_text(self):
        alerts = [
            make_alert(name="a", state="warning"),
            make_alert(name="b", hostname="host", number=2,
                       question=["recently", "runtime"]),
            make_alert(name="c", opened=30, notified=25, number=4,
                       date_unstable=NOW - 33 * HOUR),
            make_alert(name="d", notified=1, closed=0, number=5,
                       date_unstable=NOW - 9 * HOUR),
            make_alert(name="e", closed=0.5, number=6,
                       question=["recently", "often"]),
            make_alert(name="f", state="warning", number=7,
                       date_unstable=NOW - 9 * HOUR),
        ]
        known = {
            key: its for each in alerts for key, its in answers(
                "ok" if each.date_closed else each.state, each.name,
                each.hostname, [bad.question for bad in each.answers]
            ).items()}
        known["a", None]["often"] = Answer("ok", "it ran often")
        notification = self.notification(alerts, known)
        self.assertEqual("""\
Scripts: 3 broken, 2 recovered, 1 still broken.
As of 2007-02-01 10:00 UTC.

BROKEN
* b on host
  critical: recently is bad
  critical: runtime is bad
* a
  warning: recently is bad
* f
  unstable since 2007-02-01 01:00 UTC: it broke again and again
  warning: recently is bad

RECOVERED
* d
  unstable since 2007-02-01 01:00 UTC: it broke again and again
  was late for 2h
* e
  was late, ran too seldom or too often for 1h30m, from 2007-02-01 08:00 UTC on

STILL BROKEN
* c
  unstable since 2007-01-31 01:00 UTC: it broke again and again
  critical for 1d6h: recently is bad
""", notification_text(notification))

    def test_what_is_no_longer_expected(self):
        notification = self.notification(
            [make_alert(notified=1, closed=0)], {})
        self.assertEqual(
            "NO LONGER EXPECTED: garbo", notification_subject(notification))
        self.assertIn(
            "* garbo\n  was late for 2h\n", notification_text(notification))

    def test_the_same_for_programs(self):
        notification = self.notification(
            [make_alert(), make_alert(name="d", notified=1, closed=0)],
            {**answers(), **answers("ok", name="d")})
        message = notification_message(notification, "production")
        found = message.as_dict()
        self.assertEqual(
            ["id", "at", "subject", "text", "broken", "recovered",
             "partly_recovered", "no_longer_expected", "still_broken"],
            list(found))
        self.assertEqual(
            "[production] CRITICAL: garbo, since 08:00 UTC; 1 recovered",
            found["subject"])
        self.assertEqual(notification_text(notification), found["text"])
        plain = plain_message(NOW, "TEST", "Nothing.\n", "production")
        self.assertEqual(list(found), list(plain.as_dict()))
        self.assertEqual([{
            "name": "garbo", "hostname": None, "question": "recently",
            "state": "critical", "sentence": "recently is bad",
            "opened": "2007-02-01T08:00:00+00:00", "closed": None,
            "unstable_since": None, "answers": [{
                "question": "recently", "state": "critical",
                "sentence": "recently is bad"}],
            "output": [],
        }], found["broken"])
        recovered, = found["recovered"]
        self.assertEqual("2007-02-01T10:00:00+00:00", recovered["closed"])
        self.assertEqual([{
            "question": "recently", "state": "critical",
            "sentence": "was late", "recorded_late": None,
        }], recovered["answers"])

    def test_the_end_of_the_output(self):
        for values, part, words in (
            ({}, "broken", "critical"),
            ({"notified": 24}, "still_broken", "critical for 2h"),
        ):
            notification = self.notification(
                [make_alert(hostname="a", **values)], answers(hostname="a"))
            message = notification_message(notification, "production", {
                ("garbo", None): ["| it is fine"],
                ("garbo", "a"): ["| no space left"]})
            self.assertIn(
                f"* garbo on a\n  {words}: recently is bad\n"
                "  | no space left\n", message.text)
            self.assertEqual(
                ["| no space left"], message.scripts[part][0]["output"])

    def test_what_could_harm_a_terminal_is_escaped(self):
        name = "a\u202eb"
        notification = self.notification([make_alert(name)], {
            (name, None): {"recently": Answer("critical", "bad\x1b[2J")}})
        message = notification_message(notification, "in\x07stance")
        self.assertEqual(
            r"[in\x07stance] CRITICAL: a\u202eb, since 08:00 UTC",
            message.subject)
        self.assertIn(
            "* a\\u202eb\n  critical: bad\\x1b[2J\n", message.text)

    def test_the_id_is_that_of_the_alerts(self):
        def identifier(**values):
            return notification_id(
                self.notification([make_alert(**values)], answers()))

        self.assertEqual(identifier(), identifier())
        others = {
            identifier(), identifier(number=2), identifier(notified=30),
            identifier(notified=60), identifier(closed=0),
            identifier(state="warning")}
        self.assertEqual(6, len(others))
        self.assertEqual(4, len({
            plain_message(NOW, *each).id for each in (
                ("TEST", "Nothing.\n", "production"),
                ("TEST", "Nothing.\n", "staging"),
                ("TEST", "Something.\n", "production"),
                ("OVER", "Nothing.\n", "production"))}))
