"""Serve the pages over a demonstration: 40 scripts, 90 days.

`make serve` calls this with a port, and `make screenshots` with a directory
for pictures.  The clock of the pages begins where the history ends, and stops
before the next runs would be late.
"""

import datetime
import os
import sys
import time
import zlib
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from canonical.config import config
from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import apply_schema
from canonical.database.signals import DeadlySignals
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.testing import demonstration as made
from canonical.launchpad.testing import troubles
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.application import make_application
from canonical.launchpad.webapp.server import listen
from canonical.launchpad.webapp.server import serve
from canonical.launchpad.zcml import execute_zcml


# The name of a file, the path of a page, and how high the picture is.
PICTURES = [
    ("fleet.png", "/?range=week", 1000),
    ("script.png", "/scripts/update-search-index?range=quarter", 900),
]
WIDTH = 1360

LAST_MOMENT = made.END + datetime.timedelta(minutes=4)


def fill_again(parameters, rules):
    connection = psycopg2.connect(**parameters)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE scriptactivity, scriptattempt, scriptpause, scriptrule,"
            " scriptalert")
    count = made.fill(connection)
    connection.close()
    made.fill_alerts(rules)
    return count


@contextmanager
def demonstration(refresh=5):
    """The application, over a fresh demonstration."""
    directory = config.state_directory / "demonstration"
    directory.mkdir(parents=True, exist_ok=True)
    rules = directory / "rules.zcml"
    made.write_rules(rules)
    parameters = embedded_parameters(directory / "postgresql")
    os.environ["LP_DATABASE_URI"] = f"embedded:{directory / 'postgresql'}"
    apply_schema(parameters)
    execute_zcml()
    ztm = initZopeless()
    # The same history is not made twice.
    sources = [Path(each.__file__).read_bytes() for each in (made, troubles)]
    version = f"{zlib.crc32(b''.join(sources)):x}"
    marker = directory / "made-by"
    if not marker.exists() or marker.read_text() != version:
        begun = time.monotonic()
        count = fill_again(parameters, rules)
        ztm.commit()
        marker.write_text(version)
        print(f"{count:,} runs made in {time.monotonic() - begun:.1f} s")
    started = datetime.datetime.now(datetime.UTC)
    try:
        yield make_application(
            rules, Access(None), refresh,
            lambda: min(
                made.END + (datetime.datetime.now(datetime.UTC) - started),
                LAST_MOMENT))
    finally:
        ztm.uninstall()


def serve_pages(port):
    with demonstration() as application, DeadlySignals():
        host = "127.0.0.1"
        serve(application, listen(application, host, port), host)


def take_pictures(directory):
    # Only this needs a browser.
    from playwright.sync_api import sync_playwright

    from canonical.launchpad.webapp.tests.browsing import CHROMIUM
    from canonical.launchpad.webapp.tests.browsing import Server
    with demonstration(refresh=3600) as application, sync_playwright() as play:
        server = Server(application)
        browser = play.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"])
        for name, path, height in PICTURES:
            page = browser.new_page(
                viewport={"width": WIDTH, "height": height})
            page.goto(server.url + path)
            page.screenshot(path=directory / name)
            print(directory / name)
        browser.close()
        server.close()


if __name__ == "__main__":
    if sys.argv[1].isdecimal():
        serve_pages(int(sys.argv[1]))
    else:
        take_pictures(Path(sys.argv[1]))
