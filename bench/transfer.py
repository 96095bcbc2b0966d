"""7. How fast are export and import, against COPY?

In turn: `scriptactivity export` and `import` of runs, as CSV and as JSON
lines, with and without gzip, and COPY of the same columns as CSV by psycopg2.
Import goes into an empty table with its indexes.  The start of each process
counts, so there are enough runs for it to be a small part.

Run it with `make bench`, or: bin/py bench/transfer.py [RUNS]
"""

import os
import resource
import sys
import tempfile
from functools import partial
from pathlib import Path

import psycopg2


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import interleaved
from common import print_environment
from common import print_table
from common import rounds
from common import scriptactivity
from common import without_indexes

from canonical.database.embedded import embedded_parameters
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


# Half a second is the start of a process.
RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000

# To write the indexes takes ten times as long as to read the rows.
IMPORTED = rounds(RUNS, RUNS // 10)

# Exports that end so are compared.
ENDINGS = "csv", "csv.gz", "jsonl", "jsonl.gz"

FILL = """
    INSERT INTO scriptactivity
        (name, hostname, date_started, date_completed, run_key)
    SELECT 'script-' || mod(i, 1000), 'host-' || mod(i, 4), started,
        started + interval '1 min' * random(), gen_random_uuid()
    FROM generate_series(1, %s) AS i, LATERAL (
        SELECT timestamptz '2007-01-01 00:00Z' + interval '1 min' * i
            AS started
    ) AS run
"""

COLUMNS = "name, hostname, date_started, date_completed, run_key"
COPY_TO = f"""
    COPY (SELECT {COLUMNS} FROM scriptactivity)
    TO STDOUT (FORMAT csv, HEADER)
"""
COPY_FROM = f"COPY scriptactivity ({COLUMNS}) FROM STDIN (FORMAT csv, HEADER)"


def copy_to(cursor, path):
    with path.open("wb") as file:
        cursor.copy_expert(COPY_TO, file)


def copy_from(cursor, path):
    cursor.execute("TRUNCATE scriptactivity")
    with path.open("rb") as file:
        cursor.copy_expert(COPY_FROM, file)


def import_from(cursor, path):
    cursor.execute("TRUNCATE scriptactivity")
    scriptactivity("import", str(path))


def compare(question, runs, copy, calls):
    """Print how each call compares to COPY, and whether the goal holds.

    COPY is in turn with each of them, since it takes nearly twice as long
    while something else needs one of two processors.
    """
    for ending, call in calls.items():
        title = f"{question}, {ending}"
        # More rounds would take half an hour.
        taken = interleaved({title: call, "COPY, CSV": copy}, rounds(3, 2))
        ratios = print_table(f"7. {title} of {runs:,} runs", taken, title)
        goal(f"{title} against COPY", ratios["COPY, CSV"], 2)


def fill(cursor, runs):
    cursor.execute("TRUNCATE scriptactivity")
    with without_indexes(cursor):
        cursor.execute(FILL, (runs,))
    cursor.execute("VACUUM ANALYZE")
    # Otherwise it is written while the first ones are measured.
    cursor.execute("CHECKPOINT")


def main():
    connection = psycopg2.connect(
        **embedded_parameters(PostgresLayer.directory))
    connection.autocommit = True
    cursor = connection.cursor()
    fill(cursor, RUNS)
    with tempfile.TemporaryDirectory() as directory:
        plain = Path(directory, "plain.csv")
        paths = {ending: Path(directory, f"runs.{ending}")
                 for ending in ENDINGS}
        copy = partial(copy_to, cursor, plain)
        exports = {
            ending: partial(scriptactivity, "export", str(path))
            for ending, path in paths.items()}
        compare("export", RUNS, copy, exports)
        if IMPORTED < RUNS:
            fill(cursor, IMPORTED)
            for export in [copy, *exports.values()]:
                export()
        compare("import", IMPORTED, partial(copy_from, cursor, plain), {
            ending: partial(import_from, cursor, path)
            for ending, path in paths.items()})
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    goal("the greatest memory of a command", used, 100, " MB")
    print_environment()


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
