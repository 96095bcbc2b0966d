"""The command ``scriptactivity snooze``."""

from __future__ import annotations

import argparse
import datetime

import transaction
from zope.component import getUtility

from canonical.launchpad.command.arguments import duration
from canonical.launchpad.command.output import say
from canonical.launchpad.command.rules import add_expectations_option
from canonical.launchpad.command.rules import expected
from canonical.launchpad.interfaces import IScriptPauseSet


__all__ = [
    "add_snooze_options",
    "snooze",
]


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
