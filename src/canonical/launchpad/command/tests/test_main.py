"""The command line, as a process."""

import datetime
import os
import subprocess
import sys
import unittest

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer


RUN = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main())"


class TestCommand(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def run_command(self, *arguments, **environment):
        process = subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            env=dict(os.environ, **environment),
            capture_output=True, text=True, check=False)
        return process.returncode, process.stdout, process.stderr

    def test_init_can_be_called_again(self):
        for _ in range(2):
            status, out, err = self.run_command("init")
            self.assertEqual((0, ""), (status, err))
            self.assertRegex(
                out, "^The tables in postgres on .* are up to date.\n$")

    def test_init_names_what_is_in_the_way_of_an_upgrade(self):
        main_store().execute("""
            ALTER TABLE scriptactivity ALTER date_started TYPE timestamp;
            CREATE VIEW recent AS SELECT date_started FROM scriptactivity""")
        ZopelessTransactionManager._installed.commit()
        status, out, err = self.run_command("init")
        main_store().execute("DROP VIEW recent")
        ZopelessTransactionManager._installed.commit()
        self.assertEqual((1, ""), (status, out))
        self.assertEqual(
            "scriptactivity: cannot alter type of a column used by a view or"
            " rule: rule _RETURN on view recent depends on column"
            ' "date_started"\n', err)
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
                " in 1m 0s\n", ""),
            self.run_command("last", "garbo"))

    def test_an_unknown_script_is_a_line_and_status_1(self):
        self.assertEqual(
            (1, "", "scriptactivity: no success of 'garbo' is on record\n"),
            self.run_command("last", "garbo"))
        self.assertEqual(
            (1, "",
             "scriptactivity: no success of 'garbo' on host is on record\n"),
            self.run_command("last", "garbo", "--host", "host"))

    def test_no_tables_is_a_line_that_says_what_to_do(self):
        main_store().execute("ALTER TABLE scriptactivity RENAME TO away")
        ZopelessTransactionManager._installed.commit()
        self.addCleanup(ZopelessTransactionManager._installed.commit)
        self.addCleanup(
            main_store().execute, "ALTER TABLE away RENAME TO scriptactivity")
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
        self.assertRegex(err, "^scriptactivity: LPCONFIG: no instance '/no'")
        self.assertEqual(1, err.count("\n"))

    def test_wrong_use_is_status_2(self):
        status, out, err = self.run_command("lats")
        self.assertEqual((2, ""), (status, out))
        self.assertIn("invalid choice: 'lats'", err)
