"""Parses the values of arguments, and reports wrong ones.

Each function is the ``type`` of an argument: it raises
`argparse.ArgumentTypeError` for a wrong value.
"""

from __future__ import annotations

import argparse
import datetime
from pathlib import Path

from canonical.config.durations import parse_duration
from canonical.config.valuechecks import value_mistake
from canonical.launchpad.plaintext import is_printable


__all__ = [
    "duration",
    "failure_count",
    "file_name",
    "file_path",
    "host_and_port",
    "host_and_script",
    "minutes",
    "month",
    "period",
    "purpose_and_role",
    "run_id",
    "text",
    "time",
    "uri",
]


# Of a hundred years.
MOST_MINUTES = 52_596_000

# More rows than anybody reads, and few enough to be fetched at once.
MOST_FAILURES = 100_000

# Of PostgreSQL's bigint.
LARGEST_ID = 2**63 - 1

# Hardly a history is longer.
LONGEST = datetime.timedelta(days=3650)


def duration(text: str) -> datetime.timedelta:
    """A duration, as `parse_duration` reads it."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def period(text: str) -> datetime.timedelta:
    """A duration that a history may have."""
    length = duration(text)
    if not datetime.timedelta() < length <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be more than 0s and at most {LONGEST.days}d, not {text!r}")
    return length


def time(text: str) -> datetime.datetime:
    """A time with its zone, as in ISO 8601."""
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


def month(text: str) -> datetime.date:
    """The first day of a month, as in ``2007-02``."""
    try:
        # The digits of other scripts are digits to strptime.
        if not text.isascii():
            raise ValueError
        day = datetime.datetime.strptime(text, "%Y-%m").date()
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"not a month: {text!r}; expected something like 2007-02"
        ) from None
    if not 1970 <= day.year < 3000:
        raise argparse.ArgumentTypeError(
            f"a month out of range: {text!r}; expected one from 1970 to 2999")
    return day


def text(value: str) -> str:
    """A name, a host or the like: not empty, and in UTF-8."""
    if not value:
        raise argparse.ArgumentTypeError("must not be empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"not in UTF-8: {value!r}") from None
    return value


def file_path(value: str) -> Path:
    """The path of a file, whose bytes need not be UTF-8."""
    if not value:
        raise argparse.ArgumentTypeError("must not be empty")
    return Path(value)


def failure_count(value: str) -> int:
    """How many rows to print."""
    return _number(value, MOST_FAILURES)


def file_name(value: str) -> str:
    """A path that is printed as it was given."""
    file_path(value)
    return value


def run_id(value: str) -> int:
    """The number of an attempt."""
    return _number(value, LARGEST_ID)


def minutes(value: str) -> int:
    """How many minutes."""
    return _number(value, MOST_MINUTES)


def _number(value: str, most: int) -> int:
    # int() refuses thousands of digits.
    if not (value.isascii() and value.isdecimal()) or not (
        len(value) < 30 and 0 < int(value) <= most
    ):
        raise argparse.ArgumentTypeError(
            f"not a number from 1 to {most}: {value!r}")
    return int(value)


def host_and_script(value: str) -> tuple[str, str]:
    """A host and a script, as in ``HOST:SCRIPT``."""
    parts = value.split(":")
    if len(parts) != 2 or not all(parts) or not is_printable(value):
        raise argparse.ArgumentTypeError(
            f"not a host and a script with one colon between: {value!r}")
    return parts[0], parts[1]


def host_and_port(value: str) -> str:
    """Where to listen, as in ``127.0.0.1:8080``."""
    mistake = value_mistake("web", "listen", value)
    if mistake:
        raise argparse.ArgumentTypeError(mistake)
    return value


def uri(value: str) -> str:
    """A URI that a line of a file can hold."""
    value = value.strip()
    if not value or not is_printable(value):
        raise argparse.ArgumentTypeError(
            "empty, or not printable; expected something like"
            " postgresql://me@db.example.com/app")
    return value


def purpose_and_role(value: str) -> tuple[str, str]:
    """Whom to grant what, as in ``scripts=ROLE``."""
    purpose, _, role = value.partition("=")
    if purpose not in ("scripts", "monitor", "history") or not role or (
        not is_printable(role)
    ):
        raise argparse.ArgumentTypeError(
            f"{value!r}; expected scripts=ROLE, monitor=ROLE or history=ROLE")
    return purpose, role
