"""Attempts are kept from the start, and never harm the script."""

import datetime
import signal

from psycopg2.extensions import make_dsn
from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.tests.proxy import CommitCutter
from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase
from canonical.testing import PostgresLayer


WAIT = """
def main(self):
    print("ready", flush=True)
    sys.stdin.read()
"""


class AttemptTestCase(ScriptTestCase):

    def attempts(self):
        self.ztm.begin()
        now = datetime.datetime.now(datetime.UTC)
        hour = datetime.timedelta(hours=1)
        return getUtility(IScriptAttemptSet).getAttempts(
            "tidy", now - hour, now + hour)

    def outcomes(self):
        return [
            (each.outcome, each.exit_status, each.reason)
            for each in self.attempts()]

    def start_waiting(self, call="lock_and_run()"):
        self.write_script(WAIT, call=call)
        process = self.start()
        self.addCleanup(process.communicate)
        self.assertEqual("ready\n", process.stdout.readline())
        return process

    def without_permission(self, table):
        """A role that may do everything except write to one table."""
        self.execute("CREATE ROLE clerk LOGIN")
        self.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO clerk")
        self.execute(f"REVOKE ALL ON {table} FROM clerk")
        self.addCleanup(self.execute, "DROP ROLE clerk")
        self.addCleanup(self.execute, "DROP OWNED BY clerk")
        return "dbuser='clerk'"


class TestOutcomes(AttemptTestCase):

    def test_a_run_is_known_of_while_it_runs(self):
        process = self.start_waiting()
        attempt, = self.attempts()
        self.assertEqual(
            (process.pid, None, None),
            (attempt.pid, attempt.date_ended, attempt.outcome))
        process.communicate()

    def test_success(self):
        self.assert_recorded(self.run_script())
        self.assertEqual([("success", 0, None)], self.outcomes())
        attempt, = self.attempts()
        self.assertEqual(self.last().date_completed, attempt.date_ended)

    def test_failure(self):
        for body, status, reason in (
            ("raise RuntimeError('no\\nluck')", 1, "RuntimeError: no luck"),
            ("raise LaunchpadScriptFailure('why')", 1,
             "LaunchpadScriptFailure: why"),
            ("raise SilentLaunchpadScriptFailure(7)", 7,
             "SilentLaunchpadScriptFailure: 7"),
            ("sys.exit(300)", 1, "SilentLaunchpadScriptFailure: 300"),
            ("sys.exit('text')", 1, "LaunchpadScriptFailure: text"),
            ("main_store().execute('nonsense')", 1,
             "SyntaxError: syntax error at or near \"nonsense\" LINE 1:"
             " nonsense ^"),
        ):
            process = self.run_script(f"def main(self): {body}")
            self.assertEqual(status, process.returncode)
            self.assertEqual(
                [("failure", status, reason)], self.outcomes())
            self.execute("TRUNCATE scriptattempt")

    def test_a_commit_that_fails(self):
        self.run_script("""
            def main(self):
                main_store().execute(
                    "CREATE TEMPORARY TABLE once (id integer"
                    " UNIQUE DEFERRABLE INITIALLY DEFERRED)")
                main_store().execute("INSERT INTO once VALUES (1), (1)")
            """)
        (outcome, status, reason), = self.outcomes()
        self.assertEqual(("failure", 1), (outcome, status))
        self.assertRegex(
            reason, "^UniqueViolation: duplicate key .* already exists")

    def test_killed(self):
        for signum in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            process = self.start_waiting()
            process.send_signal(signum)
            process.communicate()
            self.assertEqual(-signum, process.returncode)
            self.assertEqual(
                [("killed", None, signal.Signals(signum).name)],
                self.outcomes())
            self.execute("TRUNCATE scriptattempt")

    def test_what_came_after_a_signal_that_it_survived(self):
        process = self.run_script("""
            def main(self):
                import os, signal
                try:
                    os.kill(os.getpid(), signal.SIGHUP)
                    signal.pause()
                except BaseException:
                    pass
                raise ValueError("no luck")
            """)
        self.assert_failed(process, "ValueError: no luck")
        self.assertEqual(
            [("failure", 1, "ValueError: no luck")], self.outcomes())

    def test_vanished(self):
        process = self.start_waiting()
        process.kill()
        process.communicate()
        self.assertEqual([("vanished", None, None)], self.outcomes())
        self.assert_recorded(self.run_script(call="lock_and_run()"))
        self.assertEqual(
            [("vanished", None, None), ("success", 0, None)],
            self.outcomes())
        # Other machines, which do not see the process, can know it too.
        self.assertEqual(
            [("success",), ("vanished",)], sorted(main_store().execute(
                "SELECT outcome FROM scriptattempt")))

    def test_without_the_lock_nobody_knows_who_vanished(self):
        process = self.start_waiting()
        self.assert_recorded(self.run_script(call="run()"))
        self.assertEqual(
            [(None, None, None), ("success", 0, None)], self.outcomes())
        process.communicate()

    def test_skipped(self):
        for call, status in (
            ("lock_and_run()", 1), ("lock_or_die()", 1), ("lock_or_quit()", 0),
        ):
            holder = self.start_waiting()
            process = self.run_script(WAIT, call=call)
            self.assertEqual(status, process.returncode)
            self.assertEqual(1, len(self.log(process)))
            first, second = self.outcomes()
            self.assertEqual((None, None, None), first)
            self.assertEqual(("skipped", status), second[:2])
            self.assertRegex(
                second[2], f"is locked by process {holder.pid}$")
            holder.communicate()
            self.execute("TRUNCATE scriptattempt")

    def test_what_is_switched_off_is_no_attempt(self):
        (self.directory / "cron.ini").write_text("[tidy]\nenabled = no\n")
        self.run_script(SUCCEED, **self.configure(
            "[scripts]\ncron_control_url: cron.ini\n"))
        self.assertEqual([], self.attempts())

    def test_a_success_that_is_spooled_ends_its_attempt_when_it_is_sent(self):
        arguments = self.without_permission("scriptactivity")
        process = self.run_script(SUCCEED, arguments=arguments)
        self.assertEqual(0, process.returncode)
        self.assertEqual([("success", None, None)], self.outcomes())
        self.run_script("def main(self): pass", arguments="'other'")
        self.assertEqual([("success", 0, None)], self.outcomes())
        attempt, = self.attempts()
        self.assertEqual(self.last().date_completed, attempt.date_ended)

    def test_a_success_that_is_spooled_has_not_vanished(self):
        arguments = self.without_permission("scriptactivity")
        self.run_script(SUCCEED, arguments=arguments, call="lock_and_run()")
        self.run_script("def main(self): pass", call="lock_and_run()")
        self.assertEqual([("success", 0, None)] * 2, self.outcomes())

    def test_a_signal_after_the_commit_is_still_a_success(self):
        self.run_script("""
            def main(self):
                import os
                commit = type(self.txn).commit
                def commit_and_kill(txn):
                    commit(txn)
                    os.kill(os.getpid(), 15)
                    type(self.txn).commit = commit
                type(self.txn).commit = commit_and_kill
            """)
        self.assertEqual([("success", 0, None)], self.outcomes())


class TestHarmlessness(AttemptTestCase):

    def test_a_start_that_could_not_be_recorded_is_recorded_later(self):
        for body, outcome in (
            (SUCCEED, ("success", 0, None)),
            ("def main(self): raise LaunchpadScriptFailure('why')",
             ("failure", 1, "LaunchpadScriptFailure: why")),
        ):
            with CommitCutter(self.layer.directory, 1, "before") as cutter:
                process = self.run_script(body, LP_DATABASE_URI=make_dsn(
                    **dict(self.parameters, host=cutter.directory)))
            self.assertIn(
                "WARNING The start of this run is not on record",
                self.log(process)[0])
            self.assertEqual([outcome], self.outcomes())
            self.execute("TRUNCATE scriptattempt")

    def test_a_transaction_that_only_reads_needs_no_proof(self):
        process = self.run_script("""
            def main(self):
                main_store().execute("SET TRANSACTION READ ONLY")
            """)
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual([("success", 0, None)], self.outcomes())

    def test_a_run_whose_work_a_failover_has_lost_has_failed(self):
        process = self.run_script("""
            def record_activity(self, date_started, date_completed):
                main_store().execute(
                    "UPDATE scriptattempt SET date_committed = NULL")
                self.txn.commit()
                super().record_activity(date_started, date_completed)

            def main(self):
                note("lost")
            """)
        self.assertEqual(1, process.returncode)
        self.assertIn(
            "ERROR   The success is not recorded: its work was committed and"
            " is no longer in the database", self.log(process)[0])
        (outcome, _, _), = self.outcomes()
        self.assertEqual("failure", outcome)
        self.assertIsNone(self.last())

    def warn(self, process, words):
        """The run has succeeded, is recorded, and has warned once."""
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        self.assertRegex(line, f"^WARNING .*{words}")
        self.assertEqual(["done"], self.work())
        # Queries need the table, and it may be missing.
        self.assertEqual(
            ("tidy",), main_store().execute(
                "SELECT name FROM scriptactivity").get_one())

    def hide_table(self):
        self.execute("ALTER TABLE scriptattempt RENAME TO away")
        self.addCleanup(
            self.execute, "ALTER TABLE away RENAME TO scriptattempt")

    def test_without_the_table(self):
        self.hide_table()
        self.warn(self.run_script(), 'relation "scriptattempt" does not exist')

    def test_without_permission(self):
        arguments = self.without_permission("scriptattempt")
        self.warn(
            self.run_script(SUCCEED, arguments=arguments),
            "permission denied for table scriptattempt")

    def test_when_the_table_goes_while_the_script_runs(self):
        process = self.run_script("""
            def main(self):
                note("done")
                main_store().execute(
                    "ALTER TABLE scriptattempt RENAME TO away")
            """, LP_DATABASE_URI=PostgresLayer.uri("postgres"))
        self.execute("ALTER TABLE away RENAME TO scriptattempt")
        self.assertEqual(0, process.returncode)
        proof, record = self.log(process)
        self.assertRegex(
            proof, "^WARNING The proof of its work is not on record")
        self.assertRegex(record, "^ERROR   The success is not recorded yet")
        self.run_script("def main(self): pass", arguments="'another'")
        self.assertEqual(["done"], self.work())
        self.assertEqual("tidy", self.last().name)
        self.assertEqual([("success", 0, None)], self.outcomes())

    def test_a_failure_without_the_table_is_a_failure_and_a_warning(self):
        self.hide_table()
        process = self.run_script(
            "def main(self): raise LaunchpadScriptFailure('why')")
        self.assertEqual(1, process.returncode)
        warning, error = self.log(process)
        self.assertRegex(warning, "^WARNING This run is not on record, and its"
                         " success is lost if it is killed between")
        self.assertEqual("ERROR   why", error)

    def test_a_skip_without_the_table_is_a_skip_and_a_warning(self):
        holder = self.start_waiting()
        self.hide_table()
        process = self.run_script(WAIT, call="lock_and_run()")
        self.assertEqual(1, process.returncode)
        info, warning = self.log(process)
        self.assertRegex(info, "^INFO .* is locked by process")
        self.assertRegex(warning, "^WARNING This run is not on record: ")
        holder.communicate()

    def test_a_skip_without_the_database_is_a_skip_and_a_warning(self):
        holder = self.start_waiting()
        process = self.run_script(
            WAIT, call="lock_and_run()",
            LP_DATABASE_URI="postgresql://localhost:1/app")
        self.assertEqual(1, process.returncode)
        info, warning = self.log(process)
        self.assertRegex(info, "^INFO .* is locked by process")
        self.assertRegex(warning, "^WARNING .*Connection refused")
        holder.communicate()

    def test_a_database_that_is_gone_when_it_fails(self):
        with CommitCutter(
            self.layer.directory, 2, "after", for_good=True
        ) as cutter:
            process = self.run_script(
                """
                def main(self):
                    note("done")
                    try:
                        self.txn.commit()
                    finally:
                        raise LaunchpadScriptFailure("why")
                """,
                LP_DATABASE_URI=make_dsn(
                    **dict(self.parameters, host=cutter.directory)))
        self.assertEqual(1, process.returncode)
        self.assertEqual("ERROR   why", self.log(process)[-1])

    def commits(self, body):
        with CommitCutter(self.layer.directory, 0, "never") as counter:
            self.run_script(body, LP_DATABASE_URI=make_dsn(
                **dict(self.parameters, host=counter.directory)))
        return counter.commits

    def test_it_takes_two_further_commits_at_most(self):
        # The work and the record are two commits; a failure has none.
        self.assertEqual(3, self.commits(SUCCEED))
        self.assertEqual(
            2, self.commits("def main(self): raise RuntimeError"))
        self.execute("TRUNCATE scriptattempt")
