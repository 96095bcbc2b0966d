"""The sessions that a change of the tables waits for."""

import subprocess
import sys
import time
from importlib.resources import files
from unittest import mock

import psycopg2
from psycopg2.extensions import make_dsn

from canonical.database import postgres
from canonical.database.postgres import apply_schema
from canonical.database.tests.test_postgres import CATALOGUE
from canonical.database.tests.test_postgres import ORIGINAL
from canonical.database.tests.test_postgres import SchemaTestCase
from canonical.database.tests.test_postgres import query


# The locks of this session but those on the catalogue.
OWN_LOCKS = """
    SELECT relation::regclass::text, mode FROM pg_locks
    WHERE pid = pg_backend_pid() AND locktype = 'relation'
        AND relation >= 16384
"""

TABLES = "scriptactivity, scriptattempt, scriptpause, scriptalert"

# The number of sessions that wait for their turn to apply the schema.
WAITING = """
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
"""

SCHEMA = files("canonical.database").joinpath("schema.sql").read_text()

# A longer limit: on a busy machine, sessions wait longer for each other.
APPLY = """
import sys
from psycopg2.extensions import parse_dsn
from canonical.database import postgres
postgres.LOCK_TIMEOUT = 60
postgres.apply_schema(parse_dsn(sys.argv[1]))
"""


class SessionTestCase(SchemaTestCase):

    def session(self, statements, **parameters):
        """A session with an open transaction."""
        session = psycopg2.connect(**dict(self.database, **parameters))
        self.addCleanup(session.close)
        session.cursor().execute(statements)
        return session


class TestOthersUseTheTables(SessionTestCase):

    def setUp(self):
        super().setUp()
        apply_schema(self.database)
        timeout = mock.patch.object(postgres, "LOCK_TIMEOUT", 0.2)
        timeout.start()
        self.addCleanup(timeout.stop)

    def test_what_is_up_to_date_is_applied_behind_an_exclusive_lock(self):
        self.session(f"""
            LOCK TABLE {TABLES};
            SELECT pg_advisory_xact_lock(hashtext('scriptactivity schema'))""")
        apply_schema(self.database)

    def test_what_is_up_to_date_is_not_locked(self):
        for table in TABLES.split(", "):
            self.session(f"SELECT FROM {table}")
        self.session("""
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            VALUES ('garbo', 'host', now(), now());
            INSERT INTO scriptattempt (name, hostname, pid, date_started)
            VALUES ('garbo', 'host', 1, now())""")
        ours = self.session(SCHEMA)
        with ours.cursor() as cursor:
            cursor.execute(OWN_LOCKS)
            self.assertEqual([], cursor.fetchall())

    def test_what_is_up_to_date_needs_no_privilege_but_to_connect(self):
        self.query("CREATE ROLE reader LOGIN")
        self.addCleanup(self.query, "DROP ROLE reader")
        apply_schema(dict(self.database, user="reader"))
        query(self.database, "COMMENT ON TABLE scriptattempt IS NULL")
        with self.assertRaisesRegex(
            psycopg2.errors.InsufficientPrivilege,
            "must be owner of table scriptattempt"
        ):
            apply_schema(dict(self.database, user="reader"))

    def test_a_change_names_an_idle_reader_and_changes_nothing(self):
        query(self.database, """
            DROP INDEX scriptactivity__run_key__key;
            ALTER TABLE scriptactivity DROP run_key;
            ALTER TABLE scriptattempt DROP process""")
        before = query(self.database, CATALOGUE)
        session = self.session(
            "SELECT FROM scriptattempt", application_name="report")
        with self.assertRaises(psycopg2.errors.LockNotAvailable) as caught:
            apply_schema(self.database)
        self.assertRegex(
            str(caught.exception),
            "^the tables in schema_test on .* are not changed, after waiting"
            f" 0.2s for pid {session.info.backend_pid}"
            r" \(role postgres,"
            ' application "report", idle in transaction since'
            r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\); let it finish, or end it"
            r" with pg_terminate_backend\(pid\), then run scriptactivity init"
            " again$")
        self.assertEqual(before, query(self.database, CATALOGUE))
        session.rollback()
        apply_schema(self.database)

    def test_an_index_does_not_wait_for_readers(self):
        query(self.database, "DROP INDEX scriptattempt__running__idx")
        reader = self.session("SELECT FROM scriptattempt")
        writer = self.session("""
            INSERT INTO scriptattempt (name, hostname, pid, date_started)
            VALUES ('garbo', 'host', 1, now())""")
        with self.assertRaises(psycopg2.errors.LockNotAvailable) as caught:
            apply_schema(self.database)
        self.assertIn(
            f"for pid {writer.info.backend_pid} (", str(caught.exception))
        self.assertNotIn(
            f"pid {reader.info.backend_pid} (", str(caught.exception))
        writer.rollback()
        apply_schema(self.database)

    def test_a_comment_waits_for_no_script(self):
        query(self.database, "COMMENT ON TABLE scriptattempt IS 'old'")
        self.session("""
            INSERT INTO scriptattempt (name, hostname, pid, date_started)
            VALUES ('garbo', 'host', 1, now())""")
        apply_schema(self.database)

    def test_who_else_applies_the_schema_is_named(self):
        query(self.database, f"DROP TABLE {TABLES}")
        first = self.session(SCHEMA)
        with self.assertRaises(psycopg2.errors.LockNotAvailable) as caught:
            apply_schema(self.database)
        self.assertIn(
            f"for pid {first.info.backend_pid} (", str(caught.exception))

    def test_a_role_that_may_not_see_the_state_of_others(self):
        query(self.database, "DROP INDEX scriptattempt__running__idx")
        self.query("CREATE ROLE owner LOGIN")
        self.addCleanup(self.query, "DROP ROLE owner")
        query(self.database, f"""
            GRANT CREATE ON SCHEMA public TO owner;
            {"".join(f"ALTER TABLE {table} OWNER TO owner;"
                     for table in TABLES.split(", "))}""")
        self.addCleanup(query, self.database, "DROP OWNED BY owner")
        session = self.session("LOCK TABLE scriptattempt")
        with self.assertRaises(psycopg2.errors.LockNotAvailable) as caught:
            apply_schema(dict(self.database, user="owner"))
        self.assertIn(
            f"pid {session.info.backend_pid} (role postgres, application"
            ' "", state not visible)', str(caught.exception))
        session.rollback()

    def test_a_server_may_speak_another_language(self):
        reader = self.session("SELECT FROM scriptattempt")
        ours = self.session("SELECT pg_sleep(0.2)")
        for statement, named in ("ALTER TABLE", True), ("CREATE INDEX", False):
            self.assertIs(
                named, f"pid {reader.info.backend_pid} (" in
                postgres._lock_holders(ours, f"Anweisung »{statement} x«"))

    def test_a_prepared_transaction_is_guessed(self):
        holders = postgres._lock_holders(self.session("SELECT"), "")
        self.assertIn("see pg_prepared_xacts", holders)


class TestTwoAtOnce(SessionTestCase):

    def test_both_apply_it(self):
        """The second has waited for the first, and sees its changes."""
        self.query("""
            ALTER DATABASE schema_test
            SET default_transaction_isolation = 'serializable'""")
        for before in "SELECT 'a new database'", ORIGINAL:
            query(self.database, before)
            first = self.session("""
                SELECT pg_advisory_xact_lock(
                    hashtext('scriptactivity schema'))""")
            processes = [
                subprocess.Popen(
                    [sys.executable, "-c", APPLY, make_dsn(**self.database)],
                    stderr=subprocess.PIPE, text=True)
                for _ in range(2)]
            while query(self.parameters, WAITING) != [(2,)]:
                time.sleep(0.01)
            first.rollback()
            for process in processes:
                self.assertEqual("", process.communicate()[1])
                self.assertEqual(0, process.returncode)
            query(self.database, f"DROP TABLE {TABLES}")
