"""The command ``scriptactivity``."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import psycopg2
from storm.exceptions import StormError

from canonical.config import ConfigError
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.output import UNKNOWN
from canonical.launchpad.command.output import complain
from canonical.launchpad.command.output import in_a_line
from canonical.launchpad.command.output import show_what_can_be_shown
from canonical.launchpad.interfaces import printable
from canonical.launchpad.monitor.rulesfile import ExpectationError
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "main",
]


@dataclass(frozen=True)
class Command:
    """A command, and where to find it once it is wanted.

    Its module may have a function ``add_FUNCTION_options``.

    :ivar help: what it is for.
    :ivar module: a module of this package.
    :ivar function: that takes the arguments, and returns an exit status.
    :ivar database: does it need a store to work with?
    :ivar trouble: the exit status for wrong use.
    :ivar script: is it a script, with a parser of its own for its options?
    """

    help: str
    module: str
    function: str
    database: bool = True
    trouble: int = 2
    script: bool = False


COMMANDS = {
    "init": Command(
        "make or upgrade the tables", "upkeep", "init", database=False),
    "list": Command("how each script fares", "history", "list_scripts"),
    "running": Command(
        "what runs now, and for how long", "history", "running"),
    "failures": Command("what has failed, and why", "history", "failures"),
    "last": Command("when scripts last succeeded", "history", "last"),
    "check": Command(
        "does each script do as expected?", "check", "check",
        trouble=UNKNOWN),
    "crontab": Command(
        "what crontabs let expect, as ZCML for check", "crontab", "crontab",
        database=False),
    "suggest": Command(
        "what to expect, from the history", "suggest", "suggest"),
    "backtest": Command(
        "alerts that the rules would have raised", "backtest", "backtest"),
    "alert": Command(
        "tell people what broke and what recovered", "alert", "alert",
        database=False, script=True),
    "alerts": Command("what is broken, and who was told", "history", "alerts"),
    "snooze": Command("expect nothing for a while", "snooze", "snooze"),
    "flush": Command(
        "record what this host has spooled", "upkeep", "flush_spool"),
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
        self.exit(
            self.trouble, f"{self.prog}: error: {printable(message)}\n")


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    """A parser that knows all commands, and the options of the wanted one."""
    parser = Parser(
        prog="scriptactivity", description=DESCRIPTION, epilog=EPILOG)
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands")
    for name, command in COMMANDS.items():
        if name not in argv[:1]:
            commands.add_parser(name, help=command.help)
        elif command.script:
            # To a parser for which nothing is an option all is an argument.
            _set_up(command, commands.add_parser(
                name, prefix_chars="\0", add_help=False))
        else:
            _set_up(command, commands.add_parser(name))
    return parser


def _set_up(command: Command, parser: Parser) -> None:
    module = importlib.import_module(f"{__package__}.{command.module}")
    function = getattr(module, command.function)
    parser.description = function.__doc__
    parser.trouble = command.trouble
    parser.set_defaults(
        run=_with_database(function) if command.database else function,
        parser=parser)
    if command.script:
        parser.add_argument("arguments", nargs="*")
    add_options = getattr(module, f"add_{command.function}_options", None)
    if add_options is not None:
        add_options(parser)


def _with_database(
    function: Callable[[argparse.Namespace], int]
) -> Callable[[argparse.Namespace], int]:
    """A command that has a store to work with."""
    def run(args: argparse.Namespace) -> int:
        execute_zcml()
        ztm = initZopeless()
        try:
            return function(args)
        finally:
            ztm.uninstall()
    return run


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: its arguments, by default those of the process.
    :return: the exit status: 0, or 1 for a failure, or 2 for wrong use and
        wrong configuration; all but 0 come with a line on standard error.
    """
    # A command lives for seconds and leaves hardly any cycles, and with ten
    # thousand scripts it would spend a tenth of them on looking.  Nor should
    # it look at its end, and that is what it is to freeze.
    gc.disable()
    argv = sys.argv[1:] if argv is None else argv
    args, unknown = _parser(argv).parse_known_args(argv)
    if unknown:
        args.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    show_what_can_be_shown()
    try:
        status: int = args.run(args)
        sys.stdout.flush()
        gc.freeze()
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ConfigError, ExpectationError) as error:
        return _fail(max(2, args.parser.trouble), error)
    except (
        EmbeddedClusterError, OSError, StormError, psycopg2.Error
    ) as error:
        return _fail(_failure(args), error)
    return status


def _failure(args: argparse.Namespace) -> int:
    """The exit status of a command that cannot do what it should."""
    return UNKNOWN if args.parser.trouble == UNKNOWN else 1


def _fail(status: int, error: Exception) -> int:
    complain(in_a_line(error))
    return status
