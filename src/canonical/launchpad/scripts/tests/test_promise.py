"""Cases that could make the proof of a run false, or hide its end."""

import os
import signal
import unittest
import uuid

import psycopg2
from zope.component import getUtility

from canonical.database.connection import make_durable
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.spool import read_success
from canonical.launchpad.scripts.spool import write_success
from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase
from canonical.launchpad.scripts.tests.test_spool import make_success


# A store of the application, besides ``main``.
SECOND_STORE = """
import transaction
from canonical.database.postgres import connection_parameters
from canonical.database.stormuri import storm_uri
from storm.zope.zstorm import global_zstorm

def second_store():
    return global_zstorm.get("second", storm_uri(connection_parameters()))
"""

MANAGER = """
import transaction

class Manager:
    transaction_manager = transaction.manager

    def nothing(self, txn):
        pass

    tpc_begin = commit = tpc_vote = tpc_finish = tpc_abort = abort = nothing

    def sortKey(self):
        return "m"

    def fail(self, txn):
        raise KeyError("no luck")
"""


class TestProof(ScriptTestCase):

    def outcomes(self):
        self.ztm.begin()
        return list(main_store().execute(
            "SELECT outcome, reason, date_committed FROM scriptattempt"))

    def test_a_hook_that_hides_a_failed_statement_is_found_out(self):
        process = self.run_script("""
            def main(self):
                note("never")
                transaction.get().addBeforeCommitHook(self.break_it)

            def break_it(self):
                try:
                    main_store().execute("SELECT 1/0")
                except Exception:
                    pass
            """, prepare="import transaction")
        self.assertEqual(1, process.returncode, process.err)
        self.assert_nothing_left()
        (outcome, reason, _), = self.outcomes()
        self.assertEqual("failure", outcome)
        self.assertIn("a statement in it has failed", reason)

    def test_there_is_no_proof_where_another_joins_late_and_fails(self):
        process = self.run_script("""
            class Synchronizer:
                def beforeCompletion(self, txn):
                    manager = Manager()
                    manager.tpc_finish = manager.fail
                    txn.join(manager)

                def newTransaction(self, txn):
                    pass

                afterCompletion = newTransaction

            def main(self):
                note("done")
                self.synchronizer = self.Synchronizer()
                transaction.manager.registerSynch(self.synchronizer)
            """, prepare=MANAGER)
        self.assertEqual(1, process.returncode, process.err)
        self.assertIn("no luck", process.err)
        (outcome, _, date_committed), = self.outcomes()
        self.assertEqual(("failure", None), (outcome, date_committed))
        self.run_script("def main(self): pass", arguments="'other'")
        self.assertIsNone(self.last())

    def test_a_data_manager_that_cannot_abort_hides_no_failure(self):
        process = self.run_script("""
            def main(self):
                manager = Manager()
                manager.abort = manager.fail
                transaction.get().join(manager)
                note("never")
                raise LaunchpadScriptFailure("why")
            """, prepare=MANAGER)
        self.assertEqual(1, process.returncode)
        self.assertEqual("ERROR   why", self.log(process)[-1])
        (outcome, reason, _), = self.outcomes()
        self.assertEqual(
            ("failure", "LaunchpadScriptFailure: why"), (outcome, reason))
        self.assertEqual([], self.work())

    def test_the_record_waits_for_the_disk_and_for_nobody_else(self):
        for before, after in (
            ("off", "on"), ("local", "local"), ("on", "on"),
            ("remote_apply", "remote_apply"),
        ):
            self.ztm.begin()
            store = main_store()
            store.execute(f"SET LOCAL synchronous_commit = {before}")
            make_durable(store)
            self.assertEqual(
                (after,), store.execute("SHOW synchronous_commit").get_one())

    def test_the_record_waits_for_the_disk_though_the_work_does_not(self):
        self.execute("""
            CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    INSERT INTO work
                    VALUES (current_setting('synchronous_commit'));
                    RETURN NEW;
                END $$;
            CREATE TRIGGER note BEFORE INSERT ON scriptactivity
                FOR EACH ROW EXECUTE FUNCTION note()
            """)
        self.addCleanup(self.execute, "DROP FUNCTION note CASCADE")
        self.run_script(SUCCEED, PGOPTIONS="-c synchronous_commit=off")
        self.assertEqual(["done", "on"], self.work())

    def test_what_is_read_only_is_refused_and_spooled(self):
        process = self.run_script(
            "def main(self): pass",
            PGOPTIONS="-c default_transaction_read_only=on")
        self.assertEqual(0, process.returncode)
        warning, error = self.log(process)
        self.assertRegex(warning, "^WARNING This run is not on record, and its"
                         " success is lost if it is killed")
        self.assertRegex(
            error, "^ERROR   The success is not recorded yet: .*read-only")
        self.run_script("def main(self): pass", arguments="'other'")
        self.assertEqual("tidy", self.last().name)


class TestSignals(ScriptTestCase):

    def terminate(self, body, signum=signal.SIGTERM, **settings):
        self.write_script(body, **settings)
        process = self.start()
        self.assertEqual("ready\n", process.stdout.readline())
        process.send_signal(signum)
        process.out, process.err = process.communicate(timeout=60)
        return process

    def test_a_statement_of_another_store_does_not_keep_it(self):
        process = self.terminate("""
            def main(self):
                note("never")
                store = second_store()
                store.execute("SELECT 1")
                print("ready", flush=True)
                store.execute("SELECT pg_sleep(1000)")
            """, prepare=SECOND_STORE)
        self.assertEqual(-signal.SIGTERM, process.returncode, process.err)
        self.assert_nothing_left()

    def test_a_statement_that_is_cancelled_later_is_no_signal(self):
        process = self.terminate("""
            def main(self):
                try:
                    print("ready", flush=True)
                    sys.stdin.read()
                except BaseException:
                    pass
                # A cancel request that was under way when the signal was
                # handled ends this one instead.
                try:
                    main_store().execute("SELECT pg_sleep(0.2)")
                except Exception:
                    self.txn.abort()
                main_store().execute("SET LOCAL statement_timeout = '1200ms'")
                main_store().execute("SELECT pg_sleep(1000)")
            """, signal.SIGHUP)
        self.assertEqual(1, process.returncode, process.err)
        self.assertEqual("ERROR   Unhandled exception", self.log(process)[0])
        self.assertIn("statement timeout", process.err)


class TestOthers(ScriptTestCase):

    def committed(self, name):
        """A run of another machine that is committed and not recorded."""
        run_key = uuid.uuid4()
        success = make_success(name=name)
        getUtility(IScriptAttemptSet).markCommitted(
            run_key, name, success.date_started, success.date_completed, "far")
        main_store().execute("UPDATE scriptattempt SET process = NULL")
        self.ztm.commit()
        return run_key

    def test_one_whose_row_is_locked_keeps_no_other_waiting(self):
        locked = self.committed("a-locked")
        self.committed("b-free")
        other = psycopg2.connect(**self.parameters)
        self.addCleanup(other.close)
        other.cursor().execute(
            "SELECT FROM scriptattempt WHERE run_key = %s FOR UPDATE",
            (str(locked),))
        process = self.run_script(SUCCEED)
        self.assertEqual(0, process.returncode)
        line, = self.log(process)
        self.assertRegex(
            line, "^WARNING Earlier successes in the database are not recorded"
            " yet: the database has not answered within")
        (recorded,), = main_store().execute(
            "SELECT count(*) FROM scriptactivity WHERE name = 'b-free'")
        self.assertEqual(1, recorded)
        other.rollback()

    @unittest.skipIf(os.geteuid() != 0, "only root can give a file away")
    def test_what_another_user_says_without_a_proof_is_left(self):
        self.spool.mkdir(parents=True)
        path = write_success(
            self.spool, make_success(database=self.ztm.database))
        os.chown(path, 65534, 65534)
        with self.assertRaises(PermissionError):
            read_success(path)
        self.assert_recorded(self.run_script())
        self.assertTrue(path.exists())
        self.assertIsNone(self.last("garbo"))

    def test_who_finds_it_locked_needs_no_database(self):
        for call, status in ("lock_or_quit()", 0), ("lock_or_die()", 1):
            self.write_script("""
                def main(self):
                    print("ready", flush=True)
                    sys.stdin.read()
                """, call="lock_and_run()")
            holder = self.start()
            self.assertEqual("ready\n", holder.stdout.readline())
            process = self.run_script(call=call, LP_DATABASE_URI="mysql://x")
            self.assertEqual(status, process.returncode, process.err)
            info, warning = self.log(process)
            self.assertRegex(info, "^INFO .* is locked by process")
            self.assertRegex(warning, "^WARNING This run is not on record")
            holder.communicate()

    def test_a_child_forked_while_it_is_recorded_ends_there(self):
        process = self.run_script("""
            def main(self):
                note("done")

            def record_activity(self, date_started, date_completed):
                os.fork()
                super().record_activity(date_started, date_completed)
            """, prepare="import os", call="run(); print('after', flush=True)")
        self.assertEqual("after\n", process.out)
        self.assert_recorded(process)
