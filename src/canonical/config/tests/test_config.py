"""Finding the configuration file, and reporting its mistakes."""

import os
import pwd
import subprocess
import sys
import tempfile
import unittest
from contextlib import contextmanager
from pathlib import Path

from canonical.config import ConfigError
from canonical.config import LaunchpadConfig
from canonical.testing.children import python_path


@contextmanager
def environment(**values):
    """Set environment variables; remove those that are `None`."""
    before = dict(os.environ)
    for name, value in values.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)



class ConfigTestCase(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)

    def write(self, text, name="scriptactivity.conf"):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def mistake(self, text):
        """The error for a configuration file with this text."""
        path = self.write(text)
        with self.assertRaises(ConfigError) as caught:
            LaunchpadConfig(str(path)).database
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        self.assertTrue(message.startswith(f"{path}: "), message)
        return message.removeprefix(f"{path}: ")


class TestInstances(ConfigTestCase):

    def test_lpconfig_is_read_at_the_first_use(self):
        previous = os.environ.get("LPCONFIG")
        self.addCleanup(
            lambda: os.environ.pop("LPCONFIG") if previous is None
            else os.environ.update(LPCONFIG=previous))
        config = LaunchpadConfig()
        os.environ["LPCONFIG"] = "testrunner"
        self.assertEqual("testrunner", config.instance_name)
        self.assertEqual("embedded:postgresql", config.database.uri)

    def test_a_directory_is_an_instance(self):
        self.write("[database]\nuri: postgresql://db/app\n")
        config = LaunchpadConfig(str(self.directory))
        self.assertEqual("postgresql://db/app", config.database.uri)
        self.assertEqual(self.directory, config.directory)

    def test_a_file_is_an_instance(self):
        path = self.write("[database]\nuri: postgresql://db/app\n", "my.ini")
        config = LaunchpadConfig(str(path))
        self.assertEqual("postgresql://db/app", config.database.uri)
        self.assertEqual(self.directory, config.directory)

    def test_a_relative_path_survives_a_change_of_directory(self):
        self.write("[database]\nuri: postgresql://db/app\n")
        previous = os.getcwd()
        os.chdir(self.directory.parent)
        self.addCleanup(os.chdir, previous)
        config = LaunchpadConfig(self.directory.name)
        self.assertEqual("postgresql://db/app", config.database.uri)
        os.chdir("/")
        self.assertEqual(self.directory, config.directory)

    def test_an_empty_file_leaves_every_default(self):
        config = LaunchpadConfig(str(self.write("")))
        self.assertEqual("10s", config.scripts.record_timeout)
        self.assertEqual("", config.database.uri)

    def test_an_unknown_instance_says_what_was_looked_at(self):
        with self.assertRaises(ConfigError) as caught:
            LaunchpadConfig("/no/such/place").database
        self.assertEqual(
            "LPCONFIG: no such file: '/no/such/place'", str(caught.exception))

    def test_a_directory_without_the_file_is_no_instance(self):
        with self.assertRaisesRegex(
            ConfigError, "No such file or directory: .*/scriptactivity.conf"
        ):
            LaunchpadConfig(str(self.directory)).database

    def test_the_next_instance_is_read_afresh(self):
        config = LaunchpadConfig("testrunner")
        self.assertEqual("embedded:postgresql", config.database.uri)
        config.setInstance("development")
        self.assertEqual("embedded:postgresql", config.database.uri)


class TestLookup(ConfigTestCase):
    """The configuration of a process without LPCONFIG."""

    # Act as an installed package with another /etc; print the configuration.
    LOOK = """
import sys
from pathlib import Path
from canonical.config import config, locations
locations.CHECKOUT = Path(sys.argv[1]) / "checkout"
locations.SYSTEM = Path(sys.argv[1]) / "etc"
print(config.file, config.database.uri, config.state_directory)
"""

    def look(self, code=LOOK, **values):
        """The output of a process that has only the environment of cron."""
        return subprocess.run(
            [sys.executable, "-c", code, self.directory], text=True,
            check=True, stdout=subprocess.PIPE, env={
                "PYTHONPATH": python_path(), "PATH": "/bin:/usr/bin",
                "HOME": str(self.directory), **values}).stdout.split()

    def write(self, name):
        (self.directory / name).parent.mkdir(parents=True, exist_ok=True)
        return str(super().write(
            f"[database]\nuri: postgresql:///{name[:3]}\n", name))

    def test_the_order(self):
        state = f"{self.directory}/.local/state/scriptactivity"
        *_, directory = self.look()
        self.assertEqual(f"{state}/default", directory)
        self.write("checkout/buildout.cfg")
        self.assertEqual(
            "instances/development/scriptactivity.conf",
            "/".join(self.look()[0].rsplit("/", 3)[1:]))
        (self.directory / "checkout/buildout.cfg").unlink()
        system = self.write("etc/scriptactivity.conf")
        self.assertEqual([system, "postgresql:///etc"], self.look()[:2])
        user = self.write(".config/scriptactivity/scriptactivity.conf")
        file, uri, directory = self.look()
        self.assertEqual(user, file)
        # The same as for an LPCONFIG that names the directory.
        self.assertEqual(
            directory, self.look(LPCONFIG=os.path.dirname(user))[2])
        named = self.write("named.conf")
        self.assertEqual(
            [named, "postgresql:///nam"], self.look(LPCONFIG=named)[:2])

    def test_without_home_or_with_an_empty_one_it_is_that_of_passwd(self):
        for unset in "os.environ.pop('HOME')", "os.environ['HOME'] = ''":
            found = self.look(
                f"import os; {unset};"
                " from canonical.config import locations;"
                " from pathlib import Path;"
                " locations.CHECKOUT = Path('/nowhere');"
                " print(locations.user_directory(), locations.state_home())")
            home = pwd.getpwuid(os.geteuid()).pw_dir
            self.assertEqual(
                [f"{home}/.config/scriptactivity",
                 f"{home}/.local/state/scriptactivity"], found)

    def test_a_user_that_passwd_does_not_know_needs_no_home(self):
        self.assertEqual(
            ["/nonexistent/.config/scriptactivity"], self.look(
                "import os; del os.environ['HOME'];"
                " os.geteuid = lambda: 4_000_000;"
                " from canonical.config import locations;"
                " print(locations.user_directory())"))

    def test_a_relative_xdg_directory_is_ignored(self):
        code = (
            "from canonical.config import locations;"
            " print(locations.user_directory())")
        self.assertEqual(
            ["/elsewhere/scriptactivity"],
            self.look(code, XDG_CONFIG_HOME="/elsewhere"))
        self.assertEqual(
            [f"{self.directory}/.config/scriptactivity"],
            self.look(code, XDG_CONFIG_HOME="elsewhere"))


class TestMistakes(ConfigTestCase):

    def test_an_unknown_section_is_named(self):
        self.assertEqual(
            "line 1: no section [databse]; do you mean 'database'?",
            self.mistake("[databse]\nuri: x\n"))

    def test_an_unknown_key_is_named(self):
        self.assertEqual(
            "line 2: [database] has no key url; do you mean 'uri'?",
            self.mistake("[database]\nurl: x\n"))

    def test_every_mistake_is_named_at_once(self):
        self.assertEqual(
            "line 2: [database] has no key url; do you mean 'uri'?;"
            " line 3: no section [mail]",
            self.mistake("[database]\nurl: x\n[mail]\nto: me\n"))

    def test_text_before_a_section_is_not_quoted(self):
        self.assertEqual(
            "line 1: a line before the first [section]",
            self.mistake("uri: postgresql://me:secret@db/app\n"))

    def test_a_line_that_is_no_key_is_not_quoted(self):
        self.assertEqual(
            "line 3: neither a [section] nor 'key: value'",
            self.mistake("[database]\nuri: x\nme-secret\n"))

    def test_what_is_not_utf_8_is_not_quoted(self):
        path = self.write("")
        path.write_bytes(b"[database]\nuri: postgresql://me:geh\xebim@db/app")
        with self.assertRaises(ConfigError) as caught:
            LaunchpadConfig(str(path)).database
        self.assertEqual(
            f"{path}: line 2: not UTF-8", str(caught.exception))

    def test_what_is_there_twice_is_named(self):
        self.assertEqual(
            "line 3: [database] uri occurs twice",
            self.mistake("[database]\nuri: x\nuri: secret\n"))
        self.assertEqual(
            "line 3: [database] occurs twice",
            self.mistake("[database]\nuri: x\n[database]\n"))

    def test_a_default_section_is_no_section(self):
        self.assertEqual(
            "line 1: no section [DEFAULT]",
            self.mistake("[DEFAULT]\nuri: x\n"))

    def test_a_file_that_is_extended_has_to_exist(self):
        message = self.mistake("[meta]\nextends: base.conf\n")
        self.assertEqual(
            "line 2: [meta] extends: there is no file"
            f" {self.directory}/base.conf", message)

    def test_a_mistake_in_a_file_that_is_extended_names_that_file(self):
        base = self.write("[monitor]\nsmtp_port: x\n", "base.conf")
        path = self.write("[meta]\nextends: base.conf\n")
        with self.assertRaises(ConfigError) as caught:
            LaunchpadConfig(str(path)).database
        self.assertEqual(
            f"{base}: line 2: [monitor] smtp_port: not a number from 1 to"
            " 65535: 'x'", str(caught.exception))

    def test_a_file_that_extends_itself(self):
        self.assertEqual(
            "line 2: [meta] extends: it extends itself",
            self.mistake("[meta]\nextends: scriptactivity.conf\n"))

    def test_a_name_that_cannot_be_a_path(self):
        for name in "x" * 300, "~no-such-user/x", "a\nb", "nul\0":
            with self.assertRaises(ConfigError) as caught:
                LaunchpadConfig(name).database
            self.assertNotIn("\n", str(caught.exception))

    def test_a_byte_order_mark_is_no_mistake(self):
        path = self.write("\ufeff[database]\nuri: postgresql://db/app\n")
        self.assertEqual(
            "postgresql://db/app", LaunchpadConfig(str(path)).database.uri)

    def test_an_unreadable_file_is_named(self):
        path = self.write("[database]\n")
        path.chmod(0)
        self.directory.chmod(0o755)
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        with self.assertRaises(ConfigError) as caught:
            LaunchpadConfig(str(path)).database
        self.assertEqual(
            f"{path}: Permission denied",
            str(caught.exception))

    def test_an_unknown_section_is_an_attribute_error(self):
        with self.assertRaises(AttributeError):
            LaunchpadConfig("testrunner").databse


class TestSources(ConfigTestCase):

    def test_where_a_value_comes_from(self):
        base = self.write("[database]\nuri: postgresql:///a\n", "base.conf")
        path = self.write(
            "[meta]\nextends: base.conf\n\n[statsd]\nport: 1\n")
        config = LaunchpadConfig(str(path))
        with environment(LP_DATABASE_URI=None):
            self.assertEqual(
                ("postgresql:///a", str(base), 2),
                config.setting("database", "uri"))
        self.assertEqual(
            ("1", str(path), 5), config.setting("statsd", "port"))
        self.assertEqual(
            ("", "default", 0), config.setting("statsd", "host"))
        with environment(LP_DATABASE_URI="postgresql:///b"):
            self.assertEqual(
                ("postgresql:///b", "LP_DATABASE_URI", 0),
                config.setting("database", "uri"))

    def test_a_directory_that_cannot_be_made_says_why(self):
        self.write("", "state")
        config = LaunchpadConfig(str(self.write("")))
        state = self.directory / "state"
        with (
            environment(LP_STATE_DIRECTORY=str(state)),
            self.assertRaises(ConfigError) as caught,
        ):
            config.directory_for("scripts", "lock_directory")
        self.assertEqual(
            f"[scripts] lock_directory: cannot make {state}/locks: Not a"
            " directory", str(caught.exception))


class TestOverlays(ConfigTestCase):

    def test_the_last_one_that_was_pushed_counts(self):
        config = LaunchpadConfig("testrunner")
        config.push("one", "[database]\nuri: postgresql:///one\n")
        config.push("two", "[database]\nuri: postgresql:///two\n")
        self.assertEqual("postgresql:///two", config.database.uri)
        config.pop("two")
        self.assertEqual("postgresql:///one", config.database.uri)
        config.pop("one")
        self.assertEqual("embedded:postgresql", config.database.uri)

    def test_a_wrong_one_changes_nothing(self):
        config = LaunchpadConfig("testrunner")
        for wrong in (
            "[databse]\n", "[database]\nurl: x\n", "uri: x\n",
            "[statsd]\nport: x\n", "[monitor]\nsmtp_user: me\n",
        ):
            with self.assertRaisesRegex(ConfigError, "^wrong: "):
                config.push("wrong", wrong)
            self.assertEqual("embedded:postgresql", config.database.uri)
