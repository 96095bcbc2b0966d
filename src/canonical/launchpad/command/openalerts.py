"""The command ``scriptactivity alerts``: what is broken, and who knows."""

from __future__ import annotations

import argparse
import datetime
from collections import Counter
from collections.abc import Sequence
from typing import Any

from zope.component import getUtility

from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.prometheus import IncidentCounts
from canonical.launchpad.command.rules import channels
from canonical.launchpad.command.rules import rule_tags
from canonical.launchpad.command.rules import tag_filter
from canonical.launchpad.command.table import Screen
from canonical.launchpad.command.table import print_table
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.monitor.incidents import DAY
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.message import unstable_since
from canonical.launchpad.monitor.recordedlate import recorded_late
from canonical.launchpad.plaintext import time_text


__all__ = [
    "alert_as_dict",
    "alerts",
    "incident_counts",
    "notified",
    "open_alerts",
]


def open_alerts() -> list[Alert]:
    """The alerts that are open, of the channels that are configured."""
    in_use = channels()
    return [
        each for each in getUtility(IScriptAlertSet).getUnsettled()
        if each.date_closed is None and each.channel in in_use]


def incident_counts(at: datetime.datetime) -> IncidentCounts:
    """How many incidents of each script are open, and opened lately.

    An incident has an alert for each channel, and is one.

    :param at: now, an aware datetime.
    """
    opened: Counter[Key] = Counter()
    for (_, *script), dates in getUtility(IScriptAlertSet).getOpenings(
        at - DAY
    ).items():
        name, hostname = script
        opened[name, hostname] = max(opened[name, hostname], len(dates))
    return IncidentCounts(
        Counter({(each.name, each.hostname) for each in open_alerts()}),
        opened)


def alert_as_dict(alert: Alert, tags: Sequence[str]) -> dict[str, Any]:
    """An alert as programs read it.

    :param tags: of the rule of its script.
    """
    return {
        "name": alert.name, "hostname": alert.hostname,
        "question": alert.question, "state": alert.state,
        "opened": alert.date_opened, "told": alert.date_told,
        "channel": alert.channel, "sentence": alert.sentence,
        "good_since": alert.date_good, "unstable_since": alert.date_unstable,
        "answers": [each._asdict() for each in alert.answers],
        "tags": list(tags),
    }


def alerts(args: argparse.Namespace) -> int:
    """Print what is broken, since when, and when people were notified."""
    is_wanted = tag_filter(args.tags)
    found = [each for each in open_alerts() if is_wanted(each.name)]
    if args.json:
        tags = rule_tags()
        print_json(
            alert_as_dict(each, tags.get(each.name, ())) for each in found)
        return 0
    print_table(
        ["state", "script", "host", "question", "since", "notified", "by",
         "why"],
        [
            [each.state, each.name, each.hostname, each.question,
             each.date_opened, each.date_told, each.channel,
             "; ".join([
                 *unstable_since(each), each.sentence, *recorded_late(each)])]
            for each in found
        ],
        "Nothing is broken that an alert was opened for.",
        lambda row: "red" if found[row].state == "critical" else "yellow",
        Screen(
            ["state", "script", "host", "question", "since"],
            [
                [each.state, each.name, each.hostname, each.question,
                 each.date_opened]
                for each in found
            ],
            3, ["; ".join([
                *unstable_since(each), each.sentence, *recorded_late(each),
                notified(each)])
                for each in found]))
    return 0


def notified(alert: Alert) -> str:
    """Whether people were notified of an alert, and when."""
    if alert.date_told is None:
        return f"nobody was notified by {alert.channel} yet"
    return f"notified by {alert.channel} at {time_text(alert.date_told)}"
