"""backtest, as a process."""

import io
import json
import re
import textwrap
import threading
import unittest
from unittest import mock

from zope.component import getUtility
from zope.component import queryUtility

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command import progress
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.interfaces import SeenRule
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.monitor.tests.test_replay import MINUTE
from canonical.launchpad.monitor.tests.test_replay import at
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import PostgresLayer


HEAD = """
    <configure xmlns="http://namespaces.zope.org/zope"
               xmlns:lp="http://namespaces.canonical.com/lp">
      <include package="canonical.launchpad" file="meta.zcml" />
"""
GARBO = '<lp:script name="garbo" schedule="0 * * * *" window="2h" {} />'
MAIL = (
    '<lp:script name="mail" every="1h" window="2h" severity="warning"'
    ' tags="eu post" />')
DOWNTIME = '<lp:downtime schedule="30 11 * * *" for="2h" />'


class BacktestTestCase(CommandTestCase):

    def setUp(self):
        self.directory = PostgresLayer.state_directory
        self.directory.mkdir()
        self.rules = self.write("rules.zcml", GARBO.format(""), MAIL)
        factory = LaunchpadObjectFactory()
        for hour in range(16):
            if hour != 12:
                factory.makeScriptActivity(
                    "garbo", "a", at(hour, 1), MINUTE)
        for hour in range(14):
            factory.makeScriptActivity("mail", "a", at(hour, 1), MINUTE)
        ZopelessTransactionManager._installed.commit()

    def write(self, name, *directives):
        path = self.directory / name
        path.write_text(
            textwrap.dedent(HEAD) + "\n".join(directives) + "</configure>")
        return str(path)

    def arguments(self, *options):
        return [
            "backtest", "--since", "6h", "--at", "2007-02-01T16:00Z",
            "--expectations", self.rules, *options]

    def backtest(self, *options):
        return self.run_command(*self.arguments(*options))

    def json(self, *options):
        status, out, err = self.backtest("--json", *options)
        self.assertEqual((0, ""), (status, err))
        return json.loads(out)


class TestBacktest(BacktestTestCase):

    def test_alarms_are_in_the_order_they_opened(self):
        self.assertEqual([
            {"name": name, "hostname": None, "question": questions[0],
             "state": state, "opened": opened, "closed": closed,
             "unstable_since": None, "answers": [
                 {"question": each, "state": state} for each in questions],
             "tags": tags}
            for name, questions, state, opened, closed, tags in (
                ("garbo", ["recently", "often"], "critical",
                 "2007-02-01T12:05:00+00:00", "2007-02-01T14:05:00+00:00", []),
                ("mail", ["often", "recently"], "warning",
                 "2007-02-01T14:06:00.000001+00:00", None, ["eu", "post"]))
        ], self.json())

    def test_lines_and_totals(self):
        status, out, err = self.backtest()
        self.assertEqual((0, ""), (status, err))
        alarms, totals = out.split("\n\n")
        self.assertEqual(3, len(alarms.splitlines()))
        self.assertEqual(
            "mail\t-\toften\twarning\t2007-02-01T14:06:00.000001+00:00"
            "\t-", alarms.splitlines()[-1])
        self.assertEqual([
            "script\thost\trecently\toften\truntime\tincidents\topen",
            "garbo\t-\t1\t1\t0\t1\t7200.0",
            "mail\t-\t1\t1\t0\t1\t6839.999999",
        ], totals.splitlines())
        self.assertNotIn("\x1b", out)

    def test_scripts_that_were_silent_together(self):
        self.write("rules.zcml", *(
            f'<lp:script name="x{number}" every="1h" missed="9" />'
            for number in range(3)))
        for number in range(3):
            for hour in *range(12), 15:
                LaunchpadObjectFactory().makeScriptActivity(
                    f"x{number}", "a", at(hour, 1), MINUTE)
        ZopelessTransactionManager._installed.commit()
        incident, = self.json()
        self.assertEqual(
            ("all scripts", "critical", "2007-02-01T12:07:00.000001+00:00",
             "2007-02-01T15:02:00+00:00", []),
            tuple(incident[key] for key in (
                "name", "state", "opened", "closed", "tags")))
        _, totals = self.backtest()[1].split("\n\n")
        self.assertEqual(
            "all scripts\t-\t1\t0\t0\t1\t10499.999999",
            totals.splitlines()[-1])
        self.assertRegex(
            self.on_terminal(*self.arguments()), r"\nall scripts\n[^\n]*█")

    def test_some_scripts_only(self):
        self.assertEqual(
            {"mail"}, {each["name"] for each in self.json("mail")})
        self.assertEqual(
            (2, "", "scriptactivity: no rule for 'x', 'y'\n"),
            self.backtest("y", "mail", "x"))

    def test_a_pause_is_heeded(self):
        getUtility(IScriptPauseSet).snooze("garbo", at(11, 30), at(13, 30))
        ZopelessTransactionManager._installed.commit()
        self.assertEqual([], self.json("garbo"))

    def test_what_it_does_not_take(self):
        for options, words in (
            (["--since", "soon"], "not a duration: 'soon'"),
            (["--since", "0s"], "must be more than 0s and at most 3650d"),
            (["--since", "9999d"], "must be more than 0s and at most 3650d"),
            (["--since", "-1d"],
             "a duration cannot be negative: '-1d'; do you mean '1d'?"),
            (["--at", "2007-02-01"], "a time without its zone"),
        ):
            status, out, err = self.backtest(*options)
            self.assertEqual((2, ""), (status, out))
            self.assertIn(words, err.splitlines()[-1])
        for option in "--expectations", "--against":
            status, out, err = self.backtest(option, "/nowhere.zcml")
            self.assertEqual((2, ""), (status, out))
            self.assertRegex(err, "^scriptactivity: .*/nowhere.zcml.*\n$")

    def test_a_terminal_has_a_picture_and_colours(self):
        for columns, width in (140, 60), (80, 60), (50, 50):
            out = self.on_terminal(*self.arguments(), columns=columns)
            self.assertIn("\x1b[31m█", out)
            plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
            for line in plain.splitlines():
                self.assertLessEqual(len(line.rstrip()), columns)
            self.assertIn("▁ ok  ░ paused  ▄ warning  █ critical", plain)
            pictures = re.findall("[▁▄█░]{9,}", plain)
            self.assertEqual([width, width], [*map(len, pictures)])
            # Two of six hours from the second on, and the last two.
            for picture, pattern in zip(
                pictures, ("▁+█+▁+", "▁+▄+"), strict=True
            ):
                self.assertRegex(picture, f"^{pattern}$")

    def test_a_narrow_terminal_gets_more_lines(self):
        out = self.on_terminal(*self.arguments(), columns=72)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
        self.assertIn(
            "garbo  -\n"
            "  question recently, state critical, opened 2007-02-01 12:05:00\n"
            "  closed 2007-02-01 14:05:00\n", plain)

    def test_a_picture_shows_pauses(self):
        self.write("rules.zcml", GARBO.format(""), DOWNTIME)
        out = self.on_terminal(*self.arguments(), columns=140)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
        self.assertIn("The rules would have found no incident.", plain)
        self.assertIn("▁" * 15 + "░" * 20 + "▁" * 25, plain)


class TestAgainst(BacktestTestCase):

    def differences(self, *directives):
        path = self.write("other.zcml", *directives)
        return [
            (each["only"], each["name"], each["question"], each["state"],
             each["opened"][11:16], each["closed"] and each["closed"][11:16])
            for each in self.json("--against", path)]

    def test_the_same_rules_differ_in_nothing(self):
        self.assertEqual([], self.differences(GARBO.format(""), MAIL))
        self.assertEqual(
            "Both rules files raise the same alerts.", self.on_terminal(
                *self.arguments("--against", self.rules)).strip())

    def test_other_times_are_different(self):
        self.assertEqual([
            ("expectations", "garbo", "recently", "critical", "12:05",
             "14:05"),
            ("against", "garbo", "recently", "critical", "12:30", "14:30"),
        ], self.differences(GARBO.format('grace="30m"'), MAIL))

    def test_so_are_other_states(self):
        self.assertEqual(
            [("expectations", "critical"), ("against", "warning")],
            [(each[0], each[3]) for each in self.differences(
                GARBO.format('severity="warning"'), MAIL)])

    def test_scripts_and_downtimes_of_one_file_alone(self):
        getUtility(IScriptRuleSet).recordSeen(
            [SeenRule("new", None, "every 1h")], at(0))
        ZopelessTransactionManager._installed.commit()
        self.assertEqual(
            {("expectations", "garbo"), ("expectations", "mail"),
             ("against", "new")},
            {each[:2] for each in self.differences(
                GARBO.format(""), DOWNTIME,
                MAIL.replace("mail", "new"))})
        status, out, err = self.backtest(
            "new", "--json", "--against", str(self.directory / "other.zcml"))
        self.assertEqual((0, ""), (status, err))
        self.assertEqual({"new"}, {each["name"] for each in json.loads(out)})

    def test_lines(self):
        path = self.write("other.zcml", MAIL)
        status, out, err = self.backtest("--against", path)
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(
            ["only\tscript\thost\tquestion\tstate\topened\tclosed",
             "expectations\tgarbo\t-\trecently\tcritical\t"
             "2007-02-01T12:05:00+00:00\t2007-02-01T14:05:00+00:00"],
            out.splitlines()[:2])

    def test_what_is_registered_apart_is_forgotten(self):
        self.write("other.zcml", MAIL)
        with registered_apart():
            load_expectations(self.directory / "other.zcml")
            self.assertEqual(
                ["mail"], [each.name for each in registered_expectations()])
            self.assertIsNotNone(getUtility(IScriptPauseSet))
        self.assertIsNone(queryUtility(IScriptExpectation, "mail"))


class TestProgress(unittest.TestCase):

    def shown(self, patience, terminal=True):
        stderr = io.StringIO()
        stderr.isatty = lambda: terminal
        with (
            mock.patch.object(progress, "PATIENCE", patience),
            mock.patch.object(progress.sys, "stderr", stderr),
        ):
            self.assertEqual(
                [0, 1, 2],
                list(progress.with_progress(range(3), 3, "Replaying")))
        # What refreshes the bar is about to end.
        for thread in threading.enumerate():
            if thread is not threading.current_thread():
                thread.join(5)
        return stderr.getvalue()

    def test_a_bar_is_for_a_terminal_that_waits(self):
        self.assertIn("Replaying", self.shown(0))
        self.assertEqual("", self.shown(60))
        self.assertEqual("", self.shown(0, terminal=False))
