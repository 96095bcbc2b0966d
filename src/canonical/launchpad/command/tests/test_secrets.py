"""No secret of a URL is printed, logged or on record."""

import os

from canonical.database.sqlbase import main_store
from canonical.launchpad.command.notify import instance_name
from canonical.launchpad.command.tests.receivers import Webhook
from canonical.launchpad.command.tests.test_alert import AlertTestCase


SECRET = "S3CRET"

# Run the command "alert" with one URL after another.
ALERT = """
import sys
from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.command.main import main

for key, url in zip(sys.argv[1::2], sys.argv[2::2]):
    section = "scripts" if key == "cron_control_url" else "monitor"
    try:
        config.push("test", f"[{section}]\\n{key}: {url}\\n")
    except ConfigError as error:
        print(error, file=sys.stderr)
        continue
    try:
        main(["alert", "-v"])
    except SystemExit:
        pass
    config.pop("test")
"""

# Connect to one database after another, in each way that there is.
CONNECT = """
import os
import sys
from canonical.launchpad.command.main import main
from canonical.launchpad.command.scriptmonitor import script_monitor
from canonical.launchpad.scripts.base import LaunchpadCronScript

class Tidy(LaunchpadCronScript):
    def main(self):
        pass

for uri in sys.argv[1:]:
    os.environ["LP_DATABASE_URI"] = uri
    for command in ["init"], ["last"], ["flush"], ["alert", "-v"]:
        try:
            status = main(command)
        except SystemExit as error:
            status = error.code
        assert status != 0, command
    assert script_monitor(["5", "host:tidy"]) == 3
    try:
        Tidy(test_args=["-v"]).lock_and_run()
    except SystemExit as error:
        assert error.code != 0
"""

WEB = (
    "ftp://hooks.example.com/{}",
    "hooks.example.com/{}",
    "//hooks.example.com/{}",
    "htps://hooks.example.com/{}",
    "https:hooks.example.com/{}",
    "https:/hooks.example.com/{}",
    "https:///hooks.example.com/{}",
    "https://[hooks.example.com/{}",
    "https://[::1/{}",
    "https://hooks.example.com:99999/{}",
    "https://hooks.example.com:0/{}",
    "https://hooks.example.com:port{}/x",
    "https://hooks.example.com:{}",
    "https://hooks..example.com/{}",
    "https://me:{}@hooks.example.com/x",
    "https://{}@hooks.example.com/x",
    "https://hooks.example.com/a {}",
    "https://hooks.example.com/\x1b{}",
    "https://hooks.example.com/\x7f{}",
    "http://127.0.0.1:1/{}",
    "http://127.0.0.1:1/%zz{}",
    "http://nowhere.invalid/{}",
    "'http://127.0.0.1:1/{}'",
)

DATABASES = (
    "postgresql://me:{}@127.0.0.1:1/app",
    "postgresql://me:{}@127.0.0.1:port/app",
    "postgresql://me:{}@127.0.0.1:99999/app",
    "postgresql://me:%zz{}@127.0.0.1:1/app",
    "postgresql://me:a@{}@127.0.0.1:1/app",
    "postgresql://me:a/{}@127.0.0.1:1/app",
    "postgresql://me:1/{}@127.0.0.1:1/app",
    "postgresql://me:a:{}@127.0.0.1:1/app",
    "postgresql://me:a#{}@127.0.0.1:1/app",
    "postgresql://me:a?{}@127.0.0.1:1/app",
    "postgresql://me:a?b@{}@127.0.0.1:1/app",
    "postgresql://me:a {}@127.0.0.1:1/app",
    "postgresql://me:{}@nowhere.invalid/app",
    "postgresql://me:{}@127.0.0.1:1/app?sslmode=never",
    "postgresql://me:{}@127.0.0.1:1/app?ssl=on",
    "postgresql://me:{}@127.0.0.1:1/app?service=of-nobody",
    "postgresql://me:{}@127.0.0.1:1/app?connect_timeout=x",
    "postgresql://127.0.0.1:1/app?password={}",
    "postgresql://me:{}",
    "postgres:/me:{}@127.0.0.1:1/app",
    "mysql://me:{}@127.0.0.1/app",
    "host=127.0.0.1 port=1 password={}",
    "host=127.0.0.1 port=1 password=a {}",
    "host=127.0.0.1 port=1 password='{}",
    "host=127.0.0.1 port=1 pasword={}",
    "host=127.0.0.1 port=1 dbname=apppassword={}",
    "host=127.0.0.1 port=1 dbname=postgresql://me:{}@127.0.0.1/app",
    "{}",
)


class TestSecrets(AlertTestCase):

    def assert_safe(self, *said):
        for text in said:
            self.assertNotIn(SECRET, text)
            self.assertNotIn("\x1b", text)

    def alert_with(self, *arguments, **environment):
        status, out, err = self.run_code(
            ALERT, *arguments, LPCONFIG=str(self.configuration),
            **environment)
        self.assertEqual(0, status, err)
        self.assertNotIn("Traceback", err)
        return out, err

    def reasons(self):
        self.ztm.begin()
        return [reason for reason, in main_store().execute(
            "SELECT reason FROM scriptattempt WHERE outcome = 'failure'"
            " ORDER BY id")]

    def test_webhooks(self):
        arguments = []
        for url in WEB:
            arguments += ["webhook_url", url.format(SECRET)]
        out, err = self.alert_with(*arguments)
        refused = err.count(
            "[monitor] webhook_url: not an http: or https: URL")
        self.assertEqual(3, len(self.reasons()), err)
        self.assertEqual(len(WEB), refused + len(self.reasons()), err)
        self.assert_safe(out, err, *self.reasons())

    def test_heartbeats(self):
        arguments = []
        for url in WEB:
            arguments += ["heartbeat_url", url.format(SECRET)]
        out, err = self.alert_with(*arguments)
        self.assertIn("The heartbeat failed: http://127.0.0.1:1/: ", err)
        self.assert_safe(out, err, *self.reasons())

    def test_cron_control(self):
        arguments = []
        # By its form this one is the name of a file, which is shown.
        for url in set(WEB).difference(["hooks.example.com/{}"]):
            arguments += ["cron_control_url", url.format(SECRET)]
        out, err = self.alert_with(*arguments)
        self.assertIn("The cron control file is ignored", err)
        self.assert_safe(out, err, *self.reasons())

    def test_mail_servers(self):
        url = f"smtp://me:{SECRET}@127.0.0.1:1"
        keys = ["recipients", "sender", "smtp_host", "smtp_port", "smtp_tls"]
        arguments = []
        for key in keys:
            arguments += [key, url]
        out, err = self.alert_with(*arguments)
        self.assertEqual(len(keys), err.count("\n"), err)
        self.assertIn("[monitor] sender: not an address: a URL", err)
        self.assert_safe(out, err)

    def test_proxies(self):
        self.configure(webhook_url="http://hooks.example.com/x")
        for proxy in (
            "http://me:{}@127.0.0.1:1", "http:{}", "me:{}@127.0.0.1:port",
            "{}://127.0.0.1:1", "http://127.0.0.1:{}",
        ):
            out, err = self.alert_with(
                "cron_control_url", "http://cron.example.com/x",
                http_proxy=proxy.format(SECRET))
            self.assertIn("cannot notify by webhook", err)
            self.assert_safe(out, err, *self.reasons())

    def test_databases(self):
        status, out, err = self.run_code(
            CONNECT, *(uri.format(SECRET) for uri in DATABASES))
        self.assertEqual(0, status, err)
        self.assertNotIn("Traceback", err)
        self.assertIn("scriptactivity alert does not work on", out)
        self.assert_safe(out, err)

    def test_instance_names(self):
        lpconfig = os.environ.pop("LPCONFIG")
        uri = os.environ["LP_DATABASE_URI"]
        try:
            for each in DATABASES:
                os.environ["LP_DATABASE_URI"] = each.format(SECRET)
                self.assert_safe(instance_name())
        finally:
            os.environ.update(LPCONFIG=lpconfig, LP_DATABASE_URI=uri)

    def test_answers_of_a_mail_server(self):
        self.mail.answer = "554-a\r\n554 \x1b[2J\u202e no"
        _, err = self.alert(status=1)
        self.assertIn("cannot notify by mail", err)
        self.assert_safe(err, *self.reasons())
        self.mail.answer = None
        self.configure(recipients="ops@example.com, gone@example.com")
        self.mail.refused = {
            "gone@example.com": "550-Who\r\n550 2026-01-01 \x1b[2Jforged"}
        _, err = self.alert()
        self.assertIn(
            r"refused gone@example.com: 550 Who 2026-01-01 \x1b[2Jforged",
            err)
        self.assert_safe(err)

    def test_answers_of_a_webhook(self):
        webhook = Webhook()
        self.addCleanup(webhook.stop)
        self.configure(webhook_url=webhook.url + SECRET)
        for status, words in (
            (302, None), (404, f"no /{SECRET}"), (500, "\x1b[2J\x9b2J"),
            (799, "\x1b[2J"),
        ):
            webhook.status = status
            webhook.words = words
            _, err = self.alert(status=1)
            self.assertIn(
                f"cannot notify by webhook: {webhook.url}: HTTP Error"
                f" {status}:", err)
            self.assert_safe(err, *self.reasons())
