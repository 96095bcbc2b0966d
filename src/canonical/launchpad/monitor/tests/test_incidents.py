"""Alerts and messages for bad answers."""

import datetime
import unittest

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.incidents import Answer
from canonical.launchpad.monitor.incidents import changes
from canonical.launchpad.monitor.incidents import notices_of
from canonical.launchpad.monitor.message import notice_id
from canonical.launchpad.monitor.message import notice_message
from canonical.launchpad.monitor.message import notice_subject
from canonical.launchpad.monitor.message import notice_text
from canonical.launchpad.monitor.message import plain_message


NOW = datetime.datetime(2007, 2, 1, 10, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR


def make_alert(name="garbo", hostname=None, question="recently", number=1,
               channel="mail", state="critical", opened=2, notified=None,
               closed=None, **values):
    """An alert.  Times are given in hours before now."""
    notified, closed = (
        None if hours is None else NOW - hours * HOUR
        for hours in (notified, closed))
    return Alert(number, channel, name, hostname, question, state, "was late",
                 NOW - opened * HOUR, notified, closed, **values)


def answers(state="critical", name="garbo", hostname=None,
            question="recently"):
    return {(name, hostname, question): Answer(state, "is late")}


class TestChanges(unittest.TestCase):

    def changes(self, alerts, answers, channels=("mail",)):
        changed = changes(alerts, answers, channels, NOW)
        return (
            [(each.channel, each.name, each.state) for each in changed.opened],
            changed.closed, changed.states)

    def test_what_is_broken_is_opened_for_each_channel(self):
        for state, opened in (
            ("critical", [("mail", "garbo", "critical"),
                          ("webhook", "garbo", "critical")]),
            ("warning", [("mail", "garbo", "warning"),
                         ("webhook", "garbo", "warning")]),
            ("ok", []), ("paused", []), ("unknown", []),
        ):
            self.assertEqual((opened, [], {}), self.changes(
                [], answers(state), ("mail", "webhook")))

    def test_what_is_open_is_not_opened_again(self):
        self.assertEqual(
            ([], [], {}), self.changes([make_alert()], answers()))
        for other in (
            make_alert(name="other"), make_alert(hostname="a"),
            make_alert(question="often"), make_alert(closed=1),
        ):
            opened, _, _ = self.changes([other], answers())
            self.assertEqual(1, len(opened), other)

    def test_what_is_fine_is_closed_and_what_is_paused_is_not(self):
        for state, closed in (("ok", [1]), ("paused", []), ("unknown", [])):
            self.assertEqual(
                ([], closed, {}),
                self.changes([make_alert()], answers(state)), state)
        self.assertEqual(
            ([], [], {}), self.changes([make_alert(closed=1)], answers("ok")))

    def test_what_is_not_expected_any_longer_is_closed(self):
        self.assertEqual(([], [1], {}), self.changes([make_alert()], {}))

    def test_other_channels_are_left_alone(self):
        alerts = [make_alert(channel="webhook"), make_alert(number=2)]
        self.assertEqual(([], [], {}), self.changes(alerts, answers()))
        self.assertEqual(([], [2], {}), self.changes(alerts, answers("ok")))

    def test_another_severity(self):
        self.assertEqual(
            ([], [], {"warning": [1]}),
            self.changes([make_alert()], answers("warning")))


class TestNotice(unittest.TestCase):

    def notice(self, alerts, answers, channel="mail"):
        found = notices_of(alerts, answers, channel, DAY, NOW)
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
            notice = self.notice([alert], answers(state))
            self.assertEqual(
                {place} - {None},
                {name for name in (
                    "broken", "recovered", "eased", "forgotten", "still")
                 if notice and getattr(notice, name)}, alert)

    def test_what_is_pending_is_apart_for_those_that_it_is_for(self):
        def parts(*alerts):
            found = notices_of(alerts, {
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
        self.assertIsNone(self.notice([claimed], answers()))
        for state in "critical", "ok", "warning":
            changed = changes([claimed], answers(state), ["mail"], NOW)
            self.assertEqual(
                ([], [], {}), (changed.opened, changed.closed, changed.states))

    def test_the_subject_is_the_most_important(self):
        for alerts, subject in (
            ([make_alert()], "CRITICAL: garbo"),
            ([make_alert(hostname="a", state="warning")],
             "WARNING: garbo on a"),
            ([make_alert(name="x", state="warning"), make_alert(name="y")],
             "CRITICAL: y, x"),
            ([make_alert(), make_alert(question="often")],
             "CRITICAL: garbo"),
            ([make_alert(notified=2, closed=0),
              make_alert(name="b", notified=30)],
             "RECOVERED: garbo; 1 still broken"),
            ([make_alert(notified=30)], "STILL BROKEN: garbo"),
            ([make_alert(name=f"script-number-{number}")
              for number in range(1000)],
             "CRITICAL: script-number-0, script-number-1, script-number-2 and"
             " 997 more"),
        ):
            notice = self.notice(alerts, {
                (each.name, each.hostname, each.question): Answer(
                    "ok" if each.date_closed else "critical", "")
                for each in alerts})
            self.assertEqual(subject, notice_subject(notice))

    def test_the_text(self):
        alerts = [
            make_alert(name="a", state="warning"),
            make_alert(name="b", hostname="host", number=2),
            make_alert(name="b", hostname="host", number=3,
                       question="runtime"),
            make_alert(name="c", opened=30, notified=25, number=4),
            make_alert(name="d", notified=1, closed=0, number=5),
            make_alert(name="e", closed=0.5, number=6, question="often"),
        ]
        notice = self.notice(alerts, {
            (each.name, each.hostname, each.question): Answer(
                "ok" if each.date_closed else each.state,
                f"{each.question} is bad") for each in alerts})
        self.assertEqual("""\
Scripts: 2 broken, 2 recovered, 1 still broken.
As of 2007-02-01 10:00 UTC.

BROKEN
* b on host
  critical: recently is bad
  critical: runtime is bad
* a
  warning: recently is bad

RECOVERED
* d
  was late for 2h
* e
  ran too seldom or too often for 1h30m, from 2007-02-01 08:00 UTC on

STILL BROKEN
* c
  critical for 1d6h: recently is bad
""", notice_text(notice))

    def test_what_is_no_longer_expected(self):
        notice = self.notice([make_alert(notified=1, closed=0)], {})
        self.assertEqual("NO LONGER EXPECTED: garbo", notice_subject(notice))
        self.assertIn("* garbo\n  was late for 2h\n", notice_text(notice))

    def test_what_is_still_bad_in_another_way(self):
        notice = self.notice([make_alert(notified=1, closed=0)], {
            **answers("ok"),
            **answers("warning", question="often"),
            **answers("ok", question="runtime")})
        self.assertEqual("PARTLY RECOVERED: garbo", notice_subject(notice))
        self.assertIn(
            "* garbo\n  was late for 2h\n  still warning: is late\n",
            notice_text(notice))

    def test_the_same_for_programs(self):
        notice = self.notice(
            [make_alert(), make_alert(name="d", notified=1, closed=0)],
            {**answers(), **answers("ok", name="d")})
        message = notice_message(notice, "production")
        found = message.as_dict()
        self.assertEqual(
            ["id", "at", "subject", "text", "broken", "recovered",
             "partly_recovered", "no_longer_expected", "still_broken"],
            list(found))
        self.assertEqual(
            "[production] CRITICAL: garbo; 1 recovered", found["subject"])
        self.assertEqual(notice_text(notice), found["text"])
        plain = plain_message(NOW, "TEST", "Nothing.\n", "production")
        self.assertEqual(list(found), list(plain.as_dict()))
        self.assertEqual([{
            "name": "garbo", "hostname": None, "question": "recently",
            "state": "critical", "sentence": "is late",
            "opened": "2007-02-01T08:00:00+00:00", "closed": None,
            "output": [],
        }], found["broken"])
        self.assertEqual(
            ["2007-02-01T10:00:00+00:00"],
            [each["closed"] for each in found["recovered"]])

    def test_the_end_of_the_output(self):
        notice = self.notice([make_alert()], answers())
        message = notice_message(
            notice, "production", {("garbo", None): ["| no space left"]})
        self.assertIn(
            "* garbo\n  critical: is late\n  | no space left\n", message.text)
        self.assertEqual(
            ["| no space left"], message.scripts["broken"][0]["output"])

    def test_the_id_is_that_of_the_alerts(self):
        def identifier(**values):
            return notice_id(self.notice([make_alert(**values)], answers()))

        self.assertEqual(identifier(), identifier())
        others = {
            identifier(), identifier(number=2), identifier(notified=30),
            identifier(notified=60), identifier(closed=0)}
        self.assertEqual(5, len(others))
