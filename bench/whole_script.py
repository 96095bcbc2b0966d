"""1. What does a whole cron script cost that records one success?

In turn, each a process in an environment with the installed wheel:

* a cron script that does nothing and records its success,
* the smallest script that loads ZCML, uses Storm through ZStorm, and inserts
  one row,
* the smallest script that inserts one row with bare psycopg2,
* scripts that do nothing and notify a service that watches cron: a ping by
  urllib and by requests, the monitor decorator of sentry-sdk, and the job
  decorator of cronitor.  The service is an HTTP server of this process, on
  127.0.0.1: no network, no TLS and no distance, which all of them have in
  real life.

Run it with `make bench`, or: bin/py bench/whole_script.py [ROUNDS]
"""

import functools
import http.server
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from psycopg2.extensions import make_dsn


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import interleaved
from common import print_environment
from common import print_table
from common import real_disk
from common import rounds

from canonical.database.embedded import embedded_parameters
from canonical.testing import PostgresLayer
from canonical.testing import in_layer


CHECKOUT = Path(__file__).resolve().parents[1]

PEERS = ["cronitor", "requests", "sentry-sdk"]

OURS = "a cron script, recorded"
ZOPE = "ZCML, ZStorm and one row"
BARE = "bare psycopg2 and one row"
SENTRY = "sentry-sdk, its monitor"

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

URLLIB_SCRIPT = """
from urllib.request import urlopen

urlopen("http://127.0.0.1:{port}/ping", timeout=10).read()
"""

REQUESTS_SCRIPT = """
import requests

requests.get("http://127.0.0.1:{port}/ping", timeout=10)
"""

# It sends when the process ends, and waits for that.
SENTRY_SCRIPT = """
import sentry_sdk
from sentry_sdk.crons import monitor

sentry_sdk.init("http://key@127.0.0.1:{port}/1")


@monitor("nothing")
def nothing():
    pass


nothing()
"""

# The address of the service is in its code.
CRONITOR_SCRIPT = """
import cronitor
from cronitor.monitor import Monitor

cronitor.api_key = "key"
Monitor._ping_api_url = lambda self: "http://127.0.0.1:{port}/ping"


@cronitor.job("nothing")
def nothing():
    pass


nothing()
"""


class Service(http.server.BaseHTTPRequestHandler):
    """Answers every request."""

    def do_GET(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_POST = do_GET

    def log_message(self, *args):
        """Print nothing."""


def environment_with_the_wheel(directory, *more):
    """The Python of a new virtual environment."""
    subprocess.run([sys.executable, "-m", "venv", directory], check=True)
    python = directory / "bin" / "python"
    environment = {
        name: os.environ[name] for name in os.environ
        if name in ("PATH", "HOME") or name.startswith("PIP_")}
    install = [
        python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [*install, "-c", CHECKOUT / ".venv" / "constraints.txt", CHECKOUT],
        check=True, stderr=subprocess.DEVNULL, env=environment)
    if more:
        subprocess.run(
            [*install, *more], check=True, stderr=subprocess.DEVNULL,
            env=environment)
    return python


def main():
    times = int(sys.argv[1]) if len(sys.argv) > 1 else rounds(50, 10)
    real_disk()
    PostgresLayer._execute("CREATE TABLE rows (id integer)")
    parameters = embedded_parameters(PostgresLayer.directory)
    dsn = make_dsn(**parameters)
    uri = "postgres://{user}@/{dbname}?host={host}".format(**parameters)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        python = environment_with_the_wheel(directory / "venv", *PEERS)
        environment = {
            "LP_DATABASE_URI": dsn,
            "LP_STATE_DIRECTORY": str(directory / "state"),
            "PATH": os.environ["PATH"],
        }
        calls = {}
        for title, text in (
            (OURS, CRON_SCRIPT),
            (ZOPE, ZOPE_SCRIPT.format(uri=uri)),
            (BARE, BARE_SCRIPT.format(dsn=dsn)),
            ("a ping by urllib", URLLIB_SCRIPT.format(port=port)),
            ("a ping by requests", REQUESTS_SCRIPT.format(port=port)),
            (SENTRY, SENTRY_SCRIPT.format(port=port)),
            ("cronitor, its job", CRONITOR_SCRIPT.format(port=port)),
        ):
            script = directory / f"{len(calls)}.py"
            script.write_text(text)
            calls[title] = functools.partial(
                _run, [python, script], environment)
        taken = interleaved(calls, times)
    server.shutdown()
    ratios = print_table(
        "1. A whole cron script that records one success", taken, OURS)
    goal("against the smallest script with ZCML and ZStorm", ratios[ZOPE], 1.2)
    goal("against bare psycopg2", ratios[BARE], 4)
    goal("against sentry-sdk", ratios[SENTRY], 1)
    print_environment()


def _run(command, environment):
    subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    in_layer(main)
