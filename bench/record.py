"""3. What does one record cost, on an open connection?

In turn: `recordSuccess` and the commit of its transaction, and the INSERT of
the same row and its COMMIT by bare psycopg2.  Each COMMIT waits for the disk.

Run it with `make bench`, or: bin/py bench/record.py [ROUNDS]
"""

import datetime
import sys
import uuid
from pathlib import Path

import psycopg2
from zope.component import getUtility


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import interleaved
from common import print_environment
from common import print_table
from common import real_disk
from common import rounds

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


INSERT = """
    INSERT INTO scriptactivity
        (name, hostname, date_started, date_completed, run_key)
    VALUES (%s, %s, %s, %s, %s)
"""

NOW = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)


def main():
    times = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(2000, 500)
    real_disk()
    activity_set, ztm = getUtility(IScriptActivitySet), initZopeless()
    connection = psycopg2.connect(
        **embedded_parameters(PostgresLayer.directory))

    def ours():
        activity_set.recordSuccess(
            name="bench", hostname="host", date_started=NOW,
            date_completed=NOW, run_key=uuid.uuid4())
        ztm.commit()

    def bare():
        with connection.cursor() as cursor:
            cursor.execute(
                INSERT, ("bench", "host", NOW, NOW, str(uuid.uuid4())))
        connection.commit()

    taken = interleaved(
        {"recordSuccess and commit": ours, "bare INSERT and COMMIT": bare},
        times)
    connection.close()
    ratios = print_table(
        "3. One record on an open connection", taken,
        "recordSuccess and commit")
    goal("against a bare INSERT and COMMIT",
         ratios["bare INSERT and COMMIT"], 2)
    print_environment()


if __name__ == "__main__":
    in_layer(main)
