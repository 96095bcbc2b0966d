"""Only one run of a script runs at a time."""

import os
import random
import resource
import signal
import tempfile
import time
import unittest
from pathlib import Path

from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.lock import LockTaken
from canonical.launchpad.scripts.lock import lock_file_name
from canonical.launchpad.scripts.tests.support import ScriptTestCase
from canonical.testing.children import start_python


WAIT = """
def main(self):
    note("done")
    print("ready", flush=True)
    sys.stdin.read()
"""

# Takes the lock over and over.  Within, it locks a file that stays, which it
# cannot if another process is within too.  That is a lock of POSIX's, which
# the kernel gives up first when it ends a process.
FIGHT = """
import fcntl, random, sys
from pathlib import Path
from canonical.launchpad.scripts.lock import LockFile, LockTaken

directory = Path(sys.argv[1])
inside = (directory / "inside").open("w")
log = (directory / "log").open("a", buffering=1)
while True:
    try:
        lock = LockFile(directory / "lock", blocking=random.random() < 0.5)
    except LockTaken:
        continue
    try:
        fcntl.lockf(inside, fcntl.LOCK_EX | fcntl.LOCK_NB)
        log.write("in\\n")
    except BlockingIOError:
        log.write("two inside\\n")
    fcntl.lockf(inside, fcntl.LOCK_UN)
    lock.release(skip_delete=random.random() < 0.3)
"""


class TestLockFile(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.path = self.directory / "lock"

    def in_child(self, statement):
        """Run a statement in another process; return its exit status."""
        child = os.fork()
        if child == 0:
            try:
                statement()
            except BaseException:
                os._exit(1)
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def test_the_file_names_the_holder(self):
        lock = LockFile(self.path)
        self.assertEqual(f"{os.getpid()}\n", self.path.read_text())
        lock.release()
        self.assertFalse(self.path.exists())

    def test_the_file_may_stay_but_names_nobody(self):
        LockFile(self.path).release(skip_delete=True)
        self.assertEqual("", self.path.read_text())
        LockFile(self.path).release()

    def test_the_loser_says_who_holds_it(self):
        holder = os.getpid()
        lock = LockFile(self.path)

        def lose():
            with self.assertRaisesRegex(
                LockTaken, f"^{self.path} is locked by process {holder}$"
            ):
                LockFile(self.path)

        self.assertEqual(0, self.in_child(lose))
        lock.release()
        self.assertEqual(0, self.in_child(lambda: LockFile(self.path)))

    def test_a_child_that_outlives_the_holder_does_not_hold_it(self):
        ready, tell_ready = os.pipe()
        wait, let_go = os.pipe()

        def hold_and_die():
            LockFile(self.path)
            if os.fork() == 0:
                os.write(tell_ready, b"x")
                os.close(let_go)
                os.read(wait, 1)
                os._exit(0)
            os.read(ready, 1)

        self.assertEqual(0, self.in_child(hold_and_die))
        LockFile(self.path).release()
        for each in ready, tell_ready, wait, let_go:
            os.close(each)

    def test_to_read_the_file_does_not_give_the_lock_up(self):
        lock = LockFile(self.path)
        self.path.read_text()
        self.assertEqual(1, self.in_child(lambda: LockFile(self.path)))
        lock.release()

    def test_two_in_one_process_exclude_each_other(self):
        lock = LockFile(self.path)
        with self.assertRaises(LockTaken):
            LockFile(self.path)
        lock.release()
        LockFile(self.path).release()

    @unittest.skipIf(os.geteuid() != 0, "only root can be other users")
    def test_users_share_it_in_a_directory_that_all_may_write_to(self):
        self.directory.chmod(0o1777)

        self.assertEqual(0, self.as_user(
            65531, lambda: LockFile(self.path).release(skip_delete=True)))
        holder = LockFile(self.path)

        def lose():
            with self.assertRaises(LockTaken):
                LockFile(self.path)

        self.assertEqual(0, self.as_user(65532, lose))
        holder.release(skip_delete=True)
        self.assertEqual(0, self.as_user(65533, lambda: LockFile(self.path)))

    def as_user(self, uid, statement, umask=0o022):
        """The exit status of a process of another user."""
        def run():
            os.umask(umask)
            os.setgroups([65531])
            os.setgid(65531)
            os.setuid(uid)
            statement()
        return self.in_child(run)

    @unittest.skipIf(os.geteuid() != 0, "only root can be other users")
    def test_one_that_a_killed_user_left_does_not_lock_out_the_next(self):
        for mode, group, umask in (
            (0o2770, 65531, 0o077), (0o1777, 0, 0o077), (0o777, 0, 0o022),
        ):
            os.chown(self.directory, 0, group)
            self.directory.chmod(mode)

            def lock_and_die():
                LockFile(self.path)
                os.kill(os.getpid(), signal.SIGKILL)

            self.assertEqual(-9, self.as_user(65531, lock_and_die, umask))
            self.assertTrue(self.path.exists())
            self.assertEqual(0, self.as_user(
                65532, lambda: LockFile(self.path).release()))
            holder = LockFile(self.path)

            def lose():
                with self.assertRaises(LockTaken):
                    LockFile(self.path)

            self.assertEqual(0, self.as_user(65532, lose))
            holder.release()
            self.path.unlink(missing_ok=True)

    def test_it_works_without_a_byte_on_the_disk(self):
        def lock_with_no_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            lock = LockFile(self.path)
            self.assertEqual("", self.path.read_text())
            with self.assertRaisesRegex(
                LockTaken, "is locked by another process$"
            ):
                LockFile(self.path)
            lock.release()
            self.assertFalse(self.path.exists())

        self.assertEqual(0, self.in_child(lock_with_no_room))

    def test_to_release_it_twice_is_harmless(self):
        lock = LockFile(self.path)
        lock.release()
        kept = self.directory / "kept"
        kept.write_text("as it was")
        files = [os.open(kept, os.O_RDWR) for _ in range(20)]
        other = LockFile(self.path)
        lock.release()
        self.assertEqual("as it was", kept.read_text())
        self.assertTrue(other.is_held)
        self.assertEqual(1, self.in_child(lambda: LockFile(self.path)))
        other.release()
        for file in files:
            os.close(file)

    def test_a_child_neither_holds_nor_releases_it(self):
        lock = LockFile(self.path)

        def release():
            self.assertFalse(lock.is_held)
            lock.release()

        self.assertEqual(0, self.in_child(release))
        self.assertTrue(lock.is_held)
        self.assertEqual(f"{os.getpid()}\n", self.path.read_text())
        lock.release()

    def test_a_link_is_not_followed(self):
        self.path.symlink_to(self.directory / "elsewhere")
        with self.assertRaises(OSError):
            LockFile(self.path)
        self.assertFalse((self.directory / "elsewhere").exists())


class TestFight(unittest.TestCase):

    # A race is rare, so try often.
    kills = 20
    entries = 3000

    def test_fifty_fight_and_two_are_never_inside(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        log = directory / "log"
        log.touch()

        def start():
            return start_python(["-c", FIGHT, directory])

        random.seed(2007)
        fighters = [start() for _ in range(50)]
        try:
            for kill in range(self.kills):
                # The number of processes inside since the last report.
                entries = self.entries * (kill + 1) // self.kills
                while log.stat().st_size < entries * len("in\n"):
                    time.sleep(0.01)
                victim = random.randrange(50)
                fighters[victim].kill()
                fighters[victim].wait()
                fighters[victim] = start()
        finally:
            for fighter in fighters:
                fighter.kill()
                fighter.wait()
        self.assertEqual({"in"}, set(log.read_text().splitlines()))
        LockFile(directory / "lock").release()


class TestLongFight(TestFight):

    level = 3
    kills = 500
    entries = 100_000


class TestLockFileName(unittest.TestCase):

    def test_a_usual_name_is_seen_in_it(self):
        self.assertEqual(
            "launchpad-update bugs.lock", lock_file_name("update bugs"))

    def test_no_name_leads_out_of_the_directory(self):
        for name in "../x", "/etc/passwd", "..", ".", "a/b", "a/../../b":
            path = os.path.normpath(f"/locks/{lock_file_name(name)}")
            self.assertEqual("/locks", os.path.dirname(path))

    def test_different_names_have_different_files(self):
        names = ["a/b", "a%2Fb", "a%252Fb", "ab", "x" * 255, "x" * 254 + "y",
                 "ä" * 255, "ä" * 254 + "ö", "x" * 240, "x" * 239]
        files = {lock_file_name(name) for name in names}
        self.assertEqual(len(names), len(files))
        self.assertLessEqual(max(len(file.encode()) for file in files), 255)


class TestLockingScripts(ScriptTestCase):

    def start_holder(self, call="lock_and_run()"):
        self.write_script(WAIT, call=call)
        holder = self.start()
        self.assertEqual("ready\n", holder.stdout.readline())
        return holder

    def finish(self, holder):
        holder.out, holder.err = holder.communicate()
        self.assert_recorded(holder)
        self.assertEqual([], list(self.locks.iterdir()))

    def lose(self, call):
        holder = self.start_holder()
        process = self.run_script(WAIT, call=call)
        self.assertEqual(
            [f"INFO    {self.locks}/launchpad-tidy.lock is locked by process"
             f" {holder.pid}"], self.log(process))
        self.assertIsNone(self.last())
        self.finish(holder)
        return process.returncode

    def test_who_finds_it_locked_dies(self):
        self.assertEqual(1, self.lose("lock_and_run()"))

    def test_lock_or_die(self):
        self.assertEqual(1, self.lose("lock_or_die()"))

    def test_lock_or_quit(self):
        self.assertEqual(0, self.lose("lock_or_quit()"))

    def test_scripts_of_other_names_do_not_care(self):
        holder = self.start_holder()
        process = self.run_script(
            "def main(self): pass", arguments="'other'",
            call="lock_and_run()")
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.finish(holder)

    def test_the_lock_is_free_after_sigkill(self):
        holder = self.start_holder()
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
        process = self.run_script(call="lock_and_run()")
        self.assert_recorded(process)

    def start_waiter(self):
        """A script that sleeps in the kernel until the lock is free."""
        self.write_script(call="lock_and_run(blocking=True)")
        waiter = self.start()
        while str(waiter.pid) not in self.sleepers():
            self.assertIsNone(waiter.poll())
        return waiter

    def sleepers(self):
        lines = Path("/proc/locks").read_text().splitlines()
        return [line.split()[5] for line in lines if "->" in line]

    def test_who_waits_for_it_gets_it(self):
        holder = self.start_holder()
        waiter = self.start_waiter()
        self.assertIsNone(self.last())
        holder.communicate()
        _, err = waiter.communicate()
        self.assertEqual((0, ""), (waiter.returncode, err))
        self.assertEqual(["done", "done"], self.work())

    def test_waiting_for_it_does_not_count_as_working(self):
        holder = self.start_holder()
        waiter = self.start_waiter()
        holder.communicate()
        waiter.communicate()
        self.ztm.begin()
        first, second = main_store().execute("""
            SELECT date_started, date_completed FROM scriptactivity
            ORDER BY date_completed""")
        self.assertGreaterEqual(second[0], first[1])

    def test_the_parts_of_it(self):
        process = self.run_script("""
            def in_parts(self):
                self.lock_or_die()
                self.lock_or_quit()
                self.run()
                assert self.lockfilepath.exists()
                self.unlock()
                assert not self.lockfilepath.exists()
                self.unlock()

            def main(self):
                note("done")
            """, call="in_parts()")
        self.assert_recorded(process)

    def test_a_lock_directory_that_is_not_there(self):
        why = "Cannot lock /no/such/place/launchpad-tidy.lock:" \
            " No such file or directory"
        for call in "lock_and_run()", "lock_or_quit()":
            process = self.run_script(call=call, **self.configure(
                "[scripts]\nlock_directory: /no/such/place\n"))
            self.assertEqual(1, process.returncode, call)
            self.assertEqual([f"ERROR   {why}"], self.log(process))
            self.assert_nothing_left()
        self.assertEqual([why] * 2, [
            each.reason
            for each in getUtility(IScriptAttemptSet).getFailures("tidy")])

    def test_the_file_may_stay(self):
        self.assert_recorded(
            self.run_script(call="lock_and_run(skip_delete=True)"))
        self.assertEqual(
            ["launchpad-tidy.lock"],
            [path.name for path in self.locks.iterdir()])

    def test_a_lock_directory_that_cannot_be_written(self):
        process = self.run_script(
            call="lock_and_run()",
            **self.configure("[scripts]\nlock_directory: /proc\n"))
        self.assertEqual(1, process.returncode)
        line, = self.log(process)
        self.assertRegex(
            line, "^ERROR   Cannot lock /proc/launchpad-tidy.lock: ")
        self.assert_nothing_left()
