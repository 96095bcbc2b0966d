"""Running a script: the commit, the record, and the steps between."""

import subprocess
import sys

from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.tests.support import ScriptTestCase


class TestScripts(ScriptTestCase):

    def test_what_main_left_is_committed_and_the_success_recorded(self):
        process = self.run_script("""
            def main(self):
                note("done")
            """)
        self.assertEqual(
            (0, "", ""),
            (process.returncode, process.out, process.err))
        self.assertEqual(["done"], self.work())
        self.assertEqual("tidy", self.last().name)

    def test_the_record_has_the_name_that_the_script_was_given(self):
        self.run_script("""
            def main(self):
                pass
            """, arguments="'tidy-uploads'")
        self.assertIsNone(self.last())
        self.assertEqual("tidy-uploads", self.last("tidy-uploads").name)

    def test_the_record_spans_the_work(self):
        self.run_script("""
            def main(self):
                note(main_store().execute(
                    "SELECT clock_timestamp()::text").get_one()[0])
            """)
        within, = main_store().execute(
            "SELECT text::timestamptz FROM work").get_one()
        self.assertLess(self.last().date_started, within)
        self.assertLess(within, self.last().date_completed)

    def test_closed_descriptors_are_taken_by_nobody(self):
        for closed in "<&-", ">&-", "2>&-", "<&- >&- 2>&-":
            self.write_script("""
                def main(self):
                    note("done")
                    for descriptor in 0, 1, 2:
                        with contextlib.suppress(OSError):
                            os.write(descriptor, b"x" * 100)
                    main_store().execute("SELECT pg_sleep(0.1)")
                """, prepare="import contextlib, os", call="lock_and_run()")
            process = subprocess.run(
                ["sh", "-c", f'exec "$0" "$1" {closed}', sys.executable,
                 self.path], capture_output=True, check=False)
            self.assertEqual(0, process.returncode, closed)
            self.assertIn(process.stderr, (b"", b"x" * 100), closed)
            self.assertEqual(["done"], self.work(), closed)
            self.assertEqual("tidy", self.last().name)
            self.execute("TRUNCATE work, scriptactivity")

    def test_an_exception_rolls_back_and_leaves_no_record(self):
        self.assert_failed(self.run_script("""
            def main(self):
                note("never")
                raise RuntimeError("no luck")
            """), "RuntimeError: no luck")

    def test_a_commit_that_fails_is_a_run_that_failed(self):
        self.assert_failed(self.run_script("""
            def main(self):
                note("never")
                main_store().execute(
                    "CREATE TEMPORARY TABLE once (id integer"
                    " UNIQUE DEFERRABLE INITIALLY DEFERRED)")
                main_store().execute("INSERT INTO once VALUES (1), (1)")
            """), "UniqueViolation: duplicate key value")

    def test_a_connection_lost_at_the_commit_is_a_run_that_failed(self):
        self.assert_failed(self.run_script("""
            def main(self):
                note("never")
                import psycopg2
                from canonical.database.postgres import connection_parameters
                pid, = main_store().execute(
                    "SELECT pg_backend_pid()").get_one()
                other = psycopg2.connect(**connection_parameters())
                other.cursor().execute(
                    "SELECT pg_terminate_backend(%s, 5000)", (pid,))
            """), "DisconnectionError")

    def test_zcml_that_fails_is_a_run_that_failed(self):
        self.assert_failed(self.run_script("""
            def main(self):
                note("never")
            """, prepare="""
import canonical.launchpad.database.scriptactivity as module
del module.ScriptActivitySet
"""), "ScriptActivitySet")

    def test_what_was_committed_before_the_failure_stays(self):
        process = self.run_script("""
            def main(self):
                note("first")
                self.txn.commit()
                note("second")
                raise RuntimeError("no luck")
            """)
        self.assertEqual(1, process.returncode)
        self.assertEqual(["first"], self.work())
        self.assertIsNone(self.last())

    def test_a_dry_run_aborts_and_is_recorded(self):
        process = self.run_script("""
            def main(self):
                note("never")
                self.txn.abort()
            """)
        self.assertEqual(0, process.returncode)
        self.assertEqual([], self.work())
        self.assertEqual("tidy", self.last().name)

    def test_a_wrong_configuration_is_one_line_and_status_2(self):
        process = self.run_script("""
            def main(self):
                pass
            """, LP_DATABASE_URI="mysql://me:secret@db/app")
        self.assertEqual(2, process.returncode)
        self.assertRegex(
            process.err, r"^\S+ \S+ ERROR   LP_DATABASE_URI: not a .*\n$")
        self.assertNotIn("secret", process.err)

    def test_it_works_without_zope_security(self):
        self.write_script("""
            def main(self):
                assert "zope.security.checker" not in sys.modules
                note("done")
            """, prepare="sys.modules['zope.security'] = None")
        process = subprocess.run(
            [sys.executable, self.path], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual((0, ""), (process.returncode, process.stdout))
        self.assertEqual(["done"], self.work())
        self.assertEqual("tidy", self.last().name)
