"""5. How soon is an alert there, and is any lost or doubled?

A script is late, has failed or hangs, and then a thousand at once.  For each,
this prints how many scripts the message names, and the time from the start of
the process `scriptactivity alert` to the moment at which a mail server has it.
cron starts it once a minute.  So a message also waits for the next start, by
any time from 0 to 60 seconds; the last two columns have both together.

Then 20 alerts are due, and `scriptactivity alert` is killed, each time at a
random moment.  This counts the alerts that were lost, and those that were sent
more than once.
"""

import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import transaction


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import print_environment
from common import quartiles
from common import rounds

from canonical.database.sqlbase import main_store
from canonical.launchpad.command.tests import test_alert_kills
from canonical.testing import in_layer


LATE = 1_000
KILLS = rounds(200, 30)

COMMAND = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main())"

# Each script has run until a day ago, and one more has run just now: without
# it, they would be reported together, as silent.
RAN = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT 'script-' || (number - 1), 'host', ran, ran
    FROM generate_series(1, ?) AS number, LATERAL (
        SELECT now() - interval '1 day' * days AS ran
        FROM generate_series(1, 2) AS days) AS run
    UNION ALL SELECT 'script-' || ?, 'host', now(), now()
"""

ATTEMPTED = """
    INSERT INTO scriptattempt (name, hostname, pid, run_key, date_started,
        date_ended, outcome, exit_status, reason)
    SELECT 'script-' || (number - 1), 'host', 1, gen_random_uuid(),
        now() - interval '2 h', {}
    FROM generate_series(1, ?) AS number
"""

# By what is wrong: the rule, and the attempt that shows it.
TROUBLES = {
    "late": ('every="1h" missed="999"', None),
    "failed": ('every="2d" missed="999" failures="1"', ATTEMPTED.format(
        "now(), 'failure', 1, 'OSError: disk full'")),
    "hangs": ('every="2d" missed="999" average="..1h"', ATTEMPTED.format(
        "NULL, NULL, NULL, NULL")),
}

# cron starts it each so many seconds.
EACH = 60


class Bench(test_alert_kills.KillTestCase):

    def runTest(self):
        """Do nothing: this test case is not run as a test."""

    def latency(self, trouble, count):
        """Measure from the start of the process to the mail."""
        rule, attempted = TROUBLES[trouble]
        self.write_expectations(count + 1, rule)
        main_store().execute("TRUNCATE scriptactivity, scriptattempt")
        main_store().execute(RAN, (count, count))
        if attempted:
            main_store().execute(attempted, (count,))
        transaction.commit()
        environment = dict(os.environ, LPCONFIG=str(self.configuration))
        taken = []
        for _ in range(rounds(20, 3)):
            main_store().execute("TRUNCATE scriptalert")
            transaction.commit()
            start = time.perf_counter()
            self.mail.before = lambda start=start: taken.append(
                time.perf_counter() - start)
            subprocess.run(
                [sys.executable, "-c", COMMAND, "alert", "-q"],
                env=environment, check=True)
            mail = self.mail.texts()[-1]
            self.mail.received.clear()
        low, median, high = quartiles(taken)
        random.seed(2007)
        waited = sorted(
            random.uniform(0, EACH) + random.choice(taken)
            for _ in range(10_000))
        print(f"{f'{count:,} {trouble}':>14}{mail.count('* script-'):>7,}"
              f"{median:>10.2f} s{f'{low:.2f} to {high:.2f}':>15}"
              f"{max(taken):>9.2f} s{waited[5000]:>9.1f} s"
              f"{waited[9900]:>7.1f} s")

    def kill_at_random(self):
        main_store().execute("TRUNCATE scriptactivity, scriptattempt")
        transaction.commit()
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
        kills = lost = doubled = 0
        while kills < KILLS:
            times, status, _ = self.notify(
                "seconds", random.uniform(0.001, life))
            if status == -signal.SIGALRM:
                kills += 1
                # All of them are in one mail.
                lost += self.scripts * (0 in times)
                doubled += self.scripts * (max(times) > 1)
        print(f"{kills} kills within {life:.2f} s while {self.scripts} alerts"
              f" were due: {kills * self.scripts:,} alerts")
        goal("alerts lost", lost, 0, "")
        goal("alerts sent more than once", doubled, 0, "")
        print("An alert is sent again if the kill falls between the answer of"
              " the mail\nserver and its record.  Both mails have one"
              " Message-ID.")


def main():
    bench = Bench()
    bench.setUp()
    try:
        print("\n5. From lateness to the mail server\n")
        print(f"{'':>14}{'named':>7}{'process':>12}{'middle half':>15}"
              f"{'longest':>11}{'with cron':>11}{'99 %':>9}")
        for trouble in TROUBLES:
            for count in 1, LATE:
                bench.latency(trouble, count)
        print()
        bench.mail.received.clear()
        bench.mail.before = lambda: None
        bench.kill_at_random()
        print_environment()
    finally:
        bench.doCleanups()


if __name__ == "__main__":
    in_layer(main)
