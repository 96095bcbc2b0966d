"""check, and the two commands that operators know, as processes."""

import datetime
import json
import os
import shutil
import socket
import subprocess
import textwrap
import unittest

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from prometheus_client.parser import text_string_to_metric_families
from zope.component import getUtility

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.interfaces import SeenRule
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import PostgresLayer


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
AT = "2007-02-01T10:30Z"

EXPECTATIONS = """
    <configure xmlns="http://namespaces.zope.org/zope"
               xmlns:lp="http://namespaces.canonical.com/lp">
      <include package="canonical.launchpad" file="meta.zcml" />
      <lp:script name="fine" schedule="0 * * * *" window="1h" />
      <lp:script name="slow" every="1h" average="..1s" window="1h"
                 severity="warning" />
      <lp:script name="gone" schedule="0 * * * *" window="1h"
                 hosts="a b" />
    </configure>
"""

TAGGED = EXPECTATIONS.replace(
    'name="fine"', 'name="fine" tags="eu"').replace(
    'name="slow"', 'name="slow" tags="billing eu"')


class CheckTestCase(CommandTestCase):

    def setUp(self):
        self.directory = PostgresLayer.state_directory
        self.directory.mkdir()
        self.expectations = self.write("expectations.zcml", EXPECTATIONS)
        factory = LaunchpadObjectFactory()
        for name in "fine", "slow":
            factory.makeScriptActivity(
                name, "host", START, datetime.timedelta(seconds=30))
        factory.makeScriptActivity("gone", "a", START)
        self.seen(SeenRule("gone", "b", "0 * * * * UTC"))
        ZopelessTransactionManager._installed.commit()

    def seen(self, *rules):
        getUtility(IScriptRuleSet).recordSeen(
            rules, START - datetime.timedelta(days=1))

    def write(self, name, text):
        path = self.directory / name
        path.write_text(textwrap.dedent(text))
        return path

    def check(self, *options, **environment):
        return self.run_command(
            "check", "--at", AT, "--expectations", str(self.expectations),
            *options, **environment)


class TestCheck(CheckTestCase):

    def states(self, *options):
        status, out, err = self.check("--json", *options)
        self.assertEqual("", err)
        return status, [
            (each["name"], each["hostname"], each["state"])
            for each in json.loads(out)]

    def test_the_worst_comes_first_and_decides_the_exit_status(self):
        self.assertEqual(
            (2, [("gone", "b", "critical"), ("slow", None, "warning"),
                 ("fine", None, "ok"), ("gone", "a", "ok")]),
            self.states())

    def test_a_rule_is_first_seen_by_the_first_check_that_may_write(self):
        new = self.write("new.zcml", """
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="new" every="1d" />
            </configure>
        """)

        def first_check(**environment):
            status, _, err = self.run_command(
                "check", "--expectations", str(new), **environment)
            return status, err

        reads = {"PGOPTIONS": "-c default_transaction_read_only=on"}
        self.assertEqual((0, (
            "scriptactivity: not on record: the rule of new; nothing is due"
            " before alert, or check by a role that may write, records it\n"
        )), first_check(**reads))
        self.assertEqual(1, len(getUtility(IScriptRuleSet).getSeen()))
        self.assertEqual(0, self.run_command(
            "check", "--expectations", str(new), "--at", AT)[0])
        self.assertEqual((0, ""), first_check())
        self.assertEqual((0, ""), first_check(**reads))
        self.assertIn(
            SeenRule("new", None, "every 1d"),
            getUtility(IScriptRuleSet).getSeen())

    def test_nagios_gets_a_line_whatever_is_wrong(self):
        wrong = self.write("wrong.zcml", "<configure>")
        for arguments, environment, words in (
            (["nope"], {}, "'nope'"),
            (["--host", ""], {}, "--host: must not be empty"),
            (["gone", "--host", "nope|"], {}, "nope"),
            (["--at", "soon"], {}, "not a time: 'soon'"),
            (["--such"], {}, "unrecognized arguments: --such"),
            (["--json"], {}, "not allowed with"),
            (["--expectations", str(wrong)], {}, "wrong.zcml"),
            (["--expectations", "/no"], {}, "/no"),
            ([], {"LPCONFIG": "/no"}, "LPCONFIG"),
            ([], {"LP_DATABASE_URI": "postgresql://localhost:1/app"},
             "Connection refused"),
        ):
            status, out, err = self.check(
                "--nagios", *arguments, **environment)
            self.assertEqual((3, ""), (status, err))
            self.assertTrue(out.startswith("SCRIPTS UNKNOWN - "), out)
            self.assertIn(words, out)
            self.assertNotIn("|", out)
            self.assertEqual(1, out.count("\n"))

    def test_nagios_gets_a_line_for_what_nobody_has_thought_of(self):
        self.assertEqual(
            (3, "SCRIPTS UNKNOWN - KeyError: 'surprise'\n", ""),
            self.run_code(
                "from canonical.launchpad.command import execute;"
                " execute.execute_zcml = lambda: {}['surprise'];"
                f" {RUN}", "check", "--nagios"))

    def test_the_number_of_statements_does_not_depend_on_the_rules(self):
        code = f"""
            import atexit, sys
            from storm.tracer import install_tracer
            class Counter:
                statements = 0
                def connection_raw_execute(self, *args):
                    Counter.statements += 1
            install_tracer(Counter())
            atexit.register(lambda: print(Counter.statements, file=sys.stderr))
            {RUN}
        """

        def statements():
            _, _, counted = self.run_code(
                textwrap.dedent(code), "check", "--at", AT, "--expectations",
                str(self.expectations))
            return int(counted)

        few = statements()
        more = "".join(
            f'<lp:script name="{name}-{number}" {rule} />'
            for number in range(30) for name, rule in (
                ("any", 'schedule="*/5 * * * *"'),
                ("both", 'every="1h" hosts="a b"'),
                ("after", f'schedule="@daily" after="any-{number}"')))
        self.expectations = self.write("expectations.zcml", (
            EXPECTATIONS.replace("</configure>", f"{more}</configure>")))
        self.assertEqual(few, statements())
        self.assertLessEqual(few, 10)

    def test_some_scripts_or_a_host_only(self):
        self.assertEqual((0, [("fine", None, "ok")]), self.states("fine"))
        self.assertEqual(
            (1, [("slow", None, "warning"), ("fine", None, "ok")]),
            self.states("slow", "fine"))
        self.assertEqual(
            (0, [("gone", "a", "ok")]), self.states("gone", "--host", "a"))

    def test_scripts_with_a_tag_only(self):
        self.expectations = self.write("expectations.zcml", TAGGED)
        both = [("slow", None, "warning"), ("fine", None, "ok")]
        self.assertEqual((1, both), self.states("--tag", "eu"))
        self.assertEqual((1, both[:1]), self.states("--tag", "billing"))
        self.assertEqual(
            (1, both), self.states("--tag", "billing", "--tag", "eu"))
        self.assertEqual(
            (0, both[1:]), self.states("fine", "--tag", "eu"))
        status, out, err = self.check("--tag", "ue")
        self.assertEqual((3, ""), (status, out))
        self.assertIn("no rule has the tag 'ue'", err)
        status, out, err = self.check("fine", "--tag", "billing")
        self.assertEqual((3, ""), (status, out))
        self.assertIn("no script that is named has the tag billing", err)

    def test_scripts_with_a_tag_are_snoozed(self):
        self.expectations = self.write("expectations.zcml", TAGGED)

        def snooze(*arguments):
            return self.run_command(
                "snooze", "--for", "1h", "--expectations",
                str(self.expectations), *arguments)

        status, out, err = snooze("--tag", "eu")
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(
            out, "^(fine|slow) is snoozed until .*\n(slow|fine) is snoozed")
        self.assertEqual(2, out.count("snoozed"))
        for arguments in (), ("fine", "--tag", "eu"):
            status, _, err = snooze(*arguments)
            self.assertEqual(2, status)
            self.assertIn("expected NAME or --tag TAG", err)

    def test_some_scripts_are_judged_as_with_all_others(self):
        names = "x", "y", "z"
        rules = "".join(
            f'<lp:script name="{name}" every="5m" missed="99" tags="eu" />'
            for name in names)
        self.expectations = self.write("expectations.zcml", (
            EXPECTATIONS.replace("</configure>", f"{rules}</configure>")))
        for name in names:
            LaunchpadObjectFactory().makeScriptActivity(
                name, "host", START, datetime.timedelta(minutes=1))
        ZopelessTransactionManager._installed.commit()
        late = [(name, None, "critical") for name in names]
        unknown = [("all scripts", None, "critical")] + [
            (name, None, "unknown") for name in names]
        status, states = self.states("--tag", "eu")
        self.assertEqual((2, unknown), (status, states))
        self.assertEqual((2, unknown[:2]), self.states("x"))
        self.assertEqual((2, unknown), self.states("--host", "host")[:1] + (
            [each for each in self.states("--host", "host")[1]
             if each in unknown],))
        _, out, _ = self.check("x", "--nagios")
        self.assertTrue(out.startswith(
            "SCRIPTS CRITICAL - nothing has been recorded since"), out)
        # Another script has succeeded since, but nobody asks for it.
        LaunchpadObjectFactory().makeScriptActivity(
            "fine", "host", START + datetime.timedelta(minutes=20))
        ZopelessTransactionManager._installed.commit()
        self.assertEqual((2, late), self.states("--tag", "eu"))
        self.assertEqual((2, late[:1]), self.states("x"))

    def test_programs_get_the_tags(self):
        self.expectations = self.write("expectations.zcml", TAGGED)
        _, out, _ = self.check("slow", "gone", "--json")
        self.assertEqual(
            {"slow": ["billing", "eu"], "gone": []},
            {each["name"]: each["tags"] for each in json.loads(out)})
        _, out, _ = self.check("--prometheus")
        tags = {
            (sample.labels["script"], sample.labels["tag"])
            for family in text_string_to_metric_families(out)
            for sample in family.samples if sample.name.endswith("_tag")}
        self.assertEqual(
            {("fine", "eu"), ("slow", "billing"), ("slow", "eu")}, tags)

    def test_tables_of_scripts_with_a_tag(self):
        self.write("expectations.zcml", TAGGED)
        conf = self.write(
            "test.conf", "[monitor]\nexpectations: expectations.zcml\n")
        attempts = getUtility(IScriptAttemptSet)
        for name in "fine", "slow", "gone":
            key = attempts.begin(name, hostname="b")
            attempts.end(key, "failure", exit_status=1, reason="OSError")
            attempts.begin(name, hostname="b")
        ZopelessTransactionManager._installed.commit()
        getUtility(IScriptAlertSet).open([Alert(
            None, "output", "slow", None, "critical",
            (BadAnswer("often", "critical", "too slow"),), START)])
        ZopelessTransactionManager._installed.commit()
        for command in "list", "running", "failures", "last", "alerts":
            status, out, err = self.run_command(
                command, "--json", "--tag", "billing", LPCONFIG=str(conf))
            self.assertEqual((0, ""), (status, err), command)
            names = {each["name"] for each in json.loads(out)}
            self.assertEqual({"slow"}, names, command)
            status, out, err = self.run_command(
                command, "--json", LPCONFIG=str(conf))
            self.assertEqual((0, ""), (status, err), command)
            tags = {each["name"]: each["tags"] for each in json.loads(out)}
            for name, expected in tags.items():
                self.assertEqual(
                    {"fine": ["eu"], "slow": ["billing", "eu"]}.get(name, []),
                    expected, command)
            self.assertIn("slow", tags, command)

    def test_what_is_usual_is_the_same_for_a_check_and_for_what_runs(self):
        self.write("expectations.zcml", EXPECTATIONS.replace(
            'average="..1s"', 'average="learned" runs="20" hosts="host"'))
        conf = self.write(
            "test.conf", "[monitor]\nexpectations: expectations.zcml\n")
        before = datetime.datetime.now(
            datetime.UTC) - datetime.timedelta(hours=2)
        for number in range(35):
            for name in "slow", "unruly":
                LaunchpadObjectFactory().makeScriptActivity(
                    name, "host",
                    before + number * datetime.timedelta(minutes=1),
                    datetime.timedelta(seconds=10 if number < 15 else 20))
        for name in "slow", "unruly":
            getUtility(IScriptAttemptSet).begin(name, hostname="host")
        getUtility(IScriptAttemptSet).begin("slow", hostname="elsewhere")
        ZopelessTransactionManager._installed.commit()
        _, out, _ = self.run_command("check", "slow", LPCONFIG=str(conf))
        self.assertIn("(usually 10s)", out)
        _, out, _ = self.run_command("running", "--json", LPCONFIG=str(conf))
        self.assertEqual(
            {("slow", "host"): 10, ("slow", "elsewhere"): None,
             ("unruly", "host"): 20},
            {(each["name"], each["hostname"]): each["usual_duration"]
             for each in json.loads(out)})
        _, out, _ = self.run_command("running", LPCONFIG=str(conf))
        self.assertRegex(out, r"slow\thost\t\d+\t\S+\t\S+\t10")
        _, out, _ = self.run_command("show", "slow", LPCONFIG=str(conf))
        self.assertRegex(out, "on host runs since .*; usually 10s\n")
        # Without rules, the last successes say what is usual.
        self.write("expectations.zcml", "<configure")
        status, out, err = self.run_command(
            "running", "--json", LPCONFIG=str(conf))
        self.assertEqual((0, 1), (status, err.count("\n")), err)
        self.assertEqual([20.0, 20.0, None], [
            each["usual_duration"] for each in json.loads(out)])

    def test_tags_of_a_wrong_rules_file_are_not_known(self):
        conf = self.write(
            "test.conf", "[monitor]\nexpectations: expectations.zcml\n")
        self.write("expectations.zcml", "<configure")
        status, out, err = self.run_command(
            "last", "--json", LPCONFIG=str(conf))
        self.assertEqual(0, status)
        self.assertEqual([[]] * 3, [each["tags"] for each in json.loads(out)])
        self.assertRegex(err, "^scriptactivity: no tags are known: .*zcml")

    def test_what_is_on_record_of_the_future_is_said_and_does_not_count(self):
        ahead = datetime.datetime.now(
            datetime.UTC) + datetime.timedelta(days=365)
        for name in "fine", "slow", "unexpected":
            LaunchpadObjectFactory().makeScriptActivity(name, "host", ahead)
        ZopelessTransactionManager._installed.commit()
        status, out, err = self.check("--json", "fine")
        self.assertEqual(0, status)
        self.assertEqual(1, len(err.splitlines()))
        self.assertTrue(err.startswith(
            "scriptactivity: fine on host has successes on record that started"
            " in the future (1, from "), err)
        self.assertIn(START.isoformat(), out)

    def test_lines(self):
        status, out, err = self.check("slow")
        self.assertEqual((1, ""), (status, err))
        self.assertEqual(
            ["warning", "slow", "-",
             "average runtime 30s over 1 run (expected at most 1s)"],
            out.splitlines()[1].split("\t"))

    def test_a_line_for_nagios(self):
        status, out, err = self.check("--nagios")
        self.assertEqual((2, ""), (status, err))
        self.assertEqual(1, out.count("\n"))
        self.assertTrue(out.startswith(
            "SCRIPTS CRITICAL - gone on b has never succeeded: never started;"
        ), out)
        self.assertTrue(out.endswith(
            " | ok=2 paused=0 waiting=0 unknown=0 warning=1 critical=1\n"
        ), out)

    def test_what_waits_is_ok_for_nagios(self):
        self.expectations = self.write("expectations.zcml", (
            EXPECTATIONS.replace("</configure>", """
              <lp:script name="later" schedule="0 10 * * *" after="gone" />
            </configure>""")))
        status, out, _ = self.check("--nagios", "later", "fine")
        self.assertEqual(
            (0, "SCRIPTS OK - all scripts do as expected | ok=1 paused=0"
             " waiting=1 unknown=0 warning=0 critical=0\n"), (status, out))

    def test_a_bar_in_a_name_is_no_performance_data_for_nagios(self):
        self.expectations = self.write("expectations.zcml", (
            EXPECTATIONS.replace('"fine"', '"a|b"')))
        self.seen(SeenRule("a|b", None, "0 * * * * UTC"))
        ZopelessTransactionManager._installed.commit()
        status, out, _ = self.check("--nagios", "a|b")
        self.assertEqual(2, status)
        self.assertTrue(out.startswith("SCRIPTS CRITICAL - a/b has "), out)
        self.assertEqual(1, out.count("|"), out)

    def test_the_line_for_nagios_names_ten_and_counts_the_others(self):
        self.seen(*(
            SeenRule(f"new-{each}", None, "every 1h") for each in range(12)))
        ZopelessTransactionManager._installed.commit()
        for number, ending in (10, " allowed)"), (12, "; and 2 more"):
            self.expectations = self.write(
                "many.zcml", EXPECTATIONS.partition("<lp:script")[0] + "".join(
                    f'<lp:script name="new-{each}" every="1h" />'
                    for each in range(number)) + "</configure>")
            _, out, _ = self.check("--nagios")
            said, _, _ = out.partition(" | ")
            self.assertEqual(10, said.count("new-"))
            self.assertTrue(said.endswith(ending), said)

    def metrics(self, text):
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples}

    def test_metrics_for_prometheus(self):
        attempts = getUtility(IScriptAttemptSet)
        attempts.begin("slow", date_started=START.replace(minute=20))
        ZopelessTransactionManager._installed.commit()
        now = datetime.datetime.now(datetime.UTC)
        getUtility(IScriptAlertSet).open([
            Alert(None, channel, "gone", "b", "critical",
                  (BadAnswer("recently", "critical", "late"),), now)
            for channel in ("output", "mail")])
        ZopelessTransactionManager._installed.commit()
        status, out, err = self.check("--prometheus")
        self.assertEqual((2, ""), (status, err))
        metrics = self.metrics(out)
        for name, labels, value in (
            ("last_success_timestamp_seconds", ("fine", ""),
             START.timestamp()),
            ("last_duration_seconds", ("fine", ""), 30),
            ("average_duration_seconds", ("slow", ""), 30),
            ("slots_due", ("gone", "b"), 1),
            ("slots_met", ("gone", "b"), 0),
            ("slots_met", ("gone", "a"), 1),
            ("consecutive_failures", ("fine", ""), 0),
            ("running_since_timestamp_seconds", ("slow", ""),
             START.replace(minute=20).timestamp()),
            ("open_incidents", ("gone", "b"), 1),
            ("open_incidents", ("gone", "a"), 0),
            ("incidents_last_day", ("gone", "b"), 1),
            ("incidents_last_day", ("fine", ""), 0),
            ("state", ("gone", "b", "critical"), 1),
            ("state", ("gone", "b", "ok"), 0),
        ):
            self.assertEqual(
                value,
                metrics[f"scriptactivity_{name}", *sorted(labels)], name)
        self.assertNotIn(
            ("scriptactivity_last_duration_seconds", "b", "gone"), metrics)

    def test_a_file_for_the_textfile_collector(self):
        path = self.write("scripts.prom", "old")
        status, out, err = self.check("--prometheus", str(path))
        self.assertEqual((2, "", ""), (status, out, err))
        self.assertIn("scriptactivity_state", path.read_text())
        self.assertEqual(0o644, path.stat().st_mode & 0o777)
        self.assertEqual(
            {"expectations.zcml", "scripts.prom"},
            {each.name for each in self.directory.iterdir()})

    def test_a_link_is_followed_to_the_file(self):
        path = self.write("scripts.prom", "old")
        link = self.directory / "link.prom"
        link.symlink_to(path)
        status, _, err = self.check("--prometheus", str(link))
        self.assertEqual((2, ""), (status, err))
        self.assertTrue(link.is_symlink())
        self.assertIn("scriptactivity_state", path.read_text())

    def test_what_is_no_regular_file_is_not_replaced(self):
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        device = self.directory / "link"
        device.symlink_to("/dev/null")
        for path, words in (
            (pipe, "not a regular file; --prometheus without FILE prints"),
            (device, "not a regular file"),
            (self.directory, "not a regular file"),
            ("/dev/stdout", "not a regular file"),
            ("/no/such/file", "No such file or directory"),
        ):
            status, out, err = self.check("--prometheus", str(path))
            self.assertEqual((3, "", 1), (status, out, err.count("\n")))
            self.assertIn(words, err)
            self.assertIn(str(path), err)
        self.assertTrue(pipe.is_fifo())
        self.assertTrue(device.is_symlink())

    @unittest.skipUnless(
        shutil.which("promtool"), "promtool of Debian's prometheus is needed")
    def test_promtool_finds_nothing_wrong_with_the_metrics(self):
        _, out, _ = self.check("--prometheus")
        linted = subprocess.run(
            ["promtool", "check", "metrics"], input=out, text=True,
            capture_output=True, check=False)
        self.assertEqual(
            (0, "", ""), (linted.returncode, linted.stdout, linted.stderr))

    def test_what_cron_control_has_switched_off_is_paused(self):
        self.write("cron.ini", "[gone]\nenabled = false\n")
        path = self.write(
            "test.conf", "[monitor]\nexpectations: expectations.zcml\n"
            "[scripts]\ncron_control_url: cron.ini\n")

        def states(*options):
            _, out, err = self.run_command(
                "check", "gone", "--json", *options, LPCONFIG=str(path))
            self.assertEqual("", err)
            return [each["state"] for each in json.loads(out)]

        self.assertEqual(["paused", "paused"], states())
        off_at = datetime.datetime.now(datetime.UTC).isoformat()
        self.write("cron.ini", "[gone]\nenabled = true\n")
        # b has never run, and is given the time of a slot.
        self.assertNotIn("paused", states())
        self.assertEqual(["paused", "paused"], states("--at", off_at))

    def test_what_is_paused_stays_so_while_cron_control_cannot_be_read(self):
        control = self.write("cron.ini", "[gone]\nenabled = false\n")
        path = self.write(
            "test.conf", "[monitor]\nexpectations: expectations.zcml\n"
            "[scripts]\ncron_control_url: cron.ini\n")

        def check():
            _, out, err = self.run_command(
                "check", "gone", "--json", LPCONFIG=str(path))
            return {each["state"] for each in json.loads(out)}, err

        self.assertEqual(({"paused"}, ""), check())
        control.unlink()
        control.mkdir()
        states, err = check()
        self.assertEqual({"paused"}, states)
        self.assertIn("is ignored, and all scripts run: Is a directory", err)
        control.rmdir()
        control.write_text("[gone]\nenabled = maybe\n")
        states, err = check()
        self.assertEqual({"paused"}, states)
        self.assertIn("is ignored, and gone runs: ", err)
        # No file is no mistake.
        control.unlink()
        states, err = check()
        self.assertEqual("", err)
        self.assertNotIn("paused", states)

    def test_clocks_may_differ_by_what_is_configured(self):
        LaunchpadObjectFactory().makeScriptActivity(
            "early", "host", START - datetime.timedelta(minutes=3))
        ZopelessTransactionManager._installed.commit()
        self.write("early.zcml", """
            <configure xmlns="http://namespaces.zope.org/zope"
                       xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="early" schedule="0 10 * * *" window="1h" />
            </configure>
            """)
        for skew, expected in (("1m", 2), ("2m59s", 2), ("3m", 0)):
            path = self.write(
                "test.conf", "[monitor]\nexpectations: early.zcml\n"
                f"clock_skew: {skew}\n")
            status, _, err = self.run_command(
                "check", "--at", AT, LPCONFIG=str(path))
            self.assertEqual((expected, ""), (status, err), skew)
        path = self.write(
            "test.conf", "[monitor]\nexpectations: early.zcml\n"
            "clock_skew: little\n")
        status, _, err = self.run_command("check", LPCONFIG=str(path))
        self.assertEqual(3, status)
        self.assertIn("[monitor] clock_skew: not a duration: 'little'", err)

    def test_the_configuration_names_the_file(self):
        path = self.write(
            "test.conf", "[monitor]\nexpectations: expectations.zcml\n")
        status, out, err = self.run_command(
            "check", "fine", "--at", AT, LPCONFIG=str(path))
        self.assertEqual((0, ""), (status, err))

    def test_whatever_is_wrong_is_a_line_and_unknown(self):
        for arguments, words in (
            (("check",), "no rules: name a rules file"),
            (("check", "--at", "noon"), "not a time: 'noon'"),
            (("check", "--at", "2007-02-01"), "a time without its zone"),
            (("check", "--expectations", "/no/such"), "No such file"),
            (("check", "--no-such-option"), "unrecognized arguments"),
            (("check", "x", "--expectations", str(self.expectations)),
             "no rule for 'x'\n"),
            (("check", "fin", "--expectations", str(self.expectations)),
             "no rule for 'fin'; do you mean 'fine'?\n"),
            (("check", "--expectations", str(self.expectations), "--host",
              "hots"), "unknown host 'hots'; do you mean 'host'?\n"),
            (("check", "gone", "--expectations", str(self.expectations),
              "--host", "host"), "no rule is for the host 'host'\n"),
        ):
            status, out, err = self.run_command(*arguments)
            self.assertEqual((3, ""), (status, out), arguments)
            self.assertIn(words, err)
            self.assertNotIn("Traceback", err)
        status, _, err = self.check(
            LP_DATABASE_URI="postgresql://localhost:1/app")
        self.assertEqual(3, status)

    def test_the_same_script_twice(self):
        path = self.write("twice.zcml", EXPECTATIONS.replace(
            'name="slow"', 'name="fine"'))
        status, out, err = self.run_command(
            "check", "--expectations", str(path))
        self.assertEqual((3, ""), (status, out))
        self.assertEqual(1, err.count("\n"))
        self.assertEqual(2, err.count("twice.zcml"), err)
        self.assertIn("'fine' is declared already, at ", err)

    def test_the_same_script_in_a_file_that_is_included(self):
        path = self.write("outer.zcml", EXPECTATIONS.replace(
            "<lp:script", '<include file="expectations.zcml" /><lp:script', 1))
        status, out, err = self.run_command(
            "check", "--expectations", str(path))
        self.assertEqual((3, ""), (status, out))
        self.assertIn("outer.zcml", err)
        self.assertIn("'fine' is declared already, at ", err)


class TestMonitors(CommandTestCase):

    PRINTING = "import sys;" \
        " from canonical.launchpad.command import program;" \
        " sys.exit(program.script_monitor())"
    NAGIOS = PRINTING.replace("script_monitor()", "script_monitor_nagios()")

    def setUp(self):
        now = datetime.datetime.now(datetime.UTC)
        minute = datetime.timedelta(minutes=1)
        factory = LaunchpadObjectFactory()
        factory.makeScriptActivity("garbo", "a", now - 30 * minute, minute)
        factory.makeScriptActivity("update", "a", now - 5 * minute, minute)
        ZopelessTransactionManager._installed.commit()

    def monitor(self, *arguments, **environment):
        return self.run_code(self.PRINTING, *arguments, **environment)

    def nagios(self, *arguments, **environment):
        return self.run_code(self.NAGIOS, *arguments, **environment)

    def test_all_is_well_in_any_local_zone(self):
        for zone in "UTC", "Asia/Tokyo", "America/New_York":
            self.assertEqual(
                (0, "", ""), self.monitor("10", "a:update", TZ=zone))
            self.assertEqual(
                (0, "All scripts ran as expected\n", ""),
                self.nagios("60", "a:update", "a:garbo", TZ=zone))

    def test_what_did_not_run(self):
        for zone in "UTC", "Asia/Tokyo", "America/New_York":
            self.assertEqual(
                (2, "Scripts failed to run: a:garbo, b:update\n", ""),
                self.nagios("10", "a:garbo", "a:update", "b:update", TZ=zone))
        status, out, err = self.monitor("10", "a:garbo", "b:update")
        self.assertEqual((2, ""), (status, err))
        first, second = out.splitlines()
        self.assertRegex(
            first, "^The script 'garbo' did not complete on 'a' within 10"
            r" minutes, since .* UTC\.  Last seen: 20\S+ \S+ UTC\.$")
        self.assertRegex(second, r"'update' .* 'b' .*  Last seen: never\.$")

    def test_a_name_that_the_terminal_cannot_show(self):
        for run in self.monitor, self.nagios:
            status, out, err = run(
                "10", "a:größer\u202e", PYTHONIOENCODING="ascii")
            self.assertEqual((2, ""), (status, err))
            self.assertIn(r"gr\xf6\xdfer\u202e", out)

    def test_a_mail_to_whom_it_concerns(self):
        class Handler(Message):
            received = []

            def handle_message(self, message):
                self.received.append(message)

        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        controller = Controller(Handler(), hostname="127.0.0.1", port=port)
        controller.start()
        self.addCleanup(controller.stop)
        path = PostgresLayer.state_directory
        path.mkdir()
        path = path / "test.conf"
        path.write_text(
            "[monitor]\nrecipients: ops@example.com, me@example.com\n"
            f"smtp_host: 127.0.0.1\nsmtp_port: {port}\n")
        status, out, err = self.monitor("10", "a:garbo", LPCONFIG=str(path))
        self.assertEqual((2, ""), (status, err))
        message, = Handler.received
        self.assertEqual("Scripts failed to run: 1", message["Subject"])
        self.assertEqual("ops@example.com, me@example.com", message["To"])
        text = message.get_payload(decode=True).decode()
        self.assertEqual(out.split(), text.split())
        self.monitor("10", "a:update", LPCONFIG=str(path))
        self.assertEqual(1, len(Handler.received))

    def test_wrong_use_and_errors_are_unknown(self):
        for arguments, words in (
            ((), "the following arguments are required"),
            (("10",), "the following arguments are required"),
            (("x", "a:garbo"), "MINUTES: not a number from 1 to"),
            (("0", "a:garbo"), "MINUTES: not a number from 1 to"),
            (("10", "garbo"), "one colon between: 'garbo'"),
            (("10", "a:gar:bo"), "one colon between: 'a:gar:bo'"),
            (("10", ":garbo"), "one colon between: ':garbo'"),
        ):
            status, out, err = self.monitor(*arguments)
            self.assertEqual((3, ""), (status, out), arguments)
            self.assertIn(words, err)
            self.assertEqual(1, err.count("\n"))
            self.assert_unknown(words, *arguments)
        self.assert_unknown(
            "Connection refused", "10", "a:garbo",
            LP_DATABASE_URI="postgresql://localhost:1/app")
        self.assert_unknown("LPCONFIG", "10", "a:garbo", LPCONFIG="/no")

    def assert_unknown(self, words, *arguments, **environment):
        """Nagios reads standard output, and nothing else."""
        status, out, err = self.nagios(*arguments, **environment)
        self.assertEqual((3, ""), (status, err))
        self.assertTrue(out.startswith(
            "SCRIPTS UNKNOWN - script-monitor-nagios: "), out)
        self.assertIn(words, out)
        self.assertEqual(1, out.count("\n"))
