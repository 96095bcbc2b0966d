"""Finding the database, and applying the schema."""

import os
import socket
import unittest

import psycopg2

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.errors import first_line
from canonical.database.postgres import apply_schema
from canonical.database.postgres import connection_parameters
from canonical.testing import PostgresLayer


def query(parameters, statement):
    connection = psycopg2.connect(**parameters)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None
    finally:
        connection.close()


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
            "postgresql://me:sec@ret@db/app",
            "postgresql://me:sec/ret@db/app",
            "postgresql://me@db:secret/app",
            "postgresql://me:a?sec@ret@db/app",
            "postgresql://me:1/sec?ret@db/app",
            "postgresql://me:1/sec?sslmode=ret@db/app",
            "postgresql://me:sec#ret",
            "postgresql://me:sec%00ret@db/app",
            "postgresql://me@db/app?password=sec&ret",
            "postgresql://me@db/app sslmode=sec",
            "host=db password=sec ret",
            "host=db password='secret",
            "host=db pasword=secret",
            "host=dbpassword=secret",
            "host=db dbname=postgresql://me:secret@db/app",
            "embedded:postgresql://me:secret@db/app",
            "embedded:~secret/postgresql",
            "secret",
        ):
            self.configure(uri)
            with self.assertRaises(ConfigError, msg=uri) as caught:
                connection_parameters()
            message = str(caught.exception)
            self.assertTrue(
                message.startswith("test: line 2: [database] uri: "), message)
            self.assertNotIn("sec", message.replace("~secret", ""))

    def test_a_mistake_in_the_environment_names_the_variable(self):
        os.environ["LP_DATABASE_URI"] = "mysql://db/app"
        self.addCleanup(os.environ.pop, "LP_DATABASE_URI")
        with self.assertRaisesRegex(ConfigError, "^LP_DATABASE_URI: not a "):
            connection_parameters()


# The table of an installation of the original.
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

# The same table after only its rows were copied.
WITHOUT_CONSTRAINTS = """
    CREATE TABLE scriptactivity (
        id integer,
        name text,
        hostname text,
        date_started timestamp without time zone,
        date_completed timestamp without time zone
    );
    INSERT INTO scriptactivity
    SELECT id, 'garbo', 'loganberry', '2007-02-01', '2007-02-02'
    FROM generate_series(1, 3) AS id
"""

# All columns, constraints, indexes and comments of the tables.
# Alerts as an older version had them: a row was a question.
OLD_ALERTS = """
    DROP INDEX scriptalert__open__key;
    ALTER TABLE scriptalert {} DROP answers, DROP date_good,
        DROP date_unstable, ADD question text, ADD sentence text,
        ADD CONSTRAINT scriptalert__question__check
            CHECK (question IN ('recently', 'often', 'runtime')),
        DROP CONSTRAINT scriptalert__channel__check,
        ADD CONSTRAINT scriptalert__channel__check
            CHECK (channel IN ('mail', 'webhook', 'log'));
    CREATE UNIQUE INDEX scriptalert__open__key ON scriptalert
        (channel, name, coalesce(hostname, ''), question)
        WHERE date_closed IS NULL;
    INSERT INTO scriptalert (
        channel, name, hostname, question, state, sentence, date_opened,
        date_told, date_closed)
    SELECT channel, 'garbo', hostname, question, state, question,
        '2007-02-01Z'::timestamptz + opened * interval '1 min',
        told::timestamptz, closed::timestamptz
    FROM (VALUES
        ('mail', NULL, 'often', 'warning', 0, NULL, '2007-02-02Z'),
        ('mail', NULL, 'often', 'warning', 1, NULL, NULL),
        ('webhook', NULL, 'often', 'warning', 1, NULL, NULL),
        ('mail', NULL, 'recently', 'critical', 2, '2007-02-03Z', NULL),
        ('log', 'a', 'recently', 'critical', 2, NULL, '2007-02-02Z')
    ) AS old (channel, hostname, question, state, opened, told, closed)
"""

CATALOGUE = """
    SELECT attrelid::regclass::text || '.' || attname,
        format_type(atttypid, atttypmod), attnotnull::text, attidentity::text,
        col_description(attrelid, attnum)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT conname, pg_get_constraintdef(pg_constraint.oid), '', '', ''
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL
    SELECT indexname, indexdef, '', '', '' FROM pg_indexes
    WHERE schemaname = 'public'
    UNION ALL
    SELECT relname, obj_description(oid, 'pg_class'), '', '', ''
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    ORDER BY 1, 2
"""


class SchemaTestCase(unittest.TestCase):

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


class TestSchema(SchemaTestCase):

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
        # Times in the old table are in UTC, whatever the zone of the database.
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
        self.assertEqual(3, self.next_id())

    def test_an_empty_original_is_upgraded(self):
        query(self.database, ORIGINAL)
        query(self.database, "TRUNCATE scriptactivity RESTART IDENTITY")
        apply_schema(self.database)
        self.assertEqual(1, self.next_id())

    def next_id(self):
        (number,), = query(self.database, """
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            VALUES ('garbo', 'host', '2007-08-01Z', '2007-08-02Z')
            RETURNING id""")
        return number

    def test_ids_that_were_used_are_not_given_again(self):
        query(self.database, ORIGINAL)
        query(self.database, "SELECT setval('scriptactivity_id_seq', 500)")
        apply_schema(self.database)
        self.assertEqual(501, self.next_id())

    def test_a_sequence_that_others_use_is_left_to_them(self):
        query(self.database, ORIGINAL)
        query(self.database, """
            CREATE TABLE other (
                id integer DEFAULT nextval('scriptactivity_id_seq'))""")
        apply_schema(self.database)
        self.assertEqual(3, self.next_id())
        query(self.database, "INSERT INTO other DEFAULT VALUES")

    def test_a_default_that_means_utc_without_saying_so_is_dropped(self):
        query(self.database, ORIGINAL)
        query(self.database, """
            ALTER TABLE scriptactivity ALTER date_completed
            SET DEFAULT timezone('UTC', now())""")
        apply_schema(self.database)
        with self.assertRaises(psycopg2.errors.NotNullViolation):
            query(self.database, """
                INSERT INTO scriptactivity (name, hostname, date_started)
                VALUES ('garbo', 'host', '2007-08-01Z')""")

    def test_an_upgrade_that_was_half_done_by_hand_is_finished(self):
        query(self.database, ORIGINAL)
        query(self.database, """
            ALTER TABLE scriptactivity ALTER date_started TYPE timestamptz
            USING date_started AT TIME ZONE 'UTC'""")
        apply_schema(self.database)
        self.assertEqual(
            [("2007-02-01 10:01:00",)], query(self.database, """
                SELECT (date_completed AT TIME ZONE 'UTC')::text
                FROM scriptactivity WHERE id = 1"""))

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

    def test_old_rows_at_infinity_are_kept(self):
        query(self.database, ORIGINAL)
        query(self.database, """
            UPDATE scriptactivity SET date_completed = 'infinity'
            WHERE id = 1;
            UPDATE scriptactivity SET date_started = '-infinity'
            WHERE id = 2""")
        apply_schema(self.database)
        self.assertEqual(
            [("2007-02-01 10:00:00+00", "infinity"),
             ("-infinity", "2007-07-01 11:00:00+00")],
            query(self.database, """
                SET timezone = 'UTC';
                SELECT date_started::text, date_completed::text
                FROM scriptactivity ORDER BY id"""))

    def test_an_original_without_constraints_gets_them(self):
        query(self.database, WITHOUT_CONSTRAINTS)
        apply_schema(self.database)
        upgraded = query(self.database, STRUCTURE)
        self.assertEqual(4, self.next_id())
        query(self.database, "DROP TABLE scriptactivity")
        apply_schema(self.database)
        self.assertEqual(query(self.database, STRUCTURE), upgraded)

    def test_rows_with_nulls_stand_in_the_way_of_an_upgrade(self):
        query(self.database, WITHOUT_CONSTRAINTS)
        query(self.database, """
            INSERT INTO scriptactivity (id, name, date_started)
            SELECT id, 'garbo', now() FROM generate_series(11, 16) AS id;
            INSERT INTO scriptactivity (name) VALUES ('one
two');
            INSERT INTO scriptactivity DEFAULT VALUES""")
        self.assert_refused(
            "scriptactivity cannot be upgraded: rows with a null in id, name,"
            " hostname, date_started or date_completed: 8 (the first: id 11,"
            " id 12, id 13, id 14, id 15); complete or delete them, then run"
            " scriptactivity init again")
        query(self.database, "DELETE FROM scriptactivity WHERE id > 10")
        self.assert_refused(
            "scriptactivity cannot be upgraded: rows with a null in id, name,"
            " hostname, date_started or date_completed: 2 (the first: name"
            ' "one\\ntwo", no id or name); complete or delete them, then run'
            " scriptactivity init again")

    def test_ids_that_are_used_twice_stand_in_the_way_of_an_upgrade(self):
        query(self.database, WITHOUT_CONSTRAINTS)
        query(self.database, """
            INSERT INTO scriptactivity
            SELECT id, name, hostname, date_started, date_completed
            FROM scriptactivity WHERE id > 1""")
        self.assert_refused(
            "scriptactivity cannot be upgraded: ids that more than one row"
            " has: 2 (the first: 2, 3); delete the extra rows or give them"
            " other ids, then run scriptactivity init again")

    def assert_refused(self, message):
        before = query(self.database, CATALOGUE)
        with self.assertRaises(psycopg2.Error) as caught:
            apply_schema(self.database)
        self.assertEqual(message, str(caught.exception).splitlines()[0])
        self.assertEqual(before, query(self.database, CATALOGUE))

    def test_an_index_of_an_older_version_is_dropped(self):
        apply_schema(self.database)
        fresh = query(self.database, CATALOGUE)
        query(self.database, """
            CREATE INDEX scriptactivity__date_started__brin_idx
            ON scriptactivity USING brin (date_started)""")
        self.assertNotEqual(fresh, query(self.database, CATALOGUE))
        apply_schema(self.database)
        self.assertEqual(fresh, query(self.database, CATALOGUE))

    def test_a_copy_over_a_connection_that_is_lost(self):
        connection = psycopg2.connect(**self.database)

        class Breaking:

            def write(self, data):
                with socket.socket(
                    fileno=os.dup(connection.fileno())
                ) as line:
                    line.shutdown(socket.SHUT_RDWR)

        with self.assertRaises(psycopg2.Error) as caught:
            connection.cursor().copy_expert(
                "COPY (SELECT generate_series(1, 1000000)) TO STDOUT",
                Breaking())
        connection.close()
        self.assertEqual(
            "the connection to the database is lost",
            first_line(caught.exception))

    def test_an_older_scriptattempt_is_upgraded(self):
        apply_schema(self.database)
        fresh = query(self.database, CATALOGUE)
        query(self.database, """
            ALTER TABLE scriptattempt
                DROP run_key, DROP process, DROP date_committed,
                    DROP stdout, DROP stderr;
            DROP INDEX scriptattempt__name__date_started__idx;
            INSERT INTO scriptattempt
                (name, hostname, pid, date_started, date_ended, outcome)
            VALUES ('garbo', 'host', 1, now(), now(), 'failure')""")
        self.assertNotEqual(fresh, query(self.database, CATALOGUE))
        apply_schema(self.database)
        self.assertEqual(fresh, query(self.database, CATALOGUE))

    def test_an_older_scriptalert_is_upgraded(self):
        apply_schema(self.database)
        fresh = query(self.database, CATALOGUE)
        for claims in "", "DROP pending, DROP claimed_by, DROP date_claimed,":
            query(self.database, "TRUNCATE scriptalert;" + OLD_ALERTS.format(
                claims))
            self.assertNotEqual(fresh, query(self.database, CATALOGUE))
            apply_schema(self.database)
            self.assertEqual(fresh, query(self.database, CATALOGUE))
            found = query(self.database, """
                SELECT channel, name, hostname, state, answers,
                    date_told IS NULL, date_closed IS NULL,
                    date_settled IS NULL
                FROM scriptalert ORDER BY id""")
            bad = [
                {"question": question, "state": state, "sentence": question,
                 "is_over": is_over}
                for question, state, is_over in (
                    ("often", "warning", True), ("often", "warning", False),
                    ("recently", "critical", False),
                    ("recently", "critical", True))]
            self.assertEqual([
                # Of what was closed, people know that more is broken.
                ("mail", "garbo", None, "warning", bad[:1], True, False,
                 False),
                ("mail", "garbo", None, "critical", bad[1:3], False, True,
                 True),
                ("webhook", "garbo", None, "warning", bad[1:2], True, True,
                 True),
                ("output", "garbo", "a", "critical", bad[3:], True, False,
                 True),
            ], found)

    def test_only_a_success_has_its_work_committed(self):
        apply_schema(self.database)
        insert = """
            INSERT INTO scriptattempt (name, hostname, pid, date_started,
                date_committed, date_ended, outcome)
            VALUES ('garbo', 'host', 1, now(), now(), {}, {})"""
        query(self.database, insert.format("NULL", "NULL"))
        query(self.database, insert.format("now()", "'success'"))
        with self.assertRaises(psycopg2.errors.CheckViolation):
            query(self.database, insert.format("now()", "'failure'"))

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
