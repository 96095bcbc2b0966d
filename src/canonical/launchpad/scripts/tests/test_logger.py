"""The log of a script, and the options of every script."""

import io
import logging
import os
import pstats
import unittest

from canonical.launchpad.scripts.logger import UTCFormatter
from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase


TALK = """
def main(self):
    note("done")
    for level in "debug", "info", "warning", "error", "critical":
        getattr(self.logger, level)("to %s", level)
"""


class TestFormatter(unittest.TestCase):

    def logged(self, text, **how):
        out = io.StringIO()
        handler = logging.StreamHandler(out)
        handler.setFormatter(UTCFormatter())
        logger = logging.Logger("of-this-test")
        logger.addHandler(handler)
        logger.error("%s", text, **how)
        return out.getvalue()[28:]

    def test_lines_and_tabs_stay(self):
        self.assertEqual("a\n\tb\n", self.logged("a\n\tb"))

    def test_what_could_harm_a_terminal_is_escaped(self):
        self.assertEqual(
            r"a\x1b[2J\r\x9b1m\u202e\udcff" + "\n",
            self.logged("a\x1b[2J\r\x9b1m\u202e\udcff"))

    def test_so_it_is_in_a_traceback(self):
        try:
            raise RuntimeError("\x1b[2J")
        except RuntimeError:
            said = self.logged("Failed", exc_info=True)
        self.assertIn("Traceback (most recent call last):\n", said)
        self.assertTrue(said.endswith("\nRuntimeError: \\x1b[2J\n"), said)


class TestLog(ScriptTestCase):

    def levels(self, *options):
        process = self.run_script(TALK, *options)
        self.assertEqual((0, ""), (process.returncode, process.out))
        return [
            line.split()[0] for line in self.log(process) if " to " in line]

    def test_more_and_less_is_said(self):
        levels = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
        for options, first in (
            ([], 1), (["-v"], 0), (["-vvv"], 0), (["-q"], 2), (["-qq"], 3),
            (["-qqq"], 4), (["-qqqqq"], 4), (["-v", "-q"], 1),
            (["--quiet", "--quiet", "--verbose"], 2),
        ):
            self.assertEqual(levels[first:], self.levels(*options), options)

    def test_a_line_has_its_time_in_utc_and_its_level(self):
        process = self.run_script(TALK, "-q", TZ="Asia/Tokyo")
        started = self.last().date_started
        self.assertRegex(
            process.err.splitlines()[0],
            rf"^{started:%Y-%m-%d %H}:\d\d:\d\d WARNING to warning$")

    def test_a_class_has_its_own_level(self):
        process = self.run_script(
            "import logging; loglevel = logging.ERROR" + TALK)
        self.assertEqual(["ERROR   to error", "CRITICAL to critical"],
                         self.log(process))

    def test_what_succeeds_says_nothing(self):
        process = self.run_script()
        self.assertEqual(("", ""), (process.out, process.err))

    def test_libraries_do_not_bury_it(self):
        process = self.run_script(TALK, "-v")
        self.assertNotIn(".zcml", process.err)
        self.assertNotIn("commit", process.err)

    def test_a_logger_that_is_given_is_used(self):
        process = self.run_script(TALK, arguments="logger=mine", prepare="""
            import logging
            logging.basicConfig(format="mine %(message)s")
            mine = logging.getLogger("mine")
            """)
        self.assertEqual(
            ["mine to warning", "mine to error", "mine to critical"],
            process.err.splitlines())

    def test_the_next_script_in_a_process_does_not_say_it_twice(self):
        process = self.run_script(TALK, "-qqq", call="run(); Tidy().run()")
        self.assertEqual(["CRITICAL to critical"] * 2, self.log(process))


class TestLogFile(ScriptTestCase):

    def logged(self, path):
        return [line[20:] for line in path.read_text().splitlines()]

    def test_it_gets_what_standard_error_gets(self):
        path = self.directory / "log"
        process = self.run_script(TALK, "-qq", "--log-file", path)
        expected = ["ERROR   to error", "CRITICAL to critical"]
        self.assertEqual(expected, self.log(process))
        self.assertEqual(expected, self.logged(path))

    def test_it_is_appended_to(self):
        path = self.directory / "log"
        for _ in range(2):
            self.run_script(TALK, "-qqq", "--log-file", path)
        self.assertEqual(["CRITICAL to critical"] * 2, self.logged(path))

    def test_it_may_have_its_own_level(self):
        path = self.directory / "log"
        for level in "debug", "DEBUG":
            path.unlink(missing_ok=True)
            process = self.run_script(
                TALK, "-qqq", f"--log-file={level}:{path}")
            self.assertEqual(["CRITICAL to critical"], self.log(process))
            self.assertIn("DEBUG   to debug", self.logged(path))

    def test_its_path_may_have_colons(self):
        path = self.directory / "error:log:1"
        self.run_script(TALK, "-qqq", "--log-file", path)
        self.assertEqual(["CRITICAL to critical"], self.logged(path))
        path.unlink()
        self.run_script(TALK, "-qqq", "--log-file", f"CRITICAL:{path}")
        self.assertEqual(["CRITICAL to critical"], self.logged(path))

    def test_it_can_have_what_has_no_utf_8(self):
        path = self.directory / "log"
        process = self.run_script("""
            def main(self):
                self.logger.error("%s", "half \\udcff")
            """, "--log-file", path)
        self.assertEqual(["ERROR   half \\udcff"], self.log(process))
        self.assertEqual(["ERROR   half \\udcff"], self.logged(path))

    def test_it_is_opened_anew_when_it_is_rotated(self):
        path = self.directory / "log"
        self.run_script("""
            def main(self):
                import os
                self.logger.error("one")
                os.rename(self.options.log_file, self.options.log_file + ".1")
                self.logger.error("two")
            """, "--log-file", path)
        self.assertEqual(["ERROR   two"], self.logged(path))

    def mistake(self, *options):
        process = self.run_script(SUCCEED, *options)
        self.assertEqual((2, ""), (process.returncode, process.out))
        self.assert_nothing_left()
        return process.err.splitlines()[-1]

    def test_a_level_that_there_is_not(self):
        self.assertRegex(
            self.mistake("--log-file=LOUD:/tmp/log"),
            "error: --log-file: no level 'LOUD'; there are DEBUG, INFO,")

    def test_a_file_that_cannot_be_written(self):
        self.assertRegex(
            self.mistake("--log-file=/no/such/log"),
            "error: --log-file: No such file or directory: /no/such/log$")
        self.assertRegex(
            self.mistake("--profile=/no/such/profile"),
            "error: --profile: No such file or directory: /no/such/profile$")


class TestOptions(ScriptTestCase):

    def test_a_disk_that_is_full_is_one_line(self):
        process = self.run_script(TALK, "--log-file", "DEBUG:/dev/full", "-q")
        self.assertEqual(0, process.returncode)
        self.assertEqual(
            1, process.err.count(
                "ERROR   Cannot write to the log file /dev/full: No space left"
                " on device\n"))
        self.assertNotIn("Traceback", process.err)
        self.assertIn("to critical", process.err)

    def test_an_empty_name_or_a_pipe_that_nobody_reads_is_refused(self):
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        for option in "--log-file", "--profile":
            for value, why in (
                ("", "must not be empty"),
                (str(pipe), f"No such device or address: {pipe}"),
            ):
                process = self.run_script(SUCCEED, option, value)
                self.assertEqual(2, process.returncode)
                self.assertTrue(process.err.endswith(
                    f"tidy.py: error: {option}: {why}\n"), process.err)

    def test_a_profile_that_has_no_room(self):
        process = self.run_script(SUCCEED, "--profile", "/dev/full")
        self.assertEqual(0, process.returncode)
        self.assertIn(
            "No profile was written to /dev/full: No space left on device\n",
            process.err)

    def test_profile_leaves_statistics(self):
        path = self.directory / "profile"
        for body, status in (
            ("def main(self): note('done')", 0),
            ("def main(self): raise RuntimeError", 1),
            ("def main(self): sys.exit(3)", 3),
            ("def main(self): import os; os.kill(os.getpid(), 15)", -15),
        ):
            process = self.run_script(body, "--profile", path)
            self.assertEqual(status, process.returncode)
            functions = {
                name for _, _, name in pstats.Stats(str(path)).stats}
            self.assertIn("main", functions)
            path.unlink()

    def test_help_needs_no_database(self):
        process = self.run_script(
            '"""Tidy up."""' + SUCCEED, "--help",
            LP_DATABASE_URI="postgresql://nowhere.invalid/app")
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertIn("Tidy up.", process.out)
        self.assertIn("--log-file=[LEVEL:]FILE", process.out)

    def test_usage_and_description_are_the_classs_own(self):
        process = self.run_script(
            "usage = '%prog [options] NOW'; description = 'Tidies.'" + SUCCEED,
            "--help")
        self.assertIn("tidy.py [options] NOW", process.out)
        self.assertIn("Tidies.", process.out)

    def test_an_unknown_option_is_status_2(self):
        process = self.run_script(SUCCEED, "--no-such-option")
        self.assertEqual(2, process.returncode)
        self.assertIn("no such option: --no-such-option", process.err)
        self.assert_nothing_left()

    def test_options_are_handled_before_anything_happens(self):
        process = self.run_script("""
            def add_my_options(self):
                self.parser.add_option("--size", type="int", default=1)

            def handle_options(self):
                if self.options.size < 0:
                    self.parser.error("--size: must not be negative")

            def main(self):
                note(str(self.options.size))
            """, "--size=-1")
        self.assertEqual(2, process.returncode)
        self.assertIn("--size: must not be negative", process.err)
        self.assert_nothing_left()

    def test_the_name_and_the_role_may_depend_on_options(self):
        self.execute("CREATE ROLE tidier LOGIN SUPERUSER")
        self.addCleanup(self.execute, "DROP ROLE tidier")
        process = self.run_script("""
            @property
            def name(self):
                return "tidy-" + self.args[0]

            @property
            def dbuser(self):
                return self.args[1]

            def main(self):
                note(main_store().execute("SELECT user").get_one()[0])
            """, "fast", "tidier", call="lock_and_run(skip_delete=True)")
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual(["tidier"], self.work())
        self.assertEqual("tidy-fast", self.last("tidy-fast").name)
        self.assertTrue((self.locks / "launchpad-tidy-fast.lock").exists())

    def test_the_command_line_may_be_given(self):
        process = self.run_script("""
            def main(self):
                note(" ".join(self.args))
            """, "ignored", arguments="test_args=['one', 'two']")
        self.assertEqual(0, process.returncode, process.err)
        self.assertEqual(["one two"], self.work())
