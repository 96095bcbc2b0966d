"""What commands print: lines, sentences, times and JSON.

Tables are in `canonical.launchpad.command.table`.
"""

from __future__ import annotations

import datetime
import json
import logging
import re
import sys
import time
from collections.abc import Iterable
from typing import Any

from zope.interface import Interface
from zope.schema import getFieldNamesInOrder

from canonical.config.durations import rounded_text
from canonical.database.errors import first_line
from canonical.launchpad.command.commands import UNKNOWN
from canonical.launchpad.command.streams import OutputError
from canonical.launchpad.plainlog import PlainFormatter
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import shortened
from canonical.launchpad.plaintext import time_text


__all__ = [
    "as_text",
    "complain",
    "end_for_people",
    "fields_of",
    "for_people",
    "in_a_line",
    "in_zone",
    "log_plainly",
    "print_json",
    "print_unknown",
    "say",
    "use_local_zone",
    "zone_name",
]


# A time as `time_text` writes it.
TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC")

# The zone that times are printed in; `None` is the local one.
_zone: datetime.tzinfo | None = datetime.UTC


def use_local_zone(local: bool) -> None:
    """Print times in the local zone from now on, or in UTC."""
    global _zone
    _zone = None if local else datetime.UTC


def zone_name() -> str:
    """The zone that times are printed in, summer's name too if it has one."""
    if _zone is not None:
        return "UTC"
    return "/".join(dict.fromkeys(time.tzname))


def log_plainly() -> None:
    """Let what is logged be lines on standard error, as of `complain`."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainFormatter("scriptactivity: %(message)s"))
    logging.basicConfig(handlers=[handler])


def say(text: str) -> None:
    """Print a line, whatever is in it, with its times in the right zone."""
    print(printable(in_zone(text)))


def print_unknown(text: str) -> None:
    """Print a line by which Nagios sees that nothing is known.

    :raises OutputError: if it cannot be printed.
    """
    try:
        # What comes after a bar would be performance data.
        say(f"SCRIPTS UNKNOWN - {text.replace('|', '/')}")
        sys.stdout.flush()
    except OutputError as error:
        error.status = UNKNOWN
        raise


def in_zone(text: str) -> str:
    """A sentence, with its times in the zone that times are printed in."""
    if _zone is not None:
        return text
    return TIME.sub(_in_local_zone, text)


def _in_local_zone(match: re.Match[str]) -> str:
    try:
        local = datetime.datetime.fromisoformat(
            f"{match[1]}+00:00").astimezone()
    except (ValueError, OverflowError):
        # Text from outside may look like a time and be none.
        return match[0]
    return f"{local.isoformat(' ')[:len(match[1])]} {local:%Z}"


def complain(text: str, program: str = "scriptactivity") -> None:
    """Print a line that says what is wrong to standard error."""
    said = printable(in_zone(shortened(text)))
    print(f"{program}: {said}", file=sys.stderr)


def in_a_line(error: Exception) -> str:
    """What an error says, and what to do about it if that is known."""
    return printable(first_line(error))


def fields_of(interface: type[Interface], instance: Any) -> dict[str, Any]:
    """The values of the fields of an interface, by their names."""
    return {
        name: getattr(instance, name)
        for name in getFieldNamesInOrder(interface)}


def print_json(objects: Iterable[dict[str, Any]]) -> None:
    """Print an array of objects, each on a line.

    Times are in the form of ISO 8601, durations are seconds.  All is ASCII:
    what could harm a terminal is escaped, and any terminal can show it.
    """
    encoder = json.JSONEncoder(default=_as_json, check_circular=False)
    print("[" + ",\n".join(map(encoder.encode, objects)) + "]")


def for_people(value: Any) -> str:
    """A value as a person reads it: times to the second, in their zone."""
    if isinstance(value, datetime.datetime):
        # A table names the zone once.
        return in_zone(time_text(value)).rpartition(" ")[0]
    if isinstance(value, datetime.timedelta):
        return rounded_text(value)
    return in_zone(as_text(value))


def end_for_people(
    started: datetime.datetime, ended: datetime.datetime | None
) -> str | None:
    """When something ended, without the day if it began on that day."""
    if ended is None:
        return None
    day, _, clock = for_people(ended).partition(" ")
    return clock if for_people(started).startswith(day) else f"{day} {clock}"


def as_text(value: Any) -> str:
    """A value as a program reads it."""
    if value is None:
        return "-"
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(_as_json(value))
    return printable(str(value))


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.astimezone(_zone).isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    raise TypeError(value)
