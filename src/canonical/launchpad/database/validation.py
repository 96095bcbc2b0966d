"""What is checked before anything is sent to the database."""

from __future__ import annotations

import datetime
import reprlib

from zope.schema import Datetime
from zope.schema import TextLine

from canonical.launchpad.interfaces import is_printable
from canonical.launchpad.interfaces import single_line


__all__ = [
    "checked_datetime",
    "checked_str",
    "checked_text",
    "is_storable",
    "shortened",
]


def checked_str(field: TextLine, value: object) -> str:
    """`value`, which has to be a `str`.

    :raises TypeError: if it is not; names the field and the value.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"{field.__name__} must be a str, not {reprlib.repr(value)}")
    return value


def is_storable(text: str) -> bool:
    """Could PostgreSQL have `text` stored?"""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def checked_text(field: TextLine, value: object) -> str:
    """`value`, which has to be within the bounds of `field`.

    :raises TypeError: see `checked_str`.
    :raises ValueError: if it is empty, too long or not printable; names the
        field and the value.
    """
    text = checked_str(field, value)
    shown = reprlib.repr(text)
    if len(text) < field.min_length:
        raise ValueError(f"{field.__name__} must not be empty: {shown}")
    if len(text) > field.max_length:
        raise ValueError(
            f"{field.__name__} must have at most {field.max_length}"
            f" characters, not {len(text)}: {shown}")
    if not is_printable(text):
        raise ValueError(
            f"{field.__name__} must not have line breaks or control"
            f" characters in it: {shown}")
    return text


def checked_datetime(field: Datetime, value: object) -> datetime.datetime:
    """The instant that `value` means, in UTC.

    :raises TypeError: if it is not a `datetime.datetime`.
    :raises ValueError: if it does not know its offset from UTC, or is in the
        first or last year that there is.  Both name the field and the value.
    """
    if not isinstance(value, datetime.datetime):
        raise TypeError(
            f"{field.__name__} must be a datetime, not {reprlib.repr(value)}")
    if value.utcoffset() is None:
        raise ValueError(
            f"{field.__name__} must be an aware datetime, and {value} has no"
            " time zone")
    if not datetime.MINYEAR < value.year < datetime.MAXYEAR:
        # In another zone there might be no such year.
        raise ValueError(
            f"{field.__name__} is not within years 2 and 9998: {value}")
    return value.astimezone(datetime.UTC)


def shortened(field: TextLine, text: str) -> str:
    """`text` on one line, and cut to what `field` holds."""
    line = single_line(text)
    longest = field.max_length
    return line if len(line) <= longest else line[:longest - 3] + "..."
