"""Messages about a failed connection."""

import socket
import threading
import unittest

from storm.database import create_database
from storm.exceptions import OperationalError
from storm.exceptions import ProgrammingError
from storm.uri import URI

from canonical.database.postgres import connect
from canonical.database.storeregistry import open_store
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

    def test_a_server_that_answers_in_another_encoding(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        port = str(server.getsockname()[1])
        parameters = {
            "host": "127.0.0.1", "port": port, "sslmode": "disable",
            "gssencmode": "disable"}

        def refuse():
            for _ in range(2):
                client, _ = server.accept()
                client.recv(1000)
                # As before version 3 of the protocol, without a length.
                client.sendall("EBenutzer \xfc gibt es nicht\n\0".encode(
                    "latin-1"))
                client.close()

        thread = threading.Thread(target=refuse)
        thread.start()
        self.addCleanup(thread.join)
        for function, argument in (
            (connect, parameters), (open_store, storm_uri(parameters)),
        ):
            with self.assertRaises(OperationalError) as caught:
                function(argument)
            self.assertIn(
                "Benutzer \N{REPLACEMENT CHARACTER} gibt es nicht",
                str(caught.exception))

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
