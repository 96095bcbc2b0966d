"""8. How fast do 1 to 64 processes record, against pgbench?

Each process records success after success over a connection of its own, for
some seconds, as `recordSuccess` and a commit.  Then pgbench does the same
INSERT from as many clients.  Each COMMIT waits for the disk.  pgbench is
written in C and starts one thread for each core.

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

NOW = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)


def record(begin, seconds, count):
    """Record from the moment on at which the pipe is closed."""
    activity_set, ztm = getUtility(IScriptActivitySet), initZopeless()
    os.read(begin, 1)
    end = time.monotonic() + seconds
    recorded = 0
    while time.monotonic() < end:
        activity_set.recordSuccess(
            name="bench", hostname="host", date_started=NOW,
            date_completed=NOW, run_key=uuid.uuid4())
        ztm.commit()
        recorded += 1
    os.write(count, f"{recorded}\n".encode())


def ours(writers, seconds):
    """Records a second, of all the writers together."""
    initZopeless().uninstall()
    begin, begins = os.pipe()
    counts, count = os.pipe()
    for _ in range(writers):
        if os.fork() == 0:
            try:
                os.close(begins)
                record(begin, seconds, count)
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
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(5, 2)
    times = rounds(5, 3)
    real_disk()
    print("\n8. Writers that record as fast as they can\n")
    print(f"{'writers':>8}{'ours is':>10}{'ours':>12}{'middle half':>17}"
          f"{'pgbench':>12}{'middle half':>17}")
    worst = float("inf")
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "insert.sql")
        path.write_text(INSERT)
        for writers in WRITERS:
            mine, theirs = [], []
            for _ in range(times):
                mine.append(ours(writers, seconds))
                theirs.append(pgbench(writers, seconds, path))
            ratio = quartiles(
                [m / t for m, t in zip(mine, theirs, strict=True)])[1]
            worst = min(worst, ratio)
            shown = ""
            for rates in mine, theirs:
                low, median, high = quartiles(rates)
                shown += f"{median:>10,.0f}/s{f'{low:,.0f}-{high:,.0f}':>17}"
            print(f"{writers:>8}{ratio:>8.2f} x{shown}", flush=True)
    print(f"\n{times} rounds of {seconds} s each, in turn")
    goal("pgbench is faster, at the worst of these", 1 / worst, 2)
    print_environment()


if __name__ == "__main__":
    in_layer(main)
