"""The command ``scriptactivity``."""

from __future__ import annotations

import argparse
import gc
import io
import logging
import math
import os
import sys
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NoReturn

import psycopg2
from storm.exceptions import StormError

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.embedded import EmbeddedClusterError
from canonical.database.postgres import apply_schema
from canonical.database.postgres import connection_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.alerts import add_alerts_options
from canonical.launchpad.command.alerts import add_snooze_options
from canonical.launchpad.command.alerts import alert
from canonical.launchpad.command.alerts import alerts
from canonical.launchpad.command.alerts import snooze
from canonical.launchpad.command.attempts import failures
from canonical.launchpad.command.attempts import last
from canonical.launchpad.command.attempts import list_scripts
from canonical.launchpad.command.attempts import running
from canonical.launchpad.command.check import UNKNOWN
from canonical.launchpad.command.check import add_check_options
from canonical.launchpad.command.check import check
from canonical.launchpad.command.crontab import add_crontab_options
from canonical.launchpad.command.crontab import crontab
from canonical.launchpad.command.suggest import add_suggest_options
from canonical.launchpad.command.suggest import suggest
from canonical.launchpad.monitor.checking import ExpectationError
from canonical.launchpad.scripts.sending import flush
from canonical.launchpad.scripts.spool import Spool
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "main",
]


Command = Callable[[argparse.Namespace], int]


def init(args: argparse.Namespace) -> int:
    """Make the tables, or bring older ones up to date; rows are kept."""
    where = apply_schema(connection_parameters())
    print(f"The tables in {where} are up to date.")
    return 0


def flush_spool(args: argparse.Namespace) -> int:
    """Record what the spool holds."""
    logging.basicConfig(format="scriptactivity: %(message)s")
    logger = logging.getLogger("scriptactivity")
    logger.setLevel(logging.DEBUG)
    spool = Spool(config.directory_for("scripts", "spool_directory"))
    ztm = ZopelessTransactionManager._installed
    assert ztm is not None
    sent = flush(ztm, spool, logger, seconds=math.inf)
    left = len(spool.paths())
    print(f"{sent} recorded, {left} left in {spool.directory}")
    return 1 if left else 0


def with_database(command: Command) -> Command:
    """A command that has a store to work with."""
    def run(args: argparse.Namespace) -> int:
        execute_zcml()
        ztm = initZopeless()
        try:
            return command(args)
        finally:
            ztm.uninstall()
    run.__doc__ = command.__doc__
    return run


COMMANDS: dict[str, tuple[Command, str]] = {
    "init": (init, "make or upgrade the tables"),
    "list": (with_database(list_scripts), "how each script fares"),
    "running": (with_database(running), "what runs now, and for how long"),
    "failures": (with_database(failures), "what has failed, and why"),
    "check": (with_database(check), "does each script do as expected?"),
    "crontab": (crontab, "what crontabs let expect, as ZCML for check"),
    "alert": (alert, "tell people what broke and what recovered"),
    "alerts": (with_database(alerts), "what is broken, and who was told"),
    "snooze": (with_database(snooze), "expect nothing for a while"),
    "suggest": (with_database(suggest), "what to expect, from the history"),
    "last": (with_database(last), "when scripts last succeeded"),
    "flush": (with_database(flush_spool), "record what this host has spooled"),
}

# These are scripts, and parse their own options: to their parsers here
# nothing is one.
SCRIPTS: dict[str, dict[str, Any]] = {
    "alert": {"prefix_chars": "\0", "add_help": False},
}

DESCRIPTION = """
What is on record about the scripts of an application: which have succeeded,
which run, which have failed and why.
"""

EPILOG = """
New here?  "scriptactivity init" makes the tables in the database that
[database] uri of the configuration names, or LP_DATABASE_URI.  Then run a
script that subclasses LaunchpadCronScript, and see "scriptactivity list".
"""


class Parser(argparse.ArgumentParser):
    """A parser with an exit status of its own.

    :ivar trouble: the exit status for wrong use.
    """

    trouble = 2

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        self.print_usage(sys.stderr)
        self.exit(self.trouble, f"{self.prog}: error: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="scriptactivity", description=DESCRIPTION, epilog=EPILOG)
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands")
    parsers = {}
    for name, (function, text) in COMMANDS.items():
        parsers[name] = commands.add_parser(
            name, help=text, description=function.__doc__,
            **SCRIPTS.get(name, {}))
        parsers[name].set_defaults(run=function, parser=parsers[name])
        if name in SCRIPTS:
            parsers[name].add_argument("arguments", nargs="*")
    add_check_options(parsers["check"])
    add_crontab_options(parsers["crontab"])
    add_alerts_options(parsers["alerts"])
    add_snooze_options(parsers["snooze"])
    parsers["check"].trouble = UNKNOWN
    add_suggest_options(parsers["suggest"])
    for name in "list", "running", "failures", "last":
        parsers[name].add_argument(
            "--json", action="store_true", help="print a JSON array")
    for name in "failures", "last":
        parsers[name].add_argument(
            "name", metavar="NAME", nargs="?", help="of this script only")
    parsers["last"].add_argument(
        "--host", help="with NAME, look at this host only")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: its arguments, by default those of the process.
    :return: the exit status: 0, or 1 for a failure, or 2 for wrong use and
        wrong configuration; all but 0 come with a line on standard error.
    """
    # A command lives for seconds and leaves hardly any cycles, and with ten
    # thousand scripts it would spend a tenth of them on looking.
    gc.disable()
    args, unknown = _parser().parse_known_args(argv)
    if unknown:
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
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
    except (ConfigError, ExpectationError) as error:
        return _fail(max(2, args.parser.trouble), error)
    except (
        psycopg2.errors.UndefinedColumn, psycopg2.errors.UndefinedTable
    ) as error:
        return _fail(
            _failure(args), error,
            " (make or upgrade the tables with: scriptactivity init)")
    except (
        EmbeddedClusterError, OSError, StormError, psycopg2.Error
    ) as error:
        return _fail(_failure(args), error)
    return status


def _failure(args: argparse.Namespace) -> int:
    """The exit status of a command that cannot do what it should."""
    return UNKNOWN if args.parser.trouble == UNKNOWN else 1


def _fail(status: int, error: Exception, advice: str = "") -> int:
    message = str(error).splitlines()[0]
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    if detail:
        message = f"{message}: {' '.join(detail.split())}"
    print(f"scriptactivity: {message}{advice}", file=sys.stderr)
    return status
