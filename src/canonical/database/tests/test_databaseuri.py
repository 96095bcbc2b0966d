"""URIs of databases in messages."""

import unittest

from canonical.config import ConfigError
from canonical.database.databaseuri import has_password
from canonical.database.databaseuri import hidden
from canonical.database.databaseuri import parse_uri


class TestMistakes(unittest.TestCase):

    def assert_mistake(self, uri, why):
        with self.assertRaises(ConfigError) as caught:
            parse_uri("URI", uri)
        self.assertEqual(f"URI: {why}", str(caught.exception))

    def test_what_is_wrong_in_a_uri_is_named(self):
        right = (
            "; expected postgresql://[user@][host][:port][/dbname]"
            "[?name=value], or embedded:DIRECTORY")
        for uri, why in (
            ("postgresql://db/app?sslmod=require",
             f"not a PostgreSQL URI, because it has a parameter 'sslmod'"
             f"{right}"),
            ("postgresql://me:100%zz@db/app",
             "not a PostgreSQL URI, because a % has to be written as %25"
             f"{right}"),
            ("postgresql://db:99999/app",
             "the port in this PostgreSQL URI is not a number from 1 to"
             " 65535"),
            ("postgresql://db:x/app",
             "the port in this PostgreSQL URI is not a number from 1 to"
             " 65535"),
            ("postgresql://db/app?connect_timeout=soon",
             "the connect_timeout in this PostgreSQL URI is not a number from"
             " 1 to 2147483647"),
            ("postgresql://db/app\nx", f"not a PostgreSQL URI{right}"),
            # It may be a part of a password.
            ("postgresql://me:sec?ret=1", f"not a PostgreSQL URI{right}"),
        ):
            with self.subTest(uri):
                self.assert_mistake(uri, why)


class TestHidden(unittest.TestCase):

    def test_a_uri_without_a_password_is_shown(self):
        for uri in (
            "postgresql://me@db.example.com:5432/app?sslmode=require",
            "postgresql:///app", "host=db dbname=app", "embedded:postgresql",
        ):
            self.assertEqual(uri, hidden(uri))
            self.assertFalse(has_password(uri))

    def test_a_password_is_hidden_wherever_it_is(self):
        for uri, shown in (
            ("postgresql://me:secret@db/app", "postgresql://me:***@db/app"),
            ("postgresql://:secret@db/app", "postgresql://:***@db/app"),
            ("postgresql://me:sec%40ret@db,db2:1/app",
             "postgresql://me:***@db,db2:1/app"),
            ("postgresql://db/app?password=secret",
             "password=*** dbname=app host=db"),
            ("postgresql://me:secret@db/app?sslpassword=secret",
             "user=me password=*** dbname=app host=db sslpassword=***"),
            ("host=db password='secret secret'", "password=*** host=db"),
        ):
            self.assertEqual(shown, hidden(uri))
            self.assertTrue(has_password(uri))

    def test_what_is_no_uri_is_not_shown(self):
        for uri in "secret", "mysql://me:secret@db", "postgresql://a:b@c@d":
            self.assertEqual("***", hidden(uri))
