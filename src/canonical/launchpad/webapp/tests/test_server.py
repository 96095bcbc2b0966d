"""The server: its limits, and what it needs."""

import http.client
import socket

from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.access import TokenFile
from canonical.launchpad.webapp.server import may_listen
from canonical.launchpad.webapp.tests.browsing import Server
from canonical.launchpad.webapp.tests.support import WebTestCase


class TestLimits(WebTestCase):

    def setUp(self):
        super().setUp()
        self.server = Server(self.application())
        self.addCleanup(self.server.close)

    def status(self, method="GET", path="/health", body=None, **headers):
        connection = http.client.HTTPConnection(
            self.server.url.removeprefix("http://"))
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        self.assertNotIn("Traceback", text)
        return response.status

    def test_headers_and_bodies_that_are_too_large_are_refused(self):
        self.assertEqual(200, self.status())
        self.assertEqual(431, self.status(Cookie=20_000 * "x"))
        self.assertEqual(413, self.status("POST", "/", 10_000 * b"x"))

    def test_an_address_that_is_too_long_is_refused(self):
        self.assertEqual(431, self.status(path="/?search=" + 20_000 * "x"))


class TestServe(CommandTestCase):

    def test_others_may_not_be_listened_to_without_access_control(self):
        for host, allowed in (
            ("127.0.0.1", True), ("::1", True), ("localhost", True),
            ("0.0.0.0", False), ("::", False), ("192.0.2.1", False),
        ):
            self.assertEqual(allowed, may_listen(host, Access(None)), host)
            self.assertTrue(may_listen(host, Access(TokenFile("tokens"))))
            self.assertTrue(may_listen(host, Access(None, "127.0.0.1")))

    def test_without_its_packages_it_says_how_to_install_them(self):
        # Another test may have imported them.
        status, out, err = self.run_code(
            "import sys; [sys.modules.pop(name) for name in list(sys.modules)"
            " if 'webapp' in name or name.startswith('pyramid')];"
            f" sys.modules['pyramid'] = None; {RUN}", "serve")
        self.assertEqual((2, "", (
            "scriptactivity: the pages need the package pyramid; install it"
            " with: pip install 'scriptactivity[web]'\n")), (status, out, err))

    def test_where_to_listen_is_checked(self):
        for value, words in (
            ("8080", "with a port"), ("127.0.0.1:99999", "65535"),
            ("a b:80", "not the name of a host"),
        ):
            status, _, err = self.run_command("serve", "--listen", value)
            self.assertEqual(2, status)
            self.assertIn(words, err)

    def test_a_port_that_is_in_use_is_named_in_one_line(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            status, _, err = self.run_command(
                "serve", "--listen", f"127.0.0.1:{port}")
        self.assertEqual(1, status)
        self.assertIn("Address already in use", err)
        self.assertEqual(1, err.count("\n"))


class TestFactory(CommandTestCase):

    def test_another_server_can_serve_the_application(self):
        status, out, err = self.run_code(
            "from pyramid.request import Request;"
            " from canonical.launchpad.webapp.application import app_factory;"
            " application = app_factory({}, refresh='60');"
            " [print(Request.blank(path, environ={"
            "'REMOTE_ADDR': '127.0.0.1'}).get_response(application).status)"
            " for path in ('/', '/ready', '/nope')]")
        self.assertEqual(
            (0, "200 OK\n200 OK\n404 Not Found\n", ""), (status, out, err))
