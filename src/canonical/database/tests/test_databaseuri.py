"""URIs of databases in messages."""

import unittest

from canonical.database.databaseuri import has_password
from canonical.database.databaseuri import hidden


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
