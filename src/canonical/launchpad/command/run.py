"""The command ``run``: any command, run and recorded as a cron script is.

It has a separate way from the command line to here, on which little is
imported, so that the command starts at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from canonical.config import config
from canonical.launchpad.command.runoptions import add_run_options
from canonical.launchpad.command.runoptions import joined
from canonical.launchpad.scripts.run import Order
from canonical.launchpad.scripts.run import run as run_order


__all__ = [
    "is_run",
    "run",
]


# The exit status for wrong use.
USAGE = 2


class _Parser(argparse.ArgumentParser):
    """A parser that prints one line about what is wrong."""

    def error(self, message: str) -> NoReturn:
        """See `argparse.ArgumentParser`."""
        # Slow to import, and mostly nothing is wrong.
        from canonical.launchpad.plaintext import printable
        from canonical.launchpad.plaintext import shortened
        print(
            f"scriptactivity: {printable(shortened(message))} (see:"
            " scriptactivity run --help)", file=sys.stderr, flush=True)
        os._exit(USAGE)


def run(argv: Sequence[str]) -> NoReturn:
    """Run a command; this process ends as the command has ended.

    :param argv: the arguments of ``scriptactivity``.
    """
    head, command = _parts(argv)
    # The width of a terminal, of which nothing is said here, is slow to get.
    parser = _Parser(
        prog="scriptactivity", add_help=False, allow_abbrev=False,
        formatter_class=partial(argparse.HelpFormatter, width=80))
    parser.add_argument("--config")
    parser.add_argument("run")
    add_run_options(parser)
    args, unknown = parser.parse_known_args(joined(head))
    if unknown and command is None:
        parser.error("expected -- between NAME and COMMAND")
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    if not command:
        parser.error("expected -- and a command after NAME")
    if not command[0]:
        parser.error("the name of the command must not be empty")
    if args.wait and not args.lock:
        parser.error("--wait goes with --lock")
    if args.quiet and args.no_output:
        parser.error("--quiet and --no-output exclude each other")
    if args.config == "":
        parser.error("argument --config: must not be empty")
    if args.config is not None:
        config.setInstance(args.config, "--config")
    timeout, timeout_text = args.timeout or (None, "")
    run_order(Order(
        args.name, command, args.ok, timeout, timeout_text, args.kill_after,
        args.quiet, not args.no_output, args.lock, args.wait))


def is_run(argv: Sequence[str]) -> bool:
    """Is it the command ``run``, and is that to run something?"""
    head, _ = _parts(argv)
    while head and head[0].startswith("--config"):
        head = head[1 if "=" in head[0] else 2:]
    return head[:1] == ["run"] and not {"-h", "--help"} & set(head)


def _parts(argv: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """The arguments before and after ``--``."""
    head = list(argv)
    if "--" not in head:
        return head, None
    index = head.index("--")
    return head[:index], head[index + 1:]
