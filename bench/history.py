"""A long history: its size, pruning, partitions, export and import.

This fills the tables with runs of 1,000 scripts over 800 days and prunes half
of them, while a script records a success every few milliseconds.  It prints
the size of the table and its indexes before and after, and after some new
runs; what it costs to look up last runs in partitions by month; and the time
of export and import against that of plain COPY.

The number of runs is an argument; the default is 1,000,000.
"""

import contextlib
import datetime
import io
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.launchpad.command import prune
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
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

INDEXES = """
    SELECT relname, pg_get_indexdef(oid) FROM pg_index
    JOIN pg_class ON oid = indexrelid
    WHERE indrelid = 'scriptactivity'::regclass AND NOT indisprimary
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


def scriptactivity(*argv):
    """Run the program; return its greatest memory in MB."""
    subprocess.run([sys.executable, "-c", (
        "import sys\n"
        "from canonical.launchpad.command.program import scriptactivity\n"
        "sys.exit(scriptactivity())"), *argv], check=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000


def bench_prune(cursor):
    numbers = {"scripts": SCRIPTS, "runs": RUNS}
    # Indexes are made afterwards, which takes a fraction of the time.
    cursor.execute(INDEXES)
    definitions = [definition for _, definition in cursor]
    cursor.execute(INDEXES)
    cursor.execute(
        "DROP INDEX " + ", ".join(name for name, _ in cursor))
    with timed(f"filling {RUNS:,} runs, without indexes", RUNS):
        cursor.execute(FILL, {**numbers, "first": 1, "last": RUNS})
    with timed("making the indexes"):
        for definition in definitions:
            cursor.execute(definition)
    cursor.execute("ANALYZE")
    print_sizes(cursor, "before")
    latencies, stop = [], threading.Event()
    writer = threading.Thread(target=write_meanwhile, args=(latencies, stop))
    writer.start()
    try:
        with timed(f"pruning {RUNS // 2:,} runs", RUNS // 2):
            memory = scriptactivity("prune", "--keep", "400d")
    finally:
        stop.set()
        writer.join()
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
    for table in "scriptactivity", "by_month":
        times = []
        for _ in range(7):
            start = time.monotonic()
            cursor.execute(LAST.format(table=table))
            times.append(time.monotonic() - start)
        print(f"last runs of 1,000 scripts in {table}:"
              f" {sorted(times)[3] * 1000:.1f} ms", flush=True)
    with timed("dropping a month"):
        cursor.execute("DROP TABLE by_month_10")
    cursor.execute("DROP TABLE by_month")


def bench_transfer(cursor, directory, rows):
    columns = "(name, hostname, date_started, date_completed, run_key)"
    cursor.execute(
        "CREATE TABLE kept AS SELECT * FROM scriptactivity"
        f" WHERE name <> 'writer' LIMIT {rows}")
    cursor.execute("TRUNCATE scriptactivity; TRUNCATE scriptday")
    cursor.execute("INSERT INTO scriptactivity SELECT * FROM kept")
    cursor.execute("ANALYZE scriptactivity")
    plain = directory / "plain.csv"
    with timed("COPY TO, CSV", rows), plain.open("wb") as file:
        cursor.copy_expert(
            "COPY (SELECT name, hostname, date_started, date_completed,"
            " run_key FROM scriptactivity) TO STDOUT (FORMAT csv, HEADER)",
            io.BufferedWriter(file, 1 << 20))
    for ending in "csv", "csv.gz", "jsonl":
        with timed(f"export {ending}", rows):
            memory = scriptactivity("export", str(directory / f"r.{ending}"))
        print(f"  at most {memory:.0f} MB of memory")
    cursor.execute("TRUNCATE scriptactivity")
    with timed("COPY FROM, CSV", rows), plain.open("rb") as file:
        cursor.copy_expert(
            f"COPY scriptactivity {columns} FROM STDIN (FORMAT csv, HEADER)",
            file)
    for ending in "csv", "csv.gz", "jsonl":
        cursor.execute("TRUNCATE scriptactivity")
        with timed(f"import {ending}", rows):
            memory = scriptactivity("import", str(directory / f"r.{ending}"))
        print(f"  at most {memory:.0f} MB of memory")
    with timed("import jsonl again", rows):
        scriptactivity("import", str(directory / "r.jsonl"))


def main():
    cursor = connect().cursor()
    cursor.execute("SELECT version()")
    print(cursor.fetchone()[0], f"\nbatches of {prune.BATCH}, at",
          datetime.datetime.now(datetime.UTC).isoformat(" ", "seconds"))
    bench_prune(cursor)
    bench_partitions(cursor)
    with tempfile.TemporaryDirectory() as directory:
        bench_transfer(cursor, Path(directory), min(RUNS, 1_000_000))


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
