"""Messages for a role that lacks privileges."""

import unittest

import psycopg2
from storm.database import create_database
from storm.exceptions import StormError
from storm.store import Store

from canonical.database.embedded import embedded_parameters
from canonical.database.roles import explain
from canonical.database.stormuri import storm_uri
from canonical.database.tests.test_postgres import query
from canonical.testing import PostgresLayer


class TestExplain(unittest.TestCase):

    layer = PostgresLayer

    ADVICE = (
        "the role is cron; the owner of the tables can grant it what it needs"
        " with: scriptactivity init --grant ")

    def setUp(self):
        parameters = embedded_parameters(PostgresLayer.directory)
        query(parameters, "CREATE ROLE cron LOGIN")
        self.addCleanup(query, parameters, "DROP ROLE cron")
        self.parameters = dict(parameters, user="cron")

    def advice(self, statement):
        """The advice for an error after its connection is closed."""
        with self.assertRaises(psycopg2.Error) as caught:
            query(self.parameters, statement)
        return explain(caught.exception)

    def test_who_lacks_what_and_how_it_is_granted(self):
        self.assertEqual(
            f"{self.ADVICE}monitor=cron",
            self.advice("SELECT FROM scriptalert"))
        self.assertEqual(
            f"{self.ADVICE}scripts=cron, or monitor=cron if it checks and"
            " alerts, or history=cron if it prunes",
            self.advice("SELECT FROM scriptactivity"))
        self.assertEqual(
            f"{self.ADVICE}monitor=cron, or history=cron if it prunes",
            self.advice("SELECT FROM scriptday"))

    def test_of_a_store(self):
        store = Store(create_database(storm_uri(self.parameters)))
        with self.assertRaises(StormError) as caught:
            store.execute("SELECT FROM scriptpause")
        store.close()
        self.assertEqual(
            f"{self.ADVICE}monitor=cron, or history=cron if it prunes",
            explain(caught.exception))

    def test_tables_that_are_missing_or_old(self):
        for statement in "SELECT FROM nothing", "SELECT x FROM pg_class":
            self.assertEqual(
                "make or upgrade the tables with: scriptactivity init",
                self.advice(statement))

    def test_a_database_that_is_read_only(self):
        self.assertEqual(
            "is it a standby, or is default_transaction_read_only on?",
            self.advice(
                "SET TRANSACTION READ ONLY; CREATE TABLE public.x ()"))

    def test_what_is_not_known_is_not_explained(self):
        self.assertEqual("", self.advice("SELECT FROM pg_authid"))
        self.assertEqual("", self.advice("SELECT 1 / 0"))
        self.assertEqual("", explain(ValueError("scriptalert")))
