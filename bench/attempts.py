"""The cost of keeping the attempts of a script.

This runs a script many times in one process, with and without attempts in
turn.  For comparison, it also measures a transaction that writes and commits
one row on the same server.  All times are medians.
"""

import contextlib
import statistics
import time

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.base import LaunchpadCronScript
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


RUNS = 200


class Work(LaunchpadCronScript):
    def main(self):
        main_store().execute("INSERT INTO rows VALUES (1)")


class Failure(LaunchpadCronScript):
    def main(self):
        raise RuntimeError("no luck")


def run(cls):
    start = time.perf_counter()
    with contextlib.suppress(SystemExit):
        cls(test_args=["-qqq"]).lock_and_run()
    return time.perf_counter() - start


def commit_a_row():
    start = time.perf_counter()
    main_store().execute("INSERT INTO rows VALUES (1)")
    initZopeless().commit()
    return time.perf_counter() - start


def main():
    PostgresLayer._execute("ALTER SYSTEM RESET fsync")
    PostgresLayer._execute("SELECT pg_reload_conf()")
    main_store().execute("CREATE TABLE rows (id integer)")
    initZopeless().commit()
    times = {}
    for _ in range(RUNS):
        times.setdefault("a row, committed", []).append(commit_a_row())
        for cls in Work, Failure:
            for words, kept in ("with attempts", True), ("without", False):
                cls._is_recorded = kept
                title = f"{cls.__name__.lower()}, {words}"
                times.setdefault(title, []).append(run(cls))
    medians = {title: statistics.median(each) for title, each in times.items()}
    unit = medians["a row, committed"]
    for title, median in medians.items():
        print(f"{title:<24}{median * 1000:7.2f} ms {median / unit:7.2f}")
    for name in "work", "failure":
        cost = medians[f"{name}, with attempts"] - medians[f"{name}, without"]
        print(f"attempts of {name} cost {cost * 1000:.2f} ms,"
              f" {cost / unit:.2f} of a row that is committed")


if __name__ == "__main__":
    in_layer(main)
