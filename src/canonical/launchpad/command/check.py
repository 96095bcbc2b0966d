"""The command ``scriptactivity check``, its exit status and Nagios' line."""

from __future__ import annotations

import argparse
import datetime
from collections import Counter
from pathlib import Path
from typing import Any

import transaction
from psycopg2.errors import InsufficientPrivilege
from psycopg2.errors import ReadOnlySqlTransaction

from canonical.config.durations import rounded_text
from canonical.database.replica import replayed_until
from canonical.launchpad.command.history import print_future
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import check_host
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import expected
from canonical.launchpad.command.rules import record_seen_rules
from canonical.launchpad.command.rules import record_switches
from canonical.launchpad.command.rules import unseen_names
from canonical.launchpad.command.table import Screen
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.answers import script_on_host
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.registry import assess_fleet
from canonical.launchpad.monitor.registry import assess_some
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.plaintext import time_text


__all__ = [
    "STYLES",
    "assessment_as_dict",
    "check",
]


# By the Monitoring Plugins Development Guidelines.
# Where scripts are unknown, the line about all of them is critical.
STATUS = {
    "ok": 0, "paused": 0, "waiting": 0, "unknown": 0, "warning": 1,
    "critical": 2}

# More would not fit in what Nagios reads, which are some kilobytes.
LISTED = 10

# A replica is always a little behind.
WORTH_A_LINE = datetime.timedelta(seconds=1)

STYLES = {"critical": "red", "warning": "yellow"}


def check(args: argparse.Namespace) -> int:
    """Compare scripts with their rules, and print the worst first.

    Exit status: 0 all is well, 1 warning, 2 critical, 3 unknown.
    """
    expectations = expected(args.expectations, args.names, args.tags)
    if args.host is not None:
        check_host(args.host, expectations)
    now = datetime.datetime.now(datetime.UTC)
    at, lag = args.at or now, None
    if (replica := replayed_until(now)) is not None:
        known_until, lag = replica
        at = min(at, known_until)
        _report_lag(known_until, lag)
    elif args.at is None:
        _record_new(expectations, at)
    fleet, skew = registered_expectations(), clock_skew()
    assessments = assess_some(expectations, fleet, at, skew, args.host) if (
        args.names or args.tags or args.host
    ) else assess_fleet(fleet, at, skew)
    if not assessments:
        raise ExpectationError(f"no rule is for the host {args.host!r}")
    print_future({each.name for each in assessments})
    if args.at is None:
        _report_unseen({
            each.name for each in assessments
            if each.figures.last_started is None})
    if args.json:
        print_json(assessment_as_dict(each) for each in assessments)
    elif args.nagios:
        say(_nagios_line(assessments, lag))
    elif args.prometheus:
        _expose(assessments, args.prometheus)
    else:
        keys = [[each.state, each.name, each.hostname] for each in assessments]
        reasons = [_reasons(each) for each in assessments]
        print_table(
            ["state", "script", "host", "why"],
            [[*key, reason]
             for key, reason in zip(keys, reasons, strict=True)],
            "Nothing is expected.",
            lambda row: STYLES.get(assessments[row].state, ""),
            Screen(
                ["state", "script", "host"], keys, 3, reasons))
    return max(STATUS[each.state] for each in assessments)


def _record_new(
    expectations: list[IScriptExpectation], at: datetime.datetime
) -> None:
    """Record which scripts are switched off, and which rules are new."""
    if record_switches(at):
        transaction.commit()
    try:
        if record_seen_rules(expectations, at):
            transaction.commit()
    except (InsufficientPrivilege, ReadOnlySqlTransaction):
        # A role that only reads may check too.  "alert" records it then.
        transaction.abort()


def _report_unseen(names: set[str]) -> None:
    """Print which scripts are never late, since nobody records their rules.

    :param names: the scripts that have never succeeded.
    """
    new = unseen_names(
        each for each in registered_expectations() if each.name in names)
    if new:
        more = f" and {len(new) - LISTED} more" if len(new) > LISTED else ""
        complain(
            f"not on record: the rule of {', '.join(new[:LISTED])}{more};"
            " nothing is due before alert, or check by a role that may write,"
            " records it")


def _report_lag(
    until: datetime.datetime, lag: datetime.timedelta
) -> None:
    if lag >= WORTH_A_LINE:
        complain(
            f"the replica is {rounded_text(lag)} behind, and this is as of"
            f" {time_text(until)}")


def _expose(assessments: list[Assessment], path: str) -> None:
    # Slow to import, and of no use to the others.
    from canonical.launchpad.command.openalerts import incident_counts
    from canonical.launchpad.command.prometheus import exposition
    from canonical.launchpad.command.prometheus import write_metrics
    metrics = exposition(
        assessments, incident_counts(datetime.datetime.now(datetime.UTC)))
    if path == "-":
        print(metrics, end="")
    else:
        write_metrics(Path(path), metrics)


def _reasons(assessment: Assessment) -> str:
    """What is wrong; or, if nothing is, all three answers."""
    questions = (assessment.recently, assessment.often, assessment.runtime)
    wrong = [each for each in questions if each.state != "ok"]
    # In order, and each once.
    return "; ".join(dict.fromkeys(
        each.sentence for each in wrong or questions))


def assessment_as_dict(assessment: Assessment) -> dict[str, Any]:
    """An assessment as programs read it."""
    return {
        "name": assessment.name,
        "hostname": assessment.hostname,
        "state": assessment.state,
        "questions": {
            "recently": assessment.recently._asdict(),
            "often": assessment.often._asdict(),
            "runtime": assessment.runtime._asdict(),
        },
        "tags": list(assessment.tags),
    }


def _nagios_line(
    assessments: list[Assessment], lag: datetime.timedelta | None
) -> str:
    """Status, what is wrong, and performance data after a bar.

    :param lag: how far a replica is behind, if one answers.
    """
    counts = Counter(each.state for each in assessments)
    worst = assessments[0].state
    wrong = [
        _reasons(each) if each.name == ALL else
        f"{script_on_host(each.name, each.hostname)} {_reasons(each)}"
        for each in assessments if STATUS[each.state]]
    said = "; ".join(wrong[:LISTED]) or "all scripts do as expected"
    if len(wrong) > LISTED:
        said += f"; and {len(wrong) - LISTED} more"
    data = " ".join(
        f"{state}={counts[state]}" for state in STATUS)
    if lag is not None:
        data += f" lag={lag.total_seconds():.0f}s"
    word = "OK" if not STATUS[worst] else worst.upper()
    return f"SCRIPTS {word} - {said.replace('|', '/')} | {data}"
