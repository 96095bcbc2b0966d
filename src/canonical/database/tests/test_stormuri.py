"""Messages about a failed connection."""

import unittest

from storm.database import create_database
from storm.exceptions import OperationalError
from storm.exceptions import ProgrammingError
from storm.uri import URI

from canonical.database.stormuri import connect_error
from canonical.database.stormuri import storm_uri


class TestConnectError(unittest.TestCase):

    def said(self, uri):
        with self.assertRaises(
            (OperationalError, ProgrammingError)
        ) as caught:
            create_database(uri).connect()
        return str(connect_error(uri, caught.exception))

    def test_which_database_it_is(self):
        self.assertRegex(
            self.said(storm_uri({
                "host": "localhost", "port": "1", "user": "me",
                "password": "S3CRET", "dbname": "app"})),
            "^cannot connect to database app on localhost port 1 as me:"
            " connection to server at .* failed: Connection refused")

    def test_no_part_of_a_password_is_said(self):
        for password in (
            "S3CRET", "S3CRET one", "one S3CRET", "'S3CRET", "S3CRET\\",
            "S3CRET=x", "one@S3CRET", "S3CRET:one", "1/S3CRET", "%2FS3CRET",
            "one%40S3CRET", "#S3CRET", "S3CRET host=x y",
        ):
            message = self.said(
                URI(f"postgres://me:{password}@localhost:1/app"))
            self.assertTrue(message.startswith("cannot connect"), message)
            self.assertNotIn("S3CRET", message)

    def test_what_libpq_does_not_take(self):
        for options in (
            {"sslmode": "never"}, {"service": "of-nobody"},
            {"channel_binding": "x"}, {"host": "nowhere.invalid"},
        ):
            message = self.said(storm_uri(
                {"host": "localhost", "port": "1", "password": "S3CRET",
                 **options}))
            self.assertNotIn("S3CRET", message)
            self.assertNotIn("\n", message)
