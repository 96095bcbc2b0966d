"""The command ``grafana``: a dashboard and alert rules over the metrics."""

from __future__ import annotations

import argparse
import json
from typing import Any

from canonical.launchpad.command.prometheus import METRICS
from canonical.launchpad.monitor.answers import STATES


__all__ = [
    "dashboard",
    "grafana",
    "rules",
]


SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH = 24
CHOSEN = '{script=~"$script", host=~"$host"}'

# The worst first; each is a number that Grafana can sort and colour.
NUMBERS = {state: STATES.index(state) for state in reversed(STATES)}
COLOURS = {
    "critical": "red", "warning": "orange", "unknown": "purple", "ok": "green"}
OTHER = "blue"

# Name, expression, for how long it holds, severity, and a sentence.
RULES = [
    ("ScriptCritical", 'scriptactivity_state{state="critical"} == 1', "1m",
     "critical", "{{ $labels.script }} is critical"),
    ("ScriptWarning", 'scriptactivity_state{state="warning"} == 1', "5m",
     "warning", "{{ $labels.script }} is not as it should be"),
    ("ScriptsNotAssessed", "absent(scriptactivity_state)", "10m", "critical",
     "no script has been assessed for 10 minutes"),
]


def grafana(args: argparse.Namespace) -> int:
    """Print a dashboard, or alert rules."""
    print(rules() if args.rules else json.dumps(dashboard(), indent=1))
    return 0


def rules() -> str:
    """Alert rules for Prometheus, in YAML."""
    lines = ["groups:", "  - name: scriptactivity", "    rules:"]
    for name, expression, holds, severity, sentence in RULES:
        where = "" if "absent" in expression else (
            '{{ if $labels.host }} on {{ $labels.host }}{{ end }}')
        lines += [
            f"      - alert: {name}",
            f"        expr: {expression}",
            f"        for: {holds}",
            "        labels:",
            f"          severity: {severity}",
            "        annotations:",
            f"          summary: {json.dumps(sentence + where)}"]
    return "\n".join(lines)


def dashboard() -> dict[str, Any]:
    """A dashboard for Grafana."""
    names = {f"scriptactivity_{name}" for name, *_ in METRICS}
    panels = [
        *(_count(state, number) for number, state in enumerate(NUMBERS)),
        _states(), *(
            _graph(title, metric, unit, place)
            for title, metric, unit, place in (
                ("Duration of the last success",
                 "scriptactivity_last_duration_seconds", "s", (0, 14)),
                ("Failures in a row", "scriptactivity_consecutive_failures",
                 "short", (12, 14)))
            if metric in names)]
    return {
        "title": "Scripts", "uid": "scriptactivity", "tags": ["cron"],
        "schemaVersion": 39, "version": 1, "editable": True,
        "refresh": "30s", "timezone": "utc",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {"list": [
            {"name": "source", "type": "datasource", "query": "prometheus",
             "label": "Prometheus"},
            _variable("script"), _variable("host")]},
        "panels": [
            {"id": number, **panel}
            for number, panel in enumerate(panels, 1)]}


def _variable(label: str) -> dict[str, Any]:
    query = f"label_values(scriptactivity_state, {label})"
    return {
        "name": label, "type": "query", "label": label.capitalize(),
        "datasource": SOURCE, "refresh": 2, "multi": True,
        "includeAll": True, "allValue": ".*", "sort": 1,
        "current": {"text": "All", "value": "$__all"},
        "query": {"query": query, "refId": label}, "definition": query}


def _panel(
    kind: str, title: str, expression: str, place: tuple[int, int, int, int],
    **more: Any,
) -> dict[str, Any]:
    left, top, width, height = place
    return {
        "type": kind, "title": title, "datasource": SOURCE,
        "gridPos": {"x": left, "y": top, "w": width, "h": height},
        "targets": [{
            "refId": "A", "expr": expression, "datasource": SOURCE,
            "legendFormat": "{{script}} {{host}}"}],
        **more}


def _count(state: str, number: int) -> dict[str, Any]:
    width = WIDTH // len(NUMBERS)
    expression = (
        f'sum(scriptactivity_state{{state="{state}", script=~"$script",'
        ' host=~"$host"}) or vector(0)')
    return _panel(
        "stat", state.capitalize(), expression, (number * width, 0, width, 4),
        fieldConfig={
            "defaults": {"color": {
                "mode": "fixed", "fixedColor": COLOURS.get(state, OTHER)}},
            "overrides": []},
        options={"colorMode": "value", "graphMode": "area",
                 "reduceOptions": {"calcs": ["lastNotNull"]}})


def _states() -> dict[str, Any]:
    """All scripts on one time axis."""
    parts = [
        f'{number} * scriptactivity_state{{state="{state}",'
        ' script=~"$script", host=~"$host"}'
        for state, number in NUMBERS.items()]
    expression = "max by (script, host) ({})".format(" or ".join(
        f"label_replace({part}, \"part\", \"{number}\", \"\", \"\")"
        for number, part in enumerate(parts)))
    mappings = [{
        "type": "value", "options": {
            str(number): {"text": state, "color": COLOURS.get(state, OTHER),
                          "index": number}
            for state, number in NUMBERS.items()}}]
    return _panel(
        "state-timeline", "All scripts", expression, (0, 4, 24, 10),
        fieldConfig={"defaults": {"mappings": mappings}, "overrides": []},
        options={"mergeValues": True, "rowHeight": 0.8,
                 "showValue": "never", "legend": {"showLegend": False}})


def _graph(
    title: str, metric: str, unit: str, place: tuple[int, int]
) -> dict[str, Any]:
    return _panel(
        "timeseries", title, f"{metric}{CHOSEN}", (*place, 12, 9),
        fieldConfig={
            "defaults": {"unit": unit, "custom": {
                "scaleDistribution": {"type": "log", "log": 10}
                if unit == "s" else {"type": "linear"}}},
            "overrides": []})
