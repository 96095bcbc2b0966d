"""The options of report, export, import and prune."""

from __future__ import annotations

import argparse

from canonical.launchpad.command.arguments import file_name
from canonical.launchpad.command.arguments import file_path
from canonical.launchpad.command.arguments import month
from canonical.launchpad.command.arguments import period
from canonical.launchpad.command.arguments import text
from canonical.launchpad.command.arguments import time
from canonical.launchpad.command.options import add_expectations_option
from canonical.launchpad.command.options import add_log_options
from canonical.launchpad.command.options import add_tag_option


__all__ = [
    "add_export_options",
    "add_import_options",
    "add_prune_options",
    "add_report_options",
]


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``export`` takes."""
    parser.add_argument(
        "file", metavar="FILE", type=file_name,
        help="a file whose name ends in .csv or .jsonl, or one of these and"
             " .gz; - is standard output")
    parser.add_argument(
        "--attempts", dest="what", action="store_const", const="attempts",
        default="runs", help="attempts that have ended, instead of successes")
    parser.add_argument(
        "--form", choices=["csv", "jsonl"],
        help="CSV or JSON lines; the default depends on the name of the file,"
             " and is csv for standard output")
    parser.add_argument(
        "--since", metavar="TIME", type=time,
        help="leave out what started earlier; such as 2007-02-01T10:00Z")
    parser.add_argument(
        "--until", metavar="TIME", type=time,
        help="leave out what started then or later")
    add_tag_option(parser)


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``import`` takes."""
    parser.add_argument(
        "files", metavar="FILE", nargs="+", type=file_name,
        help="a file; - is standard input.  If it ends in .gz, it is unpacked")
    parser.add_argument(
        "--bad-lines", metavar="FILE", type=file_path,
        help="put lines that are wrong into this file, and go on; otherwise"
             " the first one stops everything")
    parser.add_argument(
        "--host", type=text,
        help="the host of runs that name none; the default is this one")
    parser.add_argument(
        "--name", type=text,
        help="the script of runs that name none, such as pings of"
             " Healthchecks")


def add_prune_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``prune`` takes."""
    parser.add_argument(
        "--keep", metavar="DURATION", type=period, default="400d",
        help="keep runs this long; the default is 400d")
    parser.add_argument(
        "--keep-failures", metavar="DURATION", type=period, default="3y",
        help="keep failures this long, if it is longer than --keep; the"
             " default is 3y")
    parser.add_argument(
        "--keep-output", metavar="DURATION", type=period,
        help="keep what commands printed this long; the default is as long as"
             " their attempts")
    parser.add_argument(
        "--keep-reasons", metavar="DURATION", type=period,
        help="the same for the reasons of failures")
    add_expectations_option(parser)
    add_tag_option(parser)
    add_log_options(parser)


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``report`` takes."""
    parser.add_argument(
        "--month", metavar="MONTH", type=month,
        help="a month in UTC, such as 2007-02; the default is this month,"
             " until now")
    add_expectations_option(parser)
    add_tag_option(parser)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--json", action="store_true", help="print a JSON array")
    how.add_argument("--csv", action="store_true", help="print CSV")
