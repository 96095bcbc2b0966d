"""Whenever it is killed, nothing is lost, and nothing sent more than twice."""

import collections
import os
import re
import signal
import subprocess

from canonical.database.sqlbase import main_store
from canonical.launchpad.command.tests.receivers import Webhook
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
        self.printed = self.write("printed", "")
        self.driver = start_python(
            ["-c", DRIVE],
            dict(os.environ, LPCONFIG=str(self.configuration),
                 PRINTED=str(self.printed)), text=True,
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


class TestKilledBeforeItIsOnRecord(KillTestCase):
    """The worst moments: a channel has it, and the database does not know."""

    moments = "after_notify", "after_recordNotified"

    def setUp(self):
        super().setUp()
        self.web = Webhook()
        self.addCleanup(self.web.stop)

    def received(self):
        """How often people were notified of each script, by each channel."""
        sent = {
            "mail": "".join(self.mail.texts()),
            "webhook": "".join(each["text"] for each in self.web.received),
            "output": self.printed.read_text()}
        return {
            channel: {
                text.count(f"* script-{number}\n")
                for number in range(self.scripts)}
            for channel, text in sent.items()}

    def check(self, channel, **configured):
        self.configure(**configured)
        never = dict.fromkeys(("mail", "webhook", "output"), {0})
        for moment in self.moments:
            by_owner("TRUNCATE scriptalert")
            self.ztm.commit()
            self.mail.received.clear()
            self.web.received.clear()
            self.printed.write_text("")
            with self.subTest(channel=channel, moment=moment):
                self.assertEqual(
                    -signal.SIGKILL, self.drive("moment", moment)[0])
                self.assertEqual({**never, channel: {1}}, self.received())
                for _ in range(2):
                    self.assertEqual(0, self.drive("moment", 0)[0])
                    self.assertEqual({**never, channel: {2}}, self.received())

    def test_a_mail_is_sent_twice_with_the_same_id(self):
        self.check("mail")
        self.assertEqual(
            1, len({each["Message-ID"] for each in self.mail.received}))

    def test_the_webhook_is_called_twice_with_the_same_id(self):
        self.check("webhook", recipients="", webhook_url=self.web.url)
        self.assertEqual(1, len({each["id"] for each in self.web.received}))

    def test_it_is_printed_twice(self):
        self.check("output", recipients="")

    def test_no_channel_is_used_twice_because_of_another(self):
        self.configure(webhook_url=self.web.url)
        self.assertEqual(
            -signal.SIGKILL, self.drive("moment", "before_recordNotified")[0])
        self.assertEqual(0, self.drive("moment", 0)[0])
        self.assertEqual(
            {"webhook": {2}, "mail": {1}, "output": {0}}, self.received())


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
