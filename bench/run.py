"""2. What does `scriptactivity run` add to a command?

Runs a command that notes when it starts, in turn and in an environment into
which the wheel is installed:

* bare,
* under chronic, of moreutils, if that is there,
* under `scriptactivity run`,
* and, since `run` inserts rows as well, the smallest script that loads ZCML,
  uses Storm through ZStorm, and inserts one row.

The first table says how long it takes until the command begins, and the second
how long until all has ended.

Run it with `make bench`, or: bin/py bench/run.py [ROUNDS]
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


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import print_environment
from common import print_table
from common import real_disk
from common import rounds
from whole_script import ZOPE
from whole_script import ZOPE_SCRIPT
from whole_script import environment_with_the_wheel

from canonical.database.embedded import embedded_parameters
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


# It starts soon, and notes when that was.
COMMAND = ["sh", "-c", "date +%s.%N > started"]

BARE = "bare"
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


def whole(command, environment):
    """Seconds until a command has ended."""
    start = time.time()
    subprocess.run(command, env=environment, check=True)
    return time.time() - start


def later(seconds, bare):
    """The median of how many milliseconds later than bare it was."""
    return 1000 * statistics.median(
        each - other for each, other in zip(seconds, bare, strict=True))


def main():
    times = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(50, 10)
    real_disk()
    PostgresLayer._execute("CREATE TABLE rows (id integer)")
    parameters = embedded_parameters(PostgresLayer.directory)
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        python = environment_with_the_wheel(directory / "venv")
        script = directory / "smallest.py"
        script.write_text(ZOPE_SCRIPT.format(
            uri="postgres://{user}@/{dbname}?host={host}".format(
                **parameters)))
        prefixes = {OURS: [
            python.with_name("scriptactivity"), "run", "bench", "--"]}
        chronic = shutil.which("chronic")
        if chronic:
            prefixes[CHRONIC] = [chronic]
        prefixes[BARE] = []
        environment = {
            "HOME": temporary,
            "LP_DATABASE_URI": make_dsn(**parameters),
            "LP_STATE_DIRECTORY": str(directory / "state"),
            "PATH": os.environ["PATH"],
        }
        starts = {title: [] for title in prefixes}
        wholes = {title: [] for title in [*prefixes, ZOPE]}
        for _ in range(times):
            for title, prefix in prefixes.items():
                started, ended = run(prefix, environment)
                starts[title].append(started)
                wholes[title].append(ended)
            wholes[ZOPE].append(whole([python, script], environment))
    print_table("2. A command, until it begins", starts, OURS)
    goal("it begins later", later(starts[OURS], starts[BARE]), 50, " ms")
    print_table("2. A command, until all has ended", wholes, OURS)
    smallest = 1000 * statistics.median(wholes[ZOPE])
    goal("it takes longer, against the smallest script with ZStorm",
         later(wholes[OURS], wholes[BARE]), round(smallest, 2), " ms")
    print_environment()


if __name__ == "__main__":
    in_layer(main)
