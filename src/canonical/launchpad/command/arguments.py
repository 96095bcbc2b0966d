"""The times and durations that commands take."""

from __future__ import annotations

import argparse
import datetime
import re
from collections.abc import Iterable

from canonical.config.durations import parse_duration


__all__ = [
    "add_at_option",
    "add_since_option",
    "duration",
    "joined",
    "period",
]


# Hardly a history is longer.
LONGEST = datetime.timedelta(days=3650)


def add_at_option(parser: argparse.ArgumentParser, help: str) -> None:
    """Add --at.

    :param help: what it means.
    """
    parser.add_argument(
        "--at", metavar="TIME", type=_time,
        help=f"{help}, such as 2007-02-01T10:00Z; the default is now")


def add_since_option(parser: argparse.ArgumentParser, help: str) -> None:
    """Add --since.

    :param help: what it means.
    """
    parser.add_argument(
        "--since", metavar="DURATION", type=period, default="30d",
        help=f"{help}, such as 12h or 90d; the default is 30d")


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


def duration(text: str) -> datetime.timedelta:
    """A duration, as `parse_duration` reads it.

    :raises argparse.ArgumentTypeError: if it is not one.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def period(text: str) -> datetime.timedelta:
    """A duration that a history may have.

    :raises argparse.ArgumentTypeError: if it is not one.
    """
    length = duration(text)
    if not datetime.timedelta() < length <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be more than 0s and at most {LONGEST.days}d, not {text!r}")
    return length


def _time(text: str) -> datetime.datetime:
    """A time with its zone, as in ISO 8601.

    :raises argparse.ArgumentTypeError: if it is not one.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"not a time: {text!r}; expected something like"
            " 2007-02-01T10:00Z") from None
    if moment.utcoffset() is None:
        raise argparse.ArgumentTypeError(
            f"a time without its zone: {text!r}; expected something like"
            f" {moment.isoformat('T', 'minutes')}Z")
    if not 1970 <= moment.year < 3000:
        raise argparse.ArgumentTypeError(
            f"a time out of range: {text!r}; expected one from 1970 to 2999")
    return moment.astimezone(datetime.UTC)
