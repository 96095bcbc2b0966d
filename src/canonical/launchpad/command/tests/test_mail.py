"""What goes between us and a mail server."""

import contextlib
import datetime
import email.utils
import os
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path
from unittest import mock

from aiosmtpd.smtp import AuthResult

from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.command.mail import MailError
from canonical.launchpad.command.mail import mail
from canonical.launchpad.command.mail import mail_server
from canonical.launchpad.command.tests.receivers import MailServer


class MailTestCase(unittest.TestCase):

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="scriptactivity-mail-"))
        self.addCleanup(shutil.rmtree, self.directory)

    def serve(self, **options):
        server = MailServer(**options)
        self.addCleanup(server.stop)
        self.configure(smtp_port=server.port)
        return server

    def configure(self, **values):
        values = {
            "recipients": "ops@example.com", "smtp_host": "127.0.0.1",
            **values}
        with contextlib.suppress(KeyError):
            config.pop(self.id())
        config.push(self.id(), "[monitor]\n" + "".join(
            f"{key}: {value}\n" for key, value in values.items()))
        self.addCleanup(self.forget)

    def forget(self):
        with contextlib.suppress(KeyError):
            config.pop(self.id())


class TestMail(MailTestCase):

    def test_each_answer_has_the_time_of_rfc_5321(self):
        self.serve()
        times = []
        getreply = smtplib.SMTP.getreply

        def timed(smtp):
            times.append(smtp.sock.gettimeout() / 60)
            return getreply(smtp)

        with mock.patch("smtplib.SMTP.getreply", timed):
            mail("Subject", "Text.\n")
        # The greeting, EHLO, MAIL, RCPT; DATA; the end of it; QUIT.
        self.assertEqual([5, 5, 5, 5, 2, 10, 5], times)

    def test_the_date(self):
        server = self.serve()
        mail("Subject", "Text.\n")
        sent = email.utils.parsedate_to_datetime(server.received[0]["Date"])
        age = datetime.datetime.now(datetime.UTC) - sent
        self.assertLess(abs(age), datetime.timedelta(minutes=10))

    def test_nobody_who_is_on_holiday_answers_it(self):
        server = self.serve()
        mail("Subject", "Text.\n")
        self.assertEqual(
            "auto-generated", server.received[0]["Auto-Submitted"])

    def test_names_and_commas_beside_addresses(self):
        server = self.serve()
        self.configure(
            smtp_port=server.port, sender="Scripts <scripts@example.com>",
            recipients="The Ops <ops@example.com>, , me@example.com,")
        self.assertEqual(
            ["ops@example.com", "me@example.com"],
            [each.recipient for each in mail("Subject", "Text.\n", "id")])
        message, = server.received
        self.assertEqual(
            ("scripts@example.com", "Scripts <scripts@example.com>",
             "<id@example.com>"),
            (message["X-MailFrom"], message["From"], message["Message-ID"]))

    def test_a_text_arrives_as_it_was(self):
        server = self.serve()
        for text in (".\n..\n.x\n\nend\n", "Grüße, мир\n", "x" * 2000 + "\n"):
            server.received.clear()
            mail("Grüße", text)
            self.assertEqual([text], server.texts())
            self.assertTrue(server.received[0].as_string().isascii())

    def test_whatever_goes_wrong_names_the_server(self):
        server = self.serve()
        for answer, words in (
            ("554 No\x1b[2J", r"554 No\x1b[2J"), ("451 Later", "451 Later"),
        ):
            server.answer = answer
            with self.assertRaises(MailError) as caught:
                mail("Subject", "Text.\n")
            self.assertEqual(
                f"127.0.0.1:{server.port}: {words}", str(caught.exception))
        server.stop()
        with self.assertRaises(MailError) as caught:
            mail("Subject", "Text.\n")
        self.assertEqual(
            f"127.0.0.1:{server.port}: Connection refused",
            str(caught.exception))

    def test_what_is_wrong_with_the_file_of_the_password(self):
        secret = self.directory / "password"
        for mode, text, path, words in (
            (0o604, "x", secret, "smtp_password_file: other users may"),
            (0o600, "", secret, "the first line is empty"),
            (0o600, "\nx", secret, "the first line is empty"),
            (0o600, "x", "/nowhere",
             "smtp_password_file: /nowhere: No such file"),
        ):
            secret.write_text(text)
            secret.chmod(mode)
            self.assert_wrong(path, words)
        secret.write_bytes(b"\xff")
        self.assert_wrong(
            secret, f"smtp_password_file: {secret}: not in UTF-8")

    def test_where_the_file_of_the_password_may_be(self):
        secret = self.directory / "password"
        secret.write_text("S3CRET\nold\n")
        secret.chmod(0o640)
        with mock.patch.dict(os.environ, HOME=str(self.directory)):
            for path in "~/password", os.path.relpath(
                secret, config.directory
            ):
                self.configure(smtp_user="me", smtp_password_file=path)
                self.assertEqual("S3CRET", mail_server().password)

    def assert_wrong(self, path, words):
        self.configure(smtp_user="me", smtp_password_file=path)
        with self.assertRaises(ConfigError) as caught:
            mail_server()
        self.assertIn(words, str(caught.exception))

    def test_tls_with_a_server_that_does_not_speak_it(self):
        server = self.serve()
        self.configure(smtp_port=server.port, smtp_tls="implicit")
        with self.assertRaises(MailError) as caught:
            mail("Subject", "Text.\n")
        self.assertEqual(
            f"127.0.0.1:{server.port}: no TLS there; set smtp_tls to starttls"
            " or off", str(caught.exception))


class TestReplies(MailTestCase):
    """What a mail server may say, by the command that it says it to."""

    def mail(self, **replies):
        """Send a mail to a server that says this, and otherwise 250."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.configure(smtp_port=listener.getsockname()[1])
        self.received = []

        def serve():
            with listener, listener.accept()[0] as connection:
                connection.sendall(replies.get("greeting", b"220 Hello\r\n"))
                is_text = False
                for line in connection.makefile("rb"):
                    self.received.append(line)
                    is_text = is_text and line != b".\r\n"
                    if is_text:
                        continue
                    verb = line[:4].decode().upper()
                    answer = replies.get(verb, b"250 OK\r\n")
                    if not answer:
                        break
                    is_text = answer.startswith(b"354")
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return mail("Subject", "Text.\n")
        finally:
            thread.join()

    def assert_refused(self, words, **replies):
        with self.assertRaises(MailError) as caught:
            self.mail(**replies)
        self.assertEqual(words, str(caught.exception).partition(": ")[2])

    def test_who_refuses_the_sender_or_the_mail_is_asked_nothing_more(self):
        self.assert_refused("550 Who is that?", MAIL=b"550 Who is that?\r\n")
        self.assertNotIn(b"rcpt", b"".join(self.received))
        self.assert_refused("451 I am busy", DATA=b"451 I am busy\r\n")
        self.assertNotIn(b"Subject", b"".join(self.received))

    def test_whatever_bytes_it_says(self):
        self.assert_refused(
            "550 Gr\ufffd\ufffde", MAIL=b"550 Gr\xfc\xdfe\r\n")
        self.assert_refused(
            "its reply is not SMTP: 2.0-OpenSSH",
            greeting=b"SSH-2.0-OpenSSH\r\n")

    def test_a_reply_of_several_lines_is_one(self):
        reply, = self.mail(RCPT=b"550-No\r\n550 such user\r\n")
        self.assertEqual("550 No such user", str(reply))

    def test_one_that_forwards_it_or_hangs_up_at_the_end_has_it(self):
        reply, = self.mail(
            RCPT=b"251 I forward it\r\n", DATA=b"354 Go\r\n", QUIT=b"")
        self.assertTrue(reply.is_accepted)


class TestEncrypted(MailTestCase):

    def setUp(self):
        super().setUp()
        self.certificate = self.directory / "certificate.pem"
        key = self.directory / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-nodes", "-days", "2",
             "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-subj", "/CN=localhost", "-addext",
             "subjectAltName=IP:127.0.0.1", "-keyout", key,
             "-out", self.certificate],
            check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.secret = self.directory / "password"
        self.secret.write_text("S3CRET\n")
        self.secret.chmod(0o600)

    def trust(self):
        return mock.patch.dict(
            os.environ, SSL_CERT_FILE=str(self.certificate))

    def authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(
            success=(data.login, data.password) == (b"me", b"S3CRET"),
            handled=False)

    def test_starttls_and_a_password(self):
        server = self.serve(
            tls_context=self.context, require_starttls=True,
            authenticator=self.authenticate, auth_required=True)
        values = {
            "smtp_port": server.port, "smtp_tls": "starttls",
            "smtp_user": "me", "smtp_password_file": self.secret}
        self.configure(**values)
        with self.trust():
            reply, = mail("Subject", "Text.\n")
        self.assertTrue(reply.is_accepted)
        with self.assertRaisesRegex(MailError, "certificate verify failed"):
            mail("Subject", "Text.\n")
        for password, words in ("other", ": 535 "), ("größer", "'ascii'"):
            self.secret.write_text(password)
            with self.trust(), self.assertRaisesRegex(MailError, words):
                mail("Subject", "Text.\n")
        self.configure(**{**values, "smtp_tls": "off"})
        with self.assertRaisesRegex(MailError, "AUTH extension not supported"):
            mail("Subject", "Text.\n")
        self.assertEqual(1, len(server.received))

    def test_a_server_without_starttls(self):
        server = self.serve()
        self.configure(smtp_port=server.port, smtp_tls="starttls")
        with self.assertRaisesRegex(MailError, "STARTTLS .*not supported"):
            mail("Subject", "Text.\n")

    def connect(self, controller):
        """What the controller does with a context that is for servers."""
        context = ssl.create_default_context(cafile=self.certificate)
        with socket.create_connection(("127.0.0.1", controller.port)) as line:
            context.wrap_socket(line, server_hostname="127.0.0.1").close()

    def test_implicit(self):
        with mock.patch(
            "aiosmtpd.controller.Controller._trigger_server",
            lambda controller: self.connect(controller),
        ):
            server = self.serve(ssl_context=self.context)
        self.configure(smtp_port=server.port, smtp_tls="implicit")
        with self.trust():
            reply, = mail("Subject", "Text.\n")
        self.assertTrue(reply.is_accepted)
        with self.assertRaisesRegex(
            MailError, f"127.0.0.1:{server.port}: .*certificate verify failed"
        ):
            mail("Subject", "Text.\n")
        self.assertEqual(1, len(server.received))
