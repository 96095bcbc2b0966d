"""The options and arguments of each command.

What makes the man pages imports this too, so it needs nothing that has to be
installed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from canonical.config.locations import FILE_NAME
from canonical.config.locations import SYSTEM
from canonical.launchpad.command.arguments import add_at_option
from canonical.launchpad.command.arguments import add_since_option
from canonical.launchpad.command.arguments import duration
from canonical.launchpad.command.arguments import period
from canonical.launchpad.plaintext import is_printable


__all__ = [
    "add_alert_options",
    "add_backtest_options",
    "add_check_options",
    "add_config_file_option",
    "add_config_options",
    "add_crontab_options",
    "add_failures_options",
    "add_init_options",
    "add_last_options",
    "add_monitor_options",
    "add_output_options",
    "add_show_options",
    "add_snooze_options",
    "add_suggest_options",
]


# Of a hundred years.
MOST_MINUTES = 52_596_000

# More rows than anybody reads, and few enough to be fetched at once.
MOST_FAILURES = 100_000


def _text(value: str) -> str:
    """A name, a host or the like.

    :raises argparse.ArgumentTypeError: if it is empty, or not in UTF-8.
    """
    if not value:
        raise argparse.ArgumentTypeError("must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"not in UTF-8: {value!r}") from None
    return value


def _file_path(value: str) -> Path:
    """The path of a file, whose bytes need not be UTF-8.

    :raises argparse.ArgumentTypeError: if it is empty.
    """
    if not value:
        raise argparse.ArgumentTypeError("must not be empty")
    return Path(value)


def _count(value: str) -> int:
    """How many rows to print.

    :raises argparse.ArgumentTypeError: if it is not a sensible number.
    """
    return _number(value, MOST_FAILURES)


def add_config_file_option(parser: argparse.ArgumentParser) -> None:
    """Add --config, which all commands take."""
    parser.add_argument(
        "--config", metavar="FILE", type=_file_name,
        help="the configuration file, instead of the one that LPCONFIG names"
             " or that is found")


def add_init_options(parser: argparse.ArgumentParser) -> None:
    """Add what `init` takes."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "uri", metavar="URI", nargs="?", type=_uri,
        help="the database, such as postgresql://me@db.example.com/app; a"
             " configuration file is written that names it")
    where.add_argument(
        "--embedded", action="store_true",
        help="the same with a private PostgreSQL, started when it is needed")
    parser.add_argument(
        "--system", action="store_true",
        help=f"write {SYSTEM / FILE_NAME}, for all users, instead of the"
             " user's own file")
    parser.add_argument(
        "--grant", metavar="PURPOSE=ROLE", type=_purpose_and_role,
        action="append", default=[],
        help="grant a role of the database what it needs to run scripts"
             " (scripts=ROLE), or to check and alert too (monitor=ROLE); may"
             " be given several times")


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``config`` takes."""
    parser.add_argument(
        "--json", action="store_true", help="print a JSON object")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``list``, ``running`` and ``alerts`` take, and others too."""
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array")
    _add_local_option(parser)


def add_failures_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``failures`` takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=_text,
        help="print the failures of this script only")
    parser.add_argument(
        "--host", type=_text, help="print the failures on this host only")
    parser.add_argument(
        "--since", metavar="DURATION", type=period,
        help="print what started within this time, such as 12h or 90d;"
             " otherwise whenever it was")
    parser.add_argument(
        "--limit", metavar="COUNT", type=_count, default=100,
        help="print at most this many; the default is 100")
    add_output_options(parser)


def add_last_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``last`` takes."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", type=_text,
        help="print the last success of this script only")
    parser.add_argument(
        "--host", type=_text, help="with NAME, look at this host only")
    add_output_options(parser)


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``show`` takes."""
    parser.add_argument(
        "name", metavar="NAME", type=_text, help="the script")
    _add_expectations_option(parser)
    add_output_options(parser)


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``check`` takes."""
    _add_names_argument(parser)
    _add_expectations_option(parser)
    add_at_option(parser, "answer as of this time")
    parser.add_argument(
        "--host", type=_text,
        help="leave out what is expected on other hosts")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--json", action="store_true", help="print a JSON array")
    how.add_argument(
        "--nagios", action="store_true",
        help="print one line, as a plugin of Nagios does")
    how.add_argument(
        "--prometheus", metavar="FILE", nargs="?", const="-", type=_text,
        help="print metrics, or put them in FILE for the textfile collector")
    _add_local_option(parser)


def add_crontab_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``crontab`` takes."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=_file_name,
        help="a crontab; - is standard input")
    parser.add_argument(
        "--timezone", metavar="ZONE", type=_text,
        help="the time zone of cron, such as Europe/London, for schedules"
             " without CRON_TZ; the default is this machine's")
    parser.add_argument(
        "--names", metavar="FILE", type=_file_path,
        help="names for scripts whose commands do not show them: each line has"
             " a shell pattern, for the command or the script's path or"
             " basename, and a name")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--system", action="store_const", const=True,
        help="the sixth field is a user, as in /etc/crontab; the default"
             " depends on path and text")
    form.add_argument(
        "--user", dest="system", action="store_const", const=False,
        help="there is no field for the user, as in what crontab -l prints")


def add_suggest_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``suggest`` takes."""
    _add_names_argument(parser)
    add_since_option(parser, "infer from a history of this length")
    add_at_option(parser, "infer from what was until this time")


def add_backtest_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``backtest`` takes."""
    _add_names_argument(parser)
    _add_expectations_option(parser)
    parser.add_argument(
        "--against", metavar="FILE", type=_file_path,
        help="another rules file; print only the alerts that differ")
    add_since_option(parser, "how far back to begin")
    add_at_option(parser, "where to end")
    add_output_options(parser)


def add_alert_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``alert`` takes."""
    _add_expectations_option(
        parser, "; always the same, for what is not in it is no longer"
        " expected")
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--test", action="store_true",
        help="send a message that is marked as a test through each channel,"
             " and print what each server answered")
    how.add_argument(
        "--dry-run", action="store_true",
        help="print what would be sent, and record nothing")
    parser.add_argument(
        "-v", "--verbose", action="count", default=0, help="log more")
    parser.add_argument(
        "-q", "--quiet", action="count", default=0,
        help="log less; may be given several times")
    parser.add_argument(
        "--log-file", metavar="[LEVEL:]FILE", type=_file_name,
        help="write the log to this file as well; LEVEL is such as DEBUG")


def add_snooze_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``snooze`` takes."""
    parser.add_argument(
        "name", metavar="NAME", type=_text, help="the script")
    parser.add_argument(
        "--for", metavar="DURATION", dest="duration", type=duration,
        required=True, help="for how long, such as 2h; 0s ends it")
    _add_expectations_option(parser)
    _add_local_option(parser)


def add_monitor_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``script-monitor`` and ``script-monitor-nagios`` take."""
    parser.add_argument(
        "minutes", metavar="MINUTES", type=_minutes,
        help="within which the scripts should have completed")
    parser.add_argument(
        "pairs", metavar="HOST:SCRIPT", nargs="+", type=_pair,
        help="a host, and a script that should have completed there")


def _add_local_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--local", action="store_true",
        help="print times in the local time zone; the default is UTC")


def _add_names_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", metavar="NAME", nargs="*", type=_text,
        help="a script; the default is all scripts")


def _add_expectations_option(
    parser: argparse.ArgumentParser, but: str = ""
) -> None:
    parser.add_argument(
        "--expectations", metavar="FILE", type=_file_path,
        help="a rules file (ZCML), instead of the one that [monitor]"
             f" expectations names{but}")


def _file_name(value: str) -> str:
    """A path that is printed as it was given."""
    _file_path(value)
    return value


def _minutes(value: str) -> int:
    return _number(value, MOST_MINUTES)


def _number(value: str, most: int) -> int:
    if not (value.isascii() and value.isdecimal()) or not (
        0 < int(value) <= most
    ):
        raise argparse.ArgumentTypeError(
            f"not a number from 1 to {most}: {value!r}")
    return int(value)


def _pair(value: str) -> tuple[str, str]:
    parts = value.split(":")
    if len(parts) != 2 or not all(parts) or not is_printable(value):
        raise argparse.ArgumentTypeError(
            f"not a host and a script with one colon between: {value!r}")
    return parts[0], parts[1]


def _uri(text: str) -> str:
    """A URI that a line of a file can hold."""
    text = text.strip()
    if not text or not is_printable(text):
        raise argparse.ArgumentTypeError(
            "empty, or not printable; expected something like"
            " postgresql://me@db.example.com/app")
    return text


def _purpose_and_role(text: str) -> tuple[str, str]:
    """Whom to grant what, as in ``scripts=ROLE``."""
    purpose, _, role = text.partition("=")
    if purpose not in ("scripts", "monitor") or not role or (
        not is_printable(role)
    ):
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected scripts=ROLE or monitor=ROLE")
    return purpose, role
