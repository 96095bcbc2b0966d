"""What all benchmarks share: interleaved runs, tables, goals, the environment.

A machine is noisy, and its noise lasts for seconds.  So what is compared runs
in turn, and each round gives a ratio.  The tables print the medians of these
ratios first.
"""

import contextlib
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import connect
from canonical.testing import PostgresLayer


__all__ = [
    "QUICK",
    "goal",
    "interleaved",
    "print_environment",
    "print_table",
    "real_disk",
    "rounds",
    "scriptactivity",
    "without_indexes",
]


QUICK = os.environ.get("BENCH") == "quick"

# A user's Python keeps what it has compiled, so that of a benchmark does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def rounds(full, quick):
    """How often to measure, which BENCH=quick makes less."""
    return quick if QUICK else full


def real_disk():
    """Let each COMMIT wait for the disk, which tests do not."""
    PostgresLayer._execute("ALTER SYSTEM RESET fsync")
    PostgresLayer._execute("SELECT pg_reload_conf()")


INDEXES = """
    SELECT relname, pg_get_indexdef(oid) FROM pg_index
    JOIN pg_class ON oid = indexrelid
    WHERE indrelid = 'scriptactivity'::regclass AND NOT indisprimary
"""


@contextlib.contextmanager
def without_indexes(cursor):
    """Make the indexes of scriptactivity after it is filled in the block.

    This takes a fraction of the time.

    :param cursor: of psycopg2, with autocommit.
    """
    cursor.execute(INDEXES)
    names, definitions = zip(*cursor.fetchall(), strict=True)
    cursor.execute("DROP INDEX " + ", ".join(names))
    yield
    # What is sorted for an index of 10,000,000 runs does not fit in 64 MB.
    cursor.execute("SET maintenance_work_mem = '1GB'")
    for definition in definitions:
        cursor.execute(definition)


def scriptactivity(*argv):
    """Run the program, and print nothing."""
    subprocess.run([sys.executable, "-c", (
        "import sys\n"
        "from canonical.launchpad.command.program import scriptactivity\n"
        "sys.exit(scriptactivity())"), *argv], check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def interleaved(calls, times):
    """Call each in turn, so many times, after a round that does not count.

    :param calls: functions by their titles.  One that measures itself returns
        its seconds as a float.
    :return: lists of seconds by the titles.
    """
    taken = {title: [] for title in calls}
    for number in range(times + 1):
        for title, call in calls.items():
            start = time.perf_counter()
            seconds = call()
            if not isinstance(seconds, float):
                seconds = time.perf_counter() - start
            if number:
                taken[title].append(seconds)
    return taken


def print_table(question, taken, ours):
    """Print how `ours` compares to each other title.

    :return: the median ratios, by the titles.
    """
    print(f"\n{question}\n")
    print(f"{'':<34}{'ours is':>9}{'median':>11}{'middle half':>19}")
    ratios = {}
    for title, seconds in taken.items():
        ratios[title] = statistics.median(
            mine / other
            for mine, other in zip(taken[ours], seconds, strict=True))
        low, median, high = quartiles(seconds)
        ratio = "" if title == ours else f"{ratios[title]:.2f} x"
        print(f"{title:<34}{ratio:>9}{median * 1000:>8.2f} ms"
              f"{low * 1000:>8.2f} to {high * 1000:.2f}")
    rounds_done = len(taken[ours])
    print(f"\n{rounds_done} rounds, in turn")
    return ratios


def quartiles(values):
    """The lower quartile, the median, and the upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, median, high = statistics.quantiles(values, method="inclusive")
    return low, median, high


def goal(words, value, limit, unit=" x"):
    """Print a goal, what was measured, and whether it holds.

    :param limit: at most so much.
    """
    verdict = "holds" if value <= limit else "missed"
    print(f"goal: {words}: at most {limit:g}{unit}; it is {value:.2f}{unit}:"
          f" {verdict}")


def print_environment():
    """Print what the figures depend on, beside the noise."""
    with connect(
        embedded_parameters(PostgresLayer.directory)
    ) as connection, connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        (version,), = cursor.fetchall()
        cursor.execute("SHOW fsync")
        (fsync,), = cursor.fetchall()
    connection.close()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{_processor()}, {os.cpu_count()} cores, load {load};"
          f" {platform.system()} {platform.release()};"
          f" Python {platform.python_version()};"
          f" PostgreSQL {version}, fsync {fsync};"
          f" {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC")


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
