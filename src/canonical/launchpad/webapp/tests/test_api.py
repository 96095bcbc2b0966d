"""What programs read, and whether its description is true."""

import datetime
import importlib.util
import json
import os
import subprocess
import sys
import unittest

from prometheus_client.parser import text_string_to_metric_families

from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.registry import assess_fleet
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.webapp.tests.browsing import PagesLayer
from canonical.launchpad.webapp.tests.browsing import Server
from canonical.launchpad.webapp.tests.support import AT
from canonical.launchpad.webapp.tests.support import HOUR
from canonical.launchpad.webapp.tests.support import MINUTE
from canonical.launchpad.webapp.tests.support import WebTestCase
from canonical.testing import by_owner


class APITestCase(WebTestCase):

    def setUp(self):
        super().setUp()
        self.write_rules(
            'name="fine" schedule="0 * * * *" window="1h"',
            'name="late" schedule="0 * * * *" window="1h" hosts="a b"')
        self.run_at("fine", 30 * MINUTE)
        self.run_at("late", 30 * MINUTE, hostname="a")
        self.see_at("late", "b", "0 * * * *")
        for hour in range(5):
            self.run_at("other", hour * HOUR)
        self.fail_at("other", 90 * MINUTE, "oops")

    def json(self, path, *arguments):
        return json.loads(self.get(path, *arguments).body)


class TestAPI(APITestCase):

    def test_scripts(self):
        found = self.json("/api/scripts")
        self.assertEqual(AT.isoformat(), found["at"])
        self.assertEqual(
            [("fine", "ok"), ("late", "critical"), ("other", "unknown")],
            [(each["name"], each["state"]) for each in found["scripts"]])
        fine, late, other = found["scripts"]
        self.assertEqual(
            [("a", "ok"), ("b", "critical")],
            [(each["hostname"], each["state"]) for each in late["hosts"]])
        self.assertIn("schedule 0 * * * *", fine["rule"])
        self.assertIsNone(other["rule"])
        self.assertIsNone(other["hosts"][0]["questions"])
        self.assertEqual(
            "ok", fine["hosts"][0]["questions"]["recently"]["state"])

    def test_filters_are_those_of_the_page(self):
        application = self.application()
        for query, names in (
            ("state=ok", ["fine", "late"]), ("search=OTH", ["other"]),
            ("host=b", ["late"]), ("after=fine&limit=1", ["late"]),
        ):
            found = self.json(f"/api/scripts?{query}", application)
            self.assertEqual(
                names, [each["name"] for each in found["scripts"]], query)

    def test_pages_follow_each_other(self):
        application = self.application()
        for path, key in (
            ("/api/scripts?limit=1", "scripts"),
            ("/api/scripts/other/runs?limit=4", "runs"),
            ("/api/runs?name=other&limit=4", "runs"),
        ):
            seen = []
            while path:
                found = self.json(path, application)
                seen += found[key]
                path = found["next"]
            self.assertEqual({"scripts": 3, "runs": 6}[key], len(seen))

    def test_runs(self):
        application = self.application()
        runs = self.json("/api/scripts/other/runs", application)["runs"]
        self.assertEqual(
            ["success", "success", "failure", "success", "success",
             "success"], [each["outcome"] for each in runs])
        self.assertEqual("oops", runs[2]["reason"])
        since = (AT - 90 * MINUTE).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.assertEqual(3, len(self.json(
            f"/api/scripts/other/runs?since={since}", application)["runs"]))
        self.assertEqual(3, len(self.json(
            f"/api/scripts/other/runs?until={since}", application)["runs"]))
        self.assertEqual([], self.json(
            "/api/scripts/other/runs?host=nope", application)["runs"])
        for moment in runs[0]["started"], runs[0]["ended"]:
            self.assertEqual(
                datetime.timedelta(),
                datetime.datetime.fromisoformat(moment).utcoffset())

    def test_states_are_those_of_check_also_of_scripts_silent_together(self):
        names = [f"silent-{number}" for number in range(8)]
        for name in names:
            for hour in range(4, 40):
                self.run_at(name, hour * HOUR, hostname="a")
        self.write_rules(*(
            f'name="{name}" schedule="30 * * * *" hosts="a"'
            for name in names))
        by_owner(
            "DELETE FROM scriptactivity WHERE name NOT LIKE 'silent%'")
        found = {
            (script["name"], each["hostname"]): each["state"]
            for script in self.json("/api/scripts?search=a")["scripts"]
            for each in script["hosts"] if each["questions"]}
        with registered_apart():
            load_expectations(self.rules)
            expected = {
                (each.name, each.hostname): each.state
                for each in assess_fleet(
                    registered_expectations(), AT, MINUTE)}
        self.assertEqual(expected, found)
        self.assertIn("critical", [
            state for (name, _), state in found.items() if name == ALL])
        self.assertEqual("unknown", found["silent-0", "a"])
        page = self.get("/").text
        self.assertIn(f">{ALL}</a>", page)

    def test_what_is_wrong_is_said_in_json(self):
        application = self.application()
        for path, status in (
            ("/api/scripts?limit=0", 400), ("/api/scripts/nope", 404),
            ("/api/scripts?limit=", 400), ("/api/scripts?state=", 400),
            ("/api/scripts/other/runs?since=", 400),
            ("/api/scripts/other/runs?before=", 400),
            ("/api/scripts/other/runs?before=x", 400), ("/api/nope", 404),
            ("/api/script", 400), ("/api/script?name=", 400),
            ("/api/script?name=nope", 404), ("/api/runs", 400),
            ("/api/scripts/other?name=fine", 400),
            ("/api/scripts/other/runs?name=other", 400),
        ):
            self.assertIn("error", json.loads(
                self.get(path, application, status).body))

    def test_metrics_are_those_of_the_command(self):
        text = self.get("/metrics").text
        states = {
            (sample.labels["script"], sample.labels["host"]):
            sample.labels["state"]
            for family in text_string_to_metric_families(text)
            if family.name == "scriptactivity_state"
            for sample in family.samples if sample.value}
        self.assertEqual(
            {("fine", ""): "ok", ("late", "a"): "ok",
             ("late", "b"): "critical"}, states)

    def test_badges(self):
        response = self.get("/badge/fine.svg")
        self.assertEqual("image/svg+xml", response.content_type)
        self.assertIn("fine: ok", response.text)
        # A wiki of the same site may show it.
        self.assertEqual(
            "same-site", response.headers["Cross-Origin-Resource-Policy"])
        self.get("/badge/nope.svg", status=404)


@unittest.skipUnless(
    importlib.util.find_spec("schemathesis"), "schemathesis is needed")
class TestDescription(APITestCase):

    layer = PagesLayer
    level = 2

    def test_schemathesis_finds_that_the_description_is_true(self):
        server = Server(self.application())
        self.addCleanup(server.close)
        process = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", "run",
             f"{server.url}/api/openapi.json", "--max-examples", "25",
             "--seed", "15", "--phases", "examples,coverage,fuzzing",
             "--suppress-health-check", "all", "--no-color",
             "--exclude-checks",
             # Everybody may look here, and headers of no use are ignored.
             "ignored_auth,unsupported_method"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=False)
        self.assertEqual(
            0, process.returncode, process.stdout[-6000:] + process.stderr)
