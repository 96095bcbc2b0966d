"""What a command meets under ``run``, and what is on record of it."""

import os
import signal
import time
from pathlib import Path

from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.tests.runsupport import RunTestCase


class TestExit(RunTestCase):

    def assert_ended(self, process, status, outcome, exit_status, reason):
        self.assertEqual(status, process.returncode, process.err)
        attempt = self.attempt()
        self.assertEqual(
            (outcome, exit_status, reason),
            (attempt.outcome, attempt.exit_status, attempt.reason))
        if outcome != "success":
            self.assertIsNone(self.last("backup"))

    def test_success(self):
        process = self.run_command("echo out; echo err >&2")
        self.assertEqual(("out\n", "err\n"), (process.out, process.err))
        self.assert_ended(process, 0, "success", 0, None)
        self.assertEqual(("out\n", "err\n"), self.output())
        self.assertEqual(
            self.attempt().date_started, self.last("backup").date_started)

    def test_failure(self):
        process = self.run_command(
            "echo first >&2; echo 'no disk' >&2; exit 3")
        self.assert_ended(process, 3, "failure", 3, "no disk")

    def test_failure_without_a_word(self):
        process = self.run_command("echo out; exit 3")
        self.assert_ended(process, 3, "failure", 3, "exit status 3")

    def test_statuses_that_are_a_success(self):
        process = self.run_command("exit 3", "--ok", "0,3")
        self.assert_ended(process, 3, "success", 3, None)
        self.assertIsNotNone(self.last("backup"))

    def test_not_found(self):
        process = self.run_command("", env={"PATH": "/nowhere"})
        self.assert_ended(
            process, 127, "failure", 127,
            "cannot start 'sh': No such file or directory")
        self.assertEqual(
            "scriptactivity: cannot start 'sh': No such file or directory\n",
            process.err)

    def test_not_executable(self):
        (self.directory / "sh").mkdir()
        process = self.run_command("", env={"PATH": str(self.directory)})
        self.assert_ended(
            process, 126, "failure", 126,
            "cannot start 'sh': Permission denied")

    def test_a_script_without_an_interpreter_is_the_shells(self):
        script = self.directory / "sh"
        script.write_text('echo "$0 $2"')
        script.chmod(0o755)
        process = self.run_command("arg", env={"PATH": str(self.directory)})
        self.assertEqual(f"{script} arg\n", process.out)
        self.assert_ended(process, 0, "success", 0, None)

    def test_killed_by_a_signal(self):
        process = self.run_command("kill -USR1 $$")
        self.assert_ended(
            process, -signal.SIGUSR1, "killed", None, "SIGUSR1")
        process = self.run_command("kill -KILL $$")
        self.assert_ended(
            process, -signal.SIGKILL, "killed", None, "SIGKILL")

    def test_timeout(self):
        process = self.run_command(
            "trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done",
            "--timeout", "0.05s")
        self.assertEqual("bye\n", process.out)
        self.assert_ended(
            process, 124, "killed", 124, "timed out after 0.05s")

    def test_killed_after_a_timeout(self):
        process = self.run_command(
            "trap '' TERM; while :; do sleep 0.01; done",
            "--timeout", "0.05s", "--kill-after", "0.05s")
        self.assert_ended(
            process, 124, "killed", 124, "timed out after 0.05s")

    def test_killed_itself(self):
        process = self.begin("echo $$; exec sleep 60")
        command = int(process.stdout.readline())
        while not self.rows():
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        self.addCleanup(os.kill, command, signal.SIGKILL)
        process.wait()
        for stream in process.stdin, process.stdout, process.stderr:
            stream.close()
        self.assertEqual("vanished", self.attempt().outcome)
        self.assertIsNone(self.last("backup"))

    def rows(self):
        self.ztm.begin()
        return main_store().execute("TABLE scriptattempt").get_all()


class TestSignals(RunTestCase):

    def test_signals_reach_the_group(self):
        # The shell and what it has started.
        for signum in ["TERM", "HUP", "USR1", "USR2", "ALRM"]:
            process = self.begin(f"""
                trap 'echo parent; wait; exit 5' {signum}
                (trap 'echo child; exit' {signum}; echo ready
                 while :; do sleep 0.01; done) &
                wait
            """)
            self.send(process, signum)
            self.assertEqual(
                {"parent", "child"}, set(process.out.split()), signum)
            self.assertEqual(5, process.returncode)

    def test_signals_of_a_keyboard(self):
        for signum in ["INT", "QUIT"]:
            process = self.begin(f"""
                trap 'echo parent; exit 5' {signum}; echo ready
                while :; do sleep 0.01; done
            """)
            self.send(process, signum)
            self.assertEqual((5, "parent\n"), (
                process.returncode, process.out))

    def send(self, process, signum):
        process.stdout.readline()
        process.send_signal(getattr(signal, f"SIG{signum}"))
        self.finish(process)

    def test_grace(self):
        process = self.begin(
            "trap '' TERM; echo ready; while :; do sleep 0.01; done",
            "--kill-after", "0.05s")
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        self.finish(process)
        self.assertEqual(-signal.SIGKILL, process.returncode)
        self.assertEqual(
            "SIGKILL, since it did not heed another signal",
            self.attempt().reason)

    def test_stopped_and_continued_together(self):
        process = self.begin("echo $$; read line; echo $line")
        command = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGTSTP)
        for pid in command, process.pid:
            while _state(pid) != "T":
                time.sleep(0.01)
        os.kill(process.pid, signal.SIGCONT)
        self.finish(process, b"on\n")
        self.assertEqual("on\n", process.out)

    def test_command_finds_signals_as_without_us(self):
        process = self.run_command("exec cat /proc/self/status")
        status = dict(
            line.split(":\t") for line in process.out.splitlines())
        for key in "SigBlk", "SigIgn", "SigCgt":
            # The two are the C library's own, and threads take them back.
            self.assertEqual(
                0, int(status[key], 16) & ~(1 << 31 | 1 << 32), key)

    def test_what_is_ignored_stays_ignored(self):
        process = self.begin(
            "echo ready; read line; kill -HUP $$; echo alive",
            prepare="signal.signal(signal.SIGHUP, signal.SIG_IGN)")
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        self.finish(process, b"\n")
        self.assertEqual("alive\n", process.out)


def _state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


class TestOptions(RunTestCase):

    def test_quiet(self):
        process = self.run_command("echo out; echo err >&2", "--quiet")
        self.assertEqual((0, "", ""), (
            process.returncode, process.out, process.err))
        self.assertEqual(("out\n", "err\n"), self.output())

    def test_quiet_failure(self):
        process = self.run_command(
            "echo out; echo err >&2; exit 3", "--quiet")
        self.assertEqual((3, "out\n", "err\n"), (
            process.returncode, process.out, process.err))

    def test_quiet_without_room(self):
        # Then nothing is held back.
        process = self.run_command(
            "echo out; echo err >&2; echo more", "--quiet",
            prepare="import resource; resource.setrlimit("
                    "resource.RLIMIT_FSIZE, (2, 2))")
        self.assertEqual((0, "out\nmore\n", "err\n"), (
            process.returncode, process.out, process.err))

    def test_no_output(self):
        # What it writes to is our own pipe.
        process = self.begin("readlink /proc/self/fd/1", "--no-output")
        inode = os.fstat(process.stdout.fileno()).st_ino
        self.finish(process)
        self.assertEqual(f"pipe:[{inode}]\n", process.out)
        self.assertIsNone(self.output())

    def test_lock(self):
        first = self.begin("echo ready; read line", "--lock")
        first.stdout.readline()
        second = self.run_command("echo never", "--lock")
        self.assertEqual((1, ""), (second.returncode, second.out))
        self.assertIn(f"is locked by process {first.pid}", second.err)
        self.assertEqual("skipped", self.attempt().outcome)
        third = self.begin("echo third", "--lock", "--wait")
        self.finish(first, b"\n")
        self.assertEqual("third\n", self.finish(third).out)

    def test_what_cannot_be_locked_is_not_run(self):
        process = self.run_command(
            "echo never", "--lock", env=self.configure("""
                [scripts]
                lock_directory: /proc/nowhere
            """))
        self.assertEqual((1, ""), (process.returncode, process.out))
        self.assertIn("ERROR   Cannot lock /proc/nowhere/", process.err)

    def test_switched_off(self):
        (self.directory / "control.ini").write_text(
            "[backup]\nenabled = false\n")
        process = self.run_command("echo never", env=self.configure("""
            [scripts]
            cron_control_url: control.ini
        """))
        self.assertEqual((0, ""), (process.returncode, process.out))
        self.assertIn("backup is switched off", process.err)

    def test_mistakes_are_found_before_anything_runs(self):
        for options, name, words in [
            (["--timeout", "soon"], "backup", "not a duration: 'soon'"),
            (["--timeout", "0s"], "backup", "must be more than 0s"),
            (["--kill-after", "-1s"], "backup", "kill-after"),
            (["--ok", "0,256"], "backup", "not exit statuses: '0,256'"),
            (["--wait"], "backup", "--wait goes with --lock"),
            (["--quiet", "--no-output"], "backup", "exclude each other"),
            (["--qui"], "backup", "unrecognized arguments: --qui"),
            ([], "", "must not be empty"),
            ([], "a\nb", "line breaks"),
            ([], "x" * 256, "at most 255 characters, not 256"),
        ]:
            process = self.run_command("echo never", *options, name=name)
            self.assertEqual((2, ""), (process.returncode, process.out))
            self.assertEqual(1, process.err.count("\n"), process.err)
            self.assertIn(words, process.err)

    def test_environment(self):
        process = self.run_command(
            "echo $SCRIPTACTIVITY_NAME $SCRIPTACTIVITY_RUN_KEY")
        (key,) = main_store().execute(
            "SELECT run_key::text FROM scriptactivity").get_one()
        self.assertEqual(f"backup {key}\n", process.out)
