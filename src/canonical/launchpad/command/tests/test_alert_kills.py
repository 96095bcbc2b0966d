"""Whenever it is killed, nothing is lost, and nothing sent more than twice."""

import collections
import os
import re
import signal
import subprocess

from canonical.database.sqlbase import main_store
from canonical.launchpad.command.tests.test_alert import AlertTestCase
from canonical.testing import by_owner
from canonical.testing.children import start_python


DRIVE = "from canonical.launchpad.command.tests import alertdriver;" \
    " alertdriver.main()"


class KillTestCase(AlertTestCase):

    # How many scripts are broken.
    scripts = 3

    def setUp(self):
        super().setUp()
        self.write_expectations(self.scripts)
        # Their rules are known for a day, and they have never run.
        main_store().execute(
            "INSERT INTO scriptrule"
            " SELECT 'script-' || number, '', 'every 1h',"
            " now() - interval '1 day' FROM generate_series(0, ?) AS number",
            (self.scripts - 1,))
        self.ztm.commit()
        self.driver = start_python(
            ["-c", DRIVE],
            dict(os.environ, LPCONFIG=str(self.configuration)), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.driver.wait)
        self.addCleanup(self.driver.stdout.close)
        self.addCleanup(self.driver.stdin.close)

    def write_expectations(self, count, rule='every="1h" missed="999"'):
        self.write("expectations.zcml", """
            <configure xmlns="http://namespaces.zope.org/zope"
                       xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
            """ + "".join(
                f'<lp:script name="script-{number}" {rule} />'
                for number in range(count)) + "</configure>")

    def drive(self, what, number):
        """The exit status of a run, and how many moments it had."""
        self.driver.stdin.write(f"{what} {number}\n")
        self.driver.stdin.flush()
        status, *moments = map(int, self.driver.stdout.readline().split())
        return status, moments

    def notify(self, what, number):
        """How often each of the scripts was in a mail, if a run is killed.

        :return: a set of such numbers, the status of that run, and how many
            moments it had if it was not killed.
        """
        by_owner("TRUNCATE scriptalert")
        self.ztm.commit()
        self.mail.received.clear()
        status, moments = self.drive(what, number)
        self.assertEqual(0, self.drive("moment", 0)[0])
        sent = collections.Counter()
        for text in self.mail.texts():
            sent.update(re.findall(r"^\* (script-\d+)$", text, re.MULTILINE))
        mails = len(self.mail.received)
        # A third one has nothing to send.
        self.assertEqual(0, self.drive("moment", 0)[0])
        self.assertEqual(mails, len(self.mail.received))
        return (
            {sent[f"script-{number}"] for number in range(self.scripts)},
            status, moments)


class TestKilled(KillTestCase):

    # So many moments lie between two that are tried.
    step = 8

    def killed(self):
        """The moments after which scripts were notified of twice."""
        _, _, (moments,) = self.notify("moment", 0)
        doubled = []
        for moment in range(1, moments + 1, self.step):
            times, status, _ = self.notify("moment", moment)
            self.assertEqual(-signal.SIGKILL, status)
            self.assertIn(times, ({1}, {2}), moment)
            if times == {2}:
                doubled.append(moment)
        return doubled

    def test_at_some_moments(self):
        self.assertLess(len(self.killed()), 11)


class TestKilledAtEachMoment(TestKilled):

    level = 2
    scripts = 20
    step = 1

    def test_at_some_moments(self):
        doubled = self.killed()
        # After the server has it, and before the database knows.
        self.assertGreater(len(doubled), 0)
        self.assertLess(len(doubled), 11)


class TestKilledAmongMany(TestKilledAtEachMoment):

    level = 3
    scripts = 200
