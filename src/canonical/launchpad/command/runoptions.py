"""The options of ``run``, apart from those of other commands.

They are read before the command starts, and the build imports them to make the
man pages.  So this imports little, and nothing that has to be installed.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable

from canonical.config.durations import parse_duration


__all__ = [
    "add_run_options",
    "joined",
]


# As long as a name may be; see `IScriptActivity`.
LONGEST = 255


def joined(argv: Iterable[str]) -> list[str]:
    """The arguments, with ``--since -1d`` as ``--since=-1d``.

    `argparse` would take ``-1d`` for an option, and not say what is wrong
    with it.
    """
    arguments: list[str] = []
    for each in argv:
        if re.match("-[0-9]", each) and arguments and re.fullmatch(
            "--[a-z-]+", arguments[-1]
        ):
            arguments[-1] += f"={each}"
        else:
            arguments.append(each)
    return arguments


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``run`` takes before the ``--``."""
    parser.usage = "scriptactivity run [OPTIONS] NAME -- COMMAND [ARG ...]"
    parser.add_argument(
        "name", metavar="NAME", type=_name, help="the name of the script")
    parser.add_argument(
        "--quiet", action="store_true",
        help="print what the command printed only if it fails, when it has"
             " ended, so that cron mails only then")
    parser.add_argument(
        "--lock", action="store_true",
        help="run one of this name at a time: if it runs already, exit with"
             " status 1; what cannot be locked is not run")
    parser.add_argument(
        "--wait", action="store_true",
        help="with --lock: if it runs already, wait until it has ended")
    parser.add_argument(
        "--timeout", metavar="DURATION", type=_timeout,
        help="after this time, such as 2h, send SIGTERM; the exit status is"
             " 124 then")
    parser.add_argument(
        "--kill-after", metavar="DURATION", type=_seconds, default="1m",
        help="after SIGTERM or SIGINT, send SIGKILL when this time has passed"
             " as well; the default is 1m")
    parser.add_argument(
        "--ok", metavar="STATUS,...", type=_statuses, default="0",
        help="the exit statuses that are a success, such as 0,3; the default"
             " is 0")
    parser.add_argument(
        "--no-output", action="store_true",
        help="keep no output; the command then writes directly to the standard"
             " output and standard error of this program")


def _name(value: str) -> str:
    """A name that can be recorded."""
    if not value:
        raise argparse.ArgumentTypeError("must not be empty")
    if len(value) > LONGEST:
        raise argparse.ArgumentTypeError(
            f"must have at most {LONGEST} characters, not {len(value)}")
    if not value.isprintable():
        from canonical.launchpad.plaintext import is_printable
        if not is_printable(value):
            raise argparse.ArgumentTypeError(
                "must not have line breaks or control characters in it, and"
                f" be in UTF-8: {value!r}")
    return value


def _seconds(value: str) -> float:
    try:
        return parse_duration(value).total_seconds()
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _timeout(value: str) -> tuple[float, str]:
    """A time that is not nought, and how it was written."""
    seconds = _seconds(value)
    if seconds == 0:
        raise argparse.ArgumentTypeError("must be more than 0s")
    return seconds, value.strip()


def _statuses(value: str) -> frozenset[int]:
    parts = [part.strip() for part in value.split(",")]
    if not all(
        part.isascii() and part.isdecimal() and len(part) < 4
        and int(part) < 256
        for part in parts
    ):
        raise argparse.ArgumentTypeError(
            f"not exit statuses: {value!r}; expected something like 0,3")
    return frozenset(map(int, parts))
