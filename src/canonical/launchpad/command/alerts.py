"""The commands ``scriptactivity alert``, ``alerts`` and ``snooze``."""

from __future__ import annotations

import argparse
import datetime

import transaction
from zope.component import getUtility

from canonical.launchpad.command.arguments import duration
from canonical.launchpad.command.expecting import add_expectations_option
from canonical.launchpad.command.expecting import configured_channels
from canonical.launchpad.command.expecting import expected
from canonical.launchpad.command.output import add_json_option
from canonical.launchpad.command.output import print_json
from canonical.launchpad.command.output import print_table
from canonical.launchpad.command.output import say
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.interfaces import IScriptPauseSet


__all__ = [
    "add_alerts_options",
    "add_snooze_options",
    "alert",
    "alerts",
    "snooze",
]


def alert(args: argparse.Namespace) -> int:
    """Tell people what has changed; see ``scriptactivity alert --help``."""
    # It mails, which takes a while to import, and most commands do not.
    from canonical.launchpad.command.alert import AlertScript
    AlertScript(
        "scriptactivity-alert", test_args=args.arguments).lock_and_run()
    return 0


def add_alerts_options(parser: argparse.ArgumentParser) -> None:
    """Add what `alerts` takes."""
    add_json_option(parser)


def alerts(args: argparse.Namespace) -> int:
    """What is broken, since when, and when people were told."""
    channels = configured_channels() or ["output"]
    found = [
        each for each in getUtility(IScriptAlertSet).getUnsettled()
        if each.date_closed is None and each.channel in channels]
    if args.json:
        print_json(
            {
                "name": each.name, "hostname": each.hostname,
                "question": each.question, "state": each.state,
                "opened": each.date_opened, "told": each.date_told,
                "channel": each.channel, "sentence": each.sentence,
            } for each in found)
        return 0
    print_table(
        ["state", "script", "host", "question", "since", "told", "by", "why"],
        [
            [each.state, each.name, each.hostname, each.question,
             each.date_opened, each.date_told, each.channel, each.sentence]
            for each in found
        ],
        "Nothing is broken that an alert was opened for.",
        lambda row: "red" if found[row].state == "critical" else "yellow")
    return 0


def add_snooze_options(parser: argparse.ArgumentParser) -> None:
    """Add what `snooze` takes."""
    parser.add_argument("name", metavar="NAME", help="the script")
    parser.add_argument(
        "--for", metavar="DURATION", dest="duration", type=duration,
        required=True, help="for how long, such as 2h; 0s ends it")
    add_expectations_option(parser)


def snooze(args: argparse.Namespace) -> int:
    """Expect nothing of a script for a while, from now on."""
    expected(args.expectations, [args.name])
    now = datetime.datetime.now(datetime.UTC)
    until = now + args.duration
    getUtility(IScriptPauseSet).snooze(args.name, now, until)
    transaction.commit()
    if args.duration:
        say(f"{args.name} is snoozed until {until:%Y-%m-%d %H:%M:%S} UTC.")
    else:
        say(f"{args.name} is not snoozed.")
    return 0
