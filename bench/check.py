"""All three questions for 10,000 scripts, over 1,000,000 and 10,000,000 runs.

This prints the time of an assessment in a running process, of the same over a
tenth of the runs, and of the whole command with its start and the loading of
its ZCML.  For comparison, it prints the time that PostgreSQL takes to count
the runs.  All times are medians.  It fills the tables first, which takes some
minutes.
"""

import datetime
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


SCRIPTS = 10_000
SKEW = datetime.timedelta(minutes=1)
AT = datetime.datetime(2007, 2, 15, tzinfo=datetime.UTC)
COMMAND = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main())"

# 1,000 runs of each script, about every half hour.  The last runs come first,
# so the first tenth of the rows is the last tenth of the time.
FILL = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT 'script-' || mod(i, ?), 'host-' || mod(i, 4), started,
        started + interval '1 min' * (0.5 + random())
    FROM generate_series(?, ?) AS i, LATERAL (
        SELECT ?::timestamptz - interval '30 min' * (i / ?)
            - interval '20 min' * random() AS started
    ) AS run
"""


# The attempts that scripts leave behind, for the last runs only: no query
# needs more.
ATTEMPTS = """
    INSERT INTO scriptattempt
        (name, hostname, pid, date_started, date_ended, outcome, exit_status)
    SELECT name, hostname, 1, date_started, date_completed, 'success', 0
    FROM scriptactivity
"""


def write_expectations(path):
    random.seed(2007)
    schedules = [f"{minute} * * * *" for minute in range(0, 60, 7)] + [
        f"*/{step} * * * *" for step in (5, 10, 15, 20, 30)] + [
        f"{minute} {hour} * * *"
        for minute in range(0, 60, 15) for hour in range(0, 24, 3)]
    lines = [
        f'<lp:script name="script-{number}" schedule="'
        f'{random.choice(schedules)}" timezone="Europe/London" grace="5m"'
        f' average="..4m" />' for number in range(SCRIPTS)]
    path.write_text(
        '<configure xmlns="http://namespaces.zope.org/zope"'
        ' xmlns:lp="http://namespaces.canonical.com/lp">\n'
        '<include package="canonical.launchpad" file="meta.zcml" />\n'
        + "\n".join(lines) + "\n</configure>\n")


def median_time(call, times=5):
    call()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def fill(first, last, more="SELECT"):
    main_store().execute(FILL, (SCRIPTS, first, last, AT, SCRIPTS))
    main_store().execute(more)
    initZopeless().commit()
    PostgresLayer._execute("VACUUM ANALYZE")


def measure(path):
    expectations = registered_expectations()
    count = main_store().execute(
        "SELECT count(*) FROM scriptactivity").get_one()[0]
    assessed = median_time(lambda: assess_all(expectations, AT, SKEW))
    print(f"{count:>12,} runs: assessed in {assessed:.2f} s", end="")
    command = [sys.executable, "-c", COMMAND, "check", "--json", "--at",
               AT.isoformat(), "--expectations", path]
    whole = median_time(lambda: subprocess.run(
        command, stdout=subprocess.DEVNULL, check=False))
    counted = median_time(lambda: main_store().execute(
        "SELECT count(*) FROM scriptactivity").get_one())
    print(f", whole command {whole:.2f} s, counting the runs {counted:.2f} s")
    return assessed


def main():
    path = Path(tempfile.mkdtemp()) / "expectations.zcml"
    write_expectations(path)
    start = time.perf_counter()
    load_expectations(path)
    print(f"{SCRIPTS:,} expectations loaded in"
          f" {time.perf_counter() - start:.2f} s")
    fill(0, 999_999, ATTEMPTS)
    fewer = measure(path)
    fill(1_000_000, 9_999_999)
    print(f"ten times as many take {measure(path) / fewer:.2f} times as long")


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
