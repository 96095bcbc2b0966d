"""6. The pages of 10,000 scripts over 10,000,000 runs.

This prints how long the first fleet page takes, and the pages after it: each
sort and range, the page of a script, and the metrics.  The application is
called as a WSGI server calls it.  Filling the tables takes some minutes.
BENCH=quick makes a tenth of the runs.
"""

import datetime
import gc
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from pyramid.request import Request

from canonical.launchpad.command.serve import THRESHOLDS
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.application import make_application
from canonical.testing import in_layer


sys.path.insert(0, str(Path(__file__).parent))

from common import goal
from common import print_environment


# It has the same scripts and runs.
check = importlib.import_module("check")

AT = datetime.datetime(2007, 2, 15, tzinfo=datetime.UTC)

# The first page of a range computes its slots, and the next ones use them.
PATHS = [
    "/", "/?sort=script", "/?sort=-duration", "/?sort=last&page=100",
    "/?search=script-12", "/?state=ok&page=7",
    "/?range=week", "/?range=week&sort=host",
    "/?range=month", "/?range=month&sort=-due",
    "/scripts/script-7", "/scripts/script-8?range=year",
    "/scripts/script-9?range=year", "/incidents", "/wall", "/metrics",
    "/api/scripts"]


WARM = [
    "/?sort=script", "/?sort=-duration", "/?sort=last&page=100",
    "/?search=script-12", "/?state=ok&page=7", "/?range=week&sort=host",
    "/?range=month&sort=-due"]


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

    # The command does so before it listens.
    application.registry.keeper.read_rules()
    begun = time.perf_counter()
    application.registry.keeper.current()
    first = time.perf_counter() - begun
    print(f"scripts assessed in {first:.2f} s")
    took = {path: get(path) for path in PATHS}
    print()
    goal("the first page, with the assessment", first + took["/"], 1.5, " s")
    goal("another fleet page", max(took[path] for path in WARM), 0.1, " s")
    goal("the page of a script, with a year",
         took["/scripts/script-9?range=year"], 0.15, " s")
    goal("the metrics", took["/metrics"], 1, " s")
    print_environment()
    application.registry.keeper.close()


if __name__ == "__main__":
    os.environ.pop("LPCONFIG", None)
    in_layer(main)
