"""Children of a script commit, record and unlock nothing."""

import logging
import os
import signal
import sys

from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.exitstatus import children_end_here
from canonical.launchpad.scripts.tests.support import ScriptTestCase


# Forks in `main`, during the work.  The parent waits for the child, and then
# does what its arguments say.
MAIN = """
def main(self):
    note("{text}")
    child = os.fork()
    if child == 0:
        {child}
    _, status = os.waitpid(child, 0)
    print("child", os.waitstatus_to_exitcode(status), flush=True)
    {parent}
"""

ENDINGS = {
    "return": 0,
    "sys.exit()": 0,
    "sys.exit(0)": 0,
    "sys.exit(7)": 7,
    "sys.exit('no luck')": 1,
    "raise RuntimeError('no luck')": 1,
    "raise LaunchpadScriptFailure('no luck')": 1,
    "os._exit(5)": 5,
    "os.kill(os.getpid(), 15)": -15,
}


class TestFork(ScriptTestCase):

    def run_main(self, child, parent="pass", call="lock_and_run()", **changes):
        return self.run_script(
            MAIN.format(text="done", child=child, parent=parent), call=call,
            prepare="import os", **changes)

    def outcomes(self):
        found = self.ask("SELECT outcome FROM scriptattempt")
        return [outcome for outcome, in found]

    def test_the_child_ends_and_the_parent_succeeds(self):
        for child, status in ENDINGS.items():
            process = self.run_main(child)
            self.assertEqual(0, process.returncode, child)
            self.assertEqual(f"child {status}\n", process.out, child)
            self.assertEqual(["done"], self.work(), child)
            self.assertEqual([(1,)], self.ask(
                "SELECT count(*) FROM scriptactivity"), child)
            self.assertEqual(["success"], self.outcomes(), child)
            self.assertEqual([], list(self.locks.iterdir()))
            self.execute("TRUNCATE work, scriptactivity, scriptattempt")

    def test_the_child_ends_and_the_parent_fails(self):
        for child in ENDINGS:
            process = self.run_main(
                child, "raise LaunchpadScriptFailure('the parent')")
            self.assertEqual(1, process.returncode, child)
            self.assertIn(
                "ERROR   the parent", self.log(process)[-1], child)
            self.assert_nothing_left()
            self.assertEqual(["failure"], self.outcomes(), child)
            self.execute("TRUNCATE scriptattempt")

    def test_a_child_that_fails_says_so(self):
        process = self.run_main("raise RuntimeError('no luck')")
        self.assertRegex(
            self.log(process)[0], "^ERROR   Unhandled exception in process"
            r" \d+, a child of the script$")
        self.assertEqual("RuntimeError: no luck", process.err.splitlines()[-1])
        process = self.run_main("sys.exit('no luck')")
        self.assertEqual(["ERROR   no luck"], self.log(process))

    def test_what_a_child_prints_is_written_at_its_end(self):
        reader, writer = os.pipe()
        with children_end_here(logging.getLogger()):
            child = os.fork()
            if child == 0:
                sys.stdout = os.fdopen(writer, "w")
                print("no luck")
        os.close(writer)
        self.assertEqual(0, os.waitpid(child, 0)[1])
        self.assertEqual(b"no luck\n", os.read(reader, 99))
        os.close(reader)

    def test_what_comes_after_run_is_left_to_the_parent(self):
        process = self.run_main(
            "return", call="lock_and_run(); print('after', flush=True)")
        self.assertEqual("child 0\nafter\n", process.out)

    def test_the_child_commits_and_records_nothing(self):
        for child in (
            "self.txn.commit()",
            "import transaction; transaction.commit()",
            "main_store().commit()",
            "self.record_activity(*[self._attempt.date_started] * 2)",
            "self.unlock()",
            "self.txn.disconnect()",
            "self.txn.uninstall()",
            "import gc; self.txn = None; gc.collect()",
        ):
            process = self.run_main(
                f"""
        try:
            {child}
        except Exception as error:
            os._exit(9)
        os._exit(8)
        """, "raise LaunchpadScriptFailure('the parent')")
            self.assertEqual(1, process.returncode, child)
            self.assertIn(process.out, ("child 9\n", "child 8\n"))
            self.assertEqual(
                ["ERROR   the parent"], self.log(process), child)
            self.assert_nothing_left()

    def test_the_child_may_work_on_a_connection_of_its_own(self):
        process = self.run_main("""
        self.txn.abort()
        note("by the child")
        self.txn.commit()
        os._exit(0)
        """)
        self.assertEqual("child 0\n", process.out, process.err)
        self.assertEqual(["by the child", "done"], sorted(self.work()))

    def test_the_child_does_not_touch_descriptors_that_are_its_own(self):
        kept = self.directory / "kept"
        kept.write_text("as it was")
        process = self.run_main(f"""
        for _ in range(50):
            os.open({str(kept)!r}, os.O_RDWR)
        return
        """)
        self.assertEqual(0, process.returncode)
        self.assertEqual("as it was", kept.read_text())

    def test_a_child_that_outlives_the_script_does_it_no_harm(self):
        process = self.run_script("""
            def main(self):
                note("done")
                child = os.fork()
                if child != 0:
                    print(child)
                else:
                    for descriptor in 0, 1, 2:
                        os.close(descriptor)
                    os.setsid()
                    signal.pause()
                """, call="lock_and_run()", prepare="""
                import os, signal
                signal.signal(signal.SIGALRM, lambda *args: None)
                """)
        self.addCleanup(os.kill, int(process.out), signal.SIGKILL)
        self.assert_recorded(process)
        self.assert_recorded_again()

    def assert_recorded_again(self):
        """The lock is free although the child still runs."""
        self.execute("DELETE FROM work")
        process = self.run_script(call="lock_and_run()")
        self.assert_recorded(process)

    def ask(self, statement):
        self.ztm.begin()
        return main_store().execute(statement).get_all()
