"""How fast alerts are sent, and whether any are lost or sent twice.

First, a thousand scripts are late at once.  This prints the time of their
assessment, and the time from there until the mail server has the one mail.
Then 200 alerts are due, and `scriptactivity alert` is killed 200 times, each
time at a random moment.  This prints how many alerts were lost, and how many
were sent more than once.
"""

import collections
import random
import signal
import statistics
import time

import transaction

from canonical.config import config
from canonical.database.sqlbase import main_store
from canonical.launchpad.command import alert
from canonical.launchpad.command.tests import test_alert_kills
from canonical.testing import in_layer


LATE = 1_000
KILLS = 200


class Bench(test_alert_kills.KillTestCase):

    def runTest(self):
        """Do nothing: this test case is not run as a test."""

    def time_of_a_mail(self):
        """Measure the assessment, and the time from there to the mail."""
        self.write_expectations(LATE)
        config.setInstance(str(self.configuration))
        times = []
        assess_fleet = alert.assess_fleet

        def timed(*args):
            times.append(time.perf_counter())
            assessments = assess_fleet(*args)
            times.append(time.perf_counter())
            return assessments

        alert.assess_fleet = timed
        self.mail.before = lambda: times.append(time.perf_counter())
        alert.AlertScript(
            "scriptactivity-alert", test_args=["-q"]).lock_and_run()
        alert.assess_fleet = assess_fleet
        assessed, sent = times[1] - times[0], times[2] - times[1]
        mail, = self.mail.received
        assert mail.as_string().count("* script-") == LATE
        print(f"{LATE} late scripts: assessed in {assessed:.2f} s, and"
              f" {sent:.2f} s later one mail was there")

    def kill_at_random(self):
        self.write_expectations(self.scripts)
        taken = []
        for _ in range(5):
            main_store().execute("TRUNCATE scriptalert")
            transaction.commit()
            start = time.perf_counter()
            self.drive("seconds", 0)
            taken.append(time.perf_counter() - start)
        life = statistics.median(taken)
        random.seed(2007)
        kills = 0
        counts = collections.Counter()
        while kills < KILLS:
            times, status, _ = self.notify(
                "seconds", random.uniform(0.001, life))
            if status == -signal.SIGALRM:
                kills += 1
                counts.update(times)
        print(f"{kills} kills within {life:.2f} s while"
              f" {self.scripts} alerts were due: after"
              f" {counts[0]} of them some were lost, after {counts[1]} all"
              f" sent once, after {counts[2]} all sent twice, after"
              f" {sum(counts.values()) - sum(counts[n] for n in (0, 1, 2))}"
              " more often")


def main():
    bench = Bench()
    bench.setUp()
    try:
        bench.time_of_a_mail()
        bench.mail.received.clear()
        bench.mail.before = lambda: None
        bench.kill_at_random()
    finally:
        bench.doCleanups()


if __name__ == "__main__":
    in_layer(main)
