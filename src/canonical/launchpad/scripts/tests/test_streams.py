"""What a command reads and prints passes through ``run``, and its end is kept.
"""

import os
import pty
import select
import signal
import subprocess
import termios
import unittest

from canonical.launchpad.scripts.outputend import Tail
from canonical.launchpad.scripts.outputend import safe_text
from canonical.launchpad.scripts.tests.runsupport import RunTestCase


URL_SECRETS = [r"(?<=://)[^\s/@:]*:\S*(?=@)"]


class TestTail(unittest.TestCase):

    def test_last_lines_are_kept(self):
        tail = Tail(100)
        for number in range(10_000):
            tail.add(b"line %d\n" % number)
        lines = tail.text([]).splitlines()
        self.assertEqual(
            [f"line {number}" for number in range(9_991, 10_000)], lines)

    def test_one_long_line(self):
        tail = Tail(100)
        tail.add(b"x" * 100_000)
        self.assertEqual("x" * 100, tail.text([]))

    def test_bytes_and_escapes_are_made_harmless(self):
        self.assertEqual(
            "a\n\\xff\\xfe é red \\x1b]0;title\\x07 \\x00\\x08 \\u202e\n",
            safe_text(
                b"a\r\n\xff\xfe \xc3\xa9 \x1b[1;31mred\x1b[0m"
                b" \x1b]0;title\x07 \0\b \xe2\x80\xae\n", []))

    def test_secrets_are_not_kept(self):
        self.assertEqual(
            "to postgresql://***@db/app, ftp://***@x, http://db:80/ me@x",
            safe_text(
                b"to postgresql://me:p/w:@@db/app, ftp://:x@x, http://db:80/"
                b" me@x", URL_SECRETS))

    def test_a_secret_that_is_cut_is_not_kept(self):
        for size in range(60, 120):
            tail = Tail(40)
            tail.add(b"x" * 10_000 + b" postgresql://me:secret@db/app " +
                     b"y" * (size - 60))
            self.assertNotIn("secret", tail.text(URL_SECRETS))
            self.assertNotIn("cret", tail.text(URL_SECRETS))

    def test_nothing_is_kept(self):
        tail = Tail(0)
        tail.add(b"x")
        self.assertEqual("", tail.text([]))


class TestStreams(RunTestCase):

    def test_bytes_pass_unchanged(self):
        data = os.urandom(300_000)
        process = self.begin("cat; cat /proc/self/stat >&2")
        out, _ = process.communicate(data, timeout=30)
        self.assertEqual(data, out)

    def test_in_real_time(self):
        process = self.begin("while read line; do echo got $line; done")
        for number in range(3):
            process.stdin.write(b"%d\n" % number)
            process.stdin.flush()
            self.assertEqual(b"got %d\n" % number, process.stdout.readline())
        self.finish(process)

    def test_nobody_reads(self):
        # The command dies as it would without us.
        process = self.begin("exec yes")
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual(-signal.SIGPIPE, process.wait(30))
        process.stdin.close()
        process.stderr.close()
        self.assertEqual("SIGPIPE", self.attempt().reason)

    def test_a_full_disk(self):
        with open("/dev/full", "wb") as full:
            process = self.begin("exec yes", stdout=full)
            self.finish(process)
        self.assertEqual(-signal.SIGPIPE, process.returncode)

    def test_a_reader_that_waits_does_not_lose_anything(self):
        process = self.begin("head -c 200000 /dev/zero")
        self.assertFalse(select.select([process.stderr], [], [], 0)[0])
        self.assertEqual(200_000, len(self.finish(process).out))

    def test_both_in_one_pipe(self):
        process = self.begin(
            "for i in 1 2 3; do echo out $i; read line; echo err $i >&2;"
            " read line; done", stderr=subprocess.STDOUT)
        for line in "out 1", "err 1", "out 2", "err 2", "out 3", "err 3":
            self.assertEqual(f"{line}\n".encode(), process.stdout.readline())
            process.stdin.write(b"\n")
            process.stdin.flush()
        self.finish(process)
        self.assertEqual(
            ("out 1\nout 2\nout 3\n", "err 1\nerr 2\nerr 3\n"),
            self.output())

    def test_closed_descriptors_are_closed(self):
        process = self.run_command(
            "for i in 0 1 2; do test -e /proc/$$/fd/$i && echo $i >&2; done",
            prepare="os.close(0); os.close(1)")
        self.assertEqual("2\n", process.err)
        self.assertEqual("success", self.attempt().outcome)

    def test_no_descriptors_of_ours(self):
        process = self.run_command("ls /proc/self/fd")
        self.assertEqual("0\n1\n2\n3\n", process.out)

    def test_how_much_is_kept(self):
        env = self.configure("""
            [run]
            keep_output: 100B
            redact: bee
        """)
        self.run_command("seq 1000; echo a bee >&2", env=env)
        stdout, stderr = self.output()
        # A line of which the start is cut off is left out.
        self.assertEqual(
            "".join(f"{number}\n" for number in range(977, 1001)), stdout)
        self.assertEqual("a ***\n", stderr)

    def test_nothing_is_kept(self):
        env = self.configure("""
            [run]
            keep_output: 0
        """)
        self.assertEqual("out\n", self.run_command("echo out", env=env).out)
        self.assertIsNone(self.output())


class TestLeftBehind(RunTestCase):
    """The command ends, and a child of it still holds its output."""

    def test_a_relay_is_left(self):
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        process = self.begin(
            f"(read line < {fifo}; echo $line; echo error >&2) &"
            " echo early; exit 3")
        self.assertEqual(b"early\n", process.stdout.readline())
        self.assertEqual(3, process.wait(30))
        self.assertEqual(("early\n", ""), self.output())
        fifo.write_text("late\n")
        self.finish(process)
        self.assertEqual(("late\n", "error\n"), (process.out, process.err))

    def test_a_quiet_success_stays_quiet(self):
        fifo = self.directory / "fifo"
        os.mkfifo(fifo)
        process = self.begin(
            f"(read line < {fifo}; echo late; echo alive > {fifo}) &",
            "--quiet")
        self.assertEqual("", self.finish(process).out)
        fifo.write_text("go\n")
        self.assertEqual("alive\n", fifo.read_text())


class TestTerminal(RunTestCase):

    def begin_in_terminal(self, command, *options):
        """The process of ``run`` in a terminal of its own, which it controls.
        """
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.begin(
            command, *options, stdin=theirs, stdout=theirs, stderr=theirs,
            prepare="import fcntl, termios; os.setsid();"
                    " fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
                    " termios.tcsetwinsize(0, (33, 77))")
        os.close(theirs)
        return process, ours

    def read_until(self, terminal, words):
        text = b""
        while words not in text:
            text += os.read(terminal, 1000)
        return text

    def test_a_terminal_stays_one(self):
        process, terminal = self.begin_in_terminal(
            "test -t 0 && test -t 1 && test -t 2 && stty size <&1 && echo end")
        text = self.read_until(terminal, b"end\r\n")
        self.assertEqual(b"33 77\r\nend\r\n", text)
        self.assertEqual(0, process.wait(30))
        self.assertEqual(("33 77\nend\n", ""), self.output())

    def test_one_that_is_a_terminal_and_one_that_is_none(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.run_command(
            "test -t 1; echo $?; test -t 2; echo $?", stderr=theirs)
        os.close(theirs)
        self.assertEqual("1\n0\n", process.out)

    def test_a_new_size_reaches_the_command(self):
        process, terminal = self.begin_in_terminal(
            "trap 'stty size <&1' WINCH; echo ready;"
            " while :; do sleep 0.01; done")
        self.read_until(terminal, b"ready")
        termios.tcsetwinsize(terminal, (44, 88))
        self.read_until(terminal, b"44 88")
        process.terminate()
        self.assertEqual(-signal.SIGTERM, process.wait(30))

    def test_ctrl_c_reaches_the_command_once(self):
        process, terminal = self.begin_in_terminal(
            "trap 'echo got' INT; echo ready; read line; read line; echo end")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"\3")
        self.read_until(terminal, b"got")
        os.write(terminal, b"\n\n")
        self.assertNotIn(b"got", self.read_until(terminal, b"end"))
        process.wait(30)

    def test_ctrl_c_ends_both(self):
        process, terminal = self.begin_in_terminal("echo ready; exec sleep 60")
        self.read_until(terminal, b"ready")
        os.write(terminal, b"\3")
        self.assertEqual(-signal.SIGINT, process.wait(30))
        self.assertEqual("SIGINT", self.attempt().reason)
