"""What ``init --grant`` lets roles do, and what it does not."""

import datetime
import os
import subprocess
import urllib.request
import uuid

from psycopg2.extensions import make_dsn

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.commands import COMMANDS
from canonical.launchpad.command.tests.test_init import HELLO
from canonical.launchpad.command.tests.test_init import InitTestCase
from canonical.launchpad.scripts.spool import Success
from canonical.launchpad.scripts.spool import write_success
from canonical.launchpad.scripts.tests.serving import pages
from canonical.testing import PostgresLayer
from canonical.testing import by_owner
from canonical.testing.children import start_python


RULES = """
    <configure xmlns:lp="http://namespaces.canonical.com/lp">
      <include package="canonical.launchpad" file="meta.zcml" />
      <lp:script name="hello" schedule="*/10 * * * *" />
    </configure>
"""


class TestGrants(InitTestCase):
    """Two roles of a real PostgreSQL, with what `init` grants them."""

    # Names that have to be quoted wherever they stand.
    SCRIPTS = 'cron "scripts"'
    MONITOR = "the monitor's"

    def setUp(self):
        super().setUp()
        for role in self.SCRIPTS, self.MONITOR:
            quoted = '"' + role.replace('"', '""') + '"'
            by_owner(f"CREATE ROLE {quoted} LOGIN")
            self.addCleanup(
                self.execute, f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")
        self.execute("SELECT 1")

    def execute(self, statement):
        main_store().execute(statement, noresult=True)
        self.layer._ztm.commit()

    def grant(self):
        return self.run_command(
            "init", "--grant", f"scripts={self.SCRIPTS}",
            "--grant", f"monitor={self.MONITOR}")

    def as_role(self, role):
        return {"LP_DATABASE_URI": make_dsn(**{
            **embedded_parameters(PostgresLayer.directory), "user": role})}

    def test_what_is_granted_is_printed_once(self):
        status, out, err = self.grant()
        self.assertEqual((0, ""), (status, err))
        self.assertEqual([
            'GRANT SELECT, INSERT ON public.scriptactivity TO'
            ' "cron ""scripts""";',
            'GRANT SELECT, INSERT, UPDATE ON public.scriptattempt TO'
            ' "cron ""scripts""";',
        ], out.splitlines()[1:3])
        _, out, _ = self.grant()
        self.assertEqual([
            'cron "scripts" has been granted what scripts needs before.',
            "the monitor's has been granted what monitor needs before.",
        ], out.splitlines()[1:])

    def test_init_says_if_the_role_that_it_is_given_cannot_record(self):
        uri = self.as_role(self.SCRIPTS)["LP_DATABASE_URI"]
        self.execute("SELECT 1")
        status, out, err = self.run_command("init", uri, **self.new_user)
        self.assertEqual((1, (
            f"scriptactivity: {self.SCRIPTS} may not record runs yet; let the"
            " owner of the tables run: scriptactivity init --grant"
            f" scripts='{self.SCRIPTS}'\n")), (status, err))
        self.assertIn("hello.py", out)
        self.grant()
        self.assertEqual(
            (0, ""), self.run_command("init", uri, **self.new_user)[::2])
        self.execute(
            "ALTER ROLE \"cron \"\"scripts\"\"\" SET"
            " default_transaction_read_only = on")
        status, _, err = self.run_command("init", uri, **self.new_user)
        self.assertEqual(1, status)
        self.assertIn(
            f" is read-only for {self.SCRIPTS}, so that no run can be", err)

    def test_who_may_not_make_the_tables_reads_who_may(self):
        self.execute("ALTER TABLE scriptattempt DROP COLUMN stdout")
        self.addCleanup(self.run_command, "init")
        status, _, err = self.run_command(
            "init", **self.as_role(self.SCRIPTS))
        self.assertEqual(1, status)
        self.assertRegex(
            err, f"^scriptactivity: {self.SCRIPTS} may not make or upgrade the"
            " tables in postgres on .*: must be owner of table scriptattempt;"
            " let .* run: scriptactivity init\n$")

    def test_scripts_record_and_do_no_more(self):
        self.grant()
        process = start_python(
            [HELLO], dict(os.environ, **self.as_role(self.SCRIPTS)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(("Hello.\n", ""), process.communicate())
        for command in ["last", "hello"], ["list"], ["running"]:
            status, _, err = self.run_command(
                *command, **self.as_role(self.SCRIPTS))
            self.assertEqual((0, ""), (status, err))
        self.assert_denied(self.SCRIPTS, (
            "SELECT FROM scriptalert", "SELECT FROM scriptpause",
            "DELETE FROM scriptactivity", "DELETE FROM scriptattempt",
            "UPDATE scriptactivity SET name = ''", "TRUNCATE scriptattempt",
            "LOCK scriptalert"))

    def test_the_monitor_checks_and_alerts_and_does_no_more(self):
        self.grant()
        rules = self.directory / "rules.zcml"
        rules.write_text(RULES)
        now = datetime.datetime.now(datetime.UTC)
        spool = PostgresLayer.state_directory / "spool"
        spool.mkdir(parents=True)
        write_success(spool, Success(
            "hello", "host", now, now, uuid.uuid4(), "none",
            self.layer._ztm.database))
        role = self.as_role(self.MONITOR)
        given = ["--expectations", str(rules)]
        for command, statuses in (
            (["flush"], [0]), (["check", *given], [0, 1, 2]),
            (["alert", "-q", *given], [0]),
            (["snooze", "hello", "--for", "1h", *given], [0]),
            (["snooze", "hello", "--for", "0s", *given], [0]),
            (["alert", "-q", *given], [0]), (["alerts"], [0]),
        ):
            status, _, err = self.run_command(*command, **role)
            self.assertIn(status, statuses, err)
            self.assertEqual("", err, command)
        self.assertEqual([], list(spool.iterdir()))
        self.execute(
            f'REVOKE INSERT ON scriptrule FROM "{self.MONITOR}"')
        rules.write_text(RULES.replace("hello", "new"))
        status, _, err = self.run_command("check", *given, **role)
        self.assertEqual(0, status)
        self.assertIn("not on record: the rule of new;", err)
        self.assert_denied(self.MONITOR, (
            "DELETE FROM scriptalert", "TRUNCATE scriptpause",
            "DELETE FROM scriptactivity", "DELETE FROM scriptattempt",
            "UPDATE scriptactivity SET name = ''"))

    def test_every_command_works_under_its_role(self):
        """A new command has to be named here, with a role or without."""
        self.execute("CREATE ROLE historian LOGIN")
        self.addCleanup(
            self.execute, "DROP OWNED BY historian; DROP ROLE historian")
        self.grant()
        self.run_command("init", "--grant", "history=historian")
        rules = self.directory / "rules.zcml"
        rules.write_text(RULES)
        given = ["--expectations", str(rules)]
        runs = str(self.directory / "runs.csv")
        worked = {"init", "crontab", "timers", "token", "grafana"}
        for role, commands in (
            (self.SCRIPTS, (
                ["run", "hello", "--", "echo", "Hello."], ["list"],
                ["running"], ["failures"], ["last", "hello"], ["flush"],
                ["output", "hello"])),
            (self.MONITOR, (
                ["list"], ["show", "hello", *given], ["running"],
                ["failures"], ["last", "hello"], ["check", *given],
                ["suggest"], ["backtest", *given], ["output", "hello"],
                ["alert", "-q", *given], ["alerts"], ["config"],
                ["snooze", "hello", "--for", "0s", *given], ["flush"],
                ["report", *given], ["export", runs])),
            ("historian", (
                ["import", runs],
                ["prune", "-q", *given])),
        ):
            for command in commands:
                _, out, err = self.run_command(*command, **self.as_role(role))
                for text in out, err:
                    self.assertNotIn("permission denied", text, command)
                    self.assertNotIn("Traceback", text, command)
                worked.add(command[0])
        with pages(*given, **self.as_role(self.MONITOR)) as url:
            for path in "/", "/scripts/hello", "/metrics":
                self.assertIn(
                    b"hello", urllib.request.urlopen(url + path).read())
            worked.add("serve")
        self.assertEqual(set(COMMANDS), worked)

    def assert_denied(self, role, statements):
        quoted = '"' + role.replace('"', '""') + '"'
        for statement in statements:
            main_store().execute(f"SET LOCAL ROLE {quoted}")
            with self.assertRaisesRegex(Exception, "permission denied"):
                main_store().execute(statement)
            self.layer._ztm.abort()

    def test_what_is_denied_names_the_role_and_the_command(self):
        role = self.as_role(self.SCRIPTS)
        for command, table in ("list", ""), ("alerts", " scriptalert"):
            status, out, err = self.run_command(command, **role)
            self.assertEqual((1, ""), (status, out))
            self.assertIn(f"permission denied for table{table}", err)
            self.assertRegex(
                err, """the role is 'cron "scripts"'; .* scriptactivity init"""
                """ --grant (scripts|monitor)='cron "scripts"'""")
        process = start_python(
            [HELLO], dict(os.environ, **role),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        _, err = process.communicate()
        self.assertIn("""--grant scripts='cron "scripts"'""", err)

    def test_a_role_that_is_not_there(self):
        for role in "nobody", "public", "none":
            status, _, err = self.run_command(
                "init", "--grant", f"scripts={role}")
            self.assertEqual(
                (1, f"scriptactivity: there is no role {role!r} in the"
                    " database; make it with CREATE ROLE, or name another\n"),
                (status, err))

    def test_a_grant_that_is_none(self):
        for text in (
            "scripts", "scripts=", "reader=me", "=me", "", "monitor=\n"
        ):
            status, out, err = self.run_command("init", "--grant", text)
            self.assertEqual((2, ""), (status, out))
            self.assertIn(
                f"argument --grant: {text!r}; expected scripts=ROLE,"
                " monitor=ROLE or history=ROLE", err)

    def test_who_may_not_grant_says_who_may(self):
        self.grant()
        status, _, err = self.run_command(
            "init", "--grant", f"monitor={self.SCRIPTS}",
            **self.as_role(self.SCRIPTS))
        self.assertEqual(1, status)
        self.assertRegex(
            err, f"^scriptactivity: {self.SCRIPTS} may not grant"
            f" {self.SCRIPTS} the privileges that it needs; let postgres, who"
            " owns the tables, run: GRANT .*\n$")
