"""Serve the pages over a demonstration: 40 scripts, 90 days.

`make serve` calls this.  The clock of the pages begins where the history ends.
"""

import datetime
import os
import sys
import time
from pathlib import Path

import psycopg2

from canonical.config import config
from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import apply_schema
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.scripts.signals import DeadlySignals
from canonical.launchpad.testing.demonstration import END
from canonical.launchpad.testing.demonstration import fill
from canonical.launchpad.testing.demonstration import write_rules
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.application import make_application
from canonical.launchpad.webapp.server import serve
from canonical.launchpad.zcml import execute_zcml


def main(port):
    directory = config.state_directory / "demonstration"
    directory.mkdir(parents=True, exist_ok=True)
    cluster = directory / "postgresql"
    rules = directory / "rules.zcml"
    write_rules(rules)
    parameters = embedded_parameters(cluster)
    apply_schema(parameters)
    connection = psycopg2.connect(**parameters)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE scriptactivity, scriptattempt, scriptpause, scriptalert")
    begun = time.monotonic()
    count = fill(connection)
    connection.close()
    print(f"{count:,} runs made in {time.monotonic() - begun:.1f} s")
    os.environ["LP_DATABASE_URI"] = f"embedded:{cluster}"
    execute_zcml()
    ztm = initZopeless()
    started = datetime.datetime.now(datetime.UTC)
    application = make_application(
        Path(rules), Access(None), 5,
        lambda: END + (datetime.datetime.now(datetime.UTC) - started))
    with DeadlySignals():
        serve(application, "127.0.0.1", port, "")
    ztm.uninstall()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 8080)
