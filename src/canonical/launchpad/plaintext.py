"""Text in messages: made safe, shortened, times and counts.

A reason, a host name or the response of a server may have any characters.
Printed unchanged, it could forge a line or a column, clear a terminal, or show
its letters in another order.
"""

from __future__ import annotations

import datetime
import re
import unicodedata


__all__ = [
    "counted",
    "is_printable",
    "printable",
    "shortened",
    "single_line",
    "time_text",
]


# The Unicode categories that a name must not contain: control characters, line
# and paragraph separators, and surrogates, which UTF-8 cannot encode.
UNPRINTABLE = frozenset(["Cc", "Zl", "Zp", "Cs"])


# No name is longer (see `IScriptActivity`), and few paths are.
LONGEST = 300
LONG_WORD = re.compile(r"\S{%s,}" % (LONGEST + 1))


def is_printable(text: str) -> bool:
    """Has `text` no line breaks and control characters?  A name has none."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(char) in UNPRINTABLE for char in text)


def printable(text: str, keep: str = "") -> str:
    """`text`, with unprintable characters escaped as `repr` does.

    Characters that change the direction of writing, and those without a
    width, are escaped too.  Spaces of any width are kept.

    :param keep: characters that are not escaped, such as line breaks.
    """
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in keep or _is_space(char)
        else repr(char)[1:-1]
        for char in text)


def single_line(text: str) -> str:
    """`printable` text, with a space for every line break or tab."""
    return printable(" ".join(text.split()))


def shortened(text: str) -> str:
    """`text` with the middle left out of each word that nobody would read."""
    return LONG_WORD.sub(
        lambda word: f"{word[0][:60]}...{word[0][-20:]}", text)


def counted(number: int, one: str, more: str | None = None) -> str:
    """A number of things: ``1 run``, ``2 runs``.

    :param more: the plural, if it is not `one` and an s.
    """
    return f"{number} {one if number == 1 else more or one + 's'}"


def time_text(moment: datetime.datetime, timespec: str = "seconds") -> str:
    """A time for people: ``2007-02-01 10:00:00 UTC``.

    :param moment: an aware datetime.
    :param timespec: ``seconds`` or ``minutes``, as `isoformat` takes it.
    """
    moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return f"{moment.isoformat(' ', timespec)} UTC"


def _is_space(char: str) -> bool:
    return unicodedata.category(char) == "Zs"
