"""The command ``scriptactivity snooze``: expect nothing for a while."""

from __future__ import annotations

import argparse
import datetime

import transaction
from zope.component import getUtility

from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import expected
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.plaintext import time_text


__all__ = [
    "snooze",
]


def snooze(args: argparse.Namespace) -> int:
    """Expect nothing of a script for a while, from now on."""
    expected(args.expectations, [args.name])
    now = datetime.datetime.now(datetime.UTC)
    until = now + args.duration
    getUtility(IScriptPauseSet).snooze(args.name, now, until)
    transaction.commit()
    if args.duration:
        say(f"{args.name} is snoozed until {time_text(until)}.")
    else:
        say(f"{args.name} is not snoozed.")
    return 0
