"""The command line, as a process."""

import datetime
import json
import os
import re
import subprocess
import unittest
import uuid

from zope.component import getUtility
from zope.schema import getFieldNamesInOrder

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.database.process import this_process
from canonical.launchpad.interfaces import IFailedAttempt
from canonical.launchpad.interfaces import IRunningAttempt
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptSummary
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import write_success
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import Apart
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import PostgresLayer
from canonical.testing import by_owner
from canonical.testing.children import run_on_terminal
from canonical.testing.children import start_python


RUN = "import sys; from canonical.launchpad.command import program;" \
    " sys.exit(program.scriptactivity())"


class CommandsLayer(Apart, LaunchpadZopelessLayer):
    """The tests of commands."""


class CommandTestCase(unittest.TestCase):

    layer = CommandsLayer

    def run_command(self, *arguments, **environment):
        return self.run_code(RUN, *arguments, **environment)

    def start_code(self, code, *arguments, **environment):
        return start_python(
            ["-c", code, *arguments], dict(os.environ, **environment),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run_code(self, code, *arguments, **environment):
        process = self.start_code(code, *arguments, **environment)
        out, err = process.communicate()
        return process.returncode, out, err

    def on_terminal(self, *arguments, columns=60, **environment):
        """What is printed on a terminal of some width."""
        status, out = run_on_terminal(
            ["-c", RUN, *arguments], columns, dict(os.environ, **environment))
        self.assertEqual(0, status)
        return out


class TestCommand(CommandTestCase):

    def test_init_can_be_called_again(self):
        self.layer.become("postgres")
        for _ in range(2):
            status, out, err = self.run_command("init")
            self.assertEqual((0, ""), (status, err))
            self.assertRegex(
                out, "^The tables in postgres on .* are up to date.\n$")

    def test_init_names_what_is_in_the_way_of_an_upgrade(self):
        self.layer.become("postgres")
        by_owner("""
            ALTER TABLE scriptactivity ALTER date_started TYPE timestamp;
            CREATE VIEW recent AS SELECT date_started FROM scriptactivity""")
        ZopelessTransactionManager._installed.commit()
        status, out, err = self.run_command("init")
        by_owner("DROP VIEW recent")
        ZopelessTransactionManager._installed.commit()
        self.assertEqual((1, ""), (status, out))
        self.assertEqual(
            "scriptactivity: cannot alter type of a column used by a view or"
            " rule: rule _RETURN on view recent depends on column"
            ' "date_started"\n', err)
        self.assertEqual(0, self.run_command("init")[0])

    def test_init_says_for_whom_it_waited(self):
        self.layer.become("postgres")
        by_owner("COMMENT ON TABLE scriptactivity IS NULL")
        ZopelessTransactionManager._installed.commit()
        by_owner(
            "LOCK TABLE scriptactivity IN SHARE UPDATE EXCLUSIVE MODE")
        status, out, err = self.run_code(
            "from canonical.database import postgres;"
            f" postgres.LOCK_TIMEOUT = 0.2; {RUN}", "init")
        ZopelessTransactionManager._installed.abort()
        self.assertEqual((1, ""), (status, out))
        self.assertRegex(
            err,
            "^scriptactivity: the tables in postgres on .* are not changed,"
            r" after waiting 0.2s for pid \d+ \(role postgres, .*, idle"
            r" in transaction since .*\); .* run scriptactivity init again\n$")
        self.assertEqual(0, self.run_command("init")[0])

    def test_a_name_that_the_terminal_cannot_show(self):
        LaunchpadObjectFactory().makeScriptActivity("größer")
        ZopelessTransactionManager._installed.commit()
        status, out, err = self.run_command(
            "last", "größer", PYTHONIOENCODING="ascii")
        self.assertEqual((0, ""), (status, err))
        self.assertTrue(out.startswith("gr\\xf6\\xdfer on "), out)

    def test_last_says_when_and_where_and_how_long(self):
        LaunchpadObjectFactory().makeScriptActivity(
            "garbo", "loganberry",
            datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC))
        ZopelessTransactionManager._installed.commit()
        self.assertEqual(
            (0, "garbo on loganberry: last succeeded 2007-02-01 10:00:00 UTC,"
                " ended 10:01:00, in 1m\n", ""),
            self.run_command("last", "garbo"))

    def test_an_unknown_script_is_a_line_and_status_1(self):
        self.assertEqual(
            (1, "", "scriptactivity: 'garbo' is not on record\n"),
            self.run_command("last", "garbo"))
        getUtility(IScriptAttemptSet).begin("tidy", None, None, "host")
        ZopelessTransactionManager._installed.commit()
        self.assertEqual(
            (1, "",
             "scriptactivity: no success of 'tidy' on host is on record\n"),
            self.run_command("last", "tidy", "--host", "host"))

    def test_what_is_not_known_suggests_the_nearest(self):
        LaunchpadObjectFactory().makeScriptActivity("garbo", "loganberry")
        ZopelessTransactionManager._installed.commit()
        suggestion = "'gabro' is not on record; do you mean 'garbo'?"
        for arguments, words in (
            (["last", "gabro"], suggestion),
            (["failures", "gabro"], suggestion),
            (["show", "gabro"], suggestion),
            (["show", "other"], "'other' is not on record"),
            (["failures", "--host", "loganbery"],
             " on 'loganbery'; do you mean 'loganberry'?"),
            (["last", "garbo", "--host", "loganbery"],
             "'garbo' is not on record on 'loganbery'; do you mean"
             " 'loganberry'?"),
        ):
            status, out, err = self.run_command(*arguments)
            self.assertEqual((1, ""), (status, out))
            self.assertTrue(err.endswith(f"{words}\n"), err)
            self.assertEqual(1, err.count("\n"))

    def test_no_tables_is_a_line_that_says_what_to_do(self):
        by_owner("ALTER TABLE scriptactivity RENAME TO away")
        ZopelessTransactionManager._installed.commit()
        self.addCleanup(ZopelessTransactionManager._installed.commit)
        self.addCleanup(
            by_owner, "ALTER TABLE away RENAME TO scriptactivity")
        self.assertEqual(
            (1, "", 'scriptactivity: relation "scriptactivity" does not exist'
                " (make or upgrade the tables with: scriptactivity init)\n"),
            self.run_command("last", "garbo"))

    def test_a_database_out_of_reach_is_a_line_without_the_password(self):
        for command in ["init"], ["last", "garbo"]:
            status, out, err = self.run_command(
                *command, LP_DATABASE_URI="postgresql://me:secret@[::1]:1/app")
            self.assertEqual((1, ""), (status, out))
            self.assertRegex(
                err,
                "^scriptactivity: .*connection to server at .*::1.*, port 1"
                " failed: .*\n$")
            self.assertNotIn("secret", err)

    def test_a_wrong_configuration_is_a_line_and_status_2(self):
        status, out, err = self.run_command("last", "garbo", LPCONFIG="/no")
        self.assertEqual(2, status)
        self.assertEqual("", out)
        self.assertRegex(err, "^scriptactivity: LPCONFIG: no such file: '/no'")
        self.assertEqual(1, err.count("\n"))

    def test_wrong_use_is_status_2(self):
        status, out, err = self.run_command("lats")
        self.assertEqual((2, ""), (status, out))
        self.assertIn("invalid choice: 'lats'", err)


class TestHowScriptsFare(CommandTestCase):

    def setUp(self):
        """garbo fails, tidy runs on two hosts, and fine is fine."""
        start = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
        minute = datetime.timedelta(minutes=1)
        factory = LaunchpadObjectFactory()
        attempts = getUtility(IScriptAttemptSet)
        for name in "fine", "garbo":
            factory.makeScriptActivity(name, "host", start, minute)
        for number in 1, 2:
            run_key = attempts.begin(
                "garbo", None, start + number * minute, "host")
            attempts.end(
                run_key, "failure", start + (number + 1) * minute, 1,
                f"OSError: disk {number}")
        # It is known of one process only that it has not reported its end.
        for hostname, process in ("a", this_process()), ("b", None):
            main_store().execute(
                """
                INSERT INTO scriptattempt
                    (name, hostname, pid, date_started, process)
                VALUES ('tidy', ?, ?, ?, ?)
                """, (hostname, os.getpid(), start, process))
        ZopelessTransactionManager._installed.commit()

    def lines(self, *arguments):
        status, out, err = self.run_command(*arguments)
        self.assertEqual((0, ""), (status, err))
        return [line.split("\t") for line in out.splitlines()]

    def json(self, interface, *arguments):
        status, out, err = self.run_command(*arguments, "--json")
        self.assertEqual((0, ""), (status, err))
        values = json.loads(out)
        for each in values:
            self.assertEqual(
                [*getFieldNamesInOrder(interface), "tags"], list(each))
        return values

    def test_list_in_lines(self):
        self.assertEqual(
            [
                ["script", "host", "last success", "took", "last failure",
                 "in a row", "running since",
                 "has not reported its end since", "reason", "ended"],
                ["fine", "host", "2007-02-01T10:00:00+00:00", "60.0", "-",
                 "-", "-", "-", "-", "2007-02-01T10:01:00+00:00"],
                ["garbo", "host", "2007-02-01T10:00:00+00:00", "60.0",
                 "2007-02-01T10:02:00+00:00", "2", "-", "-",
                 "OSError: disk 2", "2007-02-01T10:01:00+00:00"],
                ["tidy", "a", "-", "-", "-", "-",
                 "2007-02-01T10:00:00+00:00", "-", "-", "-"],
                ["tidy", "b", "-", "-", "-", "-", "-",
                 "2007-02-01T10:00:00+00:00", "-", "-"],
            ],
            self.lines("list"))

    def test_list_in_json(self):
        values = self.json(IScriptSummary, "list")
        self.assertEqual(
            {
                "name": "garbo",
                "hostname": "host",
                "last_success": "2007-02-01T10:00:00+00:00",
                "last_duration": 60.0,
                "last_failure": "2007-02-01T10:02:00+00:00",
                "last_reason": "OSError: disk 2",
                "failures_in_a_row": 2,
                "running_since": None,
                "running_is_seen": False, "tags": [],
            },
            values[1])

    def test_running(self):
        lines = self.lines("running")
        self.assertEqual(
            ["script", "host", "pid", "since", "for", "usually", "also on",
             "state"],
            lines[0])
        pid = str(os.getpid())
        self.assertEqual(
            [["tidy", "a", pid, "b", "runs"],
             ["tidy", "b", pid, "a", "has not reported its end"]],
            [[*line[:3], *line[6:]] for line in lines[1:]])
        self.assertGreater(float(lines[1][4]), 86400)
        values = self.json(IRunningAttempt, "running")
        self.assertEqual(
            [(["b"], True), (["a"], False)],
            [(each["also_on"], each["is_seen"]) for each in values])

    def test_failures(self):
        expected = [
            ["garbo", "host", "2007-02-01T10:02:00+00:00",
             "2007-02-01T10:03:00+00:00", "failure", "1", "2",
             "OSError: disk 2"],
            ["garbo", "host", "2007-02-01T10:01:00+00:00",
             "2007-02-01T10:02:00+00:00", "failure", "1", "1",
             "OSError: disk 1"],
        ]
        self.assertEqual(expected, self.lines("failures")[1:])
        self.assertEqual(expected, self.lines("failures", "garbo")[1:])
        self.assertEqual([], self.lines("failures", "fine")[1:])
        self.assertEqual(
            [2, 1], [each["failures_in_a_row"]
                     for each in self.json(IFailedAttempt, "failures")])

    def test_last(self):
        self.assertEqual(
            (0, "fine on host: last succeeded 2007-02-01 10:00:00 UTC, ended"
                " 10:01:00, in 1m\ngarbo on host: last succeeded 2007-02-01"
                " 10:00:00 UTC, ended 10:01:00, in 1m\n", ""),
            self.run_command("last"))
        self.assertEqual(
            ["fine", "garbo"],
            [each["name"] for each in self.json(IScriptActivity, "last")])
        self.assertEqual(
            1, len(self.json(IScriptActivity, "last", "garbo")))

    def test_a_script_that_nobody_knows(self):
        for command in ["failures", "x"], ["failures", "x", "--json"]:
            self.assertEqual(
                (1, "", "scriptactivity: 'x' is not on record\n"),
                self.run_command(*command))

    def test_failures_of_a_time_a_host_and_at_most_so_many(self):
        self.assertEqual(2, len(self.lines("failures", "--host", "host")[1:]))
        self.assertEqual(
            ["OSError: disk 2"],
            [line[-1] for line in self.lines("failures", "--limit", "1")[1:]])
        attempts = getUtility(IScriptAttemptSet)
        attempts.end(attempts.begin("garbo"), "killed", None, None, "SIGTERM")
        ZopelessTransactionManager._installed.commit()
        self.assertEqual(
            ["SIGTERM"],
            [line[-1] for line in self.lines("failures", "--since", "1d")[1:]])

    def test_a_terminal_gets_a_table_that_fits_with_whole_names(self):
        name, host = "n" * 100, "h" * 100
        LaunchpadObjectFactory().makeScriptActivity(name, host)
        attempts = getUtility(IScriptAttemptSet)
        key = attempts.begin(name, None, None, host)
        attempts.end(key, "failure", None, 1, "because " * 50)
        ZopelessTransactionManager._installed.commit()
        for columns in 60, 80, 120:
            for command in ["list"], ["failures"], ["show", name]:
                out = self.on_terminal(*command, columns=columns)
                plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
                for line in plain.splitlines():
                    self.assertLessEqual(len(line), columns)
                self.assertIn(name, re.sub(r"\s", "", plain))
                self.assertIn(host, re.sub(r"\s", "", plain))
                self.assertEqual(
                    50, len(re.findall("because", plain)), plain)
                self.assertNotIn("\t", out)

    def test_a_note_stands_beside_its_row_where_there_is_room(self):
        plain = re.sub(
            r"\x1b\[[0-9;]*m", "", self.on_terminal("list", columns=150))
        self.assertRegex(
            plain, r"\ngarbo .* 1m    failed 2 times in a row, last at"
            r" 2007-02-01 10:02:00: OSError: disk 2\n")

    def test_colour_is_for_a_terminal_that_wants_it(self):
        red = "\x1b[31m"
        self.assertIn(red, self.on_terminal("list"))
        self.assertNotIn(red, self.on_terminal("list", NO_COLOR="1"))
        self.assertNotIn("\x1b", self.run_command("list")[1])

    def test_times_are_local_if_that_is_wanted(self):
        local = {"TZ": "Europe/Berlin"}
        for command in ["last", "fine"], ["list"], ["show", "fine"]:
            status, out, err = self.run_command(*command, **local)
            self.assertIn("10:00:00", out)
            status, out, err = self.run_command(*command, "--local", **local)
            self.assertEqual((0, ""), (status, err))
            self.assertIn("11:00:00", out)
            self.assertNotIn("10:00:00", out)
            self.assertRegex(out, r"11:00:00\+01:00|CET")
        out = self.on_terminal("list", "--local", **local)
        self.assertIn("Times are in CET/CEST.", out)

    def test_a_terminal_is_told_that_there_is_nothing(self):
        PostgresLayer.testSetUp()
        for command, words in (
            ("list", "No script is on record yet."),
            ("running", "No script runs."),
            ("failures", "No failure is on record."),
        ):
            self.assertEqual(words, self.on_terminal(command).strip())


class TestFuture(CommandTestCase):

    def test_what_is_on_record_of_the_future_is_a_line_that_says_what_to_do(
        self
    ):
        factory = LaunchpadObjectFactory()
        started = datetime.datetime.now(
            datetime.UTC) + datetime.timedelta(days=365)
        factory.makeScriptActivity(
            "it's late", "host", started - datetime.timedelta(days=730))
        for minutes in range(2):
            factory.makeScriptActivity(
                "it's late", "host",
                started + datetime.timedelta(minutes=minutes))
        factory.makeScriptActivity("other", "host", started)
        ZopelessTransactionManager._installed.commit()
        statement = (
            "DELETE FROM scriptactivity WHERE name = 'it''s late' AND hostname"
            f" = 'host' AND date_started >= '{started.isoformat()}'")
        line = (
            "scriptactivity: it's late on host has successes on record that"
            f" started in the future (2, from {started:%Y-%m-%d %H:%M:%S} UTC"
            " on); they do not count before then; if a clock was ahead, delete"
            f" them: {statement}\n")
        of_both = (
            "scriptactivity: it's late on host, other on host have successes"
            " on record that started in the future (3, from")
        for command, expected in (
            (["list"], of_both), (["last"], of_both),
            (["last", "it's late"], line),
        ):
            status, out, err = self.run_command(*command)
            self.assertEqual(0, status)
            self.assertIn(f"{started.year - 2}", out)
            self.assertNotIn("other", out)
            self.assertTrue(err.startswith(expected), err)
            self.assertEqual(1, err.count("\n"))
        main_store().execute(statement)
        ZopelessTransactionManager._installed.commit()
        self.assertEqual("", self.run_command("last", "it's late")[2])
        self.assertTrue(self.run_command("list")[2].startswith(
            "scriptactivity: other on host has"))

    def test_if_all_clocks_are_ahead_there_is_one_line(self):
        factory = LaunchpadObjectFactory()
        now = datetime.datetime.now(datetime.UTC)
        factory.makeScriptActivity(
            "x0", "host", now + datetime.timedelta(minutes=59))
        for number in range(9):
            factory.makeScriptActivity(
                f"x{number}", "host",
                now + datetime.timedelta(hours=2 + number))
        ZopelessTransactionManager._installed.commit()
        _, _, err = self.run_command("list")
        first = now + datetime.timedelta(hours=2)
        said, statement = err.split("future: ")
        self.assertEqual(
            "scriptactivity: x0 on host, x1 on host, x2 on host and 6 more"
            " have successes on record that started in the future (9, from"
            f" {first:%Y-%m-%d %H:%M:%S} UTC on); they do not count before"
            " then; if a clock was ahead, delete all that start in the ", said)
        main_store().execute(statement)
        ZopelessTransactionManager._installed.commit()
        status, out, err = self.run_command("list")
        self.assertEqual((0, ""), (status, err))
        self.assertIn("x0", out)


class TestFlush(CommandTestCase):

    def test_what_cannot_be_sent_is_told_with_its_reason(self):
        spool = PostgresLayer.state_directory / "spool"
        spool.mkdir(parents=True)
        success = Success(
            "garbo", "host",
            datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC),
            datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC), uuid.uuid4(),
            attempt="none", database="host=db dbname=app")
        path = write_success(spool, success)
        self.assertEqual(
            (1, f"0 recorded, 1 left in {spool}\n",
             "scriptactivity: Left in the spool, since it belongs to the"
             f" database host=db dbname=app: {path}\n"),
            self.run_command("flush"))

    def test_a_spool_that_cannot_be_read(self):
        status, out, err = self.run_command(
            "flush", LP_STATE_DIRECTORY="/proc/no")
        self.assertEqual((2, ""), (status, out))
        self.assertRegex(
            err, r"^scriptactivity: \[scripts\] spool_directory: cannot make"
            " /proc/no.*: No such file or directory\n$")
