"""crontab, as a process."""

import os
import subprocess
import sys
import textwrap
import unittest
from pathlib import Path
from unittest import mock

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command import crontab
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import PostgresLayer
from canonical.testing.children import start_python


class CrontabTestCase(CommandTestCase):

    def setUp(self):
        self.directory = PostgresLayer.state_directory
        self.directory.mkdir()

    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, str):
            text = textwrap.dedent(text).encode()
        path.write_bytes(text)
        return str(path)

    def crontab(self, *arguments, **environment):
        return self.run_command("crontab", *arguments, **environment)


class TestCrontab(CrontabTestCase):

    def test_what_is_printed_is_what_check_takes(self):
        path = self.write("tab", "*/10 * * * * /srv/a.py\n@daily '/srv/<ö>'\n")
        # Whatever the terminal is in, the file is in UTF-8.
        status, out, err = self.crontab(path, PYTHONIOENCODING="utf-8")
        self.assertEqual((0, ""), (status, err))
        process = subprocess.run(
            [sys.executable, "-c", RUN, "crontab", path], check=True,
            env=dict(os.environ, PYTHONIOENCODING="ascii"),
            capture_output=True)
        self.assertEqual(out, process.stdout.decode())
        rules = self.write("rules.zcml", process.stdout)
        status, out, err = self.run_command("check", "--expectations", rules)
        # Nothing is due before its rule was there.
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(
            {"a", "<ö>"},
            {line.split("\t")[1] for line in out.splitlines()[1:]})

    def test_it_needs_no_database(self):
        path = self.write("tab", "@daily a\n")
        status, out, err = self.crontab(
            path, LP_DATABASE_URI="postgresql://localhost:1/app")
        self.assertEqual((0, ""), (status, err))

    def test_what_became_no_rule_is_listed_twice(self):
        path = self.write("tab", """\
            @reboot /srv/a.py
            what is this?
            """)
        status, out, err = self.crontab(path)
        self.assertEqual(1, status)
        for text in out, err:
            text = " ".join(text.split())
            self.assertIn(f"{path}:1: @reboot has no schedule", text)
            self.assertIn(f"{path}:2: expected a schedule", text)
            self.assertIn("what is this?", text)
        self.assertIn("scriptactivity: 1 line not understood", err)
        self.assertEqual(0, self.crontab(self.write("b", "@reboot b"))[0])

    def test_the_form_is_by_option_place_or_text(self):
        user = self.write("user", "@daily /srv/a.py /srv/b.py\n")
        system = self.write("system", "@daily root /srv/b.py\n")
        place = self.write("cron.d/x", "@daily a b\n")
        for arguments, name in (
            ((user,), "a"), ((user, "--user"), "a"), ((user, "--system"), "b"),
            ((system,), "b"), ((place,), "b"), ((place, "--user"), "a"),
        ):
            status, out, err = self.crontab(*arguments)
            self.assertEqual((0, ""), (status, err))
            self.assertIn(f'name="{name}"', out)

    def test_several_files_one_of_them_standard_input(self):
        path = self.write("tab", "0 2 * * * a\n")
        process = start_python(
            ["-c", RUN, "crontab", path, "-"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        out, _ = process.communicate("0 3 * * * root a\n")
        self.assertEqual(0, process.returncode)
        self.assertIn('name="a" schedule="0 2,3 * * *"', out)
        self.assertIn("stdin:1", out)

    def test_a_directory_as_cron_reads_it(self):
        for name in "a", "b.dpkg-old", "c~", ".d", "e/f":
            self.write(f"cron.d/{name}", "@daily root /srv/x.sh\n")
        directory = str(self.directory / "cron.d")
        status, out, err = self.crontab(directory)
        self.assertEqual(0, status)
        self.assertEqual(1, out.count("<lp:script"))
        self.assertIn(f"{directory}/a:1", out)
        self.assertEqual(
            [f"scriptactivity: {directory}/{name}: left out; cron reads no"
             " file of such a name" for name in (".d", "b.dpkg-old", "c~")],
            err.splitlines())

    def test_a_crontab_with_nothing_in_it(self):
        path = self.write("tab", "# nothing\nMAILTO=me\n")
        empty = self.directory / "cron.d"
        empty.mkdir()
        for arguments, words in (
            ((path,), f"{path}: there is no schedule in it"),
            ((str(empty),), f"{empty}: there is no crontab in it"),
        ):
            status, out, err = self.crontab(*arguments)
            self.assertEqual((1, f"scriptactivity: {words}\n"), (status, err))

    def test_names_are_compared_with_those_on_record(self):
        ztm = ZopelessTransactionManager._installed
        for name in "tidy-uploads", "backup":
            LaunchpadObjectFactory().makeScriptActivity(name=name)
        ztm.commit()
        path = self.write(
            "tab", "@daily /srv/tidy_uploads.py\n@daily /srv/backup.sh\n"
            "@daily /srv/report.sh\n")
        status, out, err = self.crontab(path)
        self.assertEqual(0, status)
        said = "'tidy_uploads' is not on record; do you mean 'tidy-uploads'?"
        self.assertIn(said, " ".join(out.split()))
        self.assertEqual(
            f"scriptactivity: {path}:1: {said}: @daily /srv/tidy_uploads.py\n",
            err)
        unreported = "its runs are recorded only if it is"
        self.assertIn(f"{path}:3\n       {unreported}", out)
        self.assertEqual(1, out.count(unreported))

    def test_wrapping(self):
        text = b"# \xf6\n17 *\t* * * cd / && \xf6/a.sh\r\n@daily b %c"
        path = self.write("tab", text)
        program = "/opt/bin/scriptactivity"
        process = start_python(
            ["-c", f"import sys; sys.argv[0] = {program!r}; {RUN}", "crontab",
             "--wrap", path], stdout=subprocess.PIPE)
        out, _ = process.communicate()
        self.assertEqual(0, process.returncode)
        run = program.encode() + b" run %s -- "
        self.assertEqual(
            text.replace(b" \xf6/", b" " + run % b"a" + b"\xf6/").replace(
                b"b %", run % b"b" + b"b %"), out)

    def test_what_is_not_wrapped_is_listed(self):
        path = self.write("tab", "@daily find /srv\n")
        status, out, err = self.crontab("--wrap", path)
        self.assertEqual((1, "@daily find /srv\n"), (status, out))
        self.assertEqual([
            f"scriptactivity: {path}:1: the command runs no script that has a"
            " name: @daily find /srv",
            "scriptactivity: 1 line not wrapped, and printed as before",
            ], err.splitlines())

    def test_names_by_a_file(self):
        names = self.write("names", "*cron.daily daily\n")
        path = self.write("tab", "@daily root run-parts /etc/cron.daily\n")
        status, out, err = self.crontab(path, "--names", names)
        self.assertEqual((0, ""), (status, err))
        self.assertIn('name="daily"', out)

    def test_bytes_that_are_not_utf_8(self):
        path = self.write("tab", b"# \xf6\n@daily a\n@daily /srv/\xf6.py\n")
        status, out, err = self.crontab(path)
        self.assertEqual(1, status)
        self.assertIn('name="a"', out)
        self.assertIn(r"name must be in UTF-8: '\udcf6'", err)

    def test_whatever_is_wrong_is_a_line_and_nothing_is_printed(self):
        path = self.write("tab", "@daily a\n")
        binary = self.write("binary", b"\x7fELF\0\0\0")
        wrong = self.write("wrong", "a b\na b c\n")
        for arguments, words in (
            (("/no/such/file",), "/no/such/file: No such file or directory"),
            ((path, wrong, "--wrap"),
             "--wrap takes one crontab, and these are 2"),
            ((path, binary), "binary: not a text file"),
            ((path, "--names", "/no/such"), "/no/such: No such file"),
            ((path, "--names", wrong),
             "wrong: line 2: expected a pattern and a name"),
            ((path, "--timezone", "Mars"), "unknown time zone: 'Mars'"),
        ):
            status, out, err = self.crontab(*arguments)
            self.assertEqual((2, "", 1), (status, out, err.count("\n")), err)
            self.assertIn(words, err)
        for arguments in (), (path, "--system", "--user"):
            status, out, err = self.crontab(*arguments)
            self.assertEqual((2, ""), (status, out))
            self.assertNotIn("Traceback", err)


class TestZone(unittest.TestCase):

    def zone(self, target, text):
        """The zone of a machine, by its link and its file."""
        reading = {"return_value": text} if text else {
            "side_effect": FileNotFoundError}
        with mock.patch.object(
            Path, "resolve", return_value=Path(target)
        ), mock.patch.object(Path, "read_text", **reading):
            return crontab.zone_of(None)

    def test_this_machine_says(self):
        for target, text, zone in (
            ("/usr/share/zoneinfo/Europe/London", "Asia/Tokyo\n",
             "Europe/London"),
            ("/etc/localtime", "Asia/Tokyo\n", "Asia/Tokyo"),
            ("/usr/share/zoneinfo/Etc/UTC", "", "UTC"),
        ):
            self.assertEqual(zone, self.zone(target, text))

    def test_or_it_does_not(self):
        with self.assertRaisesRegex(Exception, "name it with --timezone"):
            self.zone("/etc/localtime", "")
        with self.assertRaisesRegex(Exception, "unknown time zone: 'x'"):
            self.zone("/etc/localtime", "x")
