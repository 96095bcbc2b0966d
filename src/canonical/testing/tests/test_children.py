"""A forked process behaves as a started one."""

import os
import pty
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from canonical.testing.children import python_path
from canonical.testing.children import start_python


# Prints how the process was started.
DESCRIBE = """
import json
import os
import signal
import sys
import threading

json.dump({
    "argv": sys.argv,
    "directory": sys.path[0],
    "path": sys.path[1:],
    "file": globals().get("__file__"),
    "main": sys.modules["__main__"].__dict__ is globals(),
    "cwd": os.getcwd(),
    "environment": dict(os.environ),
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:3],
    "more": len(os.listdir("/proc/self/fd")),
    "handlers": {
        signum: str(signal.getsignal(signum))
        for signum in signal.valid_signals()
        # What a shell or nohup starts in the background ignores these, and
        # what is forked does not.
        if signum not in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
    "streams": [
        (each.encoding, each.errors, each.line_buffering, each.write_through,
         each.fileno(), each.isatty())
        for each in (sys.stdin, sys.stdout, sys.stderr)],
    "originals": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__,
                  sys.stderr is sys.__stderr__],
    "threads": threading.active_count(),
    "configuration": __import__("canonical.config").config.config._file,
}, sys.stdout, sort_keys=True)
"""

PIPES = {
    "stdin": subprocess.PIPE, "stdout": subprocess.PIPE,
    "stderr": subprocess.PIPE, "text": True}


def heed_the_terminal():
    """What a shell or nohup starts in the background ignores these."""
    for signum in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT:
        signal.signal(signum, signal.SIG_DFL)


class TestStartPython(unittest.TestCase):

    maxDiff = None

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        environment = mock.patch.dict(os.environ, PYTHONPATH=python_path())
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("PYTHONUNBUFFERED", None)

    def both(self, *arguments, **options):
        """The output of a started process, and of a forked one."""
        options = {**PIPES, **options}
        started = subprocess.Popen(
            [sys.executable, *arguments], **options,
            preexec_fn=heed_the_terminal)
        forked = start_python(arguments, **options)
        return [(*process.communicate("in"), process.returncode)
                for process in (started, forked)]

    def assert_alike(self, *arguments, **options):
        started, forked = self.both(*arguments, **options)
        self.assertEqual(started, forked)
        return started

    def write(self, text):
        path = self.directory / "script.py"
        path.write_text(text)
        return path

    def test_code_finds_what_it_finds_in_a_new_process(self):
        self.assert_alike("-c", DESCRIBE, "a", "-b", cwd=self.directory)

    def test_a_script_finds_what_it_finds_in_a_new_process(self):
        self.write(DESCRIBE)
        self.assert_alike(self.directory / "script.py", "ü", b"\xff")
        self.assert_alike(
            "script.py", cwd=self.directory,
            env=dict(os.environ, X="\udcff"))

    def test_what_python_reads_at_its_start_is_read(self):
        environment = dict(os.environ, PYTHONIOENCODING="ascii")
        self.write(DESCRIBE)
        self.assertIn("ascii", self.assert_alike(
            "script.py", cwd=self.directory, env=environment)[0])

    def test_what_is_not_buffered_at_all(self):
        with mock.patch.dict(os.environ, PYTHONUNBUFFERED="1"):
            self.assert_alike("-c", DESCRIBE)

    def test_what_scripts_need_is_imported(self):
        process = start_python(
            ["-c", "import sys; print(*sys.modules)"], **PIPES)
        self.assertLess(
            {"canonical.launchpad.scripts.base", "psycopg2",
             "canonical.launchpad.command.check"},
            set(process.communicate()[0].split()))

    def test_it_ends_as_a_new_process_ends(self):
        for code, status in (
            ("print('out'); sys.exit()", 0),
            ("sys.exit(7)", 7),
            ("sys.exit('a reason')", 1),
            ("os._exit(3)", 3),
            ("os.kill(os.getpid(), 9)", -9),
            ("signal.raise_signal(signal.SIGINT)", -signal.SIGINT),
            ("atexit.register(print, 'at exit'); print(input())", 0),
            ("threading.Timer(0.1, print, ['late']).start()", 0),
            ("sys.stdout = 1; sys.exit(4)", 120),
        ):
            with self.subTest(code):
                path = self.write(
                    "import atexit, os, signal, sys, threading\n" + code)
                started, forked = self.both(path)
                self.assertEqual(status, started[2])
                self.assertEqual((started[0], status), (forked[0], forked[2]))
                self.assertEqual(
                    started[1].splitlines()[-1:], forked[1].splitlines()[-1:])

    def test_a_terminal_is_one(self):
        for start in (
            lambda *args, **options: subprocess.Popen(
                [sys.executable, *args], **options),
            lambda *args, **options: start_python(args, **options),
        ):
            ours, theirs = pty.openpty()
            process = start(
                "-c", "import sys; print(sys.stdout.isatty(),"
                " sys.stdout.line_buffering, sys.stdin.isatty())",
                stdin=subprocess.DEVNULL, stdout=theirs)
            self.assertEqual(0, process.wait())
            os.close(theirs)
            self.assertIn(b"True True False", os.read(ours, 1000))
            os.close(ours)

    def test_it_can_be_waited_for_and_killed(self):
        process = start_python(
            ["-c", "import sys; print(1, flush=True); sys.stdin.read()"],
            **PIPES)
        self.assertEqual("1\n", process.stdout.readline())
        self.assertIsNone(process.poll())
        with self.assertRaises(subprocess.TimeoutExpired):
            process.wait(timeout=0.01)
        process.terminate()
        self.assertEqual(("", ""), process.communicate())
        self.assertEqual(-signal.SIGTERM, process.poll())
        process.kill()

    def test_errors_go_where_output_goes(self):
        process = start_python(
            ["-c", "import sys; sys.stderr.write('b\\n'); print('a')"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        self.assertEqual(("b\na\n", None), process.communicate())
