"""script-monitor and script-monitor-nagios, as operators know them.

Both take the scripts that should have completed within some minutes.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial

import transaction
from zope.component import getUtility

from canonical.config import ConfigError
from canonical.launchpad.command.commands import UNKNOWN
from canonical.launchpad.command.execute import TROUBLE
from canonical.launchpad.command.execute import with_database
from canonical.launchpad.command.mail import check_accepted
from canonical.launchpad.command.mail import mail
from canonical.launchpad.command.mail import recipients
from canonical.launchpad.command.parser import UsageError
from canonical.launchpad.command.parser import monitor_parser
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.printing import print_unknown
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.streams import OutputError
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.plaintext import time_text


__all__ = [
    "script_monitor",
    "script_monitor_nagios",
]


FAILED = 2


def script_monitor(argv: Sequence[str] | None = None) -> int:
    """Print, and mail if somebody wants it, what did not run.

    :return: the exit status: 0, or 2 if something did not, or 3.
    """
    return _guarded(
        "script-monitor", argv, _report,
        lambda text: complain(text, "script-monitor"))


def script_monitor_nagios(argv: Sequence[str] | None = None) -> int:
    """Print on one line whether all ran, for Nagios.

    :return: the exit status: 0, or 2 if something did not, or 3.
    """
    return _guarded(
        "script-monitor-nagios", argv, _print_line,
        lambda text: print_unknown(f"script-monitor-nagios: {text}"))


def _print_line(args: argparse.Namespace) -> int:
    missing = _missing(args)
    if not missing:
        say("All scripts ran as expected")
        return 0
    pairs = ", ".join(f"{host}:{name}" for host, name, _ in missing)
    # What comes after a bar would be performance data.
    say(f"Scripts failed to run: {pairs.replace('|', '/')}")
    return FAILED


def _report(args: argparse.Namespace) -> int:
    missing = _missing(args)
    if not missing:
        return 0
    lines = [
        f"The script '{name}' did not complete on '{host}' within"
        f" {args.minutes} minutes, since {time_text(args.since, 'minutes')}."
        f"  Last seen: {_seen(last)}."
        for host, name, last in missing]
    try:
        for line in lines:
            say(line)
    finally:
        # What cannot be printed can be mailed.
        _mail(f"Scripts failed to run: {len(missing)}", lines)
    return FAILED


def _seen(last: datetime.datetime | None) -> str:
    return "never" if last is None else time_text(last, "minutes")


def _mail(subject: str, lines: list[str]) -> None:
    """Send what was printed, if there are recipients."""
    if recipients():
        # A mail server may take longer than a transaction may last.
        transaction.abort()
        check_accepted(mail(subject, "\n".join(lines) + "\n"))


def _missing(
    args: argparse.Namespace
) -> list[tuple[str, str, datetime.datetime | None]]:
    """Host, script, and when it last completed, of what did not in time."""
    figures = getUtility(IScriptFiguresSet).getFigures(
        [Inquiry(name, host, (), args.now, runs=20)
         for host, name in args.pairs], args.now)
    return [
        (host, name, each.last_completed)
        for (host, name), each in zip(args.pairs, figures, strict=True)
        if each.last_completed is None or each.last_completed < args.since]


def _guarded(
    program: str,
    argv: Sequence[str] | None,
    command: Callable[[argparse.Namespace], int],
    print_trouble: Callable[[str], None],
) -> int:
    """Run with a database; whatever is wrong is a line, and unknown."""
    try:
        args = monitor_parser(program).parse_args(argv)
        args.now = datetime.datetime.now(datetime.UTC)
        args.since = args.now - datetime.timedelta(minutes=args.minutes)
        status = with_database(partial(command, args))
        sys.stdout.flush()
        return status
    except OutputError as error:
        error.status = UNKNOWN
        raise
    except (ConfigError, UsageError, *TROUBLE) as error:
        print_trouble(in_a_line(error))
        return UNKNOWN
