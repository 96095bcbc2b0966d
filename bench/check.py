"""4. What does a check of 100, 1,000 and 10,000 rules cost?

The tables hold 1,000,000 runs, and then 10,000,000 (with BENCH=quick, 100,000
and 1,000,000).  In turn, in a running process: an assessment, which answers
all three questions; the counting of runs by one query a script, as the
original script-monitor did it; and the counting of all by one GROUP BY.  The
last two know nothing of schedules, pauses, attempts or runtimes.  Then the
whole command, as a user installs it, with its start and the loading of its
rules.

Filling the tables takes some minutes.
"""

import datetime
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn


sys.path.insert(0, str(Path(__file__).parent))

from common import QUICK
from common import goal
from common import interleaved
from common import print_environment
from common import print_table
from common import quartiles
from common import rounds
from common import without_indexes
from whole_script import environment_with_the_wheel

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


SCRIPTS = 10_000
RULES = 100, 1_000, 10_000

# How many runs there are, at first and at last.
RUNS = (100_000, 1_000_000) if QUICK else (1_000_000, 10_000_000)
SKEW = datetime.timedelta(minutes=1)
AT = datetime.datetime(2007, 2, 15, tzinfo=datetime.UTC)

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


# As the original asked, for each script and host, since a day ago.
ONE_SCRIPT = """
    SELECT count(*) FROM scriptactivity
    WHERE name = ? AND date_started > ?::timestamptz - interval '1 day'
"""

ALL_SCRIPTS = """
    SELECT name, hostname, count(*), max(date_completed) FROM scriptactivity
    WHERE date_started > ?::timestamptz - interval '1 day'
    GROUP BY name, hostname
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


def fill(first, last, more="SELECT"):
    # An open transaction would keep the indexes from being dropped.
    initZopeless().abort()
    connection = psycopg2.connect(
        **embedded_parameters(PostgresLayer.directory))
    connection.autocommit = True
    with without_indexes(connection.cursor()):
        main_store().execute(FILL, (SCRIPTS, first, last, AT, SCRIPTS))
        main_store().execute(more)
        initZopeless().commit()
    connection.close()
    # So nothing of this is still written to the disk while it is measured.
    PostgresLayer._execute("VACUUM ANALYZE", "CHECKPOINT")


def ask_one_by_one(expectations):
    for each in expectations:
        main_store().execute(ONE_SCRIPT, (each.name, AT)).get_one()


def group_all():
    main_store().execute(ALL_SCRIPTS, (AT,)).get_all()


def measure(program, path, runs):
    """Print the tables for so many runs.

    :param program: the installed program.
    :return: the seconds of an assessment of all rules, and of the command.
    """
    expectations = registered_expectations()
    for rules in RULES:
        chosen = expectations[:rules]
        taken = interleaved({
            "assessment": partial(assess_all, chosen, AT, SKEW),
            "a query a script": partial(ask_one_by_one, chosen),
            "one GROUP BY": group_all,
        }, rounds(5, 3))
        print_table(
            f"4. {rules:,} rules over {runs:,} runs", taken, "assessment")
    command = [
        program, "check", "--json", "--at", AT.isoformat(), "--expectations",
        path]
    environment = {
        "LP_DATABASE_URI": make_dsn(
            **embedded_parameters(PostgresLayer.directory)),
        "PATH": os.environ["PATH"],
    }
    whole = interleaved({"whole": partial(
        subprocess.run, command, env=environment, stdout=subprocess.DEVNULL,
        check=False)}, rounds(5, 3))["whole"]
    median = quartiles(whole)[1]
    print(f"the whole command, with {SCRIPTS:,} rules: {median:.2f} s")
    return quartiles(taken["assessment"])[1], median


def main():
    # As the command does.
    gc.disable()
    directory = Path(tempfile.mkdtemp())
    python = environment_with_the_wheel(directory / "venv")
    path = directory / "expectations.zcml"
    write_expectations(path)
    start = time.perf_counter()
    load_expectations(path)
    print(f"{SCRIPTS:,} rules are loaded in"
          f" {time.perf_counter() - start:.2f} s")
    fewer, more = RUNS
    fill(0, fewer - 1, ATTEMPTS)
    first, _ = measure(python.parent / "scriptactivity", path, fewer)
    start = time.perf_counter()
    fill(fewer, more - 1)
    print(f"\n{more - fewer:,} more runs, and all indexes:"
          f" {time.perf_counter() - start:.0f} s", flush=True)
    last, whole = measure(python.parent / "scriptactivity", path, more)
    print()
    goal(f"an assessment of {SCRIPTS:,} rules over {more:,} runs", last, 1,
         " s")
    goal("with the start of the process", whole, 1.5, " s")
    goal("against a tenth of the runs", last / first, 1.3)
    print_environment()


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
