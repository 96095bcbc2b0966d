"""What a report says of a month."""

import contextlib
import csv
import datetime
import io
import json

from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.main import main
from canonical.launchpad.command.tests.test_prune import DAY
from canonical.launchpad.command.tests.test_prune import HOUR
from canonical.launchpad.command.tests.test_prune import PruneTestCase
from canonical.launchpad.interfaces import IScriptReportSet
from canonical.launchpad.monitor.registry import registered_apart


FEBRUARY = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
MARCH = datetime.datetime(2007, 3, 1, tzinfo=datetime.UTC)

RULES = """
    <configure xmlns:lp="http://namespaces.canonical.com/lp">
      <include package="canonical.launchpad" file="meta.zcml" />
      <lp:script name="garbo" schedule="0 6 * * *" />
      <lp:script name="never" schedule="0 6 * * *" />
      <lp:script name="often" every="6h" hosts="a" tags="eu" />
    </configure>"""


class TestReport(PruneTestCase):

    def report(self, *options):
        self.ztm.commit()
        path = self.layer.directory.parent / "report.zcml"
        path.write_text(RULES)
        out = io.StringIO()
        with contextlib.redirect_stdout(out), registered_apart():
            self.assertEqual(0, main([
                "report", "--month", "2007-02", "--expectations", str(path),
                *options]))
        self.ztm = initZopeless()
        return out.getvalue()

    def month(self):
        """A month of runs, of which one was missed, and one was late."""
        for day in range(-1, 29):
            if day != 4:
                self.run_at(FEBRUARY + day * DAY + 6 * HOUR, day % 10 + 1)
            for hour in 0, 6, 12:
                self.run_at(
                    FEBRUARY + day * DAY + hour * HOUR, name="often")
        self.attempt(FEBRUARY + 4 * DAY)
        main_store().execute("""
            INSERT INTO scriptalert (channel, name, state, answers,
                date_opened, date_closed)
            SELECT channel, 'garbo', 'critical', '[]', ?::timestamptz,
                ?::timestamptz
            FROM unnest(ARRAY['mail', 'webhook']) AS channel
            """, (FEBRUARY + 4 * DAY, FEBRUARY + 5 * DAY), noresult=True)

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(
            IScriptReportSet, getUtility(IScriptReportSet)))

    def test_a_script_a_line(self):
        self.month()
        garbo, often = json.loads(self.report("--json"))
        self.assertEqual({
            "name": "garbo", "due": 28, "met": 27, "availability": 0.96429,
            "runs": 27, "failures": 1, "median": 300.0, "percentile_95": 600.0,
            "incidents": 1, "recovery": 86400.0, "tags": []}, garbo)
        self.assertEqual(["eu"], often["tags"])
        self.assertEqual(
            [often], json.loads(self.report("--json", "--tag", "eu")))
        self.assertEqual(
            (28 * 4, 28 * 3, 0.75),
            (often["due"], often["met"], often["availability"]))

    def test_csv_says_the_same(self):
        self.month()
        lines = list(csv.DictReader(io.StringIO(self.report("--csv"))))
        for line, expected in zip(
            lines, json.loads(self.report("--json")), strict=True
        ):
            self.assertEqual({
                name: "" if value is None else str(value)
                for name, value in expected.items() if name != "tags"}, line)

    def test_text(self):
        self.month()
        self.assertEqual(
            ["script\tdue\tmet\tavail\truns\tfailed\tmedian\t95%\tinc"
             "\trecovery",
             "garbo\t28\t27\t96.42%\t27\t1\t300.0\t600.0\t1\t86400.0"],
            self.report().splitlines()[:2])

    def test_what_is_pruned_counts(self):
        self.month()
        before = json.loads(self.report("--json"))
        for name in "garbo", "often":
            self.newer(name)
        path = self.layer.directory.parent / "report.zcml"
        with registered_apart():
            self.prune("--expectations", str(path))
        self.assertEqual(500, self.count("scriptactivity"))
        after = json.loads(self.report("--json"))
        for line in before:
            line["percentile_95"] = None
        self.assertEqual(before, after)

    def test_a_success_that_comes_twice_counts_once(self):
        self.month()
        before = getUtility(IScriptReportSet).getFigures(FEBRUARY, MARCH)
        main_store().execute("CREATE TEMP TABLE kept ON COMMIT DROP AS"
                             " SELECT * FROM scriptactivity")
        for name in "garbo", "often":
            self.newer(name)
        for _ in self.days.pruneRuns(MARCH + DAY, 10):
            pass
        main_store().execute("INSERT INTO scriptactivity SELECT * FROM kept")
        after = getUtility(IScriptReportSet).getFigures(FEBRUARY, MARCH)
        self.assertEqual(
            [each.runs for each in before], [each.runs for each in after])
