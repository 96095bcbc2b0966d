"""The channels of alert: webhook, standard output, heartbeat; trying them."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from canonical.config import LaunchpadConfig
from canonical.config import config
from canonical.config.locations import FILE_NAME
from canonical.config.weburl import WebError
from canonical.database.sqlbase import main_store
from canonical.launchpad.command import notify
from canonical.launchpad.command import webhook
from canonical.launchpad.command.tests.receivers import Webhook
from canonical.launchpad.command.tests.test_alert import AlertTestCase
from canonical.launchpad.command.tests.test_alert import timeless
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.monitor.message import plain_message
from canonical.launchpad.monitor.tests.test_incidents import NOW


class TestWebhook(AlertTestCase):

    def setUp(self):
        super().setUp()
        self.webhook = Webhook()
        self.addCleanup(self.webhook.stop)
        self.configure(webhook_url=self.webhook.url)

    def test_it_gets_the_same_as_json(self):
        self.alert()
        posted, = self.webhook.received
        self.assertEqual(
            "application/json", self.webhook.headers["Content-Type"])
        message, = self.mail.received
        self.assertEqual(message["Subject"], posted["subject"])
        broken, = posted["broken"]
        self.assertEqual(
            ("garbo", None, "recently", "critical", None),
            tuple(broken[key] for key in (
                "name", "hostname", "question", "state", "closed")))
        self.assertIn(broken["sentence"], self.mail.texts()[0])
        self.assertEqual(
            ([], []), (posted["recovered"], posted["still_broken"]))

    def test_neither_channel_waits_for_the_other(self):
        for status in 500, 302:
            self.webhook.status = status
            mails, err = self.alert(status=1)
            self.assertIn("cannot notify by webhook: http", err)
        self.assertEqual([], self.webhook.gets)
        self.assertEqual(1, len(self.mail.received))
        self.webhook.status = 200
        self.mail.answer = "451 Later"
        self.age(25)
        self.alert(status=1)
        self.assertEqual(
            ["[test] MISSED: garbo"],
            [timeless(each["subject"]) for each in self.webhook.received])
        self.mail.answer = None
        self.alert()
        self.assertEqual(1, len(self.webhook.received))
        self.assertEqual(
            ["[test] MISSED: garbo", "[test] STILL BROKEN: garbo"],
            [timeless(each["Subject"]) for each in self.mail.received])

    def test_a_channel_that_is_not_configured_is_left_alone(self):
        self.alert()
        self.configure()
        self.alert()
        self.assertEqual(["mail"], [each["channel"] for each in self.alerts()])
        self.configure(recipients="")
        status, out, err = self.command("alert", "-qq")
        self.assertEqual((0, ""), (status, err))
        self.assertIn("Script: 1 broken.\n", out)
        self.assertEqual(
            ["output"], [each["channel"] for each in self.alerts()])
        self.ran("garbo", 0)
        self.configure()
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects())


class TestSlowWebhook(unittest.TestCase):

    def test_one_that_answers_a_bit_at_a_time_is_given_up(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        config.push(self.id(), f"[monitor]\nwebhook_url: {address}\n")
        self.addCleanup(config.pop, self.id())
        is_given_up = threading.Event()

        def answer():
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.0 200 OK\r\nX: ")
                for _ in range(50):
                    if is_given_up.wait(0.1):
                        return
                    connection.sendall(b"x")
                connection.sendall(b"\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(is_given_up.set)
        with (
            mock.patch.object(webhook, "TIMEOUT", 0.3),
            self.assertRaisesRegex(
                WebError, f"^{address}: no answer within 0.3 s$"),
        ):
            webhook.post({})


class TestOutput(AlertTestCase):

    def test_what_could_not_be_printed_does_not_count_as_notified(self):
        self.configure(recipients="")
        for redirection, words in (
            (">/dev/full", "standard output: No space left on device"),
            (">&-", "standard output: Bad file descriptor"),
        ):
            process = subprocess.run(
                ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable,
                 "-c", RUN, "alert"],
                env=dict(os.environ, LPCONFIG=str(self.configuration)),
                capture_output=True, text=True)
            self.assertEqual(1, process.returncode, process.stderr)
            self.assertIn(
                f"ERROR   cannot notify by output: {words}; the next run",
                process.stderr)
            self.assertEqual(1, process.stderr.count("\n"))
        status, out, err = self.command("alert", "-q")
        self.assertEqual((0, ""), (status, err))
        self.assertIn("* garbo\n", out)


class TestPrinting(unittest.TestCase):

    def send(self, text):
        """Send it to a pipe that takes 64 kB; return what is in it."""
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        os.set_blocking(writer, False)
        with (
            open(writer, "w", encoding="ascii") as out,
            contextlib.redirect_stdout(out),
        ):
            notify.send("output", plain_message(NOW, "TEST", text, "test"))
        return os.read(reader, 100)

    def test_characters_that_cannot_be_printed(self):
        self.assertEqual(b"gr\\xf6\\xdfer\n", self.send("größer\n"))

    def test_a_part_of_it_does_not_count_as_notified(self):
        with self.assertRaisesRegex(OSError, "standard output: "):
            self.send(10_000 * "Nothing is broken.\n")


class TestHeartbeat(AlertTestCase):

    def test_after_each_run_that_worked(self):
        web = Webhook()
        self.addCleanup(web.stop)
        self.configure(heartbeat_url=web.url + "S3CRET")
        self.alert()
        self.assertEqual(["/S3CRET"], web.gets)
        # Some services refuse the name of a library.
        self.assertEqual("scriptactivity", web.headers["User-Agent"])
        self.alert()
        self.assertEqual(2, len(web.gets))
        self.ran("garbo", 0)
        self.mail.answer = "451 Later"
        self.alert(status=1)
        self.assertEqual(2, len(web.gets))
        self.mail.answer = None
        web.status = 500
        _, err = self.alert()
        self.assertRegex(err, (
            rf"WARNING The heartbeat failed: {web.url}: HTTP Error 500:"
            r" Internal Server Error\n\Z"))


class TestTrying(AlertTestCase):

    def test_a_test_goes_out_by_each_channel_and_shows_the_answers(self):
        web = Webhook()
        self.addCleanup(web.stop)
        self.mail.refused = {"gone@example.com": "550 Who?"}
        self.configure(
            recipients="The Ops <ops@example.com>, gone@example.com",
            webhook_url=web.url + "S3CRET")
        web.status = 202
        status, out, err = self.command("alert", "--test")
        server = f"127.0.0.1:{self.mail.port}"
        self.assertEqual((1, f"""\
webhook: {web.url}: 202
mail: {server}: ops@example.com: 250 OK
mail: {server}: gone@example.com: 550 Who?
"""), (status, out), err)
        self.assertEqual(
            "[test] TEST: nothing is broken",
            self.mail.received[0]["Subject"])
        self.assertEqual(
            ["[test] TEST: nothing is broken"],
            [each["subject"] for each in web.received])
        self.assertEqual([], self.alerts())

    def test_so_does_what_went_wrong(self):
        self.mail.stop()
        status, out, err = self.command("alert", "--test")
        self.assertEqual((1, ""), (status, out))
        self.assertEqual(
            "scriptactivity: cannot notify by mail: 127.0.0.1:"
            f"{self.mail.port}: Connection refused\n", err)

    def test_a_dry_run_prints_what_would_be_sent(self):
        for _ in range(2):
            status, out, err = self.command("alert", "--dry-run")
            self.assertEqual((0, ""), (status, err))
            self.assertTrue(timeless(out).startswith(
                "mail: ops@example.com\nSubject: [test] MISSED: garbo\n\n"
                "Script: 1 broken.\n"), out)
        self.assertEqual([], self.mail.received)
        self.assertEqual([], self.alerts())
        self.assertEqual([(0,)], list(main_store().execute(
            "SELECT count(*) FROM scriptattempt")))

    def test_a_dry_run_heeds_cron_control_and_does_not_record_it(self):
        control = self.write("control.ini", "[garbo]\nenabled: false\n")
        self.configuration.write_text(
            f"[scripts]\ncron_control_url: {control}\n"
            + self.configuration.read_text())
        self.assertEqual((0, "", ""), self.command("alert", "--dry-run"))
        self.assertEqual([(0,)], list(main_store().execute(
            "SELECT count(*) FROM scriptpause")))


class TestInstanceName(unittest.TestCase):

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.home = Path(temporary.name)

    def name(self, lpconfig="", uri="", option=None):
        with (
            mock.patch.dict(
                os.environ, LPCONFIG=lpconfig, LP_DATABASE_URI=uri,
                HOME=str(self.home), XDG_CONFIG_HOME=""),
            mock.patch.object(notify, "config", LaunchpadConfig()) as config,
        ):
            if option:
                config.setInstance(option, "--config")
            return notify.instance_name()

    def write(self, name):
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[database]\nuri: postgresql:///app\n")
        return str(path)

    def test_it_is_that_of_the_file_that_is_named(self):
        self.assertEqual("testrunner", self.name("testrunner"))
        self.assertEqual("staging", self.name(self.write("staging.conf")))
        path = self.write(f"production/{FILE_NAME}")
        uri = "postgresql://db.example.com/other"
        for each in path, os.path.dirname(path):
            self.assertEqual("production", self.name(each, uri))
            self.assertEqual("production", self.name(option=each))

    def test_or_else_the_database(self):
        self.assertEqual(
            "app on db.example.com",
            self.name(uri="postgresql://me@db.example.com/app"))
        self.assertEqual(os.uname().nodename, self.name(uri="embedded:here"))
        self.assertEqual("db.example.com", self.name(
            uri="host=db.example.com dbname='app password=S3CRET'"))
        self.write(f".config/scriptactivity/{FILE_NAME}")
        self.assertEqual("app", self.name())
