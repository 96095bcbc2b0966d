"""6. The pages of 10,000 scripts over 10,000,000 runs.

This prints how long the first fleet page takes, and the pages after it: each
sort and range, the page of a script, and the metrics.  Then it prints how long
the fleet pages take that are viewed again after the next assessment, which are
warm: their strips are kept.  The application is called as a WSGI server calls
it.

Then `scriptactivity serve` serves the first page by HTTP, to 1 and to 100
viewers: first such that refresh it as a browser does, each five seconds and
with the ETag of what it has, and then such that load it again and again.  This
counts the assessments meanwhile, and the processor time of the server.

Filling the tables takes some minutes.  BENCH=quick makes a tenth of the runs.
"""

import datetime
import gc
import importlib
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import psutil
from pyramid.request import Request

from canonical.launchpad.command.serve import THRESHOLDS
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.application import make_application
from canonical.launchpad.webapp.templating import compile_templates
from canonical.testing import in_layer


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import print_environment
from common import rounds

from canonical.config import config


# It has the same scripts and runs, but the server has no other clock.
check = importlib.import_module("check")
AT = check.AT = datetime.datetime.now(datetime.UTC)

VIEWERS = 1, 100

# How many seconds they look.
SECONDS = rounds(30, 10)

SERVE = "import sys; from canonical.launchpad.command.main import main;" \
    " sys.exit(main())"

# The first page of a range computes its slots, and the next ones use them.
FLEET = [
    "/", "/?sort=script", "/?sort=-duration", "/?sort=last&page=100",
    "/?search=script-12", "/?state=ok&page=7",
    "/?range=week", "/?range=week&sort=host",
    "/?range=month", "/?range=month&sort=-due", "/?range=month&sort=script"]
PATHS = [
    *FLEET, "/scripts/script-7", "/scripts/script-8?range=year",
    "/scripts/script-9?range=year", "/incidents", "/wall", "/metrics",
    "/api/scripts"]


class Viewing:
    """What viewers have seen.

    :ivar taken: the seconds of each request.
    :ivar numbers: of the assessments that they have seen.
    """

    def __init__(self, port, viewers, each):
        self.taken, self.numbers = [], set()
        self._port, self._each = port, each
        self._end = time.monotonic() + SECONDS
        with ThreadPoolExecutor(viewers) as pool:
            list(pool.map(self._view, range(viewers)))

    def _view(self, number):
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        headers = {}
        due = time.monotonic() + self._each * random.Random(number).random()
        while due < self._end:
            time.sleep(max(0, due - time.monotonic()))
            begun = time.perf_counter()
            connection.request("GET", "/", headers=headers)
            response = connection.getresponse()
            response.read()
            self.taken.append(time.perf_counter() - begun)
            assert response.status in (200, 304), response.status
            tag = response.headers["ETag"]
            # keeper.boot, the number of the snapshot, and the page
            self.numbers.add(int(tag.split("-")[1]))
            if self._each:
                headers = {"If-None-Match": tag}
            due = max(due + self._each, time.monotonic())
        connection.close()


def look(server, port, viewers, each):
    """Print what so many viewers see.

    :param each: each so many seconds; 0 means again and again.
    :return: assessments, and processor seconds.
    """
    begun = sum(server.cpu_times()[:2])
    seen = Viewing(port, viewers, each)
    used = sum(server.cpu_times()[:2]) - begun
    taken = sorted(seen.taken)
    assessments = max(seen.numbers) - min(seen.numbers) + 1
    title = f"{viewers} that {'refresh' if each else 'load again'}"
    print(f"{title:<20}"
          f"{len(taken) / SECONDS:>12,.1f}"
          f"{statistics.median(taken) * 1000:>11,.1f} ms"
          f"{taken[int(len(taken) * 0.99)] * 1000:>9,.1f} ms"
          f"{assessments:>13}{used:>12.1f} s", flush=True)
    return assessments, used


def by_http(rules):
    """Print what 1 and 100 viewers see by HTTP."""
    refresh = config.duration_of("web", "refresh")
    with subprocess.Popen(
        [sys.executable, "-c", SERVE, "serve", "--listen", "127.0.0.1:0",
         "--expectations", rules], stdout=subprocess.PIPE, text=True
    ) as process:
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        Viewing(port, 1, SECONDS)
        print(f"\n6. The first page by HTTP, for {SECONDS} s\n\n"
              f"{'viewers':<20}{'requests/s':>12}{'median':>14}{'99 %':>12}"
              f"{'assessments':>13}{'processor':>14}")
        server = psutil.Process(process.pid)
        one, many = (
            look(server, port, viewers, refresh) for viewers in VIEWERS)
        _, many_fast = (
            look(server, port, viewers, 0) for viewers in VIEWERS)
        process.terminate()
    print()
    # One may be under way at the start, and one at the end.
    goal("assessments for 100 viewers", max(many[0], many_fast[0]),
         SECONDS / refresh + 2, "")
    goal("processor time for an assessment, with 100 that refresh, against 1",
         many[1] / many[0] / (one[1] / one[0]), 2)


def main():
    # As the command does.
    gc.set_threshold(*THRESHOLDS)
    rules = Path(tempfile.mkdtemp()) / "expectations.zcml"
    check.write_expectations(rules)
    fewer, more = check.RUNS
    check.fill(0, fewer - 1, check.ATTEMPTS)
    check.fill(fewer, more - 1)
    application = make_application(rules, Access(None), 3600, lambda: AT)

    def get(path):
        begun = time.perf_counter()
        request = Request.blank(path, environ={"REMOTE_ADDR": "127.0.0.1"})
        response = request.get_response(application)
        assert response.status_int == 200, path
        took = time.perf_counter() - begun
        print(f"{path:<32} {took * 1000:>8,.0f} ms"
              f" {len(response.body) / 1000:>8,.0f} kB")
        return took

    # The command does both before it listens.
    compile_templates()
    application.registry.keeper.read_rules()
    begun = time.perf_counter()
    application.registry.keeper.current()
    first = time.perf_counter() - begun
    print(f"scripts assessed in {first:.2f} s")
    took = {path: get(path) for path in PATHS}
    print("\nviewed again after the next assessment")
    application.registry.keeper.current().pages.clear()
    warm = [get(path) for path in FLEET]
    print()
    goal("the first page, with the assessment", first + took["/"], 1.5, " s")
    goal("another fleet page, for the first time",
         max(took[path] for path in FLEET), 1.5, " s")
    goal("a fleet page, warm", max(warm), 0.1, " s")
    goal("the page of a script, with a year",
         took["/scripts/script-9?range=year"], 0.15, " s")
    goal("the metrics", took["/metrics"], 1, " s")
    application.registry.keeper.close()
    by_http(rules)
    print_environment()


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
