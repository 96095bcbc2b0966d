"""A demonstration: 40 scripts on 3 hosts, over 90 days, with every trouble.

What goes wrong with its runs is in `canonical.launchpad.testing.troubles`.
The history is always the same.  It ends at `END`, so that a change of clocks
is in it.  `make serve` shows it, and so do the tests of the pages.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.testing.troubles import DAY
from canonical.launchpad.testing.troubles import DEAD_HOST
from canonical.launchpad.testing.troubles import END
from canonical.launchpad.testing.troubles import HOUR
from canonical.launchpad.testing.troubles import MINUTE
from canonical.launchpad.testing.troubles import Script
from canonical.launchpad.testing.troubles import ended
from canonical.launchpad.testing.troubles import runs_of


__all__ = [
    "END",
    "fill",
    "fill_alerts",
    "write_rules",
]


# Days of history.
DAYS = 90

# What would end a field or a row, as COPY reads it.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n"})

# The first words of names that are tags too.
TAGS = ("expire", "garbo", "process", "send", "update")

SENTENCES = {
    "recently": "did not run when it was due",
    "often": "missed more runs than the rule allows",
    "runtime": "took longer or shorter than the rule allows"}


def _script(
    name: str, hosts: str, schedule: str, seconds: float, trouble: str = "",
    timezone: str = "UTC", spread: float = 0.18, **rule: str,
) -> Script:
    return Script(
        name, tuple(hosts.split()), schedule, seconds, trouble,
        tuple(rule.items()), timezone, spread)


LOGAN, BLACK, GOOSE = "loganberry", "blackcurrant", DEAD_HOST

SCRIPTS = [
    _script("send-mails", LOGAN, "*/5 * * * *", 21, average="..2m",
            missed="2"),
    _script("process-mail", LOGAN, "*/10 * * * *", 35, average="..3m"),
    _script("process-job-source", LOGAN, "*/10 * * * *", 130,
            average="..5m", grace="9m", missed="1"),
    _script("update-bugs", BLACK, "*/15 * * * *", 66, average="10s..4m"),
    _script("update-search-index", BLACK, "*/30 * * * *", 45, "leak",
            average="..3m", grace="15m"),
    _script("update-cve", LOGAN, "17 */3 * * *", 190, average="..10m",
            grace="10m"),
    _script("update-download-cache", GOOSE, "*/20 * * * *", 14,
            average="..2m"),
    _script("update-pkgcache", GOOSE, "5 * * * *", 260, average="..20m",
            grace="15m"),
    _script("update-remote-bugs", BLACK, "25 * * * *", 420, "flaky",
            average="..15m", grace="20m", missed="2"),
    _script("expire-questions", LOGAN, "0 4 * * *", 33, average="..5m"),
    _script("expire-bugtasks", BLACK, "30 4 * * *", 58, average="..5m"),
    _script("expire-tokens", LOGAN, "45 * * * *", 3, average="..1m"),
    _script("garbo-hourly", LOGAN, "10 * * * *", 610, "new",
            average="learned", grace="30m"),
    _script("garbo-daily", LOGAN, "20 2 * * *", 4200, average="..2h",
            grace="2h"),
    _script("garbo-frequently", BLACK, "*/10 * * * *", 8, average="..1m",
            missed="3"),
    _script("send-invoices", BLACK, "0 6 * * *", 95, "drift",
            average="..10m", grace="10m", severity="warning"),
    _script("nightly-report", LOGAN, "30 3 * * *", 300, "clocks",
            "Europe/London", average="..20m", grace="15m"),
    _script("nightly-dump", GOOSE, "30 1 * * *", 2900, average="..2h",
            grace="2h"),
    _script("rsync-mirrors", LOGAN, "40 */2 * * *", 800, "killed",
            grace="30m", average="..40m"),
    _script("poppy-upload", GOOSE, "*/5 * * * *", 11, average="..1m",
            missed="2"),
    _script("process-upload", GOOSE, "*/10 * * * *", 29, average="..3m",
            missed="2"),
    _script("publish-distro", BLACK, "3 * * * *", 1500, average="..40m",
            grace="45m"),
    _script("parse-librarian-logs", BLACK, "0 */6 * * *", 340,
            average="..30m", grace="15m"),
    _script("parse-ppa-logs", BLACK, "15 */6 * * *", 520, "vanished",
            average="..30m", grace="20m"),
    _script("librarian-gc", LOGAN, "0 5 * * *", 3100, average="..3h",
            grace="2h"),
    _script("generate-sitemap", LOGAN, "0 */4 * * *", 77, "fast",
            average="30s..10m", severity="warning"),
    _script("import-translations", BLACK, "*/15 * * * *", 120,
            average="..10m", grace="10m"),
    _script("export-translations", BLACK, "8,38 * * * *", 160,
            average="..10m", grace="10m", missed="1"),
    _script("language-packs", LOGAN, "0 20 * * 2,5", 5200, average="..3h",
            grace="3h"),
    _script("karma-totals", LOGAN, "0 1 * * *", 740, average="..1h",
            grace="30m"),
    _script("update-stacking", LOGAN, "50 * * * *", 19, "snoozed",
            average="..5m"),
    _script("branch-scanner", f"{LOGAN} {BLACK} {GOOSE}", "*/10 * * * *", 26,
            average="..3m", missed="1"),
    _script("clean-sessions", f"{LOGAN} {BLACK}", "35 * * * *", 6,
            average="..1m"),
    _script("check-teams", LOGAN, "20 7 * * 1-5", 41, average="..5m"),
    _script("merge-proposals", BLACK, "*/10 * * * *", 52, "running",
            average="..5m", missed="1"),
    _script("sync-calendar", LOGAN, "*/20 * * * *", 12, average="learned",
            spread=0.5),
    _script("revoke-certificates", BLACK, "0 9 * * 1", 15, "never",
            severity="warning"),
    _script("warm-caches", LOGAN, "*/30 * * * *", 9, average="..1m"),
    Script("rotate-keys", (LOGAN,), "12 */2 * * *", 4, rule=None),
    Script("backfill-karma", (BLACK,), "7 1 1,9,10,26 * *", 900, "random",
           None, spread=0.8),
]


def write_rules(path: Path) -> None:
    """Write the rules file of the demonstration."""
    lines = [
        '<configure xmlns="http://namespaces.zope.org/zope"',
        '           xmlns:lp="http://namespaces.canonical.com/lp">',
        '  <include package="canonical.launchpad" file="meta.zcml" />',
        '  <lp:downtime schedule="0 8 * * 0" for="1h" />',
    ]
    for script in SCRIPTS:
        if script.rule is None:
            continue
        tag = script.name.partition("-")[0]
        attributes = {
            "name": script.name, "schedule": script.schedule,
            "timezone": script.timezone,
            "hosts": " ".join(script.hosts),
            **({"tags": tag} if tag in TAGS else {}),
            **dict(script.rule)}
        lines.append("  <lp:script {} />".format(" ".join(
            f'{name}="{value}"' for name, value in attributes.items()
            if (name, value) != ("timezone", "UTC"))))
    path.write_text("\n".join([*lines, "</configure>", ""]))


def fill(connection: Any, days: int = DAYS) -> int:
    """Put the history into empty tables, and commit it.

    :param connection: of psycopg2.
    :param days: how many of the last days.
    :return: the number of runs.
    """
    runs = [
        run for script in SCRIPTS for host in script.hosts
        for run in runs_of(script, host, days)]
    runs.sort(key=lambda run: (run.started, run.script.name, run.hostname))
    with connection, connection.cursor() as cursor:
        _copy(cursor, "scriptactivity (name, hostname, date_started,"
              " date_completed)", [
                  (run.script.name, run.hostname, run.started, ended(run))
                  for run in runs if run.outcome == "success"])
        _copy(cursor, "scriptattempt (name, hostname, pid, date_started,"
              " date_ended, outcome, exit_status, reason, stderr)", [
                  (run.script.name, run.hostname, 4000 + number % 28000,
                   run.started, ended(run) if run.outcome else None,
                   run.outcome or None,
                   {"failure": 1, "success": 0}.get(run.outcome),
                   run.reason or None, run.stderr or None)
                  for number, run in enumerate(runs)
                  if run.outcome != "success"])
        # Else a script that has never run would be new.
        _copy(cursor, "scriptrule (name, hostname, schedule, date_seen)", [
            (script.name, host, f"{script.schedule} {script.timezone}",
             END - days * DAY)
            for script in SCRIPTS if script.rule is not None
            for host in script.hosts])
        cursor.execute(
            "INSERT INTO scriptpause (name, cause, date_started, date_ended)"
            " VALUES ('update-stacking', 'snoozed', %s, %s)",
            (END - 5 * HOUR, END + 3 * HOUR))
        cursor.execute("ANALYZE")
    return len(runs)


def fill_alerts(rules: Path, days: int = 10) -> None:
    """Record what people would have been notified of.

    The utilities are registered, and there is a transaction manager; the
    caller commits.
    """
    with registered_apart():
        load_expectations(rules)
        cases = registered_cases(
            registered_expectations(), END - HORIZON, END, MINUTE)
        incidents = [
            incident for _, each in replay_all(cases, END - days * DAY, END)
            for incident in each]
    incidents.sort(key=lambda each: (each.opened, each.name))
    for each in incidents:
        # Only one can be open for a script.
        getUtility(IScriptAlertSet).open([Alert(
            None, "mail", each.name, each.hostname, each.state,
            tuple(answer._replace(sentence=SENTENCES[answer.question])
                  for answer in each.answers),
            each.opened, date_unstable=each.unstable)])
        main_store().execute(
            "UPDATE scriptalert SET date_told = ?, date_good = ?,"
            " date_closed = ?, date_settled = ? WHERE name = ?"
            " AND hostname IS NOT DISTINCT FROM ? AND date_opened = ?",
            (each.opened + MINUTE, each.closed, each.closed, each.closed,
             each.name, each.hostname, each.opened))


def _copy(cursor: Any, table: str, rows: list[tuple[Any, ...]]) -> None:
    text = io.StringIO()
    for row in rows:
        text.write("\t".join([
            r"\N" if value is None
            else value.translate(ESCAPES) if isinstance(value, str)
            else str(value) for value in row]) + "\n")
    text.seek(0)
    cursor.copy_expert(f"COPY {table} FROM STDIN", text)
