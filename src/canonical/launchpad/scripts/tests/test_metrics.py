"""The metric about the duration of a run."""

import contextlib
import logging
import re
import socket
import unittest
from unittest import mock

from canonical.config import config
from canonical.launchpad.scripts.metrics import send_duration
from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase


@contextlib.contextmanager
def statsd(family=socket.AF_INET, host="127.0.0.1"):
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.bind((host, 0))
        server.settimeout(10)
        yield server


class TestSending(unittest.TestCase):

    def send(self, server, name, environment="production"):
        host, port = server.getsockname()[:2]
        config.push("test", f"""
            [statsd]
            host: {host}
            port: {port}
            environment: {environment}
            """)
        self.addCleanup(config.pop, "test")
        send_duration(name, 1.5, logging.getLogger())
        return server.recv(1000).decode()

    def test_a_timing_in_milliseconds_with_tags(self):
        with statsd() as server:
            self.assertEqual(
                "script_activity,env=production,name=garbo:1500.000000|ms",
                self.send(server, "garbo"))

    def test_names_are_escaped_as_tags(self):
        with statsd() as server:
            for name, tag in (
                ("a b", r"a\ b"),
                ("a,b=c", r"a\,b\=c"),
                ("a:b|c@d", "a_b_c_d"),
                ("größer", r"gr\xf6\xdfer"),
            ):
                self.assertEqual(
                    f"script_activity,env=a\\ b,name={tag}:1500.000000|ms",
                    self.send(server, name, environment="a b"))

    def test_over_ipv6(self):
        with statsd(socket.AF_INET6, "::1") as server:
            self.assertIn("name=garbo:", self.send(server, "garbo"))

    def test_without_a_host_nothing_is_sent(self):
        config.push("test", "[statsd]\nhost:\n")
        self.addCleanup(config.pop, "test")
        with mock.patch("socket.socket", side_effect=AssertionError):
            send_duration("garbo", 1.5, logging.getLogger())

    def test_whatever_is_wrong_is_a_matter_of_debug(self):
        config.push("test", "[statsd]\nhost: nowhere.invalid\n")
        self.addCleanup(config.pop, "test")
        with self.assertLogs(level=logging.DEBUG) as logs:
            send_duration("garbo", 1.5, logging.getLogger())
        self.assertEqual(["DEBUG"], [
            record.levelname for record in logs.records])


class TestScripts(ScriptTestCase):

    def configured(self, port):
        return self.configure(f"""
            [statsd]
            host: 127.0.0.1
            port: {port}
            environment: production
            """)

    def test_a_success_is_sent_after_it_is_recorded(self):
        with statsd() as server:
            process = self.run_script(
                SUCCEED, **self.configured(server.getsockname()[1]))
            self.assert_recorded(process)
            sent = server.recv(1000).decode()
            self.assertTrue(re.fullmatch(
                r"script_activity,env=production,name=tidy:\d+\.\d+\|ms",
                sent), sent)

    def test_neither_a_failure_nor_what_is_spooled_is_sent(self):
        with statsd() as server:
            environment = self.configured(server.getsockname()[1])
            self.run_script("def main(self): sys.exit(1)", **environment)
            self.execute("ALTER TABLE scriptactivity RENAME TO away")
            self.addCleanup(self.execute, "TRUNCATE scriptactivity")
            self.run_script(SUCCEED, **environment)
            self.execute("ALTER TABLE away RENAME TO scriptactivity")
            server.setblocking(False)
            with self.assertRaises(BlockingIOError):
                server.recv(1000)

    def test_a_dead_statsd_does_no_harm(self):
        with statsd() as server:
            port = server.getsockname()[1]
        self.assert_recorded(self.run_script(
            SUCCEED, **self.configured(port)))
