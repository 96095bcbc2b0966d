"""The dashboard and the alert rules, as their readers check them."""

import json
import shutil
import subprocess
import tempfile
import unittest

from canonical.launchpad.command.grafana import dashboard
from canonical.launchpad.command.grafana import rules


WHOLE = {"type": "integer", "minimum": 0}
EXPRESSION = {
    "type": "object", "required": ["refId", "expr", "datasource"],
    "properties": {"expr": {"type": "string", "minLength": 1}}}
PANEL = {
    "type": "object",
    "required": ["id", "type", "title", "gridPos", "targets", "datasource"],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "type": {"enum": ["stat", "state-timeline", "timeseries"]},
        "gridPos": {
            "type": "object", "required": ["x", "y", "w", "h"],
            "properties": {
                "x": {**WHOLE, "maximum": 23}, "y": WHOLE,
                "w": {"type": "integer", "minimum": 1, "maximum": 24},
                "h": {"type": "integer", "minimum": 1}}},
        "targets": {"type": "array", "minItems": 1, "items": EXPRESSION},
        "fieldConfig": {
            "type": "object", "required": ["defaults", "overrides"]}}}
# What Grafana's own description of a dashboard requires of this one.
SCHEMA = {
    "type": "object",
    "required": ["title", "uid", "schemaVersion", "panels", "templating",
                 "time", "timezone"],
    "properties": {
        "uid": {"type": "string", "maxLength": 40},
        "schemaVersion": {"type": "integer", "minimum": 36},
        "panels": {"type": "array", "minItems": 1, "items": PANEL},
        "templating": {
            "type": "object", "required": ["list"], "properties": {
                "list": {"type": "array", "items": {
                    "type": "object", "required": ["name", "type", "query"],
                    "properties": {
                        "type": {"enum": ["query", "datasource"]}}}}}},
    }}


@unittest.skipUnless(
    shutil.which("promtool"), "promtool of Debian's prometheus is needed")
class TestGrafana(unittest.TestCase):

    # What checks them is not there without "make test-engines".
    level = 2

    def promtool(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(text)
            file.flush()
            process = subprocess.run(
                ["promtool", "check", "rules", file.name], text=True,
                capture_output=True, check=False)
        self.assertEqual(0, process.returncode, process.stderr)

    def test_promtool_finds_nothing_wrong_with_the_rules(self):
        self.promtool(rules())

    def test_promtool_understands_what_the_dashboard_asks(self):
        lines = ["groups:", "  - name: dashboard", "    rules:"]
        for number, panel in enumerate(dashboard()["panels"]):
            for target in panel["targets"]:
                expression = target["expr"].replace("$script", ".*").replace(
                    "$host", ".*")
                lines += [f"      - record: panel:{number}",
                          f"        expr: {json.dumps(expression)}"]
        self.promtool("\n".join(lines))

    def test_the_dashboard_is_one(self):
        import jsonschema_rs
        made = json.loads(json.dumps(dashboard()))
        jsonschema_rs.validate(SCHEMA, made)
        ids = [panel["id"] for panel in made["panels"]]
        self.assertEqual(len(ids), len(set(ids)))
        for panel in made["panels"]:
            self.assertLessEqual(
                panel["gridPos"]["x"] + panel["gridPos"]["w"], 24)
