"""Alerts, on record."""

import datetime
import unittest

from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.testing import LaunchpadZopelessLayer


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


class TestAlerts(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptAlertSet)

    def open(self, name="garbo", hostname=None):
        self.set.open([Alert(
            None, "mail", name, hostname, "recently", "critical", "is late",
            START)])
        return self.only(name, hostname).id

    def only(self, name="garbo", hostname=None):
        found, = (
            each for each in self.set.getUnsettled()
            if (each.name, each.hostname) == (name, hostname))
        return found

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptAlertSet, self.set))

    def test_an_alert_is_there_until_its_end_is_told(self):
        number = self.open()
        self.assertEqual(
            Alert(number, "mail", "garbo", None, "recently", "critical",
                  "is late", START), self.only())
        self.set.tell([number], START + HOUR)
        self.assertEqual(START + HOUR, self.only().date_told)
        self.set.tell([number], START + 2 * HOUR)
        self.assertEqual(START + 2 * HOUR, self.only().date_told)
        self.set.close([number], START + 3 * HOUR)
        self.assertEqual(START + 3 * HOUR, self.only().date_closed)
        self.set.close([number], START + 4 * HOUR)
        self.assertEqual(START + 3 * HOUR, self.only().date_closed)
        self.set.tell([number], START + 5 * HOUR)
        self.assertEqual([], self.set.getUnsettled())

    def test_what_is_worse_has_not_been_told(self):
        number = self.open()
        self.set.tell([number], START)
        for state, told in (("warning", START), ("critical", None)):
            self.set.setState([number], state)
            found = self.only()
            self.assertEqual((state, told), (found.state, found.date_told))

    def test_hosts_are_apart(self):
        first = self.open(hostname="a")
        self.open(hostname="b")
        self.open()
        self.set.close([first], START)
        self.assertIsNone(self.only(hostname="b").date_closed)
        self.assertEqual(
            ["a", "b", None],
            [each.hostname for each in self.set.getUnsettled()])

    def test_none_is_opened_twice(self):
        self.open()
        with self.assertRaisesRegex(Exception, "scriptalert__open__key"):
            self.open()

    def test_none_is_no_trouble(self):
        self.set.open([])
        self.set.close([], START)
        self.set.tell([], START)
        self.set.setState([], "warning")
        self.assertEqual([], self.set.getUnsettled())
