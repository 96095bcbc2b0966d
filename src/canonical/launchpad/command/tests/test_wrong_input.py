"""Wrong input: one line that names it, and the right exit status."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing.children import start_python


HEAD = """\
<configure xmlns="http://namespaces.zope.org/zope"
    xmlns:lp="http://namespaces.canonical.com/lp">
  <include package="canonical.launchpad" file="meta.zcml" />
"""
RULE = '<lp:script name="tidy-uploads" every="1d" />'
LONG = "9" * 5000

NO_RULES = "no rules: name a rules file in [monitor] expectations"

# Arguments, exit status, and what standard error says, without the name of
# the program.  {} is a directory with the files of FILES in it.
CASES = [
    (["crontab", "{}/crontab", "--config", "{}/none"], 2,
     "--config: no such file: '{}/none'"),
    (["timers", "{}/a.timer", "--config", "{}/none"], 2,
     "--config: no such file: '{}/none'"),
    (["list", "--config", "{}/a\nb"], 2,
     "--config: no such file: '{}/a\\nb'"),
    (["check", "--config", ""], 3,
     "argument --config: must not be empty (see: scriptactivity --help)"),
    (["list", "--config", "{}/0.conf"], 2,
     "{}/10.conf: line 2: [meta] extends: more than 10 files extend each"
     " other"),
    (["list", "--config", "{}/empty.conf"], 2,
     "{}/empty.conf: line 2: [meta] extends: it is empty"),
    (["last", "--host", "loganberry"], 2,
     "--host goes with NAME (see: scriptactivity last --help)"),
    (["output", "tidy-upload"], 1,
     "'tidy-upload' is not on record; do you mean 'tidy-uploads'?"),
    (["show", "tidy-uploads", "--expectations", "{}/none"], 2,
     "{}/none: No such file or directory"),
    (["check", "--expectations", "{}/a\nb"], 3,
     "{}/a\\nb: No such file or directory"),
    (["check", "--expectations", "/proc/self/mem"], 3,
     "/proc/self/mem: Input/output error"),
    (["check", "--expectations", "{}/good.zcml", "--prometheus", "{}/loop"], 3,
     "{}/loop: Too many levels of symbolic links"),
    (["failures", "--limit", LONG], 2,
     "argument --limit: not a number from 1 to 100000:"
     f" '{'9' * 59}...{'9' * 19}' (see: scriptactivity failures --help)"),
    (["run", "x", "--ok", LONG, "--", "true"], 2,
     f"argument --ok: not exit statuses: '{'9' * 59}...{'9' * 18}';"
     " expected something like 0,3 (see: scriptactivity run --help)"),
    (["run", "x", "--kill-after", "-1m", "--", "true"], 2,
     "argument --kill-after: a duration cannot be negative: '-1m'; do you mean"
     " '1m'? (see: scriptactivity run --help)"),
    (["--json", "run", "x", "--", "true"], 2,
     "unrecognized arguments: --json; they follow the command"
     " (see: scriptactivity run --help)"),
    (["crontab", f"/{'x' * 400}"], 2,
     f"/{'x' * 59}...{'x' * 19}: File name too long"),
    (["crontab", "/dev/full"], 2, "/dev/full: not a text file"),
    (["crontab", "{}/large"], 2, "{}/large: larger than 10 MB"),
    (["timers", "{}/outside.timer", "--timezone", "UTC"], 0, ""),
    (["report", "--month", "\uff12\uff10\uff10\uff17-02"], 2,
     "argument --month: not a month: '\uff12\uff10\uff10\uff17-02'; expected"
     " something like 2007-02 (see: scriptactivity report --help)"),
    (["list", "--tag", "billing"], 2, NO_RULES),
    (["suggest", "--tag", "billing"], 2, NO_RULES),
    (["export", "--tag", "billing", "-"], 2, NO_RULES),
    (["check"], 3, f"{NO_RULES}, or with --expectations"),
    (["backtest", "--tag", "billing"], 2,
     f"{NO_RULES}, or with --expectations"),
    (["--conf=x", "list"], 2,
     "unrecognized arguments: --conf=x; do you mean '--config'?"
     " (see: scriptactivity list --help)"),
    (["check", "--expect", "x"], 3,
     "unrecognized arguments: --expect; do you mean '--expectations'?"
     " (see: scriptactivity check --help)"),
    (["crontab", "{}/crontab", "--timezone", "Europe/Londn"], 2,
     "unknown time zone: 'Europe/Londn'; do you mean 'Europe/London'?"),
    (["crontab", "{}/crontab", "--timezone", "Mars"], 2,
     "unknown time zone: 'Mars'; expected a name such as Europe/London"),
    (["export", f"{{}}/{'x' * 250}.csv"], 2,
     "{}/" f"{'x' * 250}.csv: File name too long"),
    (["serve", "--listen", "h:"], 2,
     "argument --listen: not a number from 0 to 65535: ''"
     " (see: scriptactivity serve --help)"),
    (["check", "--expectations", "{}/pipe"], 3,
     "{}/pipe:1: not XML: no element found at column 1"),
    (["import", "{}/columns.csv"], 1,
     "{}/columns.csv: unknown columns: a, b; expected at least"
     " name, hostname, date_started and date_completed"),
    (["import", "{}/object.jsonl"], 1,
     "{}/object.jsonl:1: no columns; expected at least name, hostname,"
     " date_started and date_completed"),
    (["import", "{}/nested.jsonl"], 1,
     "{}/nested.jsonl:1: not JSON: it is nested too deeply"),
    (["import", "{}/return.csv"], 1,
     "{}/return.csv:2: not CSV: new-line character seen in unquoted field"),
    (["import", "/dev/zero"], 1, "/dev/zero: a line is longer than 60 MB"),
    (["import", "--bad-lines", "{}/columns.csv", "{}/columns.csv"], 2,
     "{}/columns.csv: it is imported, so it cannot be the file of"
     " --bad-lines"),
    (["import", "--bad-lines", "{}/pipe", "{}/columns.csv"], 2,
     "{}/pipe: No such device or address"),
    (["alert", "--dry-run", "--log-file", "{}/pipe"], 2,
     "--log-file: No such device or address: {}/pipe"
     " (see: scriptactivity alert --help)"),
    (["crontab", "{}/crontab", "--names", "{}/large"], 2,
     "{}/large: larger than 10 MB"),
    (["crontab", "{}/crontab", "--names", "{}/long"], 2,
     "{}/long: line 1: longer than 10000 characters"),
    (["alert", "--dry-run", "--log-file", "DEBUG:"], 2,
     "--log-file: there is no file after 'DEBUG:' (see: scriptactivity alert"
     " --help)"),
]

FILES = {
    "crontab": "",
    "a.timer": "[Timer]\nOnCalendar=daily\n",
    "outside.timer": "[Timer]\nOnCalendar=daily\nUnit=../a.service\n",
    "good.zcml": f"{HEAD}{RULE}</configure>",
    "large": "#" * 10_000_001,
    "long": "x" * 10_001,
    "columns.csv": "a,b\n",
    "object.jsonl": "{}\n",
    "nested.jsonl": '{"a":' * 50_000,
    "return.csv": "name,hostname,date_started,date_completed\na\rb,c,d,e\n",
    "empty.conf": "[meta]\nextends:\n",
    **{
        f"{number}.conf": f"[meta]\nextends: {number + 1}.conf\n"
        for number in range(12)},
}

# What is in a rules file after HEAD, and what is wrong with line 4.
RULES = [
    ('lp:script name="tidy-uploads" every="1d"/>',
     "text outside all directives:"
     " 'lp:script name=\"tidy-uploads\" every=\"1d\"/>'"),
    ('<lp:script name="x" every="1d" hosts="a,b"/>',
     "hosts are separated by spaces, not commas: 'a,b'"),
    ('<include package="no.such"/>',
     "Invalid value for 'package': Couldn't import no, No module named 'no'"),
]


class TestWrongInput(CommandTestCase):

    def setUp(self):
        super().setUp()
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        for name, text in FILES.items():
            (self.directory / name).write_text(text)
        (self.directory / "loop").symlink_to("loop")
        os.mkfifo(self.directory / "pipe")
        LaunchpadObjectFactory().makeScriptActivity("tidy-uploads")
        ZopelessTransactionManager._installed.commit()

    def assert_refused(self, arguments, status, said):
        """Arguments lead to a status, and to a line if it is not 0."""
        place = str(self.directory)
        got, _, err = self.run_command(
            *(each.replace("{}", place) for each in arguments))
        line = said and f"scriptactivity: {said.replace('{}', place)}\n"
        self.assertEqual((status, line), (got, err))

    def test_arguments(self):
        for arguments, status, said in CASES:
            with self.subTest([each[:60] for each in arguments]):
                self.assert_refused(arguments, status, said)

    def test_bad_lines_that_cannot_be_kept(self):
        (self.directory / "x.csv").write_text(
            "name,hostname,date_started,date_completed\nx,h,soon,later\n")
        status, _, err = self.run_command(
            "import", "--bad-lines", "/dev/full",
            str(self.directory / "x.csv"))
        self.assertEqual((2, (
            f"scriptactivity: {self.directory}/x.csv:2: date_started is not a"
            " time: 'soon'\nscriptactivity: /dev/full: No space left on"
            " device\n")), (status, err))

    def test_a_working_directory_that_is_gone(self):
        gone = self.directory / "gone"
        for arguments, status, said in (
            (["check", "--expectations", "x"], 3,
             "x: No such file or directory"),
            (["list", "--config", "x"], 2,
             "--config: no instance 'x': No such file or directory"),
        ):
            gone.mkdir()
            code = f"import os; os.chdir({str(gone)!r}); os.rmdir(os.getcwd())"
            self.assertEqual(
                (status, "", f"scriptactivity: {said}\n"),
                self.run_code(f"{code}; {RUN}", *arguments))

    def test_a_state_directory_that_is_not_in_utf_8(self):
        status, out, err = self.run_command(
            "alert", "--expectations", str(self.directory / "good.zcml"),
            LP_STATE_DIRECTORY=f"{self.directory}/\udcff")
        self.assertEqual((0, ""), (status, err), out)

    def test_a_variable_of_libpq_that_is_not_in_utf_8(self):
        status, out, err = self.run_command("list", PGAPPNAME="\udcff")
        self.assertEqual((0, ""), (status, err), out)
        self.assertIn("tidy-uploads", out)

    def test_nagios_gets_its_line_however_it_is_called(self):
        self.assertEqual(
            (3, "SCRIPTS UNKNOWN - argument --nagios: ignored explicit"
             " argument '1' (see: scriptactivity check --help)\n", ""),
            self.run_command("check", "--nagios=1"))

    def test_rules_from_another_process(self):
        process = start_python(
            ["-c", RUN, "check", "--expectations", "/dev/stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(FILES["good.zcml"])
        self.assertEqual((0, ""), (process.returncode, err), out)

    def test_a_link_that_leads_to_itself_is_not_replaced(self):
        self.run_command(
            "check", "--expectations", str(self.directory / "good.zcml"),
            "--prometheus", str(self.directory / "loop"))
        self.assertEqual("loop", os.readlink(self.directory / "loop"))

    def test_rules(self):
        for body, said in RULES:
            with self.subTest(body):
                (self.directory / "x.zcml").write_text(
                    f"{HEAD}{body}\n</configure>")
                self.assert_refused(
                    ["check", "--expectations", "{}/x.zcml"], 3,
                    f"{{}}/x.zcml:4: {said}")

    def test_a_rules_file_that_is_no_zcml_at_all(self):
        (self.directory / "x.zcml").write_text("<rules></rules>")
        self.assert_refused(
            ["check", "--expectations", "{}/x.zcml"], 3,
            "{}/x.zcml:1: unknown directive 'rules'; a rules file begins with"
            ' <configure xmlns="http://namespaces.zope.org/zope"'
            ' xmlns:lp="http://namespaces.canonical.com/lp">')


class TestNumbersOfErrors(unittest.TestCase):

    def test_an_error_of_the_system_has_no_number(self):
        from canonical.database.errors import first_line
        self.assertEqual(
            "Permission denied: /root/x",
            first_line(PermissionError(13, "Permission denied", "/root/x")))
        self.assertEqual(
            "Broken pipe", first_line(BrokenPipeError(32, "Broken pipe")))
