"""What commands print: tables for people, lines and JSON for programs."""

from __future__ import annotations

import argparse
import datetime
import io
import json
import logging
import sys
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from zope.interface import Interface
from zope.schema import getFieldNamesInOrder

from canonical.database.roles import explain
from canonical.launchpad.interfaces import printable
from canonical.launchpad.scripts.plainlog import PlainFormatter


__all__ = [
    "UNKNOWN",
    "add_json_option",
    "ago",
    "complain",
    "fields_of",
    "for_people",
    "in_a_line",
    "log_plainly",
    "print_json",
    "print_table",
    "say",
    "show_what_can_be_shown",
]


# The exit status of what knows nothing, by the Monitoring Plugins Development
# Guidelines.
UNKNOWN = 3


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument(
        "--json", action="store_true", help="print a JSON array")


def show_what_can_be_shown() -> None:
    """Let a terminal that cannot show a character show how to write it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def log_plainly() -> None:
    """Let what is logged be lines on standard error, as of `complain`."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("scriptactivity: %(message)s"))
    logging.basicConfig(handlers=[handler])


def say(text: str) -> None:
    """Print a line, whatever is in it."""
    print(printable(text))


def complain(text: str, program: str = "scriptactivity") -> None:
    """Print a line that says what is wrong to standard error."""
    print(f"{program}: {printable(text)}", file=sys.stderr)


def in_a_line(error: Exception) -> str:
    """What an error says, and what to do about it if that is known."""
    message = (str(error).strip() or type(error).__name__).splitlines()[0]
    detail = getattr(getattr(error, "diag", None), "message_detail", None)
    if detail:
        message += f": {' '.join(detail.split())}"
    advice = explain(error)
    if advice:
        message += f" ({advice})"
    return printable(message)


def fields_of(interface: type[Interface], instance: Any) -> dict[str, Any]:
    """The values of the fields of an interface, by their names."""
    return {
        name: getattr(instance, name)
        for name in getFieldNamesInOrder(interface)}


def print_json(objects: Iterable[dict[str, Any]]) -> None:
    """Print an array of objects, each on a line.

    Times are in the form of ISO 8601, durations are seconds.  All is ASCII:
    what could harm a terminal is escaped, and none can fail to show it.
    """
    encoder = json.JSONEncoder(default=_as_json)
    print("[" + ",\n".join(map(encoder.encode, objects)) + "]")


def print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[Any]],
    empty: str,
    style: Callable[[int], str] = lambda row: "",
) -> None:
    """Print rows: as a table on a terminal, and else a line for each.

    Lines have a tab between values, nothing is cut, and the first line has
    the titles.  A tab or a line break in a value is escaped, as is all that
    is not printable.

    :param empty: what a person is told if there are none.
    :param style: of a row, by its number, as `rich` names styles.
    """
    if not sys.stdout.isatty():
        print("\t".join(titles))
        for row in rows:
            print("\t".join(_as_text(value) for value in row))
        return
    if not rows:
        print(empty)
        return
    # Slow to import, and of no use to a program.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, column in zip(titles, zip(*rows, strict=True), strict=True):
        # Of a long name the beginning tells; half a time tells nothing.
        table.add_column(title, no_wrap=not any(
            isinstance(value, str) for value in column))
    for number, row in enumerate(rows):
        table.add_row(
            *(value if isinstance(value, Text) else Text(
                for_people(value), no_wrap=True, overflow="ellipsis")
              for value in row), style=style(number))
    Console(highlight=False).print(table)


def for_people(value: Any) -> str:
    """A value as a person reads it: times to the second, durations short."""
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, datetime.timedelta):
        return ago(value)
    return _as_text(value)


def ago(duration: datetime.timedelta) -> str:
    """A duration in its two largest units, such as ``3d 4h`` or ``2.5s``."""
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f}s"
    units = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)]
    for (larger, size), (smaller, part) in zip(units, units[1:], strict=False):
        if seconds >= size:
            whole, rest = divmod(int(seconds), size)
            return f"{whole}{larger} {rest // part}{smaller}"
    raise AssertionError(seconds)


def _as_text(value: Any) -> str:
    """A value as a program reads it."""
    if value is None:
        return "-"
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(_as_json(value))
    return printable(str(value))


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(value)
