"""Rows that are used as they arrive."""

import unittest

import transaction
from psycopg2.extensions import QueryCanceledError
from storm.databases.postgres import PostgresTimeoutTracer
from storm.exceptions import DisconnectionError
from storm.exceptions import TimeoutError
from storm.tracer import install_tracer
from storm.tracer import remove_all_tracers

from canonical.database.connection import cancel_statement
from canonical.database.connection import cut
from canonical.database.connection import stream
from canonical.database.sqlbase import main_store
from canonical.testing import LaunchpadZopelessLayer


class TestStream(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.addCleanup(transaction.abort)
        self.store = main_store()
        self.store.execute("SELECT 1")

    def test_a_row_is_used_while_the_server_works_on_the_next(self):
        found = []

        def use(line):
            if not found:
                cancel_statement(self.store)
            found.append(line)

        with self.assertRaises(QueryCanceledError):
            stream(
                self.store,
                "COPY (SELECT generate_series(1, 1000000)) TO STDOUT", (),
                use)
        self.assertEqual("1\n", found[0])

    def test_a_connection_that_is_cut_meanwhile_is_lost(self):
        with self.assertRaises(DisconnectionError):
            stream(
                self.store,
                "COPY (SELECT generate_series(1, 1000000)) TO STDOUT", (),
                lambda line: line == "1\n" and cut(self.store))
        transaction.abort()
        self.assertEqual((2,), self.store.execute("SELECT 2").get_one())

    def test_the_time_limit_of_an_application_holds(self):
        class Limit(PostgresTimeoutTracer):
            def get_remaining_time(self):
                return 0.05

        install_tracer(Limit())
        self.addCleanup(remove_all_tracers)
        with self.assertRaises(TimeoutError):
            stream(
                self.store, "COPY (SELECT pg_sleep(?)) TO STDOUT", (60,),
                print)

    def test_the_connection_survives_what_is_raised_meanwhile(self):
        def use(line):
            raise KeyError(line)

        with self.assertRaisesRegex(KeyError, "garbo"):
            stream(
                self.store, "COPY (VALUES (?), ('other')) TO STDOUT",
                ("garbo",), use)
        self.assertEqual((2,), self.store.execute("SELECT 2").get_one())

    def test_a_later_statement_has_rows_again(self):
        found = []
        stream(
            self.store, "COPY (VALUES (?), (?)) TO STDOUT", ("Käse", None),
            found.append)
        self.assertEqual(["Käse\n", "\\N\n"], found)
        self.assertEqual((2,), self.store.execute("SELECT 2").get_one())
