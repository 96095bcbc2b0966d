"""What `scriptactivity run` adds to a command.

Runs a command that prints when it starts, in turn and in an environment into
which the wheel is installed:

* bare,
* under chronic, of moreutils, if that is there,
* under `scriptactivity run`,

and beside them the smallest script that loads ZCML, uses Storm through ZStorm,
and inserts one row.

Run it with `make bench`, or: bin/py bench/run.py [RUNS]
"""

import os
import shutil
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


sys.path.insert(0, str(Path(__file__).parent))

from whole_script import ZOPE_SCRIPT
from whole_script import environment_with_the_wheel


# It starts soon, and notes when that was.
COMMAND = ["sh", "-c", "date +%s.%N > started"]

CHRONIC = "under chronic"
OURS = "under scriptactivity run"


def run(prefix, environment):
    """Seconds until the command has started, and until all has ended."""
    start = time.time()
    subprocess.run(
        [*prefix, *COMMAND], env=environment, check=True,
        cwd=environment["HOME"])
    end = time.time()
    started = Path(environment["HOME"], "started").read_text()
    return float(started) - start, end - start


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
        script = directory / "insert.py"
        script.write_text(ZOPE_SCRIPT.format(uri=uri))
        prefixes = {"bare": []}
        chronic = shutil.which("chronic")
        if chronic:
            prefixes[CHRONIC] = [chronic]
        prefixes[OURS] = [
            python.with_name("scriptactivity"), "run", "bench", "--"]
        environment = {
            "HOME": temporary,
            "LP_DATABASE_URI": dsn,
            "LP_STATE_DIRECTORY": str(directory / "state"),
            "PATH": os.environ["PATH"],
        }
        starts = {title: [] for title in prefixes}
        wholes = {title: [] for title in [*prefixes, "ZCML and ZStorm"]}
        for _ in range(runs):
            for title, prefix in prefixes.items():
                started, whole = run(prefix, environment)
                starts[title].append(started)
                wholes[title].append(whole)
            start = time.time()
            subprocess.run([python, script], env=environment, check=True)
            wholes["ZCML and ZStorm"].append(time.time() - start)
    print(f"{'milliseconds':<28}{'start':>8}{'least':>8}{'whole':>8}"
          f"{'least':>8}")
    for title, whole in wholes.items():
        values = [*_figures(starts.get(title, [])), *_figures(whole)]
        print(f"{title:<28}" + "".join(
            f"{value:8.1f}" if value else " " * 8 for value in values))


def _figures(seconds):
    """The median and the least, in milliseconds."""
    if not seconds:
        return None, None
    return statistics.median(seconds) * 1000, min(seconds) * 1000


if __name__ == "__main__":
    in_layer(main)
