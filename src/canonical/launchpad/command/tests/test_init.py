"""The command ``init``, and the configuration file that it writes."""

import re
import shutil
import stat
import subprocess
import tempfile
import textwrap
from pathlib import Path

from psycopg2.extensions import make_dsn
from zope.component import getUtility

import canonical.launchpad
from canonical.config import locations
from canonical.database.embedded import embedded_parameters
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.testing import PostgresLayer


HELLO = Path(canonical.launchpad.__file__).with_name("examples") / "hello.py"

# As in a package that is installed, and with another /etc.
INSTALLED = """
import runpy
import sys
from pathlib import Path
from canonical.config import locations
locations.CHECKOUT = locations.SYSTEM = Path({!r})
from canonical.database import postgres
postgres.SYSTEM = locations.SYSTEM
from canonical.launchpad.command import init
init.SYSTEM = locations.SYSTEM
"""


class InitTestCase(CommandTestCase):

    def setUp(self):
        self.layer.become("postgres")
        self.directory = Path(tempfile.mkdtemp(prefix="scriptactivity-test-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.home = self.directory / "home"
        self.system = self.directory / "etc"
        self.home.mkdir()
        self.file = self.home / ".config/scriptactivity/scriptactivity.conf"
        self.uri = make_dsn(**embedded_parameters(PostgresLayer.directory))
        self.new_user = {
            "HOME": str(self.home), "LPCONFIG": "", "LP_DATABASE_URI": "",
            "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}

    def run_installed(self, code, *arguments, **environment):
        return self.run_code(
            INSTALLED.format(str(self.system)) + code, *arguments,
            **{**self.new_user, "LP_STATE_DIRECTORY": "", **environment})

    def assert_fails(self, result, status, message):
        self.assertEqual((status, ""), result[:2], result[2])
        self.assertRegex(result[2], f"^scriptactivity: {message}\n$")

    def mode_of(self, path):
        return stat.S_IMODE(path.stat().st_mode)


class TestFile(InitTestCase):

    def init(self, *arguments, **environment):
        return self.run_command(
            "init", *arguments, **{**self.new_user, **environment})

    def test_it_is_written_once(self):
        for _ in range(2):
            status, out, err = self.init(self.uri)
            self.assertEqual((0, ""), (status, err))
            self.assertIn(f"\n{self.file} names this database.\n", out)
        self.assertEqual(
            f"[database]\nuri: {self.uri}\n", self.file.read_text())

    def test_with_a_password_only_the_owner_reads_it(self):
        _, out, _ = self.init(self.uri)
        self.assertEqual(0o644, self.mode_of(self.file))
        self.assertNotIn("password", out)
        self.file.unlink()
        _, out, _ = self.init(f"{self.uri} password=secret")
        self.assertEqual(0o600, self.mode_of(self.file))
        self.assertIn("\nIt holds a password, so only its owner can", out)
        self.assertNotIn("secret", out)

    def test_another_file_is_left_alone(self):
        self.file.parent.mkdir(parents=True)
        for text, names in (
            ("[database]\nuri: postgresql://me:secret@db/app\n",
             r"names postgresql://me:\*\*\*@db/app"),
            ("[monitor]\nrepeat: 1h\n", "names no database"),
        ):
            self.file.write_text(text)
            self.assert_fails(
                self.init("postgresql://me:secret@127.0.0.1:1/app"), 2,
                f"{self.file} is there already and {names}; to change that,"
                r' put "uri: postgresql://me:\*\*\*@127.0.0.1:1/app" below its'
                r" \[database\], or move the file away and run this again")
            self.assertEqual(text, self.file.read_text())

    def test_without_room_for_it_no_file_is_left(self):
        full = "import resource; resource.setrlimit(" \
            f"resource.RLIMIT_FSIZE, (10, 10)); {RUN}"
        self.assert_fails(
            self.run_code(full, "init", self.uri, **self.new_user), 2,
            f"cannot write {self.file}: File too large")
        self.assertFalse(self.file.exists())

    def test_without_the_database_no_file_is_left(self):
        for uri, why in (
            ("postgresql://me:secret@127.0.0.1:1/app",
             "cannot connect to database app on 127.0.0.1 port 1 as me: .*"),
            (f"{self.uri} dbname=nowhere",
             "cannot connect to database nowhere on .*"
             '"nowhere" does not exist'),
            (f"{self.uri} user=nobody",
             "cannot connect to database postgres on .*"),
        ):
            result = self.init(uri)
            self.assert_fails(result, 1, why)
            self.assertNotIn("secret", result[2])
            self.assertFalse(self.file.exists())

    def test_what_is_no_uri_is_not_quoted(self):
        for uri in "mysql://me:secret@db/app", "secret", "postgresql://a@b@c":
            self.assert_fails(
                self.init(uri), 2,
                "URI: (not a PostgreSQL URI; .*|an @ or .*)")
        for uri in "", " ", "postgresql://db/a\nb":
            status, out, err = self.init(uri)
            self.assertEqual((2, ""), (status, out))
            self.assertIn("argument URI: empty, or not printable", err)
        self.assertFalse(self.file.exists())

    def test_a_file_that_cannot_be_written(self):
        (self.home / ".config").write_text("")
        self.assert_fails(
            self.init(self.uri), 2, f"cannot write {self.file}: .*directory")

    def test_a_file_that_would_not_be_read(self):
        self.assert_fails(
            self.init(self.uri, LPCONFIG="testrunner"), 2,
            f"LPCONFIG is set to 'testrunner', so {self.file} would not be"
            " read: unset LPCONFIG, or .*")
        status, _, err = self.init(
            self.uri, LP_DATABASE_URI="postgresql://other/app")
        self.assertEqual(0, status)
        self.assertEqual(
            "scriptactivity: LP_DATABASE_URI is set here, and overrides that"
            " file: unset it\n", err)

    def test_a_file_that_is_named(self):
        path = self.home / "named.conf"
        for _ in range(2):
            status, out, err = self.run_command(
                "--config", str(path), "init", self.uri, **self.new_user)
            self.assertEqual((0, ""), (status, err))
            self.assertRegex(out, rf"\n\*/10 \* .* LPCONFIG={path} .*py\n$")
        self.assertIn(self.uri, path.read_text())

    def test_the_systems_file_is_for_all(self):
        run = f"import os; os.umask(0o077); {RUN}"
        status, out, err = self.run_installed(
            run, "init", "--system", self.uri)
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(0o755, self.mode_of(self.system))
        self.assertEqual(
            0o644, self.mode_of(self.system / "scriptactivity.conf"))
        self.assert_fails(
            self.run_installed(RUN, "init", "--system", "--embedded"), 2,
            "--system does not go with a private PostgreSQL, .*")
        self.assert_fails(
            self.init("--system"), 2, "--system is for URI.*")


class TestNothingConfigured(InitTestCase):
    """An installed package that nobody has configured."""

    WAYS = (
        'no database is configured: run "scriptactivity init'
        ' postgresql://USER@HOST/DATABASE", or "scriptactivity init'
        ' --embedded" for a private PostgreSQL (there is neither'
        " {0.file} nor {0.system}/scriptactivity.conf)")

    def test_a_command_says_the_ways_to_go_on(self):
        before = sorted(self.directory.rglob("*"))
        for command in "list", "init":
            self.assert_fails(
                self.run_installed(RUN, command), 2,
                re.escape(self.WAYS.format(self)))
        self.assertEqual(before, sorted(self.directory.rglob("*")))

    def test_so_does_a_cron_script(self):
        status, out, err = self.run_installed(
            "runpy.run_path(sys.argv.pop(1), run_name='__main__')", HELLO)
        self.assertEqual((2, ""), (status, out))
        self.assertRegex(
            err, f"^\\S+ \\S+ ERROR   {re.escape(self.WAYS.format(self))}\n$")
        self.assertEqual([], list(self.directory.rglob("postgresql*")))

    def test_a_database_in_the_environment_is_enough(self):
        status, _, err = self.run_installed(
            RUN, "list", LP_DATABASE_URI=self.uri)
        self.assertEqual((0, ""), (status, err))


class TestCron(InitTestCase):
    """What runs as cron would start it: with /bin/sh and no environment."""

    def run_as_cron(self, line):
        return subprocess.run(
            ["/usr/bin/env", "-i", "SHELL=/bin/sh", "PATH=/usr/bin:/bin",
             "LOGNAME=nobody", "/bin/sh", "-c", line], cwd="/", text=True,
            check=False, capture_output=True)

    def test_the_line_that_init_prints_works_as_it_stands(self):
        _, out, _ = self.run_command("init", self.uri, **self.new_user)
        line, = re.findall(r"^\*/10 \* \* \* \* (.*)$", out, re.M)
        process = self.run_as_cron(line.replace(r"\%", "%"))
        self.assertEqual(
            (0, "Hello.\n", ""),
            (process.returncode, process.stdout, process.stderr))
        self.assertTrue(
            getUtility(IScriptActivitySet).getLastActivity("hello"))

    def test_the_script_and_the_line_of_the_readme(self):
        tree = locations.checkout()
        readme = (tree / "README.rst").read_text()
        script, = re.findall(r"``hello.py``::\n\n((?:    .*\n|\n)+)", readme)
        self.assertEqual(
            HELLO.read_text(), textwrap.dedent(script).strip() + "\n")
        line, = re.findall(r"^    (\*/10 .*/home/me/hello.py)$", readme, re.M)
        self.run_command("init", self.uri, **self.new_user)
        shutil.copy(HELLO, self.home)
        # Beside its home, a place for its lock that is thrown away.
        process = self.run_as_cron(
            f"HOME={self.home} LP_STATE_DIRECTORY={self.home} "
            + line.removeprefix("*/10 * * * * ").replace(
                "/home/me/venv/bin/python", f"{tree}/bin/py"
            ).replace("/home/me", str(self.home)))
        self.assertEqual(
            (0, "Hello.\n", ""),
            (process.returncode, process.stdout, process.stderr))
        self.assertTrue(
            getUtility(IScriptActivitySet).getLastActivity("hello"))
