"""The command ``config``: what is in force, and what is wrong with it."""

import json
import os
import shutil
import socket
import tempfile
from pathlib import Path

from psycopg2.extensions import make_dsn

from canonical.database.embedded import embedded_parameters
from canonical.launchpad.command.tests.receivers import MailServer
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.testing import PostgresLayer
from canonical.testing import by_owner


# A port of this host that nobody listens on.
CLOSED = 1


class TestConfig(CommandTestCase):

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="scriptactivity-test-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "scriptactivity.conf"

    def config(self, text="", *options, **environment):
        self.path.write_text(text)
        return self.run_command(
            "--config", str(self.path), "config", *options, **environment)

    def checks(self, text="", **environment):
        """The exit status, and by their names what the checks have found."""
        status, out, err = self.config(text, "--json", **environment)
        self.assertEqual("", err)
        return status, {
            each["name"]: (each["state"], each["text"])
            for each in json.loads(out)["checks"]}

    def listen(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        return server.getsockname()[1]

    def test_a_plain_one_is_all_right(self):
        status, checks = self.checks()
        self.assertEqual(0, status)
        self.assertEqual(
            {"ok", "-"}, {state for state, _ in checks.values()})
        self.assertEqual(("ok", "up to date"), checks["tables"])
        self.assertRegex(checks["database"][1], "^postgres on .*PostgreSQL 1")

    def test_lines_fit_a_terminal_and_are_plain(self):
        _, out, err = self.config(
            "[monitor]\nrepeat: 2h\nsmtp_password_file: secret\n",
            LP_DATABASE_URI=f"embedded:{PostgresLayer.directory}")
        self.assertEqual("", err)
        self.assertTrue(out.isascii() and "\x1b" not in out)
        long = [line for line in out.splitlines() if len(line) > 79]
        # A path is not broken, but has a line of its own.
        self.assertEqual(
            [], [line for line in long if len(line.split()) > 3], long)
        self.assertRegex(
            out, rf"\nrepeat:             2h\s+\({self.path}:2\)\n")
        self.assertIn("\nsmtp_password_file: secret", out)

    def test_where_values_come_from(self):
        _, out, _ = self.config(
            "\n[statsd]\nport: 1\n", "--json", LP_DATABASE_URI=make_dsn(
                **embedded_parameters(PostgresLayer.directory)))
        found = json.loads(out)
        self.assertEqual(str(self.path), found["places"]["file"])
        self.assertEqual(
            os.environ["LP_STATE_DIRECTORY"], found["places"]["state"])
        sources = {
            (each["section"], each["key"]): (each["source"], each["line"])
            for each in found["settings"]}
        self.assertEqual((str(self.path), 3), sources["statsd", "port"])
        self.assertEqual(("default", None), sources["statsd", "host"])
        self.assertEqual(
            ("LP_DATABASE_URI", None), sources["database", "uri"])

    def test_secrets_are_hidden(self):
        for options in [], ["--json"]:
            _, out, err = self.config(
                "[database]\nuri: postgresql://me:secret@127.0.0.1:1/app\n"
                "read_uri: postgresql://me:secret@127.0.0.1:2/app\n"
                "[scripts]\ncron_control_url: http://127.0.0.1:1/secret\n"
                "[monitor]\nwebhook_url: http://127.0.0.1:1/secret\n",
                *options, LP_DATABASE_URI="")
            self.assertNotIn("secret", out + err)
            self.assertIn("postgresql://me:***@127.0.0.1:1/app", out)
            self.assertIn("http://127.0.0.1:1/***", out)
        for uri in "mysql://me:secret@db", "postgresql://a:secret@b@c/d":
            status, out, err = self.config(LP_DATABASE_URI=uri)
            self.assertEqual(2, status)
            self.assertNotIn("secret", out + err)

    def test_a_password_that_everybody_can_read(self):
        text = "[database]\nuri: postgresql://me:secret@127.0.0.1:1/app\n"
        for mode, state in (0o644, "wrong"), (0o640, "ok"):
            self.path.touch()
            self.path.chmod(mode)
            _, checks = self.checks(text, LP_DATABASE_URI="")
            self.assertEqual(state, checks["file"][0])

    def test_the_option_is_whole_and_not_empty(self):
        for arguments in (
            ["--config", ""], ["--config="], ["--config"],
            ["--conf", str(self.path)],
        ):
            status, out, err = self.run_command("list", *arguments)
            self.assertEqual((2, ""), (status, out), arguments)
            status, out, err = self.run_command(*arguments, "list")
            self.assertEqual((2, ""), (status, out), arguments)
            self.assertNotIn("Traceback", err)

    def test_a_file_that_is_wrong(self):
        status, out, err = self.config("[datbase]\n")
        self.assertEqual((2, ""), (status, out))
        self.assertEqual(
            f"scriptactivity: {self.path}: line 1: no section [datbase]; do"
            " you mean 'database'?\n", err)

    def test_what_is_out_of_reach(self):
        status, checks = self.checks(
            "[scripts]\ncron_control_url: http://127.0.0.1:1/x\n"
            "[monitor]\nrecipients: ops@example.com\n"
            f"smtp_host: 127.0.0.1\nsmtp_port: {CLOSED}\n"
            f"webhook_url: http://127.0.0.1:{CLOSED}/x\n"
            "expectations: rules.zcml\n"
            "[statsd]\nhost: nowhere.invalid\n",
            LP_DATABASE_URI=f"postgresql://me@127.0.0.1:{CLOSED}/app")
        self.assertEqual(2, status)
        for name, text in (
            ("database", "cannot connect to database app on 127.0.0.1"),
            ("rules", "No such file or directory"),
            ("cron control", "The cron control file at http://127.0.0.1:1/"),
            ("mail server", "127.0.0.1 port 1: Connection refused"),
            ("webhook", "127.0.0.1 port 1: Connection refused"),
            ("statsd", "nowhere.invalid: "),
        ):
            self.assertEqual("wrong", checks[name][0], name)
            self.assertIn(text, checks[name][1])
        self.assertNotIn("tables", checks)

    def test_what_answers(self):
        mail = MailServer()
        self.addCleanup(mail.stop)
        (self.directory / "rules.zcml").write_text("""
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="garbo" schedule="@daily" />
            </configure>""")
        (self.directory / "cron.ini").write_text("[garbo]\nenabled: no\n")
        (self.directory / "tokens").write_text(f"ops sha256:{64 * '0'}\n")
        port = self.listen()
        status, checks = self.checks(
            "[scripts]\ncron_control_url: cron.ini\n"
            "[web]\ntoken_file: tokens\n"
            "[monitor]\nrecipients: ops@example.com\n"
            f"smtp_host: 127.0.0.1\nsmtp_port: {mail.port}\n"
            f"webhook_url: http://127.0.0.1:{port}/x\n"
            f"heartbeat_url: http://127.0.0.1:{port}/y\n"
            "expectations: rules.zcml\n"
            "[statsd]\nhost: localhost\n")
        self.assertEqual(0, status, checks)
        self.assertEqual({"ok"}, {state for state, _ in checks.values()})
        self.assertEqual("1 rule", checks["rules"][1])
        self.assertEqual("1 token", checks["tokens"][1])
        (self.directory / "cron.ini").unlink()
        _, checks = self.checks("[scripts]\ncron_control_url: cron.ini\n")
        self.assertEqual(
            ("ok", "There is no cron control file at cron.ini"),
            checks["cron control"])
        (self.directory / "cron.ini").write_text("[garbo]\nenabled: nay\n")
        _, checks = self.checks(
            "[scripts]\ncron_control_url: cron.ini\n"
            "[monitor]\nexpectations: rules.zcml\n")
        self.assertEqual("wrong", checks["cron control"][0])
        self.assertIn("neither true nor false: 'nay'", checks[
            "cron control"][1])

    def test_tokens_that_nobody_can_read(self):
        for name, why in (
            ("nowhere", f"there is no {self.directory}/nowhere; make a token"
             " with: scriptactivity token NAME"),
            (".", f"not a regular file: {self.directory}"),
        ):
            status, checks = self.checks(f"[web]\ntoken_file: {name}\n")
            self.assertEqual(
                (2, ("wrong", why)), (status, checks["tokens"]))

    def test_a_mail_server_is_asked_as_for_a_mail(self):
        mail = MailServer()
        self.addCleanup(mail.stop)
        secret = self.directory / "password"
        secret.write_text("S3CRET\n")
        secret.chmod(0o600)
        server = (
            "[monitor]\nrecipients: ops@example.com\n"
            f"smtp_host: 127.0.0.1\nsmtp_port: {mail.port}\n")
        for text, words in (
            ("smtp_tls: starttls\n", "STARTTLS extension not supported"),
            (f"smtp_user: me\nsmtp_password_file: {secret}\n",
             "SMTP AUTH extension not supported"),
            ("smtp_user: me\nsmtp_password_file: nowhere\n",
             "smtp_password_file: nowhere: No such file"),
        ):
            status, checks = self.checks(server + text)
            self.assertEqual((2, "wrong"), (status, checks["mail server"][0]))
            self.assertIn(words, checks["mail server"][1])
        self.assertEqual([], mail.received)

    def test_what_does_not_answer_is_given_up(self):
        self.path.write_text(
            "[monitor]\nrecipients: ops@example.com\nsmtp_host: 127.0.0.1\n"
            f"smtp_port: {self.listen()}\n")
        status, out, _ = self.run_code(
            "from canonical.launchpad.command import configchecks;"
            f" configchecks.TIMEOUT = 0.1; {RUN}",
            "--config", str(self.path), "config")
        self.assertEqual(2, status)
        self.assertRegex(
            out, r"wrong  mail server     127.0.0.1 port \d+: (no answer"
            r"|Connection\s+unexpectedly\s+closed:\s+timed\s+out)")

    def test_tables_that_are_not_as_they_should_be(self):
        by_owner("DROP INDEX scriptalert__unsettled__idx")
        self.layer._ztm.commit()
        status, checks = self.checks()
        self.assertEqual(0, self.run_command(
            "init", LP_DATABASE_URI=self.layer.uri("postgres"))[0])
        self.assertEqual((2, "wrong"), (status, checks["tables"][0]))
        self.assertIn("scriptactivity init", checks["tables"][1])

    def test_directories_that_do_not_do(self):
        file = self.directory / "file"
        file.write_text("")
        status, checks = self.checks(
            f"[scripts]\nlock_directory: {self.directory}/nowhere\n"
            f"spool_directory: {file}\n")
        self.assertEqual(2, status)
        self.assertEqual(
            f"there is no {self.directory}/nowhere; make it",
            checks["lock directory"][1])
        self.assertEqual(
            f"{file} is no directory", checks["spool directory"][1])
        status, checks = self.checks(LP_STATE_DIRECTORY=str(file))
        self.assertEqual(2, status)
        # Nothing was made to find that out.
        self.assertFalse(PostgresLayer.state_directory.exists())

    def test_rights_of_a_role_that_has_too_few(self):
        by_owner("CREATE ROLE cron LOGIN")
        self.layer._ztm.commit()
        self.addCleanup(self.layer._ztm.commit)
        self.addCleanup(
            by_owner, "DROP OWNED BY cron; DROP ROLE cron")
        uri = make_dsn(**dict(
            embedded_parameters(PostgresLayer.directory), user="cron"))
        status, checks = self.checks(LP_DATABASE_URI=uri)
        self.assertEqual((2, "wrong"), (status, checks["rights"][0]))
        self.assertIn(
            "scriptactivity init --grant scripts=cron", checks["rights"][1])
        self.run_command(
            "init", "--grant", "scripts=cron",
            LP_DATABASE_URI=self.layer.uri("postgres"))
        status, checks = self.checks(LP_DATABASE_URI=uri)
        self.assertEqual(
            (0, "cron may run scripts, but neither check nor alert"),
            (status, checks["rights"][1]))
        # What is configured to alert has to be able to.
        status, checks = self.checks(
            f"[monitor]\nwebhook_url: http://127.0.0.1:{self.listen()}/x\n",
            LP_DATABASE_URI=uri)
        self.assertEqual(2, status)
        self.assertIn(
            "scriptactivity init --grant monitor=cron", checks["rights"][1])
