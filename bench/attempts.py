"""What does the proof of a run cost a cron script?

In turn, in one process: a script that inserts one row, with its attempt and
the proof in it, and without; a script that fails, with and without; and a
transaction that inserts and commits one row.  Each COMMIT waits for the disk.

Run it with `make bench`, or: bin/py bench/attempts.py [ROUNDS]
"""

import contextlib
import sys
from functools import partial
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent))

from common import interleaved
from common import print_environment
from common import print_table
from common import real_disk
from common import rounds

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.base import LaunchpadCronScript
from canonical.testing import in_layer


class Work(LaunchpadCronScript):
    def main(self):
        main_store().execute("INSERT INTO rows VALUES (1)")


class Failure(LaunchpadCronScript):
    def main(self):
        raise RuntimeError("no luck")


def run(cls, recorded):
    cls._is_recorded = recorded
    with contextlib.suppress(SystemExit):
        cls(test_args=["-qqq"]).lock_and_run()


def commit_a_row():
    main_store().execute("INSERT INTO rows VALUES (1)")
    initZopeless().commit()


def main():
    times = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(200, 50)
    real_disk()
    main_store().execute("CREATE TABLE rows (id integer)")
    initZopeless().commit()
    taken = interleaved({
        "a script that works": partial(run, Work, True),
        "the same without a record": partial(run, Work, False),
        "a script that fails": partial(run, Failure, True),
        "the same without a record ": partial(run, Failure, False),
        "a row, committed": commit_a_row,
    }, times)
    print_table(
        "What the record of a run costs", taken, "a script that works")
    print_environment()


if __name__ == "__main__":
    in_layer(main)
