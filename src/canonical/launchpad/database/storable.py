"""Makes times and texts fit for the database.

Which names and hosts are accepted: see `canonical.launchpad.interfaces.names`.
"""

from __future__ import annotations

import datetime
import reprlib

from zope.schema import Datetime
from zope.schema import TextLine

from canonical.launchpad.plaintext import single_line


__all__ = [
    "checked_datetime",
    "is_storable",
    "shortened",
]


def is_storable(text: str) -> bool:
    """Can PostgreSQL store `text`?"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def checked_datetime(field: Datetime, value: object) -> datetime.datetime:
    """`value` converted to UTC.

    :raises TypeError: if it is not a `datetime.datetime`.
    :raises ValueError: if it has no time zone, or is in the first or last
        year of `datetime`.

    Both errors name the field and the value.
    """
    if not isinstance(value, datetime.datetime):
        raise TypeError(
            f"{field.__name__} must be a datetime, not {reprlib.repr(value)}")
    if value.utcoffset() is None:
        raise ValueError(
            f"{field.__name__} must be an aware datetime, and {value} has no"
            " time zone")
    if not datetime.MINYEAR < value.year < datetime.MAXYEAR:
        # In another zone, `datetime` might not be able to represent it.
        raise ValueError(
            f"{field.__name__} is not within years 2 and 9998: {value}")
    return value.astimezone(datetime.UTC)


def shortened(field: TextLine, text: str) -> str:
    """`text` on one line, cut to the greatest length of `field`."""
    line = single_line(text)
    longest = field.max_length
    return line if len(line) <= longest else line[:longest - 3] + "..."
