"""Programs whose standard streams are closed, full or broken, and Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import unittest

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.tests.test_alert import AlertTestCase
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.testing import by_owner
from canonical.testing.children import python_path
from canonical.testing.children import start_python


DRIVER = "import canonical.launchpad.command.tests.streamdriver"

OK = ["ok", "ok", "ok"]

# Standard input, output and error: each alone, and together.
STREAMS = [
    ["closed", "ok", "ok"],
    ["ok", "closed", "ok"],
    ["ok", "full", "ok"],
    ["ok", "broken", "ok"],
    ["ok", "ok", "closed"],
    ["ok", "ok", "full"],
    ["closed", "closed", "closed"],
    ["closed", "full", "broken"],
]

# What is run, and its exit status.
COMMANDS = {
    "--help": 0,
    "--version": 0,
    "": 2,
    "--json list": 2,
    "init": 0,
    "list": 0,
    "running": 0,
    "failures": 0,
    "last": 0,
    "last nope": 1,
    "show garbo": 0,
    "show nope": 1,
    "check": 2,
    "check --help": 0,
    "check nope": 3,
    "check --json": 2,
    "check --nagios": 2,
    "check --nagios --host": 3,
    "crontab crontab": 0,
    "crontab nope": 2,
    "crontab --wrap crontab": 0,
    "timers nope": 2,
    "suggest": 0,
    "backtest": 0,
    "alerts": 0,
    "snooze update --for 0s": 0,
    "flush": 0,
    "config": 0,
    "report": 0,
    "export -": 0,
    "import crontab": 1,
    "grafana": 0,
}

MONITORS = {
    "9999 host:garbo": 0,
    "1 host:nope": 2,
    "1": 3,
    "--help": 0,
}

# A function, its arguments, and the exit status, standard output and error.
INTERRUPTED = [
    ("scriptactivity", ["list"],
     130, "", "scriptactivity: interrupted by SIGINT\n"),
    ("scriptactivity", ["run", "a", "--", "true"],
     130, "", "scriptactivity: interrupted by SIGINT\n"),
    ("scriptactivity", ["check", "--nagios"],
     3, "SCRIPTS UNKNOWN - interrupted by SIGINT\n", ""),
    ("script_monitor", ["1", "a:b"],
     130, "", "script-monitor: interrupted by SIGINT\n"),
    ("script_monitor_nagios", ["1", "a:b"],
     3, "SCRIPTS UNKNOWN - interrupted by SIGINT\n", ""),
]


class TestStreams(AlertTestCase):

    every = 2

    def setUp(self):
        super().setUp()
        self.configure(recipients="")
        self.write("crontab", "0 * * * * /srv/garbo.py\n")
        self.escaped = self.directory / "escaped"
        self.escaped.touch()

    def run_cases(self, cases):
        """Exit status, standard output and error of each."""
        process = start_python(
            ["-c", DRIVER, json.dumps(cases)],
            dict(os.environ, LPCONFIG=str(self.configuration),
                 ESCAPED_TO=str(self.escaped)),
            cwd=self.directory, stdout=subprocess.PIPE, text=True)
        out, _ = process.communicate()
        self.assertEqual("", self.escaped.read_text())
        return json.loads(out)

    def test_every_command_ends_in_good_order(self):
        programs = [
            *(("scriptactivity", command.split(), status)
              for command, status in COMMANDS.items()),
            *((program, command.split(), status)
              for program in ("script_monitor", "script_monitor_nagios")
              for command, status in MONITORS.items())]
        # Each program meets some of them, and the next program others.
        tried = [
            STREAMS[number % self.every::self.every]
            for number in range(len(programs))]
        cases = [
            (program, arguments, streams)
            for (program, arguments, _), those in zip(
                programs, tried, strict=True)
            for streams in [OK, *those]]
        found = iter(self.run_cases(cases))
        for (program, arguments, expected), those in zip(
            programs, tried, strict=True
        ):
            is_known = program == "scriptactivity" and (
                arguments[:1] != ["check"])
            trouble = 1 if is_known or "--help" in arguments else 3
            status, usual_out, usual_err = next(found)
            self.assertEqual(
                expected, status, (program, arguments, usual_err))
            for streams in those:
                with self.subTest(
                    program=program, arguments=arguments, streams=streams
                ):
                    self.assert_right(
                        next(found), expected, trouble, usual_out, usual_err,
                        streams)

    def assert_right(
        self, found, expected, trouble, usual_out, usual_err, streams
    ):
        status, out, err = found
        _, stdout, stderr = streams
        is_lost = stdout != "ok" and usual_out
        self.assertEqual(trouble if is_lost else expected, status)
        if stdout == "ok":
            self.assertEqual(
                usual_out.count("\n"), out.count("\n"), usual_out)
        if stderr != "ok":
            return
        if is_lost and stdout != "broken":
            reason = {
                "full": "No space left on device",
                "closed": "Bad file descriptor"}[stdout]
            self.assertTrue(err.endswith(
                f": cannot write to standard output: {reason}\n"), err)
        elif not is_lost:
            self.assertEqual(usual_err.count("\n"), err.count("\n"), err)

    def test_what_alert_cannot_print_does_not_count_as_notified(self):
        bad = [each for each in STREAMS if each[1] != "ok"]
        found = self.run_cases(
            [("scriptactivity", ["alert"], streams) for streams in bad])
        self.assertEqual({1}, {status for status, _, _ in found})
        for streams, (_, _, err) in zip(bad, found, strict=True):
            if streams[2] == "ok":
                self.assertIn("cannot notify by output: standard output", err)
                self.assertEqual(1, err.count("\n"))
        self.assertEqual([(None,)], list(main_store().execute(
            "SELECT date_told FROM scriptalert")))
        ZopelessTransactionManager._installed.abort()
        (status, out, err), = self.run_cases(
            [("scriptactivity", ["alert"], ["ok", "ok", "closed"])])
        self.assertEqual(0, status)
        self.assertIn("* garbo\n", out)

    def test_a_crontab_from_standard_input_that_is_closed(self):
        (status, out, err), = self.run_cases(
            [("scriptactivity", ["crontab", "-"], ["closed", "ok", "ok"])])
        self.assertEqual((2, ""), (status, out))
        self.assertEqual("scriptactivity: -: Bad file descriptor\n", err)


class TestAllStreams(TestStreams):

    level = 2
    every = 1


class TestInterrupt(CommandTestCase):

    def interrupt(self, code, *arguments):
        """Send SIGINT to what has printed an empty line."""
        process = self.start_code(code, *arguments)
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        return process.returncode, out, err

    def test_it_is_a_line_and_status_130(self):
        code = (
            "import sys; from canonical.launchpad.command import program;"
            " from canonical.launchpad.command import execute;"
            " execute.execute_zcml = lambda: [print(flush=True),"
            " __import__('signal').pause()];"
            " sys.exit(program.{}())")
        for function, arguments, name in (
            ("scriptactivity", ["list"], "scriptactivity"),
            ("script_monitor", ["1", "a:b"], "script-monitor"),
        ):
            self.assertEqual(
                (130, "", f"{name}: interrupted by SIGINT\n"),
                self.interrupt(code.format(function), *arguments))

    def test_while_a_statement_waits_too(self):
        by_owner("LOCK TABLE scriptactivity")
        for signum, status in (signal.SIGINT, 130), (signal.SIGTERM, 143):
            process = self.start_code(RUN, "list")
            while not list(main_store().execute(
                "SELECT FROM pg_locks WHERE NOT granted"
            )):
                self.assertIsNone(process.poll())
            process.send_signal(signum)
            self.assertEqual(
                ("", f"scriptactivity: interrupted by {signum.name}\n"),
                process.communicate())
            self.assertEqual(status, process.returncode)
        ZopelessTransactionManager._installed.abort()

    def test_while_the_server_keeps_a_connection_waiting(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        silent = {
            "LP_DATABASE_URI": "postgresql://127.0.0.1:"
            f"{server.getsockname()[1]}/app?connect_timeout=60"}
        for arguments, signum, status, out, err in (
            (["list"], signal.SIGINT, 130, "",
             "scriptactivity: interrupted by SIGINT\n"),
            (["init"], signal.SIGINT, 130, "",
             "scriptactivity: interrupted by SIGINT\n"),
            (["check", "--nagios"], signal.SIGINT, 3,
             "SCRIPTS UNKNOWN - interrupted by SIGINT\n", ""),
            (["prune"], signal.SIGTERM, -signal.SIGTERM, "",
             "Killed by SIGTERM\n"),
        ):
            process = self.start_code(RUN, *arguments, **silent)
            client, _ = server.accept()
            process.send_signal(signum)
            found = process.communicate()
            client.close()
            self.assertEqual((status, out), (process.returncode, found[0]))
            self.assertTrue(found[1].endswith(err), found[1])

    def test_nagios_gets_its_line(self):
        by_owner("LOCK TABLE scriptactivity")
        code = (
            "from canonical.launchpad.command import program; import sys;"
            " sys.exit(program.{}())")
        for signum in signal.SIGINT, signal.SIGTERM:
            process = self.start_code(
                code.format("script_monitor_nagios"), "1", "a:b")
            while not list(main_store().execute(
                "SELECT FROM pg_locks WHERE NOT granted"
            )):
                self.assertIsNone(process.poll())
            process.send_signal(signum)
            self.assertEqual(
                (f"SCRIPTS UNKNOWN - interrupted by {signum.name}\n", ""),
                process.communicate())
            self.assertEqual(3, process.returncode)
        ZopelessTransactionManager._installed.abort()


class TestInterruptedStart(unittest.TestCase):
    """Processes of their own, since it is about what is imported when."""

    def run_code(self, code, *arguments):
        """Run a program whose SIGINT is not ignored; how it ended.

        In the background, a shell starts everything with SIGINT ignored.
        """
        process = subprocess.run(
            [sys.executable, "-c", textwrap.dedent("""\
                import os
                import signal
                import sys
                signal.signal(signal.SIGINT, signal.default_int_handler)
                """) + textwrap.dedent(code), *arguments],
            env=dict(os.environ, PYTHONPATH=python_path()),
            capture_output=True, text=True, check=False)
        return process.returncode, process.stdout, process.stderr

    def test_little_is_imported_before(self):
        """What is, can be interrupted with a traceback."""
        status, out, _ = self.run_code("""
            class Finder:
                def find_spec(self, name, *arguments):
                    handler = signal.getsignal(signal.SIGINT)
                    if handler == signal.default_int_handler:
                        print(name)
            sys.meta_path.insert(0, Finder())
            from canonical.launchpad.command import program
            program.scriptactivity()
            """, "--version")
        package = "canonical.launchpad.command"
        self.assertEqual(
            ["canonical", "canonical.launchpad", package,
             f"{package}.program", f"{package}.interrupt"],
            out.splitlines()[:-1])

    def test_nothing_else_is_printed(self):
        """Python prints tracebacks of what some functions of its own raise."""
        for function, arguments, status, out, err in INTERRUPTED:
            with self.subTest(function=function, arguments=arguments):
                self.assertEqual((status, out, err), self.run_code(f"""
                    from canonical.launchpad.command import program
                    class Finder:
                        def find_spec(self, *arguments):
                            pass
                        def __del__(self):
                            signal.raise_signal(signal.SIGINT)
                    class Removing(Finder):
                        def find_spec(self, *arguments):
                            Finder()
                    sys.meta_path.insert(0, Removing())
                    sys.exit(program.{function}())
                    """, *arguments))

    def test_nor_at_the_end(self):
        self.assertEqual(
            (130, "scriptactivity 0.1.dev0\n",
             "scriptactivity: interrupted by SIGINT\n"),
            self.run_code("""
                import atexit
                from canonical.launchpad.command import program
                atexit.register(signal.raise_signal, signal.SIGINT)
                sys.exit(program.scriptactivity())
                """, "--version"))

    def test_what_is_ignored_stays_so(self):
        self.assertEqual(
            (0, "scriptactivity 0.1.dev0\n", ""),
            self.run_code("""
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                from canonical.launchpad.command import program
                os.kill(os.getpid(), signal.SIGINT)
                status = program.scriptactivity()
                os.kill(os.getpid(), signal.SIGINT)
                sys.exit(status)
                """, "--version"))
