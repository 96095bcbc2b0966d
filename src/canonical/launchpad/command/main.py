"""The command ``scriptactivity``."""

from __future__ import annotations

import argparse
import io
import logging
import math
import os
import sys
from collections.abc import Sequence

import psycopg2
from storm.exceptions import StormError
from zope.component import getUtility

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.embedded import EmbeddedClusterError
from canonical.database.postgres import apply_schema
from canonical.database.postgres import connection_parameters
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.scripts.sending import flush
from canonical.launchpad.scripts.spool import Spool
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "main",
]


def init(args: argparse.Namespace) -> int:
    """Make the tables, or bring older ones up to date; rows are kept."""
    where = apply_schema(connection_parameters())
    print(f"The tables in {where} are up to date.")
    return 0


def last(args: argparse.Namespace) -> int:
    """Print when a script last succeeded."""
    execute_zcml()
    ztm = initZopeless()
    try:
        activity = getUtility(IScriptActivitySet).getLastActivity(
            args.name, args.host)
        if activity is None:
            where = f" on {args.host}" if args.host else ""
            print(
                f"scriptactivity: no success of {args.name!r}{where} is on"
                " record", file=sys.stderr)
            return 1
        duration = activity.date_completed - activity.date_started
        print(
            f"{activity.name} on {activity.hostname}: last succeeded"
            f" {activity.date_started:%Y-%m-%d %H:%M:%S} UTC, in"
            f" {duration.total_seconds():.1f} s")
        return 0
    finally:
        ztm.uninstall()


def flush_spool(args: argparse.Namespace) -> int:
    """Record what the spool holds."""
    logging.basicConfig(format="scriptactivity: %(message)s")
    spool = Spool(config.directory_for("scripts", "spool_directory"))
    execute_zcml()
    ztm = initZopeless()
    try:
        sent = flush(ztm, spool, logging.getLogger(), seconds=math.inf)
        left = len(spool.paths())
    finally:
        ztm.uninstall()
    print(f"{sent} recorded, {left} left in {spool.directory}")
    return 1 if left else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scriptactivity",
        description="What is on record about the scripts of an application.",
        epilog="The database is [database] uri of the instance that LPCONFIG"
               " names, or LP_DATABASE_URI.  Start with: scriptactivity init",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    command = commands.add_parser(
        "init", help="make or upgrade the tables", description=init.__doc__)
    command.set_defaults(run=init)

    command = commands.add_parser(
        "flush", help="record what is in the spool of this host",
        description=flush_spool.__doc__)
    command.set_defaults(run=flush_spool)

    command = commands.add_parser(
        "last", help="when a script last succeeded", description=last.__doc__)
    command.add_argument("name", metavar="NAME", help="the script's name")
    command.add_argument("--host", help="look at this host only")
    command.set_defaults(run=last)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: its arguments, by default those of the process.
    :return: the exit status: 0, or 1 for a failure, or 2 for wrong use and
        wrong configuration; all but 0 come with a line on standard error.
    """
    args = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a name shows how to write it.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = args.run(args)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ConfigError as error:
        return _fail(2, error)
    except psycopg2.errors.UndefinedTable as error:
        return _fail(1, error, "; make the tables with: scriptactivity init")
    except (
        EmbeddedClusterError, OSError, StormError, psycopg2.Error
    ) as error:
        return _fail(1, error)
    return status


def _fail(status: int, error: Exception, advice: str = "") -> int:
    message = str(error).splitlines()[0]
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    if detail:
        message = f"{message}: {' '.join(detail.split())}"
    print(f"scriptactivity: {message}{advice}", file=sys.stderr)
    return status
