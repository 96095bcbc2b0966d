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
        self.secret.write_text("other")
        with self.trust(), self.assertRaisesRegex(MailError, ": 535 "):
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
