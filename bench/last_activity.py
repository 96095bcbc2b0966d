"""What does getLastActivity cost over 1,000,000 runs?

Prints the plans of the look-ups, and then compares them with the shortest
statement through the same store, SELECT 1.
"""

import sys
from functools import partial
from pathlib import Path

from zope.component import getUtility


sys.path.insert(0, str(Path(__file__).parent))

from common import interleaved
from common import print_environment
from common import print_table
from common import rounds

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


ROWS = rounds(1_000_000, 100_000)

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


def main():
    store = main_store()
    store.execute(FILL, (ROWS, ROWS))
    initZopeless().commit()
    PostgresLayer._execute("VACUUM ANALYZE scriptactivity")
    print(f"{ROWS:,} runs of 100 scripts on 4 hosts")
    for title, condition in PLANS.items():
        print(f"\n{title}:")
        for line, in store.execute(
            "EXPLAIN (ANALYZE, BUFFERS, COSTS off) SELECT * FROM"
            f" scriptactivity WHERE {condition}"
            " ORDER BY date_started DESC LIMIT 1"
        ):
            print("   ", line)
    last = getUtility(IScriptActivitySet).getLastActivity
    taken = interleaved({
        "by name": partial(last, "script-7"),
        "by name and host": partial(last, "script-7", "host-1"),
        "SELECT 1": lambda: store.execute("SELECT 1").get_one(),
    }, rounds(300, 100))
    print_table("A look-up of the last run", taken, "by name")
    print_environment()


if __name__ == "__main__":
    in_layer(main)
