"""8. How fast do 1 to 64 processes record, against pgbench?

Each process records success after success over a connection of its own, for
some seconds, as `recordSuccess` and a commit.  Then as many processes do the
same INSERT by bare psycopg2, and then pgbench from as many clients.  All three
send BEGIN, INSERT and COMMIT, and each COMMIT waits for the disk.  pgbench is
written in C and starts one thread for each core; the difference between it
and psycopg2 is that of C and Python.

Run it with `make bench`, or: bin/py bench/writers.py [SECONDS]
"""

import datetime
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil
import psycopg2
from zope.component import getUtility


sys.path.insert(0, str(Path(__file__).parent))

from common import QUICK
from common import goal
from common import print_environment
from common import quartiles
from common import real_disk
from common import rounds

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


WRITERS = (1, 8, 64) if QUICK else (1, 2, 4, 8, 16, 32, 64)

INSERT = """
INSERT INTO scriptactivity
    (name, hostname, date_started, date_completed, run_key)
VALUES ('bench', 'host', '2007-02-01 00:00+00', '2007-02-01 00:00+00',
    gen_random_uuid())
ON CONFLICT (run_key) DO NOTHING;
"""

TRANSACTION = f"BEGIN;{INSERT}COMMIT;\n"

NOW = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)


def by_record_success():
    """A function that records one success."""
    activity_set, ztm = getUtility(IScriptActivitySet), initZopeless()

    def record():
        activity_set.recordSuccess(
            name="bench", hostname="host", date_started=NOW,
            date_completed=NOW, run_key=uuid.uuid4())
        ztm.commit()

    return record


def by_psycopg2():
    """A function that does the same INSERT."""
    connection = psycopg2.connect(
        **embedded_parameters(PostgresLayer.directory))

    def record():
        with connection.cursor() as cursor:
            cursor.execute(INSERT)
        connection.commit()

    return record


def write(recorder, begin, seconds, count):
    """Record from the moment on at which the pipe is closed."""
    record = recorder()
    os.read(begin, 1)
    end = time.monotonic() + seconds
    recorded = 0
    while time.monotonic() < end:
        record()
        recorded += 1
    os.write(count, f"{recorded}\n".encode())


def processes(writers, seconds, recorder):
    """Records a second, of all the writers together."""
    initZopeless().uninstall()
    begin, begins = os.pipe()
    counts, count = os.pipe()
    for _ in range(writers):
        if os.fork() == 0:
            try:
                os.close(begins)
                write(recorder, begin, seconds, count)
            finally:
                os._exit(0)
    os.close(begin)
    os.close(count)
    os.close(begins)
    with os.fdopen(counts) as lines:
        recorded = sum(map(int, lines))
    for _ in range(writers):
        os.wait()
    return recorded / seconds


def pgbench(writers, seconds, path):
    """The same by pgbench."""
    parameters = embedded_parameters(PostgresLayer.directory)
    postmaster = psutil.Process(int(
        (PostgresLayer.directory / "postmaster.pid").read_text().split()[0]))
    output = subprocess.run(
        [Path(postmaster.exe()).with_name("pgbench"), "--no-vacuum",
         "--client", str(writers), "--jobs",
         str(min(writers, os.cpu_count())), "--time", str(seconds), "--file",
         path, "--host", parameters["host"], "--port", parameters["port"],
         "--username", parameters["user"], parameters["dbname"]],
        check=True, capture_output=True, text=True).stdout
    return float(re.search(r"tps = ([\d.]+)", output)[1])


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(5, 1)
    times = rounds(5, 3)
    real_disk()
    print("\n8. Writers that record as fast as they can\n")
    print(f"{'writers':>8}{'records a second':>24}{'':>6}"
          f"{'ours is':>27}\n{'':>8}{'ours':>10}{'psycopg2':>10}"
          f"{'pgbench':>10}{'of psycopg2':>15}{'of pgbench':>12}")
    worst = float("inf")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "insert.sql")
        path.write_text(TRANSACTION)
        for writers in WRITERS:
            rates = [
                (processes(writers, seconds, by_record_success),
                 processes(writers, seconds, by_psycopg2),
                 pgbench(writers, seconds, path))
                for _ in range(times)]
            ratios = [
                quartiles([rate[0] / rate[peer] for rate in rates])[1]
                for peer in (1, 2)]
            worst = min(worst, ratios[1])
            print(f"{writers:>8}" + "".join(
                f"{quartiles(each)[1]:>10,.0f}"
                for each in zip(*rates, strict=True))
                + f"{ratios[0]:>13.2f} x{ratios[1]:>10.2f} x", flush=True)
    print(f"\n{times} rounds of {seconds} s each, in turn; medians")
    goal("pgbench is faster, at the worst of these", 1 / worst, 2)
    print_environment()


if __name__ == "__main__":
    in_layer(main)
