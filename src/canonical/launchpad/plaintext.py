"""Plain text: what comes from outside made harmless, and how it is written.

A reason, a host name or the answer of a server may have any characters.
Printed as it is, it could forge a line or a column, clear a terminal, or show
its letters in another order.
"""

from __future__ import annotations

import datetime
import unicodedata
from collections.abc import Iterable


__all__ = [
    "is_printable",
    "nearest",
    "printable",
    "single_line",
    "time_text",
]


# Unicode categories that a name cannot have in it: control characters, line
# and paragraph separators, and halves of surrogate pairs, which have no
# UTF-8.
UNPRINTABLE = frozenset(["Cc", "Zl", "Zp", "Cs"])


def is_printable(text: str) -> bool:
    """Does `text` stay on one line?  A name has to."""
    if text.isascii():
        return text.isprintable()
    return not any(unicodedata.category(char) in UNPRINTABLE for char in text)


def printable(text: str, keep: str = "") -> str:
    """`text`, with unprintable characters escaped as `repr` does.

    It also escapes characters that change the direction of writing, and those
    without a width.  Spaces of any width stay.

    :param keep: characters to leave as they are, such as line breaks.
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


def nearest(word: str, known: Iterable[str]) -> str:
    """A question to end a message with, about a word that is not known.

    :return: such as ``; do you mean 'update-bugs'?``, or nothing if no known
        word is like it.
    """
    # Slow to import, and of no use to a script.
    import difflib
    found = difflib.get_close_matches(word, sorted(set(known)), 1)
    return f"; do you mean {found[0]!r}?" if found else ""


def time_text(moment: datetime.datetime, timespec: str = "seconds") -> str:
    """A time as people read it: ``2007-02-01 10:00:00 UTC``.

    :param moment: an aware datetime.
    :param timespec: ``seconds`` or ``minutes``, as `isoformat` takes it.
    """
    moment = moment.astimezone(datetime.UTC).replace(tzinfo=None)
    return f"{moment.isoformat(' ', timespec)} UTC"


def _is_space(char: str) -> bool:
    return unicodedata.category(char) == "Zs"
