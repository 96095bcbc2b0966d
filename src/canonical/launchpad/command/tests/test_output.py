"""Where the kept output of commands is shown."""

import contextlib
import datetime
import io
import json
import unittest
import uuid

from zope.component import getUtility

from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.main import main
from canonical.launchpad.command.notify import message_of
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import Output
from canonical.launchpad.monitor.incidents import Answer
from canonical.launchpad.monitor.notifications import notifications_of
from canonical.launchpad.monitor.tests.test_incidents import DAY
from canonical.launchpad.monitor.tests.test_incidents import NOW
from canonical.launchpad.monitor.tests.test_incidents import answers
from canonical.launchpad.monitor.tests.test_incidents import make_alert
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


def call(*argv):
    """Exit status, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(argv)
    return status, out.getvalue(), err.getvalue()


class TestKept(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def attempt(self, output, outcome="failure", name="garbo"):
        ztm = initZopeless()
        ztm.begin()
        attempts = getUtility(IScriptAttemptSet)
        key = attempts.begin(name, uuid.uuid4())
        attempts.end(key, outcome, exit_status=1, reason="no", output=output)
        ztm.commit()

    def test_a_message_has_the_last_lines(self):
        lines = [f"line {number}" for number in range(9)]
        self.attempt(Output("out\n", "\n".join(lines)))
        notification, = notifications_of(
            [make_alert()], answers(), "mail", DAY, NOW)
        output = message_of(notification).scripts["broken"][0]["output"]
        self.assertEqual([f"| line {number}" for number in range(4, 9)],
                         output[:-1])
        self.assertRegex(
            output[-1], r"  more: scriptactivity output garbo --run \d+")

    def test_so_has_one_about_a_script_that_is_still_broken_or_slow_too(self):
        self.attempt(Output("out\n", ""))
        for values, part in (
            ({"notified": 25}, "still_broken"),
            ({"question": ["recently", "runtime"]}, "broken"),
        ):
            notification, = notifications_of(
                [make_alert(**values)], answers(), "mail", DAY, NOW)
            found, = message_of(notification).scripts[part]
            self.assertIn("| out", found["output"])

    def failed(self, count, output, trouble="FAILED"):
        """The text of a message about so many scripts that failed."""
        broken, alerts = {}, []
        for number in range(count):
            self.attempt(output, name=f"garbo{number}")
            alerts.append(make_alert(f"garbo{number}", number=number))
            broken[f"garbo{number}", None] = {"recently": Answer(
                "critical", "failed", trouble)}
        notification, = notifications_of(alerts, broken, "mail", DAY, NOW)
        return message_of(notification).text

    def test_a_message_says_whose_output_is_left_out(self):
        text = self.failed(12, Output("out\n", ""))
        self.assertEqual(10, text.count("| out"))
        self.assertTrue(text.endswith(
            "\n\nThe output of 2 more scripts that failed: scriptactivity"
            " failures\n"), text)

    def test_it_says_nothing_if_nothing_is_left_out_or_kept(self):
        kept = Output("out\n", "")
        for count, output in (10, kept), (11, None):
            self.assertNotIn("output", self.failed(count, output))
        # Their last runs did not fail.
        self.assertNotIn("output", self.failed(12, kept, "MISSED"))

    def test_a_message_about_a_success_has_none(self):
        self.attempt(Output("out\n", ""))
        LaunchpadObjectFactory().makeScriptActivity(
            name="garbo", duration=datetime.timedelta())
        notification, = notifications_of(
            [make_alert()], answers(), "mail", DAY, NOW)
        self.assertEqual(
            [], message_of(notification).scripts["broken"][0]["output"])

    def test_output(self):
        self.attempt(Output("out", "err\n"))
        self.assertEqual((0, "out\n", "err\n"), call("output", "garbo"))
        self.attempt(None)
        self.assertEqual((0, "out\n", "err\n"), call("output", "garbo"))

    def test_output_for_programs(self):
        self.attempt(Output("out", "err\n"), "success")
        status, out, err = call("output", "garbo", "--json")
        found, = json.loads(out)
        self.assertEqual((0, "", "out", "err\n", "success"), (
            status, err, found["stdout"], found["stderr"], found["outcome"]))

    def test_output_of_what_is_not_there(self):
        self.assertEqual(
            (1, "", "scriptactivity: 'garbo' is not on record\n"),
            call("output", "garbo"))
        self.attempt(None)
        (number,), = [(each.id,) for each in getUtility(
            IScriptAttemptSet).getFailures("garbo")]
        self.assertEqual(
            (1, "",
             "scriptactivity: run 9 of 'garbo' is not on record\n"),
            call("output", "garbo", "--run", "9"))
        self.assertEqual(
            (1, "", "scriptactivity: no output of 'garbo' is kept\n"),
            call("output", "garbo"))
        self.assertEqual(
            (1, "",
             f"scriptactivity: no output of run {number} of 'garbo' is"
             " kept\n"),
            call("output", "garbo", "--run", str(number)))
