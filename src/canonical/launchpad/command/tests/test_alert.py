"""alert, alerts and snooze, as processes."""

import concurrent.futures
import contextlib
import datetime
import fcntl
import json
import re
import select
import signal
import socket
import subprocess
import textwrap
import threading

import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.tests.receivers import MailServer
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.database.scriptalert import LOCK
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import PostgresLayer
from canonical.testing import by_owner


HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)

EXPECTATIONS = """
    <configure xmlns="http://namespaces.zope.org/zope"
               xmlns:lp="http://namespaces.canonical.com/lp">
      <include package="canonical.launchpad" file="meta.zcml" />
      <lp:script name="garbo" every="1h" missed="999" grace="0s" />
      <lp:script name="update" every="1h" missed="999" grace="0s"
                 severity="warning" />
    </configure>
"""


BUSY = """
    SELECT pid, state, query FROM pg_stat_activity
    WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'
"""


def timeless(text):
    """A subject without the time."""
    return re.sub(", since ..:.. UTC", "", text)


class AlertTestCase(CommandTestCase):

    def setUp(self):
        self.directory = PostgresLayer.state_directory
        self.directory.mkdir()
        self.ztm = ZopelessTransactionManager._installed
        self.mail = MailServer()
        self.addCleanup(self.mail.stop)
        self.write("expectations.zcml", EXPECTATIONS)
        self.configure()
        self.ran("garbo", 3)
        self.ran("update", 0)

    def write(self, name, text):
        path = self.directory / name
        path.write_text(textwrap.dedent(text))
        return path

    def configure(self, **values):
        values = {
            "expectations": "expectations.zcml",
            "recipients": "ops@example.com",
            "smtp_host": "127.0.0.1",
            "smtp_port": self.mail.port, **values}
        self.configuration = self.write("test.conf", "[monitor]\n" + "".join(
            f"{key}: {value}\n" for key, value in values.items()))

    def ran(self, name, hours):
        """A script succeeded, some hours ago."""
        now = datetime.datetime.now(datetime.UTC)
        LaunchpadObjectFactory().makeScriptActivity(
            name, "host", now - hours * HOUR - MINUTE, MINUTE)
        self.ztm.commit()

    def age(self, hours):
        """Some hours go by, as far as alerts are concerned."""
        main_store().execute(
            "UPDATE scriptalert SET"
            f" date_opened = date_opened - interval '{hours} hours',"
            f" date_told = date_told - interval '{hours} hours',"
            f" date_good = date_good - interval '{hours} hours'")
        self.ztm.commit()

    def command(self, *arguments):
        return self.run_command(*arguments, LPCONFIG=str(self.configuration))

    def alert(self, status=0):
        """Run it, and return the mails and what it says."""
        before = len(self.mail.received)
        found, out, err = self.command("alert")
        self.assertEqual((status, ""), (found, out), err)
        return self.mail.received[before:], err

    def subjects(self):
        return [timeless(each["Subject"]) for each in self.alert()[0]]

    def alerts(self):
        status, out, err = self.command("alerts", "--json")
        self.assertEqual((0, ""), (status, err))
        return json.loads(out)


class TestMail(AlertTestCase):

    def test_people_are_notified_once_of_what_broke_and_why(self):
        (message,), err = self.alert()
        self.assertRegex(
            message["Subject"], r"^\[test\] MISSED: garbo, since ..:.. UTC$")
        self.assertEqual("ops@example.com", message["To"])
        text, = self.mail.texts()
        self.assertRegex(
            text, r"\AScript: 1 broken\.\nAs of 2\S+ \S+ UTC\.\n\n"
            r"BROKEN\n\* garbo\n"
            r"  critical: no success for more than 1h; last succeeded"
            r" at .*: not started since then\n\Z")
        self.assertEqual([], self.subjects())
        self.age(hours=23)
        self.assertEqual([], self.subjects())

    def test_what_is_still_broken_is_sent_again_after_a_while(self):
        self.alert()
        self.age(hours=25)
        self.assertEqual(["[test] STILL BROKEN: garbo"], self.subjects())
        self.assertRegex(
            self.mail.texts()[-1], r"\n  critical for 1d1h(\d+s)?: no success")
        self.assertEqual([], self.subjects())
        self.configure(repeat="1h")
        self.age(hours=2)
        self.assertEqual(["[test] STILL BROKEN: garbo"], self.subjects())

    def test_what_broke_twice_in_the_last_day_is_unstable(self):
        main_store().execute("""
            INSERT INTO scriptalert (
                channel, name, state, answers, date_opened, date_told,
                date_closed, date_settled)
            SELECT 'mail', 'garbo', 'critical', '[]', at, at, at, at
            FROM unnest(ARRAY[
                now() - interval '9 hours', now() - interval '5 hours'
            ]) AS at""")
        self.ztm.commit()
        self.assertEqual(["[test] UNSTABLE: garbo"], self.subjects())

    def test_a_rule_counts_from_when_it_was_first_seen(self):
        self.write("expectations.zcml", EXPECTATIONS.replace(
            'name="garbo"', 'name="new"'))
        self.assertEqual([], self.subjects())
        by_owner("UPDATE scriptrule SET date_seen = now() - interval '2h'")
        self.ztm.commit()
        self.assertEqual(["[test] MISSED: new"], self.subjects())

    def test_what_recovered_and_how_long_it_was_broken(self):
        self.alert()
        self.age(hours=2)
        self.ran("garbo", 0)
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects())
        self.assertRegex(
            self.mail.texts()[-1],
            r"\nRECOVERED\n\* garbo\n  was late for 2h\d*s?\n\Z")
        self.assertEqual([], self.alerts())
        self.assertEqual([], self.subjects())

    def test_what_was_recorded_late_is_said(self):
        self.write("expectations.zcml", EXPECTATIONS.replace(
            'name="garbo" every="1h" missed="999" grace="0s"',
            'name="garbo" every="1h" missed="999" grace="20m"'))
        self.alert()
        self.age(hours=1.5)
        self.ran("garbo", 0)
        self.ran("garbo", 2)
        self.assertEqual([], self.subjects())
        alert, = self.alerts()
        self.assertEqual(
            ["recently"], [each["question"] for each in alert["answers"]
                           if each["recorded_late"]])
        status, out, _ = self.command("alerts")
        self.assertRegex(
            out, r"; recorded late: it ran at 2\d{3}-.* UTC\n")
        self.age(hours=1)
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects())
        self.assertRegex(
            self.mail.texts()[-1],
            r"\n  recorded late: it ran at 2\d{3}-\d\d-\d\d .* UTC\n")

    def test_all_is_one_mail(self):
        self.alert()
        self.ran("garbo", 0)
        by_owner(
            "UPDATE scriptactivity SET"
            " date_started = date_started - interval '3 hours',"
            " date_completed = date_completed - interval '3 hours'"
            " WHERE name = 'update'")
        self.ztm.commit()
        self.assertEqual(
            ["[test] MISSED: update; 1 recovered"], self.subjects())
        self.assertTrue(self.mail.texts()[-1].startswith(
            "Scripts: 1 broken, 1 recovered.\n"))

    def expect_silent(self, count):
        """So many scripts were due an hour ago, after their last records."""
        self.write("expectations.zcml", EXPECTATIONS.replace(
            "</configure>", "".join(
                f'<lp:script name="tidy-{number}" every="1h" missed="999" />'
                for number in range(count)) + "</configure>"))
        for number in range(count):
            self.ran(f"tidy-{number}", 2)

    def test_however_many_break_the_mail_names_each(self):
        self.expect_silent(100)
        self.alert()
        named = re.findall(
            r"^\* (.*)$", self.mail.texts()[-1], re.MULTILINE)
        self.assertEqual(
            sorted(["garbo", *(f"tidy-{number}" for number in range(100))]),
            sorted(named))

    def test_if_all_are_silent_the_mail_says_how_many_and_how_to_list_them(
        self
    ):
        self.expect_silent(100)
        by_owner(
            "DELETE FROM scriptactivity WHERE name = 'update'")
        self.ztm.commit()
        self.alert()
        text = self.mail.texts()[-1]
        self.assertRegex(
            text, r"\n\* all scripts\n  critical: nothing has been recorded"
            r" since .* UTC: 100 of 102 scripts are silent\n"
            r"  to list them, run: scriptactivity check\n")
        self.age(hours=25)
        self.alert()
        self.assertIn(
            "\n  to list them, run: scriptactivity check\n",
            self.mail.texts()[-1])

    def test_what_was_missed_while_all_were_silent_has_its_incident(self):
        self.expect_silent(3)
        path = self.directory / "expectations.zcml"
        path.write_text(path.read_text().replace(
            'every="1h" missed="999" />', 'every="30m" />'))
        by_owner(
            "DELETE FROM scriptactivity WHERE name IN ('garbo', 'update')")
        self.ztm.commit()
        self.assertEqual(["[test] SILENT: all scripts"], self.subjects())
        for number in range(3):
            self.ran(f"tidy-{number}", 0)
        self.assertEqual(["[test] RECOVERED: all scripts"], self.subjects())
        self.assertEqual([], self.subjects())
        self.assertEqual([], self.alerts())
        # It is no secret.
        status, out, _ = self.command("check")
        self.assertEqual((2, 3), (status, out.count("critical\ttidy-")), out)

    def test_if_all_were_recorded_late_the_mail_says_so(self):
        self.expect_silent(3)
        by_owner(
            "DELETE FROM scriptactivity WHERE name = 'update'")
        self.ztm.commit()
        self.alert()
        self.age(hours=0.5)
        for number in range(3):
            self.ran(f"tidy-{number}", 0.75)
        self.alert()
        self.assertRegex(
            self.mail.texts()[-1],
            r"\n\* all scripts\n  silent for 30m.*\n"
            r"  recorded late: a script ran at 2\d{3}-.* UTC\n")

    def test_nobody_is_notified_of_what_is_fine(self):
        self.ran("garbo", 0)
        self.assertEqual([], self.subjects())
        self.assertEqual([], self.alerts())

    def tag(self, **tags):
        """Tag the rules of scripts."""
        text = EXPECTATIONS
        for name, tag in tags.items():
            text = text.replace(
                f'name="{name}"', f'name="{name}" tags="{tag}"')
        self.write("expectations.zcml", text)

    def subjects_of(self, tag):
        before = len(self.mail.received)
        self.assertEqual(0, self.command("alert", "--tag", tag)[0])
        return [
            timeless(each["Subject"]) for each in self.mail.received[before:]]

    def test_only_scripts_with_a_tag(self):
        self.tag(garbo="eu", update="us")
        self.assertEqual([], self.subjects_of("us"))
        self.assertEqual([], self.alerts())
        self.assertEqual(["[test] MISSED: garbo"], self.subjects_of("eu"))
        self.ran("garbo", 0)
        by_owner("DELETE FROM scriptactivity WHERE name = 'update'")
        self.ran("update", 3)
        self.assertEqual(["[test] MISSED: update"], self.subjects_of("us"))
        garbo, update = sorted(
            self.alerts(), key=lambda each: each["name"])
        self.assertIsNone(garbo["good_since"])
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects_of("eu"))
        self.assertEqual([update], self.alerts())

    def test_what_has_no_rule_any_more_has_no_tag(self):
        self.tag(garbo="eu", update="us")
        self.subjects_of("eu")
        self.write("expectations.zcml", EXPECTATIONS.replace(
            'name="garbo"', 'name="other" tags="eu"'))
        self.ran("other", 0)
        self.assertEqual([], self.subjects_of("eu"))
        self.assertEqual(["garbo"], [each["name"] for each in self.alerts()])
        self.assertEqual(["[test] NO LONGER EXPECTED: garbo"], self.subjects())

    def test_a_recovery_that_could_not_be_sent_is_left_to_its_tag(self):
        self.tag(garbo="eu", update="us")
        self.subjects_of("eu")
        self.ran("garbo", 0)
        self.mail.answer = "451 Later"
        self.assertEqual(1, self.command("alert", "--tag", "eu")[0])
        self.mail.answer = None
        self.assertEqual([], self.subjects_of("us"))
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects_of("eu"))

    def test_silence_is_judged_by_all_scripts_whatever_the_tag(self):
        self.expect_silent(3)
        path = self.directory / "expectations.zcml"
        path.write_text(path.read_text().replace(
            'name="tidy-0"', 'name="tidy-0" tags="eu"').replace(
            'name="update"', 'name="update" tags="us"'))
        by_owner("DELETE FROM scriptactivity WHERE name = 'update'")
        self.ztm.commit()
        self.assertEqual([], self.subjects_of("us"))
        self.assertEqual([], self.alerts())
        self.assertEqual(
            ["[test] SILENT: all scripts"], self.subjects_of("eu"))
        self.assertEqual(["all scripts"], [
            each["name"] for each in self.alerts()])
        self.assertEqual([], self.subjects_of("us"))
        self.ran("tidy-0", 0)
        self.assertEqual(
            ["[test] RECOVERED: all scripts"], self.subjects_of("eu"))

    def test_a_tag_that_no_rule_has(self):
        self.tag(garbo="eu")
        for options in (), ("--dry-run",):
            status, out, err = self.command("alert", "--tag", "ue", *options)
            self.assertEqual((2, "", 1), (status, out, err.count("\n")), err)
            self.assertIn("no rule has the tag 'ue'", err)
        _, out, _ = self.command("alert", "--tag", "eu", "--dry-run")
        self.assertIn("MISSED: garbo", out)
        self.assertEqual([], self.alerts())

    def test_what_is_no_longer_expected_is_over(self):
        self.alert()
        self.write("expectations.zcml", EXPECTATIONS.replace(
            'name="garbo"', 'name="other"').replace(
            'every="1h"', 'every="9000h"'))
        self.ran("other", 0)
        self.assertEqual(["[test] NO LONGER EXPECTED: garbo"], self.subjects())
        self.assertIn(
            "\nNO LONGER EXPECTED\n* garbo\n  was late for ",
            self.mail.texts()[-1])

    def test_people_are_notified_of_what_is_worse_but_not_of_better(self):
        self.alert()
        self.write("expectations.zcml", EXPECTATIONS.replace(
            'name="garbo"', 'name="garbo" severity="warning"'))
        self.assertEqual([], self.subjects())
        self.assertEqual("warning", self.alerts()[0]["state"])
        self.write("expectations.zcml", EXPECTATIONS)
        self.assertEqual(["[test] MISSED: garbo"], self.subjects())
        self.assertEqual([], self.subjects())

    def test_a_dead_server_delays_and_loses_nothing(self):
        self.mail.stop()
        for number in 1, 2:
            mails, err = self.alert(status=1)
            self.assertIn("cannot notify by mail: ", err)
            self.assertNotIn("Traceback", err)
            self.assertEqual(
                [None], [each["told"] for each in self.alerts()], number)
        self.ran("garbo", 0)
        self.alert(status=1)
        self.assertEqual([], self.alerts())
        self.mail = MailServer()
        self.addCleanup(self.mail.stop)
        self.configure()
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects())
        self.assertRegex(
            self.mail.texts()[0], r"was late for \S+, from 2\S+ \S+ UTC on\n")
        self.assertEqual([], self.subjects())

    def test_so_does_a_server_that_refuses_the_mail(self):
        self.mail.answer = "554 5.7.1 No thanks"
        mails, err = self.alert(status=1)
        self.assertIn("No thanks", err)
        # Another host need not wait for this one.
        self.assertEqual([(None,)], list(main_store().execute(
            "SELECT claimed_by FROM scriptalert WHERE date_told IS NULL")))
        self.mail.answer = None
        self.assertEqual(["[test] MISSED: garbo"], self.subjects())

    def test_two_at_once_do_not_both_notify(self):
        # Each as on a host of its own.
        states = []
        for number in range(4):
            state = self.directory / f"state-{number}"
            state.mkdir()
            states.append(str(state))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = list(pool.map(
                lambda state: self.run_command(
                    "alert", LPCONFIG=str(self.configuration),
                    LP_STATE_DIRECTORY=state), states))
        self.assertEqual([0] * 4, [each[0] for each in found], found)
        self.assertEqual(1, len(self.mail.received))

    def wait_until_one_waits(self, process):
        """Wait until the process waits for a lock in the database."""
        while not list(main_store().execute(
            "SELECT FROM pg_locks WHERE NOT granted"
        )):
            self.ztm.abort()
            self.assertIsNone(process.poll())
        self.ztm.abort()

    def test_one_that_waits_for_another_knows_what_that_opened(self):
        with contextlib.closing(psycopg2.connect(
            **embedded_parameters(PostgresLayer.directory)
        )) as connection:
            cursor = connection.cursor()
            cursor.execute(LOCK)
            process = self.start_code(
                RUN, "alert", LPCONFIG=str(self.configuration))
            self.wait_until_one_waits(process)
            cursor.execute("""
                INSERT INTO scriptalert
                    (channel, name, state, answers, date_opened)
                VALUES ('mail', 'garbo', 'critical', '[{
                    "question": "recently", "state": "critical",
                    "sentence": ""}]', clock_timestamp())""")
            connection.commit()
        _, err = process.communicate()
        self.assertEqual(0, process.returncode, err)
        self.assertEqual(1, len(self.mail.received))
        alert, = self.alerts()
        self.assertGreater(alert["told"], alert["opened"])

    def test_a_dry_run_keeps_nobody_waiting_for_its_reader(self):
        self.expect_silent(150)
        process = self.start_code(
            RUN, "alert", "--dry-run", LPCONFIG=str(self.configuration))
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        select.select([process.stdout], [], [])
        self.assertEqual([], list(main_store().execute(
            "SELECT FROM pg_locks WHERE relation = 'scriptalert'::regclass"
            " AND pid <> pg_backend_pid()")))
        self.ztm.abort()
        self.assertIsNone(process.poll())
        out, err = process.communicate()
        self.assertEqual((0, ""), (process.returncode, err))
        self.assertEqual(150, out.count("\n* tidy-"))

    def test_it_is_on_record_itself(self):
        self.alert()
        status, out, err = self.command("last", "scriptactivity-alert")
        self.assertEqual((0, ""), (status, err))

    def test_a_mail_that_is_sent_again_has_the_same_id(self):
        self.alert()
        main_store().execute("UPDATE scriptalert SET date_told = NULL")
        self.ztm.commit()
        self.alert()
        first, second = self.mail.received
        self.assertEqual(first["Message-ID"], second["Message-ID"])
        self.assertRegex(first["Message-ID"], "^<[0-9a-f]{32}@localhost>$")
        self.age(25)
        self.assertNotEqual(
            first["Message-ID"], self.alert()[0][0]["Message-ID"])

    def test_whatever_is_wrong_is_a_line(self):
        for values, status, words in (
            ({"repeat": "often"}, 2, "repeat: not a duration: 'often'"),
            ({"webhook_url": "ftp://x"}, 2, "webhook_url: not an http"),
            ({"heartbeat_url": "x"}, 2, "heartbeat_url: not an http"),
            ({"smtp_tls": "yes"}, 2, "smtp_tls: not one of starttls, impl"),
            ({"smtp_port": "smtp"}, 2, "smtp_port: not a number"),
            ({"smtp_port": "99999"}, 2, "smtp_port: not a number"),
            ({"smtp_host": ""}, 2, "smtp_host: it is empty"),
            ({"sender": "the scripts"}, 2, "sender: not an address: 'the"),
            ({"recipients": "a@@b <"}, 2, "recipients: not an address: 'a@@"),
            ({"recipients": "a@b, ops"}, 2, "recipients: not an address: 'o"),
            ({"webhook_url": "http://[bad"}, 2, "webhook_url: not an http"),
            ({"webhook_url": "http://x:abc"}, 2, "webhook_url: not an http"),
            ({"repeat": "3000000d"}, 2, "repeat: too long a duration"),
            ({"expectations": ""}, 2, "no rules: name a rules file"),
            ({"expectations": "no.zcml"}, 2, "No such file"),
        ):
            self.configure(**values)
            found, out, err = self.command("alert")
            self.assertEqual((status, ""), (found, out), err)
            self.assertIn(words, err)
            self.assertNotIn("Traceback", err)
        self.assertEqual(
            ["[test] CRITICAL: scripts are not monitored"],
            [each["Subject"] for each in self.mail.received])

    def test_one_who_is_refused_for_good_does_not_keep_the_others(self):
        self.configure(
            recipients="The Ops <ops@example.com>, gone@example.com")
        self.mail.refused = {"gone@example.com": "550 Who?"}
        for number in 1, 2:
            (message,), err = self.alert()
            self.assertIn(
                f"ERROR   The mail server 127.0.0.1:{self.mail.port} refused"
                " gone@example.com: 550 Who?", err, number)
            self.assertEqual(
                "The Ops <ops@example.com>, gone@example.com", message["To"])
            self.assertEqual("ops@example.com", message["X-RcptTo"])
            mails, err = self.alert()
            self.assertEqual(([], ""), (mails, err))
            self.age(25)

    def test_one_who_is_refused_for_the_moment_is_tried_again(self):
        self.configure(recipients="ops@example.com, late@example.com")
        self.mail.refused = {"late@example.com": "451 Later"}
        (message,), err = self.alert()
        self.assertEqual("ops@example.com", message["X-RcptTo"])
        self.assertIn("WARNING The mail server", err)
        _, out, _ = self.command("alert", "--dry-run")
        self.assertTrue(out.startswith("mail: late@example.com\n"), out)
        mails, err = self.alert()
        self.assertEqual([], mails)
        self.assertIn("refused late@example.com: 451 Later", err)
        self.assertNotIn("Notified", err)
        self.mail.refused = {}
        (message,), err = self.alert()
        self.assertEqual("late@example.com", message["X-RcptTo"])
        self.assertEqual(
            "[test] MISSED: garbo", timeless(message["Subject"]))
        self.assertEqual([], self.subjects())

    def test_so_is_one_who_does_not_know_yet_that_it_recovered(self):
        self.configure(recipients="ops@example.com, late@example.com")
        self.alert()
        self.ran("garbo", 0)
        self.mail.refused = {"late@example.com": "451 Later"}
        self.assertEqual(["[test] RECOVERED: garbo"], self.subjects())
        self.mail.refused = {}
        (message,), err = self.alert()
        self.assertEqual("late@example.com", message["X-RcptTo"])
        self.assertEqual("[test] RECOVERED: garbo", message["Subject"])
        self.assertEqual([], self.subjects())

    def test_one_who_is_no_recipient_any_more_is_not_waited_for(self):
        self.configure(recipients="ops@example.com, late@example.com")
        self.alert()
        self.ran("garbo", 0)
        self.mail.refused = {"late@example.com": "451 Later"}
        self.alert()
        self.configure()
        self.mail.stop()
        self.assertEqual([], self.subjects())
        self.assertEqual([(0,)], list(main_store().execute(
            "SELECT count(*) FROM scriptalert WHERE date_settled IS NULL")))

    def test_if_all_are_refused_nobody_is_notified(self):
        self.configure(recipients="ops@example.com, late@example.com")
        self.mail.refused = {
            "ops@example.com": "550 Who?", "late@example.com": "451 Later"}
        mails, err = self.alert(status=1)
        self.assertIn(
            f"cannot notify by mail: 127.0.0.1:{self.mail.port}: it refused"
            " every recipient; the next run tries again", err)
        self.mail.refused = {}
        (message,), err = self.alert()
        self.assertEqual(
            "ops@example.com, late@example.com", message["X-RcptTo"])

    def test_nothing_is_locked_or_open_while_a_server_takes_its_time(self):
        other = self.directory / "other-host"
        other.mkdir()
        seen = []

        def look():
            self.mail.before = lambda: None
            with contextlib.closing(psycopg2.connect(
                **embedded_parameters(PostgresLayer.directory)
            )) as connection:
                cursor = connection.cursor()
                cursor.execute(BUSY)
                seen.extend(cursor.fetchall())
                cursor.execute("SELECT claimed_by FROM scriptalert")
                (claimant,), = cursor.fetchall()
                self.assertTrue(
                    claimant.startswith(f"{socket.gethostname()}:/"))
            seen.append(self.run_command(
                "alert", LPCONFIG=str(self.configuration),
                LP_STATE_DIRECTORY=str(other)))

        self.mail.before = look
        self.assertEqual(["[test] MISSED: garbo"], self.subjects())
        self.assertEqual([(0, "", "")], seen)

    def test_one_that_is_terminated_meanwhile_dies_and_the_next_sends(self):
        is_sending = threading.Event()
        is_dead = threading.Event()

        def wait():
            is_sending.set()
            is_dead.wait()

        self.mail.before = wait
        process = self.start_code(
            RUN, "alert", LPCONFIG=str(self.configuration))
        is_sending.wait()
        process.terminate()
        process.communicate()
        is_dead.set()
        self.assertEqual(-signal.SIGTERM, process.returncode)
        self.mail.before = lambda: None
        self.assertIn("Notified by mail", self.alert()[1])
        self.assertEqual([], self.subjects())
        first, second = self.mail.received
        self.assertEqual(first["Message-ID"], second["Message-ID"])

    def test_what_another_host_has_claimed_is_left_to_it_for_a_while(self):
        self.mail.answer = "451 Later"
        self.alert(status=1)
        self.mail.answer = None
        for minutes, subjects in (
            (0, []), (44, []), (46, ["[test] MISSED: garbo"])
        ):
            main_store().execute(
                "UPDATE scriptalert SET claimed_by = 'elsewhere',"
                f" date_claimed = now() - interval '{minutes} minutes'")
            self.ztm.commit()
            self.assertEqual(subjects, self.subjects(), minutes)

    def test_a_server_that_is_too_slow_is_given_up(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.configure(smtp_port=port)
            process = self.start_code(
                "from canonical.launchpad.command import mail\n"
                "mail.CONVERSATION = 1\n" + RUN, "alert",
                LPCONFIG=str(self.configuration))
            connection, _ = listener.accept()
            with connection:
                while process.poll() is None:
                    with contextlib.suppress(OSError):
                        connection.send(b"220-wait\r\n")
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(0.1)
        out, err = process.communicate()
        self.assertEqual((1, ""), (process.returncode, out))
        self.assertIn(
            f"cannot notify by mail: 127.0.0.1:{port}: no answer within 1 s;"
            " the next run tries again", err)

    def test_without_tables(self):
        by_owner("ALTER TABLE scriptalert RENAME TO away")
        self.ztm.commit()
        mails, err = self.alert(status=1)
        by_owner("ALTER TABLE away RENAME TO scriptalert")
        self.ztm.commit()
        self.assertIn("with: scriptactivity init)", err)
        self.assertNotIn("Traceback", err)

    def test_arguments_that_it_does_not_know(self):
        status, out, err = self.command("alert", "garbo")
        self.assertEqual(2, status)
        self.assertIn("unrecognized arguments: garbo", err)
        for value, words in (
            ("", "must not be empty"), ("LOUD:x", "no level 'LOUD'"),
            ("/nowhere/x", "No such file or directory: /nowhere/x"),
        ):
            status, out, err = self.command("alert", "--log-file", value)
            self.assertEqual((2, "", 1), (status, out, err.count("\n")))
            self.assertIn(words, err)

    def test_its_log_is_governed_as_that_of_any_script(self):
        log = self.directory / "alert.log"
        status, out, err = self.command(
            "alert", "-qq", "--log-file", f"DEBUG:{log}")
        self.assertEqual((0, "", ""), (status, out, err))
        self.assertIn(" DEBUG   Ran for ", log.read_text())

    def test_a_wrong_configuration_is_reported_once(self):
        self.configure(smtp_tls="tls")
        status, out, err = self.command("alert")
        self.assertEqual((2, ""), (status, out))
        self.assertRegex(
            err, r"\Ascriptactivity: \S+test.conf: line \d: \[monitor\]"
            r" smtp_tls: not one of .*\n\Z")


class TestSnooze(AlertTestCase):

    def test_nobody_is_notified_as_long_as_a_script_is_snoozed(self):
        status, out, err = self.command("snooze", "garbo", "--for", "2h")
        self.assertEqual((0, ""), (status, err))
        self.assertRegex(
            out, r"^garbo is snoozed until \S+ \S+ UTC\.\n$")
        self.assertEqual([], self.subjects())
        status, out, err = self.command("snooze", "garbo", "--for", "0s")
        self.assertEqual((0, "garbo is not snoozed.\n", ""), (
            status, out, err))
        self.assertEqual(["[test] MISSED: garbo"], self.subjects())

    def test_what_is_broken_stays_so_and_is_not_repeated(self):
        self.alert()
        self.command("snooze", "garbo", "--for", "2h")
        self.age(25)
        self.assertEqual([], self.subjects())
        self.assertEqual(1, len(self.alerts()))
        self.command("snooze", "garbo", "--for", "0s")
        self.assertEqual(["[test] STILL BROKEN: garbo"], self.subjects())

    def test_what_is_wrong_is_a_line(self):
        for arguments, words in (
            (("garbage", "--for", "2h"), "no rule for 'garbage'"),
            (("garbo", "--for", "long"), "not a duration: 'long'"),
            (("garbo",), "required: --for"),
        ):
            status, out, err = self.command("snooze", *arguments)
            self.assertEqual((2, ""), (status, out))
            self.assertIn(words, err)


class TestAlerts(AlertTestCase):

    def test_what_is_broken_and_when_people_were_notified(self):
        self.assertEqual([], self.alerts())
        self.alert()
        found, = self.alerts()
        self.assertEqual(found["opened"], found["told"])
        self.assertEqual(
            ["name", "hostname", "question", "state", "opened", "told",
             "channel", "sentence", "good_since", "unstable_since",
             "answers", "tags"], list(found))
        status, out, err = self.command("alerts")
        self.assertEqual((0, ""), (status, err))
        titles, line = out.splitlines()
        self.assertEqual(
            ["critical", "garbo", "-", "recently"], line.split("\t")[:4])
