"""Alerts, on record."""

import datetime
import unittest

import psycopg2
from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import main_store
from canonical.launchpad.database.scriptalert import LOCK
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.testing import LaunchpadZopelessLayer


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
LATE = (BadAnswer("recently", "critical", "is late"),)


class TestAlerts(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptAlertSet)

    def open(self, name="garbo", hostname=None):
        self.set.open([Alert(
            None, "mail", name, hostname, "critical", LATE, START)])
        return self.only(name, hostname).id

    def close(self, at):
        self.set.update([self.only()._replace(date_closed=at)])

    def notify(self, ids, at, pending=()):
        self.set.claim(ids, "me")
        self.set.recordNotified(ids, "me", at, pending)

    def only(self, name="garbo", hostname=None):
        found, = (
            each for each in self.set.getUnsettled()
            if (each.name, each.hostname) == (name, hostname)
            and each.channel == "mail")
        return found

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptAlertSet, self.set))

    def test_an_alert_is_there_until_people_know_its_end(self):
        number = self.open()
        self.assertEqual(
            Alert(number, "mail", "garbo", None, "critical", LATE, START),
            self.only())
        self.assertEqual(
            ("recently", "is late"),
            (self.only().question, self.only().sentence))
        self.notify([number], START + HOUR)
        self.assertEqual(START + HOUR, self.only().date_told)
        self.notify([number], START + 2 * HOUR)
        self.assertEqual(START + 2 * HOUR, self.only().date_told)
        self.close(START + 3 * HOUR)
        self.assertEqual(START + 3 * HOUR, self.only().date_closed)
        self.close(START + 4 * HOUR)
        self.assertEqual(START + 3 * HOUR, self.only().date_closed)
        self.notify([number], START + 5 * HOUR)
        self.assertEqual([], self.set.getUnsettled())

    def test_what_has_become_of_it(self):
        number = self.open()
        self.notify([number], START, ["a@example.com"])
        changed = self.only()._replace(
            state="warning", date_good=START + HOUR, answers=(
                LATE[0]._replace(is_over=True),
                BadAnswer("often", "warning", "too often")))
        self.set.update([changed])
        self.assertEqual(changed, self.only())
        self.set.update([changed._replace(state="critical", date_told=None)])
        found = self.only()
        self.assertEqual(
            ("critical", None, ()),
            (found.state, found.date_told, found.pending))

    def test_what_opened_lately(self):
        self.open(hostname="a")
        self.open()
        self.close(START + HOUR)
        self.set.open([Alert(
            None, "mail", "garbo", None, "critical", LATE, START)])
        later = self.only(hostname="a")._replace(
            channel="webhook", date_opened=START + HOUR)
        self.set.open([later])
        for since, found in (
            (START + HOUR, {}),
            (START, {("webhook", "garbo", "a"): [START + HOUR]}),
            (START - HOUR, {
                ("mail", "garbo", "a"): [START],
                ("mail", "garbo", None): [START, START],
                ("webhook", "garbo", "a"): [START + HOUR]}),
        ):
            self.assertEqual(found, self.set.getOpenings(since))

    def test_the_latest_of_all_scripts_or_of_one(self):
        self.set.open([
            Alert(None, "mail", name, None, "critical", LATE, opened)
            for name, opened in (
                ("a", START + HOUR), ("b", START), ("c", START + 2 * HOUR))])
        self.set.open([
            Alert(None, "webhook", "a", None, "critical", LATE, START + HOUR)])

        def latest(*arguments):
            return [
                (each.name, each.channel)
                for each in self.set.getLatest(*arguments)]

        found = [("c", "mail"), ("a", "webhook"), ("a", "mail"), ("b", "mail")]
        self.assertEqual(found, latest())
        self.assertEqual(found[:2], latest(None, 2))
        self.assertEqual(found[1:3], latest("a"))
        self.assertEqual([], latest("a\0"))

    def test_hosts_are_apart(self):
        self.open(hostname="a")
        self.open(hostname="b")
        self.open()
        self.set.update([self.only(hostname="a")._replace(date_closed=START)])
        self.assertIsNone(self.only(hostname="b").date_closed)
        self.assertEqual(
            ["a", "b", None],
            [each.hostname for each in self.set.getUnsettled()])

    def test_none_is_opened_twice(self):
        self.open()
        with self.assertRaisesRegex(Exception, "scriptalert__open__key"):
            self.open()

    def test_when_the_last_one_was_over(self):
        for hours in 1, 3, 2:
            self.open(hostname="a")
            self.set.update([self.only(hostname="a")._replace(
                date_closed=START + hours * HOUR)])
            self.notify([self.only(hostname="a").id], START)
        self.open()
        for since, found in (
            (2, {("mail", "a"): START + 3 * HOUR}), (3, {}),
        ):
            self.assertEqual(
                found, self.set.getClosings("garbo", START + since * HOUR))
        self.assertEqual({}, self.set.getClosings("other", START))

    def test_none_is_no_trouble(self):
        self.set.open([])
        self.set.update([])
        self.notify([], START)
        self.assertEqual([], self.set.getUnsettled())

    def test_a_clock_that_was_set_back_does_no_harm(self):
        self.open()
        self.close(START - HOUR)
        self.assertEqual(START, self.only().date_closed)

    def test_what_is_pending_keeps_it_until_those_are_notified(self):
        number = self.open()
        self.notify([number], START, ["a@example.com"])
        self.assertEqual(("a@example.com",), self.only().pending)
        self.set.update([self.only()._replace(state="warning")])
        self.assertEqual(("a@example.com",), self.only().pending)
        self.close(START)
        self.assertEqual((), self.only().pending)
        self.notify([number], START, ["a@example.com"])
        self.assertEqual(("a@example.com",), self.only().pending)
        self.notify([number], START)
        self.assertEqual([], self.set.getUnsettled())

    def is_claimed(self, claimant):
        found, = self.set.getUnsettled(claimant)
        return found.is_claimed

    def test_a_claim_is_seen_by_others_until_it_ends(self):
        number = self.open()
        self.assertFalse(self.is_claimed("me"))
        self.set.claim([number], "me")
        self.assertEqual(
            [False, True, True],
            [self.is_claimed(who) for who in ("me", "another", None)])
        self.set.release([number], "another")
        self.assertTrue(self.is_claimed("another"))
        self.set.release([number], "me")
        self.assertFalse(self.is_claimed("another"))
        self.set.claim([number], "me")
        self.set.recordNotified([number], "me", START)
        self.assertFalse(self.is_claimed("another"))

    def test_a_claim_ends_by_itself(self):
        number = self.open()
        for minutes, is_claimed in (44, True), (46, False):
            self.set.claim([number], "me")
            main_store().execute(
                "UPDATE scriptalert SET date_claimed ="
                f" date_claimed - interval '{minutes} minutes'")
            self.assertEqual(is_claimed, self.is_claimed("another"), minutes)

    def test_whoever_has_lost_its_claim_changes_nothing(self):
        number = self.open()
        self.set.claim([number], "me")
        self.set.claim([number], "another")
        self.close(START)
        self.set.recordNotified([number], "me", START)
        self.assertEqual(START, self.only().date_closed)


class TestLock(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def connect(self):
        connection = psycopg2.connect(
            **embedded_parameters(LaunchpadZopelessLayer.directory))
        self.addCleanup(connection.close)
        return connection, connection.cursor()

    def test_one_at_a_time_and_others_may_read(self):
        getUtility(IScriptAlertSet).lock()
        _, cursor = self.connect()
        cursor.execute("SELECT FROM scriptalert; SET lock_timeout = '10ms'")
        with self.assertRaises(psycopg2.errors.LockNotAvailable):
            cursor.execute("DELETE FROM scriptalert")

    def test_whoever_may_change_alerts_may_lock_them(self):
        _, cursor = self.connect()
        cursor.execute("SET ROLE monitor")
        cursor.execute(LOCK)

    def test_who_may_not_change_alerts_keeps_nobody_waiting(self):
        connection, cursor = self.connect()
        cursor.execute("""
            DROP ROLE IF EXISTS nobody_special;
            CREATE ROLE nobody_special;
            SET ROLE nobody_special;
            SELECT pg_advisory_lock(hashtext('scriptactivity alerts'));
            SAVEPOINT before_lock""")
        with self.assertRaises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("LOCK TABLE scriptalert IN ACCESS SHARE MODE")
        cursor.execute("""
            ROLLBACK TO before_lock;
            RESET ROLE;
            GRANT SELECT ON scriptalert TO nobody_special;
            SET ROLE nobody_special;
            LOCK TABLE scriptalert IN ACCESS SHARE MODE""")
        getUtility(IScriptAlertSet).lock()
        connection.rollback()
