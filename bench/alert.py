"""5. How soon is an alert there, and is any lost or doubled?

First, a script is late, and then a thousand are late at once.  For each, this
prints how many scripts the message names, and the time from the start of the
process `scriptactivity alert` to the moment at which a mail server has it.
cron starts it once a minute.  So a message also waits for the next start, by
any time from 0 to 60 seconds.

Then 20 alerts are due, and `scriptactivity alert` is killed, each time at a
random moment.  This prints after how many of the kills alerts were lost or
sent more than once.
"""

import collections
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

# A rule that is new expects nothing of the time before, and those here accept
# 999 missed hours.
RAN = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT 'script-' || (number - 1), 'host', ran, ran
    FROM generate_series(1, ?) AS number, LATERAL (
        SELECT now() - interval '1 day' * series AS ran
        FROM generate_series(50, 51) AS series) AS run
"""

# cron starts it each so many seconds.
EACH = 60


class Bench(test_alert_kills.KillTestCase):

    def runTest(self):
        """Do nothing: this test case is not run as a test."""

    def latency(self, count):
        """Measure from the start of the process to the mail."""
        self.write_expectations(count)
        main_store().execute(RAN, (count,))
        transaction.commit()
        environment = dict(os.environ, LPCONFIG=str(self.configuration))
        taken = []
        for _ in range(rounds(30, 5)):
            main_store().execute("TRUNCATE scriptalert")
            transaction.commit()
            start = time.perf_counter()
            self.mail.before = lambda start=start: taken.append(
                time.perf_counter() - start)
            subprocess.run(
                [sys.executable, "-c", COMMAND, "alert", "-q"],
                env=environment, check=True)
            mail = self.mail.received.pop()
            named = mail.as_string().count("* script-")
        low, median, high = quartiles(taken)
        random.seed(2007)
        waited = sorted(
            random.uniform(0, EACH) + random.choice(taken)
            for _ in range(10_000))
        print(f"{count:>8,}{named:>8,}{median:>11.2f} s"
              f"{f'{low:.2f} to {high:.2f}':>16}"
              f"{max(taken):>9.2f} s{waited[5000]:>14.1f} s"
              f"{waited[9900]:>10.1f} s")

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
        print("\n5. From lateness to the mail server\n")
        print(f"{'late':>8}{'named':>8}{'process':>13}{'middle half':>16}"
              f"{'longest':>11}"
              f"{'with cron':>16}{'99 %':>12}")
        for count in 1, LATE:
            bench.latency(count)
        print()
        bench.mail.received.clear()
        bench.mail.before = lambda: None
        bench.kill_at_random()
        print_environment()
    finally:
        bench.doCleanups()


if __name__ == "__main__":
    in_layer(main)
