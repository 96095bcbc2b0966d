"""The plan and the time of getLastActivity over 1,000,000 runs.

This prints the plans, and the time of a look-up.  For comparison, it prints
the time of the shortest statement, SELECT 1, through the same store.  Both
times are medians.
"""

import statistics
import time
from functools import partial

from zope.component import getUtility

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.testing import in_layer


ROWS = 1_000_000

FILL = """
    INSERT INTO scriptactivity (name, hostname, date_started, date_completed)
    SELECT 'script-' || mod(i, 100), 'host-' || mod(i / 100, 4),
        now() - (? - i) * interval '1 second', now()
    FROM generate_series(1, ?) AS i
"""

PLANS = {
    "by name": "name = 'script-7'",
    "by name and host": "name = 'script-7' AND hostname = 'host-1'",
}


def median_time(call, times=300):
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def main():
    store = main_store()
    store.execute(FILL, (ROWS, ROWS))
    ZopelessTransactionManager._installed.commit()
    store.execute("ANALYZE scriptactivity")
    print(f"{ROWS:,} runs of 100 scripts on 4 hosts")
    for title, condition in PLANS.items():
        print(f"\n{title}:")
        for line, in store.execute(
            "EXPLAIN (ANALYZE, BUFFERS, COSTS off) SELECT * FROM"
            f" scriptactivity WHERE {condition}"
            " ORDER BY date_started DESC LIMIT 1"
        ):
            print("   ", line)
    activity_set = getUtility(IScriptActivitySet)
    least = median_time(lambda: store.execute("SELECT 1").get_one())
    print(f"\n{'SELECT 1':<42}{least * 1000:.3f} ms")
    for name, hostname in ("script-7", None), ("script-7", "host-1"):
        taken = median_time(
            partial(activity_set.getLastActivity, name, hostname))
        question = f"getLastActivity({name!r}, {hostname!r})"
        print(f"{question:<42}{taken * 1000:.3f} ms,"
              f" {taken / least:.1f} times that")


if __name__ == "__main__":
    in_layer(main)
