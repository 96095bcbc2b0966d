"""What does a long history cost, and would partitions by month pay?

Fills the tables with runs of 1,000 scripts over 800 days and prunes half of
them, while a script records a success every few milliseconds.  Prints the size
of the table and its indexes before and after, and after some new runs; and
what it costs to look up last runs in one table and in partitions by month.

Run it with `make bench`, or: bin/py bench/history.py [RUNS]
"""

import contextlib
import os
import resource
import sys
import threading
import time
from functools import partial
from pathlib import Path

import psycopg2


sys.path.insert(0, str(Path(__file__).parent))

from common import interleaved
from common import print_environment
from common import print_table
from common import rounds
from common import scriptactivity
from common import without_indexes

from canonical.database.embedded import embedded_parameters
from canonical.launchpad.command import prune
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(1_000_000, 200_000)
SCRIPTS = 1000
DAYS = 800

FILL = """
    INSERT INTO scriptactivity
        (name, hostname, date_started, date_completed, run_key)
    SELECT 'script-' || mod(i, %(scripts)s), 'host-' || mod(i, 4), started,
        started + interval '1 min' * random(), gen_random_uuid()
    FROM generate_series(%(first)s, %(last)s) AS i, LATERAL (
        SELECT date_trunc('day', now()) - interval '800 days'
            + interval '1 day' * (800.0 * i / %(runs)s) AS started
    ) AS run
"""

SIZES = """
    SELECT relname, pg_relation_size(oid) FROM pg_class
    WHERE oid = 'scriptactivity'::regclass OR oid IN (
        SELECT indexrelid FROM pg_index
        WHERE indrelid = 'scriptactivity'::regclass)
    UNION ALL SELECT 'scriptday, all', pg_total_relation_size('scriptday')
    ORDER BY 1
"""

LAST = """
    SELECT count(last.date_started)
    FROM generate_series(0, 999) AS i CROSS JOIN LATERAL (
        SELECT date_started FROM {table} AS run
        WHERE run.name = 'script-' || i
        ORDER BY date_started DESC LIMIT 1
    ) AS last
"""

PARTITIONS = """
    CREATE TABLE by_month (LIKE scriptactivity INCLUDING GENERATED)
        PARTITION BY RANGE (date_started);
    ALTER TABLE by_month ALTER id DROP NOT NULL;
    DO $$
    BEGIN
        FOR number IN -28 .. 1 LOOP
            EXECUTE format('CREATE TABLE by_month_%s PARTITION OF by_month'
                ' FOR VALUES FROM (%L) TO (%L)', number + 28,
                date_trunc('month', now()) + interval '1 month' * number,
                date_trunc('month', now()) + interval '1 month' * (number + 1)
            );
        END LOOP;
    END
    $$;
    CREATE UNIQUE INDEX ON by_month (run_key, date_started);
    CREATE INDEX ON by_month
        (name, date_started) INCLUDE (date_completed, hostname);
    CREATE INDEX ON by_month
        (name, hostname, date_started) INCLUDE (date_completed);
"""


def connect():
    connection = psycopg2.connect(
        **embedded_parameters(PostgresLayer.directory))
    connection.autocommit = True
    return connection


@contextlib.contextmanager
def timed(what, rows=None):
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    rate = f", {rows / seconds:,.0f} rows/s" if rows else ""
    print(f"{what}: {seconds:.2f} s{rate}", flush=True)


def print_sizes(cursor, when):
    cursor.execute(SIZES)
    print(f"\n{when}")
    total = 0
    for name, size in cursor:
        total += size
        print(f"  {name:52} {size / 1e6:10,.1f} MB")
    print(f"  {'all':52} {total / 1e6:10,.1f} MB\n", flush=True)


def write_meanwhile(latencies, stop):
    """Record successes until it is over."""
    connection = connect()
    with connection.cursor() as cursor:
        while not stop.is_set():
            start = time.monotonic()
            cursor.execute(
                "INSERT INTO scriptactivity"
                " (name, hostname, date_started, date_completed, run_key)"
                " VALUES ('writer', 'host', now(), now(), gen_random_uuid())")
            latencies.append(time.monotonic() - start)
            stop.wait(0.005)
    connection.close()


def bench_prune(cursor):
    numbers = {"scripts": SCRIPTS, "runs": RUNS}
    with (
        timed(f"filling {RUNS:,} runs, and then making the indexes", RUNS),
        without_indexes(cursor),
    ):
        cursor.execute(FILL, {**numbers, "first": 1, "last": RUNS})
    cursor.execute("ANALYZE")
    print_sizes(cursor, "before")
    latencies, stop = [], threading.Event()
    writer = threading.Thread(target=write_meanwhile, args=(latencies, stop))
    writer.start()
    try:
        with timed(f"pruning {RUNS // 2:,} runs", RUNS // 2):
            scriptactivity("prune", "--keep", "400d")
    finally:
        stop.set()
        writer.join()
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    latencies.sort()
    print(
        f"  prune took {memory:.0f} MB of memory; {len(latencies)} successes"
        " were recorded meanwhile, each in (ms): median"
        f" {latencies[len(latencies) // 2] * 1000:.1f}, 99th percentile"
        f" {latencies[len(latencies) * 99 // 100] * 1000:.1f}, longest"
        f" {latencies[-1] * 1000:.1f}")
    with timed("VACUUM"):
        cursor.execute("VACUUM ANALYZE scriptactivity")
    print_sizes(cursor, "after pruning half of them")
    with timed("a tenth as many new runs", RUNS // 10):
        cursor.execute(
            FILL, {**numbers, "first": RUNS + 1, "last": RUNS + RUNS // 10})
    print_sizes(cursor, "after these: what grew did not reuse what was freed")


def bench_partitions(cursor):
    cursor.execute(PARTITIONS)
    with timed("copying into partitions by month, three indexes"):
        cursor.execute(
            "INSERT INTO by_month SELECT * FROM scriptactivity"
            " WHERE date_started < date_trunc('month', now())"
            " + interval '2 months'")
    cursor.execute("ANALYZE by_month")
    cursor.execute("VACUUM ANALYZE scriptactivity")
    taken = interleaved({
        title: partial(cursor.execute, LAST.format(table=table))
        for title, table in (
            ("one table", "scriptactivity"),
            ("partitions by month", "by_month"))}, 7)
    print_table("Last runs of 1,000 scripts", taken, "partitions by month")
    with timed("dropping a month"):
        cursor.execute("DROP TABLE by_month_10")
    cursor.execute("DROP TABLE by_month")


def main():
    cursor = connect().cursor()
    print(f"\n{RUNS:,} runs; prune takes {prune.BATCH} in a batch")
    bench_prune(cursor)
    bench_partitions(cursor)
    print_environment()


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
