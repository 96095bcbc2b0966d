"""A demonstration: 40 scripts on 3 hosts, over 90 days, with every trouble.

The history is always the same.  It ends at `END`, so that a change of clocks
is in it.  `make serve` shows it, and so do the tests of the pages.
"""

from __future__ import annotations

import datetime
import io
import math
import random
from collections.abc import Callable
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from typing import NamedTuple

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
from canonical.launchpad.monitor.schedule import slots_between


__all__ = [
    "END",
    "fill",
    "fill_alerts",
    "write_rules",
]


# Clocks in Europe changed two days before.
END = datetime.datetime(2025, 10, 28, 9, 21, 30, tzinfo=datetime.UTC)
DAYS = 90

MINUTE = datetime.timedelta(minutes=1)
HOUR = 60 * MINUTE
DAY = 24 * HOUR

DEAD_HOST, DIED = "gooseberry", END - 7 * HOUR - 12 * MINUTE
DEPLOYED, ROLLED_BACK = END - 4 * DAY - 19 * HOUR, END - 4 * DAY - 15 * HOUR
DRIFT_BEGAN = END - 20 * DAY
LEAK_BEGAN, RESTARTED = END - 60 * DAY, END - 25 * DAY
LEAK_AGAIN = END - 24 * DAY
CLOCKS = datetime.datetime(2025, 10, 26, 1, 0, tzinfo=datetime.UTC)

TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/app/{name}.py", line 12, in <module>
    from app.models import Person
ImportError: cannot import name 'Person' from 'app.models'
"""


# What would end a field or a row, as COPY reads it.
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n"})


# The first words of names that are tags too.
TAGS = ("expire", "garbo", "process", "send", "update")

SENTENCES = {
    "recently": "did not run when it was due",
    "often": "missed more runs than the rule allows",
    "runtime": "took longer or shorter than the rule allows"}


@dataclass(frozen=True)
class Script:
    """A script of the demonstration.

    :ivar seconds: its usual duration.
    :ivar trouble: see `TROUBLES`.
    :ivar rule: attributes of its rule; `None` if it has none.
    """

    name: str
    hosts: tuple[str, ...]
    schedule: str
    seconds: float
    trouble: str = ""
    rule: tuple[tuple[str, str], ...] | None = ()
    timezone: str = "UTC"
    spread: float = 0.18


class Past(NamedTuple):
    """A run as it goes into the tables."""

    script: Script
    hostname: str
    started: datetime.datetime
    seconds: float
    outcome: str = "success"
    reason: str = ""
    stderr: str = ""


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
            **({"hosts": " ".join(script.hosts)}
               if len(script.hosts) > 1 else {}),
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
        for run in _runs(script, host, days)]
    runs.sort(key=lambda run: (run.started, run.script.name, run.hostname))
    with connection, connection.cursor() as cursor:
        _copy(cursor, "scriptactivity (name, hostname, date_started,"
              " date_completed)", [
                  (run.script.name, run.hostname, run.started, _ended(run))
                  for run in runs if run.outcome == "success"])
        _copy(cursor, "scriptattempt (name, hostname, pid, date_started,"
              " date_ended, outcome, exit_status, reason, stderr)", [
                  (run.script.name, run.hostname, 4000 + number % 28000,
                   run.started, _ended(run) if run.outcome else None,
                   run.outcome or None,
                   {"failure": 1, "success": 0}.get(run.outcome),
                   run.reason or None, run.stderr or None)
                  for number, run in enumerate(runs)
                  if run.outcome != "success"])
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


def _ended(run: Past) -> datetime.datetime:
    return run.started + datetime.timedelta(seconds=run.seconds)


def _runs(script: Script, host: str, days: int) -> Iterator[Past]:
    """The runs of a script on a host, with its trouble and that of others."""
    source = random.Random(f"{script.name} on {host}")
    change = TROUBLES.get(script.trouble, _as_it_is)
    for slot in slots_between(
        script.schedule, script.timezone, END - days * DAY, END
    ):
        if slot.weekday() == 6 and slot.hour == 8:
            # Everything is down on Sundays.
            continue
        started = slot + datetime.timedelta(
            seconds=source.uniform(0.4, 2.5))
        took = script.seconds * math.exp(source.gauss(0, script.spread))
        run = Past(script, host, started, round(took, 3))
        if host == DEAD_HOST and started > DIED:
            return
        if DEPLOYED < started < ROLLED_BACK and script.seconds < 1000:
            yield run._replace(
                seconds=0.7, outcome="failure",
                reason="ImportError: cannot import name 'Person' from"
                       " 'app.models'",
                stderr=TRACEBACK.format(name=script.name))
            continue
        changed = change(run, source)
        if changed is not None and (
            _ended(changed) < END or not changed.outcome
        ):
            yield changed


def _as_it_is(run: Past, source: random.Random) -> Past | None:
    return run


def _leak(run: Past, source: random.Random) -> Past | None:
    """It takes longer and longer, until somebody restarts what it needs."""
    since = (
        LEAK_AGAIN if run.started > LEAK_AGAIN else
        LEAK_BEGAN if LEAK_BEGAN < run.started < RESTARTED else run.started)
    days = (run.started - since) / DAY
    return run._replace(seconds=round(run.seconds * 1.085 ** days, 3))


def _drift(run: Past, source: random.Random) -> Past | None:
    """It starts some minutes later each day."""
    late = max(0.0, (run.started - DRIFT_BEGAN) / DAY) * 1.4
    return run._replace(started=run.started + late * MINUTE)


def _clocks(run: Past, source: random.Random) -> Past | None:
    """The clock of its machine is not set back with the others."""
    if run.started > CLOCKS - DAY:
        return run._replace(started=run.started - HOUR)
    return run


def _flaky(run: Past, source: random.Random) -> Past | None:
    if source.random() < 0.06:
        return run._replace(
            seconds=60.2, outcome="failure",
            reason="TimeoutError: bugs.example.org did not answer in 1m")
    return run


def _killed(run: Past, source: random.Random) -> Past | None:
    if source.random() < 0.02:
        return run._replace(outcome="killed", reason="SIGTERM")
    return run


def _vanished(run: Past, source: random.Random) -> Past | None:
    if END - 9 * HOUR < run.started < END - 6 * HOUR:
        return run._replace(outcome="vanished")
    return run


def _fast(run: Past, source: random.Random) -> Past | None:
    """It finds nothing to do, and nobody knows why."""
    if run.started > END - 3 * DAY:
        return run._replace(seconds=round(run.seconds / 60, 3))
    return run


def _snoozed(run: Past, source: random.Random) -> Past | None:
    return None if run.started > END - 7 * HOUR else run


def _running(run: Past, source: random.Random) -> Past | None:
    if run.started > END - 12 * MINUTE:
        return run._replace(outcome="") if (
            run.started < END - 10 * MINUTE) else None
    return run


def _never(run: Past, source: random.Random) -> Past | None:
    return None


def _new(run: Past, source: random.Random) -> Past | None:
    return run if run.started > END - 11 * DAY else None


def _random(run: Past, source: random.Random) -> Past | None:
    return run._replace(started=run.started + source.uniform(0, 9) * HOUR)


# What becomes of a run.
TROUBLES: dict[
    str, Callable[[Past, random.Random], Past | None]] = {
    "leak": _leak, "drift": _drift, "clocks": _clocks, "flaky": _flaky,
    "killed": _killed, "vanished": _vanished, "fast": _fast,
    "snoozed": _snoozed, "running": _running, "never": _never, "new": _new,
    "random": _random}


def _copy(cursor: Any, table: str, rows: list[tuple[Any, ...]]) -> None:
    text = io.StringIO()
    for row in rows:
        text.write("\t".join([
            r"\N" if value is None
            else value.translate(ESCAPES) if isinstance(value, str)
            else str(value) for value in row]) + "\n")
    text.seek(0)
    cursor.copy_expert(f"COPY {table} FROM STDIN", text)
