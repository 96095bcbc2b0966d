"""script-monitor and script-monitor-nagios, as operators know them.

Both are told which scripts should have completed within some minutes.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable
from collections.abc import Sequence
from typing import NoReturn

import psycopg2
import transaction
from storm.exceptions import StormError
from zope.component import getUtility

from canonical.config import ConfigError
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.mail import check_accepted
from canonical.launchpad.command.mail import mail
from canonical.launchpad.command.mail import recipients
from canonical.launchpad.command.output import UNKNOWN
from canonical.launchpad.command.output import complain
from canonical.launchpad.command.output import in_a_line
from canonical.launchpad.command.output import say
from canonical.launchpad.command.output import show_what_can_be_shown
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.plaintext import is_printable
from canonical.launchpad.plaintext import printable
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "script_monitor",
    "script_monitor_nagios",
]


FAILED = 2

# Those of a hundred years.
MOST_MINUTES = 52_596_000


class Parser(argparse.ArgumentParser):
    """Exits with the status that means that nothing is known."""

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        self.print_usage(sys.stderr)
        self.exit(UNKNOWN, f"{self.prog}: {printable(message)}\n")


def script_monitor(argv: Sequence[str] | None = None) -> int:
    """Print, and mail if somebody wants it, what did not run.

    :return: the exit status: 0, or 2 if something did not, or 3.
    """
    parser, args = _parse(
        "script-monitor", "Print what did not complete in time, and mail it"
        " to [monitor] recipients.", argv)
    return _guarded(parser, lambda: _report(args))


def script_monitor_nagios(argv: Sequence[str] | None = None) -> int:
    """Print on one line whether all ran, for Nagios.

    :return: the exit status: 0, or 2 if something did not, or 3.
    """
    parser, args = _parse(
        "script-monitor-nagios", "Tell Nagios on a line what did not complete"
        " in time.", argv)

    def tell() -> int:
        missing = _missing(args)
        if not missing:
            say("All scripts ran as expected")
            return 0
        pairs = ", ".join(f"{host}:{name}" for host, name, _ in missing)
        # What comes after a bar would be performance data.
        say(f"Scripts failed to run: {pairs.replace('|', '/')}")
        return FAILED

    return _guarded(parser, tell)


def _report(args: argparse.Namespace) -> int:
    missing = _missing(args)
    if not missing:
        return 0
    lines = [
        f"The script '{name}' did not complete on '{host}' within"
        f" {args.minutes} minutes, since {args.since:%Y-%m-%d %H:%M} UTC."
        f"  Last seen: {_seen(last)}."
        for host, name, last in missing]
    for line in lines:
        say(line)
    _mail(f"Scripts failed to run: {len(missing)}", lines)
    return FAILED


def _seen(last: datetime.datetime | None) -> str:
    return "never" if last is None else f"{last:%Y-%m-%d %H:%M} UTC"


def _mail(subject: str, lines: list[str]) -> None:
    """Send what was printed, if there are recipients."""
    if recipients():
        # A mail server may take longer than a transaction may last.
        transaction.abort()
        check_accepted(mail(subject, "\n".join(lines) + "\n"))


def _parse(
    program: str, description: str, argv: Sequence[str] | None
) -> tuple[Parser, argparse.Namespace]:
    parser = Parser(prog=program, description=description)
    parser.add_argument(
        "minutes", metavar="MINUTES", type=int,
        help="within which they should have completed")
    parser.add_argument(
        "pairs", metavar="HOST:SCRIPT", nargs="+", type=_pair)
    show_what_can_be_shown()
    args = parser.parse_args(argv)
    if args.minutes < 1:
        parser.error(f"MINUTES has to be 1 or more, and not {args.minutes}")
    if args.minutes > MOST_MINUTES:
        parser.error(
            f"MINUTES has to be {MOST_MINUTES} or less, and not"
            f" {args.minutes}")
    args.now = datetime.datetime.now(datetime.UTC)
    args.since = args.now - datetime.timedelta(minutes=args.minutes)
    return parser, args


def _pair(text: str) -> tuple[str, str]:
    parts = text.split(":")
    if len(parts) != 2 or not all(parts) or not is_printable(text):
        raise argparse.ArgumentTypeError(
            f"not a host and a script with one colon between: {text!r}")
    return parts[0], parts[1]


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


def _guarded(parser: Parser, command: Callable[[], int]) -> int:
    """Run with a database; whatever is wrong is a line, and unknown."""
    try:
        execute_zcml()
        ztm = initZopeless()
        try:
            return command()
        finally:
            ztm.uninstall()
    except (
        ConfigError, EmbeddedClusterError, OSError, StormError,
        psycopg2.Error,
    ) as error:
        complain(in_a_line(error), parser.prog)
        return UNKNOWN
