"""People are notified if alert itself does not work."""

import datetime
import fcntl
import json
import os
import signal

from canonical.config import config
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.outage import FILE_NAME
from canonical.launchpad.command.tests.receivers import MailServer
from canonical.launchpad.command.tests.receivers import Webhook
from canonical.launchpad.command.tests.test_alert import AlertTestCase
from canonical.launchpad.command.tests.test_alert import timeless
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.scripts.lock import LockFile
from canonical.launchpad.scripts.tests.faults import freeze
from canonical.launchpad.scripts.tests.faults import server_processes
from canonical.testing import by_owner


AWAY = "postgresql://127.0.0.1:1/app"
BROKEN = "[test] CRITICAL: scripts are not monitored"
OVER = "[test] RECOVERED: scripts are monitored again"

# A function of the programs, which soon gives a database up.
IMPATIENT = (
    "import sys; from canonical.launchpad.command import execute;"
    " execute.PATIENCE = 0.1;"
    " from canonical.launchpad.command import program;"
    " sys.exit(program.{}())")

RUNS = """\
    name,hostname,date_started,date_completed
    tidy,host,2007-02-01 10:00,2007-02-01 10:01
    """


class TestOutage(AlertTestCase):

    def setUp(self):
        super().setUp()
        # All scripts are fine.
        self.ran("garbo", 0)

    def run_alert(self, status, **environment):
        """Run it, and return the subjects of mails and the line it prints."""
        before = len(self.mail.received)
        found, out, err = self.run_command("alert", **{
            "LPCONFIG": str(self.configuration), **environment})
        self.assertEqual((status, ""), (found, out), err)
        self.assertEqual(1 if status else 0, err.count("ERROR"), err)
        self.assertNotIn("Traceback", err)
        return [
            each["Subject"] for each in self.mail.received[before:]], err

    def age(self, hours):
        """As if people had been notified some hours earlier."""
        path = self.directory / FILE_NAME
        memory = json.loads(path.read_text())
        memory["notified"] = {
            name: (datetime.datetime.fromisoformat(date)
                   - datetime.timedelta(hours=hours)).isoformat()
            for name, date in memory["notified"].items()}
        path.write_text(json.dumps(memory))

    def test_once_until_it_works_again_and_after_a_while(self):
        subjects, err = self.run_alert(1, LP_DATABASE_URI=AWAY)
        self.assertEqual([BROKEN], subjects)
        self.assertIn(
            "cannot connect to database app on 127.0.0.1 port 1", err)
        path = self.directory / FILE_NAME
        self.assertEqual(0o600, path.stat().st_mode & 0o777)
        text, = self.mail.texts()
        self.assertRegex(
            text, r"\Ascriptactivity alert does not work on \S+:\n\n"
            r"cannot connect to database app on 127\.0\.0\.1 port 1.*\n\n"
            r"Scripts have not been monitored since 2\S+ \S+ UTC, and nobody"
            r" is notified of what breaks\.\n\Z")
        self.assertEqual([], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])
        self.age(23)
        self.assertEqual([], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])
        self.age(2)
        self.assertEqual([BROKEN], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])
        self.assertEqual([OVER], self.run_alert(0)[0])
        self.assertRegex(
            self.mail.texts()[-1],
            r"works again on \S+\.\nIt did not from 2.* UTC to 2.* UTC\.\n")
        self.assertEqual([], self.run_alert(0)[0])
        self.assertEqual([BROKEN], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])

    def test_the_next_one_has_a_start_of_its_own(self):
        self.run_alert(1, LP_DATABASE_URI=AWAY)
        path = self.directory / FILE_NAME
        memory = json.loads(path.read_text())
        path.write_text(json.dumps(
            {**memory, "since": "2007-02-01T10:00:00+00:00"}))
        self.run_alert(0)
        self.run_alert(1, LP_DATABASE_URI=AWAY)
        _, over, again = self.mail.texts()
        self.assertIn("It did not from 2007-02-01 10:00 UTC to", over)
        self.assertNotIn("2007", again)

    def test_one_who_is_refused_for_good_is_not_asked_again(self):
        self.configure(recipients="ops@example.com, gone@example.com")
        self.run_alert(1, LP_DATABASE_URI=AWAY)
        self.mail.refused = {"gone@example.com": "550 Who?"}
        for times in 1, 0:
            _, _, err = self.command("alert")
            self.assertEqual(times, err.count("refused gone@example.com"))

    def test_one_who_is_refused_for_the_moment_hears_later_that_it_is_over(
        self
    ):
        self.configure(recipients="ops@example.com, late@example.com")
        self.run_alert(1, LP_DATABASE_URI=AWAY)
        self.mail.refused = {"late@example.com": "451 Later"}
        self.assertEqual([OVER], self.run_alert(0)[0])
        self.mail.refused = {}
        self.assertEqual([OVER], self.run_alert(0)[0])
        self.assertEqual(
            "late@example.com", self.mail.received[-1]["X-RcptTo"])

    def test_a_file_that_cannot_be_understood(self):
        """It is as if there were none."""
        odd = (
            "[" * 60_000, "[]", '{"since": 5, "notified": {}}',
            '{"since": "2007-02-01T10:00:00", "notified": {}}',
            '{"since": "0001-01-01T00:00:00+23:00", "notified": {}}',
            '{"since": "2007-02-01T10:00:00+00:00", "notified":'
            ' {"ops@example.com": "9999-12-31T23:59:59+00:00"}}')
        path = self.directory / FILE_NAME
        for text in odd:
            with self.subTest(text[:60]):
                path.write_text(text)
                self.assertEqual([], self.run_alert(0)[0])
                path.write_text(text)
                self.assertEqual(
                    [BROKEN], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])

    def test_a_link_in_its_place_is_not_followed(self):
        precious = self.write("precious", "")
        (self.directory / FILE_NAME).symlink_to(precious)
        self.assertEqual([BROKEN], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])
        self.assertEqual("", precious.read_text())

    def test_two_at_once_do_not_both_notify(self):
        with (self.directory / FILE_NAME).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            process = self.start_code(
                RUN, "alert", LPCONFIG=str(self.configuration),
                LP_DATABASE_URI=AWAY)
            process.communicate(timeout=60)
        self.assertEqual(1, process.returncode)
        self.assertEqual([], self.mail.received)

    def test_a_pipe_in_its_place(self):
        os.mkfifo(self.directory / FILE_NAME)
        self.assertEqual([], self.run_alert(0)[0])
        self.assertEqual([BROKEN], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])

    def test_whatever_the_reason(self):
        by_owner("ALTER TABLE scriptalert RENAME TO away")
        self.ztm.commit()
        subjects, err = self.run_alert(1)
        by_owner("ALTER TABLE away RENAME TO scriptalert")
        self.ztm.commit()
        self.assertEqual([BROKEN], subjects)
        self.assertIn("with: scriptactivity init)", self.mail.texts()[-1])
        self.assertEqual([OVER], self.run_alert(0)[0])
        self.write("expectations.zcml", "<configure")
        self.assertEqual([BROKEN], self.run_alert(2)[0])
        self.assertIn("expectations.zcml", self.mail.texts()[-1])

    def test_a_database_that_hangs_is_given_up(self):
        by_owner("LOCK TABLE scriptalert")
        status, out, err = self.run_code(
            IMPATIENT.format("scriptactivity"), "alert",
            LPCONFIG=str(self.configuration))
        self.ztm.abort()
        self.assertEqual((1, ""), (status, out), err)
        self.assertIn("the database has not answered within 0.1 s", err)
        self.assertIn(err.split("ERROR   ")[1], self.mail.texts()[-1])
        self.assertEqual([OVER], self.run_alert(0)[0])

    def test_nor_do_checks_wait_for_it(self):
        by_owner("LOCK TABLE scriptactivity")
        for function, arguments, said in (
            ("scriptactivity", ["check", "--nagios"],
             "SCRIPTS UNKNOWN - the database"),
            ("script_monitor_nagios", ["5", "host:garbo"],
             "SCRIPTS UNKNOWN - script-monitor-nagios: the database"),
        ):
            status, out, err = self.run_code(
                IMPATIENT.format(function), *arguments,
                LPCONFIG=str(self.configuration))
            self.assertEqual((3, ""), (status, err))
            self.assertTrue(out.startswith(
                f"{said} has not answered within 0.1 s"), out)
        self.ztm.abort()

    def test_nor_does_prune(self):
        for table in "scriptpause", "scriptday", "scriptactivity":
            by_owner(f"LOCK TABLE {table}")
            process = self.start_code(
                IMPATIENT.format("scriptactivity"), "prune",
                LPCONFIG=str(self.configuration))
            self.addCleanup(process.kill)
            out, err = process.communicate(timeout=20)
            self.ztm.abort()
            self.assertEqual((1, ""), (process.returncode, out))
            self.assertRegex(
                err, "ERROR   the database has not answered within 0.1 s"
                r" \(does another session hold a lock\? see pg_locks\)\n\Z")

    def test_nor_does_any_other_command(self):
        self.write("runs.csv", RUNS)
        exported = self.directory / "exported.csv"
        commands = [
            ["list"], ["show", "garbo"], ["running"], ["failures"], ["last"],
            ["output", "garbo"], ["alerts"], ["alert", "--dry-run"],
            ["snooze", "garbo", "--for", "1h"],
            ["import", str(self.directory / "runs.csv")],
            ["suggest"], ["backtest"], ["report"], ["export", str(exported)]]
        long = commands[-4:]
        by_owner(
            "LOCK TABLE scriptactivity, scriptattempt, scriptalert,"
            " scriptpause, scriptday")
        found = [
            self.run_code(
                IMPATIENT.format("scriptactivity"), *arguments,
                LPCONFIG=str(self.configuration))
            for arguments in commands]
        self.ztm.abort()
        for arguments, (status, out, err) in zip(
            commands, found, strict=True
        ):
            said = (
                "canceling statement due to lock timeout (another session"
                " holds a lock: see pg_locks; let it finish, or end it with"
                " pg_terminate_backend(pid), then try again)"
                if arguments in long else
                "the database has not answered within 0.1 s (does another"
                " session hold a lock? see pg_locks)")
            with self.subTest(arguments[0]):
                self.assertEqual(
                    (1, "", f"scriptactivity: {said}\n"), (status, out, err))
        self.assertFalse(exported.exists())
        self.assertEqual([("garbo",), ("update",)], list(main_store().execute(
            "SELECT DISTINCT name FROM scriptactivity ORDER BY name")))

    def test_nor_does_a_server_that_hangs_keep_a_connection_waiting(self):
        code = (
            "from canonical.database import postgres;"
            f" postgres.CONNECT_TIMEOUT = '2'; {RUN}")
        freeze(self.layer.directory)
        self.addCleanup(self.thaw)
        commands = ["list"], ["check", "--nagios"], ["init"], ["export", "-"]
        processes = [
            self.start_code(
                code, *arguments, LPCONFIG=str(self.configuration),
                LP_DATABASE_URI=f"embedded:{self.layer.directory}")
            for arguments in commands]
        for arguments, process in zip(commands, processes, strict=True):
            self.addCleanup(process.kill)
            out, err = process.communicate(timeout=20)
            with self.subTest(arguments[0]):
                self.assertEqual(
                    3 if "check" in arguments else 1, process.returncode)
                self.assertRegex(
                    out + err,
                    r"\A.*cannot connect to database postgres on .*timeout"
                    r" expired.*\n\Z")

    def thaw(self):
        for pid in server_processes(self.layer.directory):
            os.kill(pid, signal.SIGCONT)

    def test_a_password_that_cannot_be_read_is_one_while_all_is_fine(self):
        web = Webhook()
        self.addCleanup(web.stop)
        self.configure(
            webhook_url=web.url, smtp_user="me", smtp_password_file="none")
        _, err = self.run_alert(2)
        self.assertIn("smtp_password_file: none: No such file", err)
        self.assertEqual(1, err.count("\n"), err)
        self.assertEqual([BROKEN], [each["subject"] for each in web.received])

    def test_without_memory_it_is_each_time(self):
        state = self.write("no-directory", "")
        for _ in range(2):
            subjects, err = self.run_alert(
                2, LP_STATE_DIRECTORY=str(state))
            self.assertEqual([BROKEN], subjects)
            self.assertIn("lock_directory: cannot make ", err)
        config.state_directory.joinpath(FILE_NAME).write_text('{"since": 1')
        for subjects in [BROKEN], []:
            self.assertEqual(
                subjects, self.run_alert(1, LP_DATABASE_URI=AWAY)[0])

    def test_each_channel_and_recipient_on_its_own(self):
        web = Webhook()
        self.addCleanup(web.stop)
        web.status = 500
        self.configure(
            webhook_url=web.url,
            recipients="ops@example.com, late@example.com")
        self.mail.refused = {"late@example.com": "451 Later"}
        subjects, err = self.run_alert(1, LP_DATABASE_URI=AWAY)
        self.assertEqual([BROKEN], subjects)
        self.assertIn("WARNING cannot notify by webhook: " + web.url, err)
        self.assertEqual("ops@example.com", self.mail.received[0]["X-RcptTo"])
        web.status = 200
        self.mail.refused = {}
        self.assertEqual([BROKEN], self.run_alert(1, LP_DATABASE_URI=AWAY)[0])
        self.assertEqual(
            "late@example.com", self.mail.received[1]["X-RcptTo"])
        posted, = web.received
        self.assertEqual((BROKEN, []), (posted["subject"], posted["broken"]))
        self.mail.stop()
        _, err = self.run_alert(0)
        self.assertIn("WARNING cannot notify by mail: 127.0.0.1:", err)
        self.assertEqual(OVER, web.received[1]["subject"])
        self.mail = MailServer()
        self.addCleanup(self.mail.stop)
        self.configure(
            webhook_url=web.url,
            recipients="ops@example.com, late@example.com")
        self.assertEqual([OVER], self.run_alert(0)[0])
        self.assertEqual(2, len(web.received))

    def test_a_channel_that_does_not_work_is_none(self):
        web = Webhook()
        self.addCleanup(web.stop)
        self.configure(webhook_url=web.url)
        self.run_alert(1, LP_DATABASE_URI=AWAY)
        self.ran("garbo", 3)
        by_owner(
            "UPDATE scriptactivity SET date_started = date_started"
            " - interval '9 days', date_completed = date_completed"
            " - interval '9 days'")
        self.ztm.commit()
        self.mail.answer = "554 No"
        self.run_alert(1)
        self.assertEqual(
            [BROKEN, "[test] MISSED: garbo, update", OVER],
            [timeless(each["subject"]) for each in web.received])
        self.mail.answer = None
        self.configure()
        self.assertEqual(
            ["[test] MISSED: garbo, update", OVER],
            [timeless(each) for each in self.run_alert(0)[0]])

    def test_a_lock_that_cannot_be_had_is_one(self):
        self.configuration.write_text(
            self.configuration.read_text()
            + "[scripts]\nlock_directory: /proc\n")
        # Where nothing else is kept.
        state = {"LP_STATE_DIRECTORY": str(self.directory / "new" / "state")}
        subjects, err = self.run_alert(1, **state)
        self.assertEqual([BROKEN], subjects)
        why = "Cannot lock /proc/launchpad-scriptactivity-alert.lock: "
        self.assertIn(why, err)
        self.assertIn(f":\n\n{why}", self.mail.texts()[0])
        self.assertEqual([], self.run_alert(1, **state)[0])

    def test_nor_is_one_that_is_switched_off(self):
        control = self.write(
            "control.ini", "[scriptactivity-alert]\nenabled: false\n")
        self.configuration.write_text(
            f"[scripts]\ncron_control_url: {control}\n"
            + self.configuration.read_text())
        found, out, err = self.command("alert")
        self.assertEqual((0, ""), (found, out))
        self.assertIn("scriptactivity-alert is switched off\n", err)
        self.assertEqual([], self.mail.received)

    def test_nor_is_one_that_runs_already(self):
        locks = self.directory / "locks"
        locks.mkdir()
        lock = LockFile(locks / "launchpad-scriptactivity-alert.lock")
        found, out, err = self.command("alert")
        lock.release()
        self.assertEqual((1, ""), (found, out), err)
        self.assertIn(f"is locked by process {os.getpid()}", err)
        self.assertEqual([], self.mail.received)
