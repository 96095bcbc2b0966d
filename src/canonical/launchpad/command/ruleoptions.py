"""The options and arguments of the commands that make and try rules."""

from __future__ import annotations

import argparse

from canonical.launchpad.command.arguments import file_name
from canonical.launchpad.command.arguments import file_path
from canonical.launchpad.command.arguments import text
from canonical.launchpad.command.options import add_at_option
from canonical.launchpad.command.options import add_expectations_option
from canonical.launchpad.command.options import add_names_argument
from canonical.launchpad.command.options import add_output_options
from canonical.launchpad.command.options import add_since_option
from canonical.launchpad.command.options import add_tag_option


__all__ = [
    "add_backtest_options",
    "add_crontab_options",
    "add_suggest_options",
    "add_timers_options",
]


def add_crontab_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``crontab`` takes."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=file_name,
        help="a crontab, or a directory such as /etc/cron.d; - is standard"
             " input")
    parser.add_argument(
        "--wrap", action="store_true",
        help="print the crontab, with \"scriptactivity run NAME --\" before"
             " each command that runs a script")
    parser.add_argument(
        "--timezone", metavar="ZONE", type=text,
        help="the time zone of cron, such as Europe/London, for schedules"
             " without CRON_TZ; the default is this machine's")
    parser.add_argument(
        "--names", metavar="FILE", type=file_path,
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


def add_timers_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``timers`` takes."""
    parser.add_argument(
        "files", metavar="FILE", nargs="*", type=file_path,
        help="the unit file of a timer; by default all timers that systemctl"
             " lists")
    parser.add_argument(
        "--timezone", metavar="ZONE", type=text,
        help="the time zone of the machine, such as Europe/London, for"
             " expressions without one; the default is this machine's")


def add_suggest_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``suggest`` takes."""
    add_names_argument(parser)
    add_tag_option(parser)
    add_since_option(parser, "infer from a history of this length")
    add_at_option(parser, "infer from the history until this time")
    parser.add_argument(
        "--timezone", metavar="ZONE", type=text, default="UTC",
        help="the time zone of a schedule where the history does not show it;"
             " the default is UTC")


def add_backtest_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``backtest`` takes."""
    add_names_argument(parser)
    add_tag_option(parser)
    add_expectations_option(parser)
    parser.add_argument(
        "--against", metavar="FILE", type=file_path,
        help="another rules file; print only the incidents that differ")
    add_since_option(parser, "how far back to begin")
    add_at_option(parser, "where to end")
    add_output_options(parser)
