"""The end of a script: each row of the table "What else can happen"."""

import os
import signal
import subprocess
import sys

import psycopg2

from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.exitstatus import failure_status
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.tests.support import ScriptTestCase
from canonical.testing.children import python_path


class TestEnding(ScriptTestCase):

    call = "lock_and_run()"

    def run_main(self, statement, *options, **changes):
        return self.run_script(f"""
            def main(self):
                note("done")
                {statement}
            """, *options, call=self.call, **changes)

    def test_main_returns(self):
        process = self.run_main("pass")
        self.assert_recorded(process)

    def test_main_returns_and_the_duration_is_logged_at_debug(self):
        process = self.run_main("pass", "-v")
        self.assertRegex(self.log(process)[0], r"^DEBUG   Ran for 0\.\d+ s$")

    def test_a_launchpad_script_failure(self):
        process = self.run_main("raise LaunchpadScriptFailure('why')")
        self.assertEqual(1, process.returncode)
        self.assertEqual(["ERROR   why"], self.log(process))
        self.assert_nothing_left()

    def test_a_launchpad_script_failure_with_a_status_of_its_own(self):
        process = self.run_script("""
            class Gone(LaunchpadScriptFailure):
                exit_status = 7

            def main(self):
                note("done")
                raise self.Gone("away")
            """, call=self.call)
        self.assertEqual(7, process.returncode)
        self.assertEqual(["ERROR   away"], self.log(process))
        self.assert_nothing_left()

    def test_a_silent_launchpad_script_failure(self):
        process = self.run_main("raise SilentLaunchpadScriptFailure(3)")
        self.assertEqual((3, ""), (process.returncode, process.err))
        self.assert_nothing_left()

    def test_any_other_exception(self):
        for error in "RuntimeError", "OSError", "BaseException":
            process = self.run_main(f"raise {error}('no luck')")
            self.assertEqual("ERROR   Unhandled exception",
                             self.log(process)[0])
            self.assert_failed(process, f"{error}: no luck")

    def test_a_failure_without_a_text(self):
        process = self.run_main("raise LaunchpadScriptFailure('')")
        self.assertEqual(["ERROR   LaunchpadScriptFailure"], self.log(process))

    def test_standard_output_that_is_full_is_a_failure_like_others(self):
        self.write_script("""
            def main(self):
                print("done", flush=True)
            """, call=self.call)
        with open("/dev/full", "wb") as full:
            # Only a process of its own has the end of an interpreter.
            process = subprocess.run(
                [sys.executable, self.path], stdout=full, text=True,
                env=dict(
                    os.environ, PYTHONPATH=python_path(), PYTHONUNBUFFERED=""),
                stderr=subprocess.PIPE, check=False)
        self.assertEqual(1, process.returncode, process.stderr)
        self.assertTrue(process.stderr.endswith(
            "\nOSError: [Errno 28] No space left on device\n"))

    def test_sys_exit_without_a_failure(self):
        for call in "sys.exit()", "sys.exit(0)", "raise SystemExit":
            process = self.run_main(call)
            self.assert_recorded(process)
            self.execute("DELETE FROM work")
            self.execute("DELETE FROM scriptactivity")

    def test_sys_exit_ends_the_process_after_the_record(self):
        process = self.run_script("""
            def main(self):
                note("done")
                sys.exit()
            """, call="lock_and_run(); print('still here')")
        self.assertEqual("", process.out)
        self.assert_recorded(process)

    def test_sys_exit_with_a_status(self):
        process = self.run_main("sys.exit(5)")
        self.assertEqual((5, ""), (process.returncode, process.err))
        self.assert_nothing_left()

    def test_sys_exit_with_a_text(self):
        process = self.run_main("sys.exit('no disk')")
        self.assertEqual(1, process.returncode)
        self.assertEqual(["ERROR   no disk"], self.log(process))
        self.assert_nothing_left()

    def test_a_failure_never_ends_with_status_0(self):
        for call in (
            "sys.exit(256)", "sys.exit(-256)", "sys.exit(512)",
            "raise SilentLaunchpadScriptFailure(0)",
            "raise SilentLaunchpadScriptFailure(256)",
            "raise SilentLaunchpadScriptFailure(None)",
        ):
            process = self.run_main(call)
            self.assertEqual((1, ""), (process.returncode, process.err), call)
            self.assert_nothing_left()

    def test_every_status_that_the_kernel_keeps_is_kept(self):
        self.assertEqual(
            list(range(1, 256)),
            [failure_status(status) for status in range(1, 256)])
        for status in 0, 256, -1, 1000, None, "3", 3.0, False:
            self.assertEqual(1, failure_status(status), status)

    def test_the_final_commit_fails(self):
        process = self.run_main("""main_store().execute(
                    "CREATE TEMPORARY TABLE once (id integer"
                    " UNIQUE DEFERRABLE INITIALLY DEFERRED)")
                main_store().execute("INSERT INTO once VALUES (1), (1)")""")
        self.assertEqual(
            "ERROR   The final commit failed: duplicate key value violates"
            ' unique constraint "once_id_key"', self.log(process)[0])
        self.assert_failed(process, "UniqueViolation")

    def test_a_failed_statement_is_not_taken_for_a_commit(self):
        process = self.run_main("""
                try:
                    main_store().execute("SELECT 1/0")
                except Exception:
                    pass""")
        self.assertEqual(
            "ERROR   The final commit failed: the transaction cannot be"
            " committed: a statement in it has failed", self.log(process)[0])
        self.assert_failed(process, "InternalError")

    def test_the_database_is_out_of_reach(self):
        process = self.run_main(
            "pass", LP_DATABASE_URI="postgresql://me:secret@localhost:1/app")
        self.assertEqual(1, process.returncode)
        line, = self.log(process)
        self.assertRegex(
            line, "^ERROR   cannot connect to database app on localhost port 1"
            " as me: .*Connection refused$")
        self.assert_nothing_left()

    def test_the_role_does_not_exist(self):
        process = self.run_main("pass", arguments="dbuser='nobody-here'")
        self.assertEqual(1, process.returncode)
        line, = self.log(process)
        self.assertRegex(line, 'FATAL:  role "nobody-here" does not exist$')
        self.assert_nothing_left()

    def test_a_wrong_isolation_is_a_value_error(self):
        process = self.run_script(call="lock_and_run(isolation='dirty')")
        self.assertIn(
            "ValueError: isolation must be one of read_committed,"
            " repeatable_read, serializable, autocommit, not 'dirty'",
            process.err)
        # It is the caller's mistake, and not a run.
        self.assertNotIn("ERROR", process.err)
        self.assert_nothing_left()

    def test_every_isolation_is_recorded(self):
        for isolation in "repeatable_read", "serializable", "autocommit":
            process = self.run_script(
                call=f"lock_and_run(isolation={isolation!r})")
            self.assert_recorded(process)
            self.execute("DELETE FROM work")
            self.execute("DELETE FROM scriptactivity")

    def test_a_name_that_cannot_be_recorded(self):
        process = self.run_script(arguments="'two\\nlines'", call=self.call)
        self.assertEqual(1, process.returncode)
        line, = self.log(process)
        self.assertRegex(line, r"^ERROR   .*'two\\nlines'")
        self.assert_nothing_left()

    def test_a_hook_that_fails_after_the_commit(self):
        process = self.run_script("""
            def main(self):
                note("done")

            def record_activity(self, date_started, date_completed):
                raise RuntimeError("no luck")
            """, call=self.call)
        self.assertEqual(1, process.returncode)
        self.assertEqual("ERROR   Unhandled exception", self.log(process)[0])
        self.assertEqual(["done"], self.work())


class TestSignals(ScriptTestCase):

    def kill(self, statement, signum, call="lock_and_run()", **changes):
        """The script, killed after it has printed a line."""
        self.write_script(f"""
            def main(self):
                note("done")
                print("ready", flush=True)
                {statement}
            """, call=call, **changes)
        return self.interrupt(signum)

    def interrupt(self, signum):
        """Start the script, and send it a signal when it is ready."""
        process = self.start()
        self.assertEqual("ready\n", process.stdout.readline())
        process.send_signal(signum)
        process.out, process.err = process.communicate()
        return process

    def ask(self, statement):
        self.ztm.begin()
        return main_store().execute(statement).get_one()[0]

    def assert_killed(self, process, signum):
        self.assertEqual(-signum, process.returncode, process.err)
        name = signal.Signals(signum).name
        self.assertEqual([f"ERROR   Killed by {name}"], self.log(process))
        self.assert_nothing_left()

    def test_it_dies_of_the_signal_and_says_so(self):
        for signum in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            process = self.kill("sys.stdin.read()", signum)
            self.assert_killed(process, signum)

    def test_a_statement_that_takes_forever_does_not_keep_it(self):
        for signum in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            process = self.kill(
                "main_store().execute('SELECT pg_sleep(1000)')", signum)
            self.assert_killed(process, signum)

    def test_it_dies_while_it_waits_for_a_lock(self):
        other = psycopg2.connect(**self.parameters)
        self.addCleanup(other.close)
        other.cursor().execute("LOCK TABLE scriptactivity")
        process = self.kill(
            "main_store().execute('TABLE scriptactivity')", signal.SIGTERM)
        other.rollback()
        self.assert_killed(process, signal.SIGTERM)

    def test_finally_is_executed(self):
        self.write_script("""
            def main(self):
                try:
                    print("ready", flush=True)
                    sys.stdin.read()
                finally:
                    print("cleaned up")
            """, call="lock_and_run()")
        process = self.interrupt(signal.SIGTERM)
        self.assertEqual("cleaned up\n", process.out)
        self.assert_killed(process, signal.SIGTERM)

    def test_what_is_ignored_stays_ignored(self):
        self.write_script("""
            def main(self):
                note("done")
                print("ready", flush=True)
                sys.stdin.read()
            """, prepare="import signal;"
                 " signal.signal(signal.SIGHUP, signal.SIG_IGN)")
        process = self.interrupt(signal.SIGHUP)
        self.assert_recorded(process)

    def test_a_handler_of_the_scripts_own_is_kept(self):
        process = self.kill(
            "sys.stdin.readline()", signal.SIGHUP, prepare="""
                import signal
                def handle(signum, frame):
                    print("again")
                    sys.exit(9)
                signal.signal(signal.SIGHUP, handle)
                """)
        self.assertEqual((9, "again\n"), (process.returncode, process.out))

    def test_a_handler_that_main_installs_is_left_to_it(self):
        self.write_script("""
            def main(self):
                import signal
                stop = []
                signal.signal(signal.SIGTERM, lambda *args: stop.append(1))
                print("ready", flush=True)
                while not stop:
                    main_store().execute("SELECT pg_sleep(0.3)")
                note("done")
            """)
        process = self.interrupt(signal.SIGTERM)
        self.assert_recorded(process)

    def test_a_signal_that_main_survives_is_no_failure(self):
        self.write_script("""
            def main(self):
                try:
                    print("ready", flush=True)
                    sys.stdin.read()
                except BaseException:
                    note("done")
            """)
        process = self.interrupt(signal.SIGTERM)
        self.assert_recorded(process)

    def test_a_signal_that_arrives_where_nothing_can_be_raised(self):
        self.write_script("""
            def main(self):
                class Kept:
                    def __del__(self):
                        print("ready", flush=True)
                        signal.pause()
                note("done")
                Kept()
                time.sleep(20)
            """, call="lock_and_run()", prepare="import signal, time")
        process = self.interrupt(signal.SIGTERM)
        self.assert_killed(process, signal.SIGTERM)

    def test_a_copy_that_takes_forever_does_not_keep_it(self):
        process = self.kill("""
                import io
                class Forever(io.RawIOBase):
                    def read(self, size):
                        return b"x\\n" * 100
                cursor = main_store()._connection.build_raw_cursor()
                cursor.copy_expert("COPY work FROM STDIN", Forever())
                """, signal.SIGTERM)
        self.assert_killed(process, signal.SIGTERM)

    def test_of_a_copy_that_is_interrupted_no_traceback_is_printed(self):
        # More than the server keeps back until the statement ends.
        self.write_script("""
            def main(self):
                import io
                note("done")
                cursor = main_store()._connection.build_raw_cursor()
                cursor.copy_expert(
                    "COPY (SELECT repeat('x', 100000) UNION ALL"
                    " SELECT pg_sleep(60)::text) TO STDOUT", io.BytesIO())
            """, call="lock_and_run()")
        process = self.start()
        self.wait_for_sleep(process)
        process.send_signal(signal.SIGTERM)
        process.out, process.err = process.communicate()
        self.assert_killed(process, signal.SIGTERM)

    def wait_for_sleep(self, process):
        """Wait until its statement sleeps; return the id of the session."""
        while (backend := self.ask(
            "SELECT max(pid) FROM pg_stat_activity WHERE wait_event ="
            " 'PgSleep'"
        )) is None:
            self.assertIsNone(process.poll())
        return backend

    def test_a_server_that_does_not_answer_does_not_keep_it(self):
        self.write_script("""
            def main(self):
                note("done")
                main_store().execute("SELECT pg_sleep(1000)")
            """)
        process = self.start()
        backend = self.wait_for_sleep(process)
        os.kill(backend, signal.SIGSTOP)
        process.send_signal(signal.SIGTERM)
        process.out, process.err = process.communicate()
        os.kill(backend, signal.SIGCONT)
        self.ask(f"SELECT pg_terminate_backend({backend}, 5000)")
        self.assertEqual(-signal.SIGTERM, process.returncode, process.err)
        self.assertEqual(
            "ERROR   Killed by SIGTERM", self.log(process)[-1])

    def test_scripts_in_one_process_need_not_be_alike(self):
        process = self.run_script(
            call="run(isolation='serializable'); Tidy().run()")
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual(["done", "done"], self.work())

    def test_the_transaction_manager_of_the_process_stays_installed(self):
        process = self.run_script(
            call="run(); note('after'); ztm.commit()", prepare="""
                from canonical.database.sqlbase import initZopeless
                ztm = initZopeless()
                """)
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual(["done", "after"], self.work())

    def test_a_child_that_is_terminated_does_no_harm(self):
        process = self.run_script("""
            def main(self):
                import multiprocessing, time
                context = multiprocessing.get_context("fork")
                child = context.Process(target=time.sleep, args=(1000,))
                child.start()
                note("done")
                child.terminate()
                main_store().execute("SELECT pg_sleep(0.3)")
                child.join()
                assert child.exitcode == -15, child.exitcode
            """)
        self.assert_recorded(process)

    def test_a_signal_after_the_commit_does_not_lose_the_success(self):
        self.write_script("""
            def main(self):
                note("done")
                commit = type(self.txn).commit
                def commit_and_wait(self):
                    commit(self)
                    print("committed", flush=True)
                    sys.stdin.readline()
                type(self.txn).commit = commit_and_wait
            """)
        process = self.start()
        self.assertEqual("committed\n", process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.out, process.err = process.communicate("\n\n")
        self.assertEqual(-signal.SIGTERM, process.returncode)
        self.assertEqual(["ERROR   Killed by SIGTERM"], self.log(process))
        self.assertEqual(["done"], self.work())
        self.assertEqual("tidy", self.last().name)

    def test_it_dies_while_it_waits_for_its_turn(self):
        self.locks.mkdir(parents=True)
        self.write_script(call="lock_and_run(blocking=True)")
        lock = LockFile(self.locks / "launchpad-tidy.lock")
        self.addCleanup(lock.release)
        process = self.start()
        while self.waiting_for_lock(process) == "":
            pass
        process.send_signal(signal.SIGTERM)
        process.out, process.err = process.communicate()
        self.assertEqual(-signal.SIGTERM, process.returncode)
        self.assertEqual(["ERROR   Killed by SIGTERM"], self.log(process))
        self.assertIsNone(self.last())

    def waiting_for_lock(self, process):
        """The line in /proc/locks of a process that waits."""
        with open("/proc/locks") as locks:
            return "".join(
                line for line in locks
                if "->" in line and f" {process.pid} " in line)
