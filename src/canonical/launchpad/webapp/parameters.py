"""Reads the parameters of a request, and refuses what is wrong."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import urlencode

from canonical.launchpad.nearest import nearest
from canonical.launchpad.plaintext import is_printable


__all__ = [
    "BadParameter",
    "DAY",
    "RANGES",
    "RANGE_WORDS",
    "address",
    "choice",
    "given",
    "known",
    "number",
    "script_name",
    "sentence",
    "text",
    "time",
]


DAY = datetime.timedelta(days=1)

# What a page can show of the past, by name.
RANGES = {
    "day": DAY, "week": 7 * DAY, "month": 30 * DAY, "quarter": 90 * DAY,
    "year": 365 * DAY}

RANGE_WORDS = {
    "day": "1 day", "week": "1 week", "month": "1 month",
    "quarter": "3 months", "year": "1 year"}

# All runs are in between.
FIRST_YEAR, LAST_YEAR = 1970, 2999

# As of a name of a script.
LONGEST = 255


class BadParameter(ValueError):
    """A parameter of a request is wrong; the text is a sentence."""


def sentence(words: str) -> str:
    """Some words as a sentence: with one mark at its end."""
    return words if words.endswith(("?", ".")) else f"{words}."


def known(request: Any, *names: str) -> None:
    """Refuse parameters with other names, and those given twice."""
    for name in request.GET:
        if name not in names:
            others = f"; there are {', '.join(names)}" if names else ""
            raise BadParameter(sentence(
                f"There is no parameter {name!r}"
                f"{nearest(name, names) or others}"))
        if len(request.GET.getall(name)) > 1:
            raise BadParameter(f"The parameter {name!r} is given twice.")


def given(request: Any, *names: str) -> None:
    """Refuse parameters that are given and empty.

    A form sends them, so the pages take them for not given.
    """
    for name in names:
        if request.GET.get(name) == "":
            raise BadParameter(f"{name} must not be empty.")


def text(request: Any, name: str) -> str:
    """A text, such as the name of a host; empty if it is not given."""
    value: str = request.GET.get(name, "")
    if len(value) > LONGEST or not is_printable(value):
        raise BadParameter(
            f"{name} must be printable, and at most {LONGEST} letters long.")
    return value


def script_name(request: Any) -> str:
    """The name of a script: a part of the path, or else the parameter name.

    Any name can be the parameter.  But programs and servers take a slash or a
    dot in a path for what they mean there, even if they are encoded.
    """
    part: str | None = request.matchdict.get("name")
    if part is None:
        given(request, "name")
        if "name" not in request.GET:
            raise BadParameter("name is needed: the name of a script.")
        return text(request, "name")
    if "name" in request.GET:
        raise BadParameter("The name is given twice.")
    return part


def choice(
    request: Any, name: str, choices: Collection[str], default: str
) -> str:
    """One of some words."""
    value: str = request.GET.get(name) or default
    if value not in choices and value != default:
        raise BadParameter(
            f"{name} must be one of {', '.join(choices)}, not {value!r}.")
    return value


def number(
    request: Any, name: str, least: int, most: int, default: int
) -> int:
    """A whole number."""
    value: str = request.GET.get(name) or str(default)
    if not (value.isascii() and value.isdecimal() and len(value) < 10) or not (
        least <= int(value) <= most
    ):
        raise BadParameter(
            f"{name} must be a number from {least} to {most}, not {value!r}.")
    return int(value)


def time(request: Any, name: str) -> datetime.datetime | None:
    """A time with its zone, as in ISO 8601; `None` if it is not given."""
    value: str = request.GET.get(name, "")
    if not value:
        return None
    try:
        # The plus of a zone is a space in an address.
        moment = datetime.datetime.fromisoformat(
            re.sub(r" (?=\d\d:\d\d$)", "+", value))
        if moment.utcoffset() is None:
            raise ValueError
    except ValueError:
        raise BadParameter(
            f"{name} must be a time with its zone, such as"
            f" 2007-02-01T10:00Z, not {value!r}.") from None
    # In other years, a time may not exist in another zone.
    year = min(max(moment.year, FIRST_YEAR), LAST_YEAR)
    if moment.year != year:
        moment = datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
    return moment.astimezone(datetime.UTC)


def address(path: str, values: dict[str, Any], **changes: Any) -> str:
    """An address with parameters; empty ones are left out.

    :param path: a path, which may have parameters.
    """
    query = urlencode([
        (name, value) for name, value in {**values, **changes}.items()
        if value not in ("", None)])
    if not query:
        return path
    return f"{path}{'&' if '?' in path else '?'}{query}"
