"""Pauses, on record."""

import datetime
import unittest

from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import Pause
from canonical.testing import LaunchpadZopelessLayer


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
OFF = "switched off by cron control"


def hour(number):
    return START + number * HOUR


class TestPauses(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptPauseSet)

    def pauses(self, since=0, until=24):
        return self.set.getPauses(hour(since), hour(until))

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptPauseSet, self.set))

    def test_a_switch_is_remembered_from_when_it_is_seen_until_it_is_on(self):
        record = self.set.recordSwitches
        self.assertFalse(record(["garbo", "update"], [], hour(1)))
        self.assertEqual({}, self.pauses())
        self.assertTrue(record(["update"], ["garbo"], hour(2)))
        self.assertFalse(record(["update"], ["garbo"], hour(3)))
        self.assertEqual(
            {"garbo": [Pause(hour(2), FOREVER, OFF, True)]}, self.pauses())
        self.assertFalse(record(["update"], [], hour(4)))
        self.assertTrue(record(["update", "garbo"], [], hour(5)))
        self.assertEqual(
            {"garbo": [Pause(hour(2), hour(5), OFF, True)]}, self.pauses())

    def test_two_that_see_it_at_once_remember_it_once(self):
        insert = "INSERT INTO scriptpause (name, cause, date_started)" \
            " VALUES ('garbo', 'cron control', ?) ON CONFLICT DO NOTHING"
        for number in 1, 2:
            main_store().execute(insert, (hour(number),))
        self.assertEqual(
            {"garbo": [Pause(hour(1), FOREVER, OFF, True)]}, self.pauses())

    def test_what_has_ended_or_not_begun_is_left_out(self):
        self.set.snooze("garbo", hour(5), hour(7))
        for since, until, found in (
            (0, 4, False), (0, 5, True), (6, 6, True), (7, 9, False),
        ):
            self.assertEqual(
                found, "garbo" in self.pauses(since, until), (since, until))

    def test_to_snooze_anew_replaces_what_was_said(self):
        self.set.snooze("garbo", hour(1), hour(9))
        self.set.snooze("update", hour(1), hour(9))
        self.set.snooze("garbo", hour(3), hour(4))
        self.assertEqual(
            [Pause(hour(1), hour(3), "snoozed"),
             Pause(hour(3), hour(4), "snoozed")], self.pauses()["garbo"])
        self.set.snooze("garbo", hour(3), hour(3))
        self.assertEqual(
            [Pause(hour(1), hour(3), "snoozed")], self.pauses()["garbo"])
        self.assertEqual(
            [Pause(hour(1), hour(9), "snoozed")], self.pauses()["update"])
