"""The server: its limits, and what it needs."""

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
from functools import partial
from html import escape
from html import unescape
from pathlib import Path
from unittest import mock
from urllib.parse import urlencode
from urllib.parse import urljoin

import psycopg2
from storm.exceptions import DisconnectionError

from canonical.config import ConfigError
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.parser import parse
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.launchpad.webapp import reading
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.access import TokenFile
from canonical.launchpad.webapp.application import app_factory
from canonical.launchpad.webapp.server import LIMITS
from canonical.launchpad.webapp.server import may_listen
from canonical.launchpad.webapp.tests.browsing import CHECKOUT
from canonical.launchpad.webapp.tests.browsing import Server
from canonical.launchpad.webapp.tests.support import WebTestCase
from canonical.testing import PostgresLayer


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


class TestSlowClients(WebTestCase):

    def serve(self, **limits):
        server = Server(self.application(), **limits)
        self.addCleanup(server.close)
        self.address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        return server

    def connect(self, text=b""):
        client = socket.create_connection(self.address, 30)
        self.addCleanup(client.close)
        client.sendall(text)
        return client

    def assert_answers(self):
        with self.connect(b"GET /health HTTP/1.0\r\n\r\n") as client:
            self.assertTrue(client.recv(99).startswith(b"HTTP/1.0 200"))

    def test_slow_clients_do_not_keep_others_waiting(self):
        self.serve()
        for _ in range(50):
            self.connect(b"GET / HTTP/1.1\r\nHost: localh")
        self.assert_answers()

    def test_who_sends_a_byte_now_and_then_loses_the_connection(self):
        self.serve(channel_timeout=1, cleanup_interval=1)
        for text in b"GET / HTTP/1.1\r\nX: ", (
            b"POST / HTTP/1.1\r\nContent-Length: 4000\r\n\r\n"
        ):
            client = self.connect(text)
            client.settimeout(0.1)
            ended = False
            for _ in range(600):
                try:
                    client.sendall(b"x")
                    ended = not client.recv(1)
                except TimeoutError:
                    continue
                except ConnectionError:
                    ended = True
                if ended:
                    break
            self.assertTrue(ended)

    def test_when_slow_clients_have_all_connections_others_wait_a_little(self):
        # The server has two sockets of its own.
        self.serve(connection_limit=7, channel_timeout=1, cleanup_interval=1)
        for _ in range(20):
            self.connect(b"GET /")
        self.assert_answers()

    def test_who_comes_while_all_threads_are_busy_is_answered_after_them(self):
        server = self.serve()
        keeper = server.application.registry.keeper
        current, taken, free = (
            keeper.current, threading.Semaphore(0), threading.Event())

        def wait():
            taken.release()
            free.wait(60)
            return current()
        keeper.current = wait
        busy = [
            self.connect(
                b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            for _ in range(30)]
        for _ in range(LIMITS["threads"]):
            self.assertTrue(taken.acquire(timeout=60))
        free.set()
        for client in busy:
            self.assertIn(b"HTTP/1.0 200", client.recv(99))


class TestReading(WebTestCase):

    def test_a_server_that_hangs_is_given_up(self):
        pid, = main_store().execute("SELECT pg_backend_pid()").get_one()
        self.commit()
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        self.enterContext(mock.patch.object(reading, "QUICK", 0.01))
        self.enterContext(mock.patch.object(reading._Hang, "until", 0.0))
        with (
            mock.patch.object(reading, "PATIENCE", 0.1),
            self.assertRaisesRegex(DisconnectionError, "not answered"),
            reading.reading(),
        ):
            self.fail("it has answered")
        with (
            self.assertRaisesRegex(DisconnectionError, "a moment ago"),
            reading.reading(),
        ):
            self.fail("it has tried again")
        # After a while one page tries, and all others once it has an answer.
        reading._Hang.until = time.monotonic()
        with reading.reading():
            with self.assertRaisesRegex(DisconnectionError, "a moment ago"):
                reading.refuse_after_hang()
            self.assertNotEqual(
                (pid,), main_store().execute("SELECT pg_backend_pid()")
                .get_one())

    def test_a_statement_that_is_canceled_refuses_no_other_page(self):
        self.enterContext(mock.patch.object(reading, "QUICK", 0.01))
        self.enterContext(mock.patch.object(reading, "LONGEST", "50"))
        with (
            self.assertRaises(psycopg2.errors.QueryCanceled),
            reading.reading(),
        ):
            main_store().execute("SELECT pg_sleep(60)")
        reading.refuse_after_hang()


class TestServe(CommandTestCase):

    def serve(self, *options, **environment):
        """A server, and the port that it says it listens on."""
        server = self.start_code(
            RUN, "serve", *(options or ("--listen", "127.0.0.1:0")),
            **environment)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        line = server.stdout.readline()
        self.assertRegex(line, r"^Serving on http://\S+:\d+/$")
        return server, int(re.search(r":(\d+)/$", line)[1])

    def status(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/")
        status = connection.getresponse().status
        connection.close()
        return status

    def test_signals_end_it_in_good_order(self):
        for signum in signal.SIGTERM, signal.SIGHUP, signal.SIGINT:
            server, port = self.serve()
            self.assertEqual(200, self.status(port))
            server.send_signal(signum)
            self.assertEqual(("", ""), server.communicate(timeout=60))
            self.assertEqual(0, server.returncode)

    def test_a_signal_ends_it_while_a_client_is_slow(self):
        server, port = self.serve()
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTT")
            self.assertEqual(200, self.status(port))
            server.terminate()
            self.assertEqual(("", ""), server.communicate(timeout=60))
            self.assertEqual(0, server.returncode)

    def test_after_kill_9_it_starts_again_at_the_same_address(self):
        server, port = self.serve()
        self.assertEqual(200, self.status(port))
        client = socket.create_connection(("127.0.0.1", port))
        os.kill(server.pid, signal.SIGKILL)
        server.communicate()
        again, same = self.serve("--listen", f"127.0.0.1:{port}")
        client.close()
        self.assertEqual(port, same)
        self.assertEqual(200, self.status(port))

    def test_wrong_rules_are_refused_before_it_listens(self):
        PostgresLayer.state_directory.mkdir()
        rules = PostgresLayer.state_directory / "rules.zcml"
        rules.write_text("<configure")
        status, out, err = self.run_command(
            "serve", "--listen", "127.0.0.1:0", "--expectations", str(rules))
        self.assertEqual((2, ""), (status, out))
        self.assertIn(f"scriptactivity: {rules}:1", err)
        self.assertEqual(1, err.count("\n"))

    def test_others_may_not_be_listened_to_without_access_control(self):
        for host, allowed in (
            ("127.0.0.1", True), ("::1", True), ("localhost", True),
            ("0.0.0.0", False), ("::", False), ("192.0.2.1", False),
        ):
            self.assertEqual(allowed, may_listen(host, Access(None)), host)
            self.assertTrue(may_listen(host, Access(TokenFile("tokens"))))
            self.assertTrue(may_listen(host, Access(None, "127.0.0.1")))

    def token_file(self, content):
        """A configuration with a file of tokens, and that file."""
        PostgresLayer.state_directory.mkdir()
        path = PostgresLayer.state_directory / "tokens"
        if content is not None:
            path.write_bytes(content)
        conf = PostgresLayer.state_directory / "web.conf"
        conf.write_text(f"[web]\ntoken_file: {path}\n")
        return str(conf), path

    def test_tokens_that_nobody_can_read_are_refused_before_it_listens(self):
        for content, why in (
            (None, "No such file or directory"), (b"\xff", "not in UTF-8"),
        ):
            conf, path = self.token_file(content)
            self.assertEqual(
                (2, "", f"scriptactivity: [web] token_file: {why}: {path};"
                 " make a token with: scriptactivity token NAME\n"),
                self.run_command("serve", "--config", conf))
            shutil.rmtree(PostgresLayer.state_directory)

    def test_a_token_is_kept_on_a_line_of_its_own(self):
        conf, path = self.token_file(b"# mine")
        status, out, _ = self.run_command("token", "ops", "--config", conf)
        self.assertEqual(0, status)
        self.assertEqual("ops", TokenFile(path).holder(out.strip()))
        self.run_command("token", "others", "--config", conf)
        self.assertEqual(
            ["# mine", "ops", "others"],
            [line.partition(" sha")[0]
             for line in path.read_text().splitlines()])

    def test_a_token_that_cannot_be_kept_is_not_printed(self):
        conf, path = self.token_file(None)
        for make, why in (
            (lambda: path.symlink_to("/dev/null"), "not a regular file"),
            (path.mkdir, "not a regular file"),
            (lambda: path.symlink_to("none/tokens"),
             "No such file or directory"),
        ):
            make()
            self.assertEqual(
                (2, "", f"scriptactivity: [web] token_file: {why}: {path}\n"),
                self.run_command("token", "ops", "--config", conf))
            path.rmdir() if path.is_dir() else path.unlink()

    def test_nor_is_one_without_room_for_all_of_it(self):
        conf, path = self.token_file(b"# mine\n")
        for room in 7, 20:
            full = "import resource; resource.setrlimit(" \
                f"resource.RLIMIT_FSIZE, ({room}, {room})); {RUN}"
            status, out, err = self.run_code(
                full, "token", "ops", "--config", conf)
            self.assertEqual((2, ""), (status, out))
            self.assertRegex(
                err, r"\Ascriptactivity: \[web\] token_file: (File too large"
                rf"|No space left on device): {path}\n\Z")
            self.assertEqual("# mine\n", path.read_text())

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
            ("[::1", "an IPv6 address needs brackets"),
            ("::1:8080", "an IPv6 address needs brackets"),
            ("[::1]", "an IPv6 address needs brackets"),
            ("[localhost]:80", "not an IP address"),
            (":80", "not an address with a port: ':80'"),
        ):
            status, _, err = self.run_command("serve", "--listen", value)
            self.assertEqual(2, status)
            self.assertIn(words, err)
            self.assertNotIn("Traceback", err)

    def test_a_port_that_is_in_use_is_named_in_one_line(self):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            status, _, err = self.run_command(
                "serve", "--listen", f"127.0.0.1:{port}")
        self.assertEqual(1, status)
        self.assertEqual(
            f"scriptactivity: cannot listen on 127.0.0.1:{port}: Address"
            " already in use; name another address with --listen or in [web]"
            " listen\n", err)

    def test_a_host_without_an_address_is_named_in_one_line(self):
        status, _, err = self.run_code(
            "from canonical.launchpad.webapp.server import listen;"
            " listen(lambda *args: [], 'nowhere.invalid', 80)")
        self.assertEqual(1, status)
        self.assertIn(
            "cannot listen on nowhere.invalid:80: no such host; name another",
            err)


@unittest.skipUnless(shutil.which("nginx"), "it needs nginx")
class TestNginx(CommandTestCase):
    """nginx in front of the server, with the configuration of the manual."""

    # What stands in a path for something else, or is removed from it.
    NAMES = (
        ".", "..", "...", "/", "//", "a/runs", "a", "a/", "/a", "a/../b",
        "../../metrics", "a//b", "./a", "%2e%2e", "%2F", "%", "a?b", "a#b",
        "a;b=c", "a&b=c", "a+b", " a ", "a\\..\\b", "http://a/b", "runs", "é",
        "\N{CLOWN FACE}" * 255)

    def setUp(self):
        for name in self.NAMES:
            LaunchpadObjectFactory().makeScriptActivity(name, "host")
        ZopelessTransactionManager._installed.commit()
        with socket.create_server(("127.0.0.1", 0)) as free, (
            socket.create_server(("127.0.0.1", 0))
        ) as other:
            self.port, self.decoding = (
                each.getsockname()[1] for each in (free, other))
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        # The workers of nginx are another user.
        self.directory.chmod(0o755)
        conf = self.directory / "scriptactivity.conf"
        conf.write_text("[web]\ntrusted_proxy: 127.0.0.1\nrefresh: 1h\n")
        self.server = self.start_code(
            RUN, "serve", "--listen", "127.0.0.1:0", LPCONFIG=str(conf))
        self.addCleanup(self.server.communicate)
        self.addCleanup(self.server.kill)
        self.behind = int(self.server.stdout.readline()[:-2].rpartition(
            ":")[2])
        users = self.directory / "users"
        users.write_text("anna:{PLAIN}secret\n")
        manual = (CHECKOUT / "doctests" / "66-pages.rst").read_text()
        (location,) = re.findall(
            r"^    location / {.*?^    }$", manual, re.DOTALL | re.MULTILINE)
        location = location.replace(
            "127.0.0.1:8080", f"127.0.0.1:{self.behind}").replace(
            "/etc/nginx/scripts.htpasswd", str(users))
        (self.directory / "nginx.conf").write_text(
            "pid nginx.pid; error_log stderr crit; events {}\n"
            f"http {{ access_log off; server {{ listen 127.0.0.1:{self.port};"
            f" {location} }} server {{ listen 127.0.0.1:{self.decoding};"
            # It then decodes a path, and removes what is superfluous in it.
            f" {location.replace(f'{self.behind};', f'{self.behind}/;')}"
            " } }")
        self.nginx()
        self.addCleanup(self.nginx, "-s", "stop")

    def nginx(self, *options):
        """When it returns, nginx listens."""
        subprocess.run([
            "nginx", "-e", "stderr", "-p", str(self.directory), "-c",
            str(self.directory / "nginx.conf"), *options], check=True,
            stderr=subprocess.DEVNULL)

    def get(
        self, port, source="127.0.0.1", password=None, path="/", **headers
    ):
        """The response, with its ``text``."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=60, source_address=(source, 0))
        if password is not None:
            text = base64.b64encode(f"anna:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {text}"
        connection.request("GET", path, headers={
            name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        response.text = response.read().decode("utf-8", "replace")
        connection.close()
        return response

    def test_every_script_has_a_page_and_an_address_for_programs(self):
        for port, headers in (
            (self.port, {"password": "secret"}),
            (self.decoding, {"password": "secret"}),
            (self.behind, {"Remote_User": "anna"}),
        ):
            self.assert_every_script_has_its_addresses(
                partial(self.read, port, **headers))

    def read(self, port, path, **headers):
        """The text at an address, which is read as a browser reads it."""
        path = urljoin("http://host/", path.replace("%2e", "."))
        response = self.get(
            port, path=path.removeprefix("http://host"), **headers)
        self.assertEqual(200, response.status, path)
        return response.text

    def assert_every_script_has_its_addresses(self, read):
        links = {
            unescape(name): unescape(path) for path, name in re.findall(
                r'<th scope="row" class="script">'
                r'<a href="([^"]*)" dir="auto">([^<]*)</a>',
                read("/?sort=script"))}
        self.assertEqual({*self.NAMES}, {*links})
        for name, path in links.items():
            title = f'<h1 dir="auto">{escape(name, quote=False)}</h1>'
            page = read(path)
            self.assertIn(title, page)
            # Its links lead to it too.
            (year,) = re.findall(r'<a href="([^"]*)"[^>]*>1 year<', page)
            self.assertIn(title, read(unescape(year)))
            query = urlencode({"name": name})
            found = json.loads(read(f"/api/script?{query}"))
            self.assertEqual(name, found["name"])
            (run,) = json.loads(read(f"/api/runs?{query}"))["runs"]
            self.assertEqual("host", run["hostname"])

    def test_whom_it_knows_may_look(self):
        self.assertEqual(200, self.get(self.port, password="secret").status)
        for headers in (
            {}, {"password": "wrong"}, {"Remote_User": "anna"}
        ):
            self.assertEqual(401, self.get(self.port, **headers).status)

    def test_past_it_nobody_may_look_from_another_address(self):
        for headers in {}, {"Remote_User": "anna"}, {"password": "secret"}:
            self.assertEqual(
                401, self.get(self.behind, "127.0.0.2", **headers).status)

    def test_pages_are_compressed_and_not_sent_twice(self):
        response = self.get(
            self.port, password="secret", Accept_Encoding="gzip")
        self.assertEqual("gzip", response.headers["Content-Encoding"])
        response = self.get(
            self.port, password="secret", Accept_Encoding="gzip",
            If_None_Match=response.headers["ETag"])
        self.assertEqual(304, response.status)


@unittest.skipUnless(
    shutil.which("systemd-analyze"), "systemd-analyze of systemd is needed")
class TestUnit(unittest.TestCase):
    """The unit of the manual."""

    # What checks it is not there without "make test-engines".
    level = 2

    def test_systemd_finds_nothing_wrong_with_it(self):
        manual = (CHECKOUT / "doctests" / "66-pages.rst").read_text()
        (unit,) = re.findall(
            r"^    \[Unit\]\n(?:    .*\n|\n)+", manual, re.MULTILINE)
        program, arguments = re.search(
            r"^    ExecStart=(\S+) (.*)$", unit, re.MULTILINE).groups()
        self.assertEqual("serve", parse(arguments.split()).command.function)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "scriptactivity.service")
            path.write_text(
                textwrap.dedent(unit).replace(program, sys.executable))
            process = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", path], text=True,
                capture_output=True, check=False)
        # It only warns of what it ignores.
        self.assertEqual((0, ""), (process.returncode, process.stderr))


class TestFactory(CommandTestCase):

    def test_settings_of_another_server_that_are_wrong(self):
        for settings, why in (
            ({"expectation": "x"},
             "there is no setting 'expectation'; do you mean 'expectations'?"),
            *(({"refresh": text},
               "refresh must be a number of seconds from 1 to 3600, not"
               f" {text!r}") for text in ("5s", "", "0", "nan", "1e9")),
        ):
            with self.assertRaises(ConfigError) as caught:
                app_factory({}, **settings)
            self.assertEqual(why, str(caught.exception))

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
