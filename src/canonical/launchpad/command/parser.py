"""The parsers of command lines: --help, examples, mistakes.

The build imports this too, to make the man pages.  So it imports nothing that
has to be installed.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterable
from collections.abc import Sequence
from itertools import takewhile
from typing import Any
from typing import NoReturn

from canonical.launchpad.command.commands import COMMANDS
from canonical.launchpad.command.commands import MONITORS
from canonical.launchpad.command.commands import UNKNOWN
from canonical.launchpad.command.commands import VERSION
from canonical.launchpad.command.options import add_config_file_option
from canonical.launchpad.command.options import add_monitor_options
from canonical.launchpad.command.runoptions import joined
from canonical.launchpad.nearest import nearest


__all__ = [
    "Parser",
    "UsageError",
    "main_parser",
    "monitor_parser",
    "parse",
]


DESCRIPTION = """\
Prints what is on record about the scripts of an application: which succeeded,
which run, which failed and why.
"""

EPILOG = """\
New here?  "scriptactivity init postgresql://USER@HOST/DATABASE" writes a
configuration file and makes the tables; "scriptactivity init --embedded" does
it with a private PostgreSQL.  Then run a script that subclasses
LaunchpadCronScript, and see "scriptactivity list".
"""


class UsageError(Exception):
    """A command line is wrong; the text says how.

    :ivar status: the exit status.
    """

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` for what is wrong.

    :ivar trouble: the exit status then.
    """

    trouble = 2

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        raise UsageError(
            f"{message} (see: {self.prog} --help)", self.trouble)


class _Version(argparse.Action):

    def __init__(self, **values: Any) -> None:
        super().__init__(nargs=0, help="print the version and exit", **values)

    def __call__(
        self, parser: argparse.ArgumentParser, *arguments: Any
    ) -> None:
        print(f"scriptactivity {VERSION}")
        parser.exit()


def main_parser(names: Iterable[str] = COMMANDS) -> Parser:
    """A parser that knows the options of commands.

    :param names: of the commands; by default, of all.
    """
    parser = Parser(
        prog="scriptactivity", description=DESCRIPTION, epilog=EPILOG,
        allow_abbrev=False)
    parser.add_argument("--version", action=_Version)
    add_config_file_option(parser)
    commands = parser.add_subparsers(
        metavar="COMMAND", required=True, title="commands")
    for name in names:
        command = COMMANDS[name]
        one = commands.add_parser(
            name, help=command.help, allow_abbrev=False,
            **_texts(command.description, command.examples))
        one.trouble = command.trouble
        one.set_defaults(command=command, parser=one, local=False)
        if command.add_options is not None:
            command.add_options(one)
    return parser


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """What a command line means.

    :return: the arguments of the command; ``command``, a `Command`; and
        ``config``, the file that --config names, or `None`.
    :raises UsageError: if it means nothing.
    """
    file, argv = _config_file(joined(argv))
    # To make the parsers of all commands takes as long as a short command.
    names = [each for each in argv[:1] if each in COMMANDS] or COMMANDS
    args, unknown = main_parser(names).parse_known_args(argv)
    args.config = file
    if unknown:
        early = list(takewhile(lambda each: each not in COMMANDS, argv))
        args.parser.error(
            f"unrecognized arguments: {' '.join(early or unknown)}"
            + _advice(early, unknown[0], args.parser._option_string_actions))
    return args


def _advice(early: list[str], first: str, options: Iterable[str]) -> str:
    """What to do about unknown arguments, for their message.

    :param early: those before the command.
    :param options: of the command.
    """
    if not early:
        option = first.partition("=")[0]
        return nearest(option, options) if option.startswith("--") else ""
    if early[0][:3] == "--c":
        return "; do you mean '--config'?"
    return "; they follow the command"


def _config_file(argv: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """The value of --config, wherever it is, and the other arguments."""
    parser = Parser(prog="scriptactivity", add_help=False, allow_abbrev=False)
    parser.trouble = next(
        (COMMANDS[each].trouble for each in argv if each in COMMANDS), 2)
    add_config_file_option(parser)
    args, rest = parser.parse_known_args(argv)
    return args.config, rest


def monitor_parser(program: str) -> Parser:
    """A parser for one of `MONITORS`."""
    parser = Parser(prog=program, **_texts(MONITORS[program], {
        f"{program} 60 loganberry:tidy-uploads":
        "did it complete within an hour?",
        f"{program} 1500 loganberry:backup gooseberry:backup":
        "did it within a day, on two hosts?",
    }))
    parser.trouble = UNKNOWN
    add_monitor_options(parser)
    return parser


def _texts(description: str, examples: dict[str, str]) -> dict[str, Any]:
    """What a parser says before its options and after them."""
    lines = [
        f"  {command}\n      {purpose}"
        for command, purpose in examples.items()]
    return {
        "description": textwrap.fill(description, 79),
        "epilog": "\n".join(["examples:", *lines]),
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
