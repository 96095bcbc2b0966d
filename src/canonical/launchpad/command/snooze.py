"""The command ``scriptactivity snooze``: expect nothing for a while."""

from __future__ import annotations

import argparse
import datetime

import transaction
from zope.component import getUtility

from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import check_name_or_tags
from canonical.launchpad.command.rules import expected
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.plaintext import time_text


__all__ = [
    "snooze",
]


def snooze(args: argparse.Namespace) -> int:
    """Expect nothing of a script for a while, from now on.

    With --tag, of all scripts with a tag.
    """
    check_name_or_tags(args)
    rules = expected(
        args.expectations, [args.name] if args.name else (), args.tags)
    now = datetime.datetime.now(datetime.UTC)
    until = now + args.duration
    for rule in rules:
        getUtility(IScriptPauseSet).snooze(rule.name, now, until)
    transaction.commit()
    for rule in rules:
        if args.duration:
            say(f"{rule.name} is snoozed until {time_text(until)}.")
        else:
            say(f"{rule.name} is not snoozed.")
    return 0
