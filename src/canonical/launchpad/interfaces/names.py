"""Names of scripts and of hosts: which are accepted.

A host is recorded as `socket.gethostname` returns it, with all that follows a
dot.
"""

from __future__ import annotations

import re
import reprlib

from zope.schema import TextLine

from canonical.launchpad.plaintext import is_printable


__all__ = [
    "checked_str",
    "checked_text",
    "hostname_field",
    "name_field",
]


LONGEST = 255

BOUNDS = (
    f"1 to {LONGEST} characters, without line breaks and control characters")

SURROGATE = re.compile("[\ud800-\udfff]")


def name_field() -> TextLine:
    """A new field for the name of a script."""
    return _field("Script name", "The name of the script")


def hostname_field() -> TextLine:
    """A new field for the name of the host that a script ran on."""
    return _field("Host name", "The name of the host that the script ran on")


def _field(title: str, description: str) -> TextLine:
    return TextLine(
        title=title,
        description=f"{description}: {BOUNDS}.",
        min_length=1,
        max_length=LONGEST,
        constraint=is_printable,
        required=True,
        readonly=True,
    )


def checked_str(field: TextLine, value: object) -> str:
    """Check that `value` is a `str`, and return it.

    :raises TypeError: if it is not.  The text names the field and the value.
    """
    if not isinstance(value, str):
        raise TypeError(
            f"{field.__name__} must be a str, not {reprlib.repr(value)}")
    return value


def checked_text(field: TextLine, value: object) -> str:
    """Check that `value` is a name or host that can be recorded; return it.

    :param field: of `name_field` or `hostname_field`.
    :raises TypeError: see `checked_str`.
    :raises ValueError: if `value` is empty, too long or not printable.  The
        text names the field and the value.
    """
    text = checked_str(field, value)
    if not text:
        problem = "not be empty"
    elif len(text) > LONGEST:
        problem = f"have at most {LONGEST} characters, not {len(text)}"
    elif is_printable(text):
        return text
    elif SURROGATE.search(text) is None:
        problem = "not have line breaks or control characters"
    else:
        # A surrogate stands for a byte that is not UTF-8.
        problem = "be in UTF-8"
    raise ValueError(
        f"{field.__name__} must {problem}: {reprlib.repr(text)}")
