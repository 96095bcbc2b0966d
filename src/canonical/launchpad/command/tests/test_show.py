"""show, as a process."""

import datetime
import json

from psycopg2.extensions import make_dsn
from zope.component import getUtility

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.tests.test_check import EXPECTATIONS
from canonical.launchpad.command.tests.test_check import TAGGED
from canonical.launchpad.command.tests.test_check import CheckTestCase
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import PostgresLayer


NOW = datetime.datetime.now(datetime.UTC)
HOUR = datetime.timedelta(hours=1)


class TestShow(CheckTestCase):

    def show(self, *arguments, **environment):
        status, out, err = self.run_command(
            "show", *arguments, "--expectations", str(self.expectations),
            **environment)
        self.assertEqual((0, ""), (status, err))
        return out

    def test_programs_get_all_of_it(self):
        attempts = getUtility(IScriptAttemptSet)
        attempts.end(
            attempts.begin("slow", None, NOW, "host"), "failure", None, 1,
            "OSError: disk")
        attempts.begin("slow", None, NOW, "other")
        getUtility(IScriptPauseSet).snooze("slow", NOW, NOW + HOUR)
        ZopelessTransactionManager._installed.commit()
        about, = json.loads(self.show("slow", "--json"))
        self.assertEqual(
            ["name", "rule", "declared_in", "trouble", "assessments",
             "running", "runs", "failures", "alerts", "pauses", "pruned"],
            list(about))
        self.assertEqual(
            "every 1h, grace 5m, 0 misses allowed in 1h, average ..1s,"
            " warning", about["rule"])
        self.assertEqual(f"{self.expectations}:6", about["declared_in"])
        self.assertEqual(
            ["paused"], [each["state"] for each in about["assessments"]])
        self.assertEqual(
            ["failure", "success"],
            [each["outcome"] for each in about["runs"]])
        self.assertEqual(
            ["OSError: disk"], [each["reason"] for each in about["failures"]])
        self.assertEqual(
            ["other"], [each["hostname"] for each in about["running"]])
        self.assertEqual("snoozed", about["pauses"][0]["reason"])

    def test_each_host_has_answers_of_its_own(self):
        out = self.show("gone")
        # Nothing is on record since 2007, so nobody knows of this host.
        self.assertIn("          unknown: a: nothing has been recorded", out)
        self.assertIn("recently  critical: b: has never succeeded", out)

    def test_a_host_that_is_silent_is_named_once(self):
        names = "x", "y", "z"
        self.expectations = self.write("expectations.zcml", (
            EXPECTATIONS.replace("</configure>", "".join(
                f'<lp:script name="{name}" every="1h" hosts="a" />'
                for name in names) + "</configure>")))
        for name in names:
            LaunchpadObjectFactory().makeScriptActivity(
                name, "a", NOW - 5 * HOUR)
        LaunchpadObjectFactory().makeScriptActivity("fine", "b", NOW)
        ZopelessTransactionManager._installed.commit()
        self.assertIn(
            "recently  unknown: a: 3 of 4 scripts are silent",
            self.show("x"))

    def test_scripts_with_a_tag(self):
        self.expectations = self.write("expectations.zcml", TAGGED)
        self.assertEqual(["fine", "slow"], [
            each["name"] for each in json.loads(
                self.show("--tag", "eu", "--json"))])
        text = self.show("--tag", "eu")
        self.assertTrue(text.startswith("fine\nrule"), text)
        self.assertIn("\n\nslow\nrule", text)
        for arguments, words in (
            (["--tag", "ue"], "no rule has the tag 'ue'"),
            ([], "expected NAME or --tag TAG"),
            (["fine", "--tag", "eu"], "expected NAME or --tag TAG"),
        ):
            status, out, err = self.run_command(
                "show", "--expectations", str(self.expectations), *arguments)
            self.assertEqual((2, ""), (status, out))
            self.assertIn(words, err)

    def test_tags_need_rules(self):
        status, out, err = self.run_command("show", "--tag", "eu")
        self.assertEqual((2, ""), (status, out))
        self.assertIn("no rules: name a rules file", err)

    def test_a_script_without_a_rule(self):
        LaunchpadObjectFactory().makeScriptActivity("unruly", "host")
        ZopelessTransactionManager._installed.commit()
        out = self.show("unruly")
        self.assertIn("\nrule      none\n", out)
        self.assertNotIn("recently", out)

    def test_a_rule_of_a_script_that_has_never_run(self):
        self.expectations = self.write("new.zcml", """
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="new" every="1h" />
            </configure>
            """)
        self.assertIn("\nruns      none has ended\n", self.show("new"))
        self.assertEqual(
            (1, "", "scriptactivity: 'nwe' is not on record; do you"
             " mean 'new'?\n"),
            self.run_command(
                "show", "nwe", "--expectations", str(self.expectations)))

    def test_rules_that_cannot_be_read_do_not_hide_the_rest(self):
        self.write("expectations.zcml", "<configure>")
        self.write(
            "scriptactivity.conf",
            f"[monitor]\nexpectations: {self.expectations}\n")
        status, out, err = self.run_command(
            "show", "fine",
            LPCONFIG=str(self.expectations.parent / "scriptactivity.conf"),
            LP_DATABASE_URI=make_dsn(
                **embedded_parameters(PostgresLayer.directory)))
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(out, r"\nrule      none: .*expectations\.zcml")
        self.assertIn("2007-02-01 10:00:00", out)

    def test_a_picture_that_any_terminal_can_show(self):
        factory = LaunchpadObjectFactory()
        for hour, seconds in enumerate((1, 20, 40, 80)):
            factory.makeScriptActivity(
                "varied", "host", NOW - (9 - hour) * HOUR,
                datetime.timedelta(seconds=seconds))
        attempts = getUtility(IScriptAttemptSet)
        attempts.end(
            attempts.begin("varied", hostname="host"), "skipped",
            exit_status=1, reason="another")
        ZopelessTransactionManager._installed.commit()
        self.assertIn("\nruns      ▁▃▅█-\n", self.show("varied"))
        out = self.show("varied", PYTHONIOENCODING="ascii")
        self.assertIn("\nruns      1358-\n", out)
        self.assertTrue(out.isascii())
