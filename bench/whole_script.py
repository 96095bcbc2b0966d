"""The cost of a whole cron script, from its start to its exit.

This compares, in turn and in an environment with the installed wheel:

* a cron script that does nothing and records its success,
* the smallest script that loads ZCML, uses Storm through ZStorm, and inserts
  one row,
* the smallest script that inserts one row with bare psycopg2.

Run it with `make bench`, or: bin/py bench/whole_script.py [RUNS]
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from psycopg2.extensions import make_dsn

from canonical.database.embedded import embedded_parameters
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


CHECKOUT = Path(__file__).resolve().parents[1]

CRON_SCRIPT = """
from canonical.launchpad.scripts.base import LaunchpadCronScript


class Nothing(LaunchpadCronScript):
    def main(self):
        pass


if __name__ == "__main__":
    Nothing("nothing").run()
"""

ZOPE_SCRIPT = """
import transaction
from storm.zope.interfaces import IZStorm
from storm.zope.zstorm import ZStorm
from zope.component import getUtility
from zope.configuration import xmlconfig

xmlconfig.string('''
<configure xmlns="http://namespaces.zope.org/zope">
  <include package="zope.component" file="meta.zcml" />
  <utility
      factory="storm.zope.zstorm.ZStorm"
      provides="storm.zope.interfaces.IZStorm" />
</configure>
''')
zstorm = getUtility(IZStorm)
zstorm.set_default_uri("main", {uri!r})
zstorm.get("main").execute("INSERT INTO rows VALUES (1)")
transaction.commit()
"""

BARE_SCRIPT = """
import psycopg2

connection = psycopg2.connect({dsn!r})
connection.cursor().execute("INSERT INTO rows VALUES (1)")
connection.commit()
connection.close()
"""


def environment_with_the_wheel(directory):
    """The Python of a new virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    python = directory / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check",
         "-c", CHECKOUT / ".venv" / "constraints.txt", CHECKOUT],
        check=True, stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]})
    return python


def run(python, script, environment):
    """The seconds that a script takes, of the clock and of the processor."""
    before = os.times()
    start = time.perf_counter()
    subprocess.run([python, script], env=environment, check=True)
    took = time.perf_counter() - start
    after = os.times()
    return took, sum(after[2:4]) - sum(before[2:4])


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    PostgresLayer._execute("ALTER SYSTEM RESET fsync")
    PostgresLayer._execute("SELECT pg_reload_conf()")
    PostgresLayer._execute("CREATE TABLE rows (id integer)")
    parameters = embedded_parameters(PostgresLayer.directory)
    dsn = make_dsn(**parameters)
    uri = "postgres://{user}@/{dbname}?host={host}".format(**parameters)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        python = environment_with_the_wheel(directory / "venv")
        scripts = {}
        for title, text in (
            ("a cron script that records its success", CRON_SCRIPT),
            ("ZCML, ZStorm and one row", ZOPE_SCRIPT.format(uri=uri)),
            ("bare psycopg2 and one row", BARE_SCRIPT.format(dsn=dsn)),
        ):
            scripts[title] = directory / f"{len(scripts)}.py"
            scripts[title].write_text(text)
        environment = {
            "LP_DATABASE_URI": dsn,
            "LP_STATE_DIRECTORY": str(directory / "state"),
            "PATH": os.environ["PATH"],
        }
        times = {title: [] for title in scripts}
        for _ in range(runs):
            for title, script in scripts.items():
                times[title].append(run(python, script, environment))
    (ours, *_), *peers = (
        [statistics.median(each) for each in zip(*values, strict=True)]
        for values in times.values())
    for title, values in times.items():
        clock, processor = (
            statistics.median(each) for each in zip(*values, strict=True))
        print(f"{title:<42}{clock * 1000:8.1f} ms"
              f"{processor * 1000:8.1f} ms of the processor")
    for (clock, _), title in zip(peers, list(times)[1:], strict=True):
        print(f"ours / {title:<35}{ours / clock:8.2f}")


if __name__ == "__main__":
    in_layer(main)
