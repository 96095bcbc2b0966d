"""Suggests the nearest known word for one that is not known."""

from __future__ import annotations

from collections.abc import Iterable


__all__ = [
    "nearest",
]


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: a question.

    :return: for example ``; do you mean 'update-bugs'?``; an empty text if no
        known word is similar.
    """
    # Slow to import, and of use only after a mistake.
    import difflib
    found = difflib.get_close_matches(word, sorted(set(known)), 1)
    return f"; do you mean {found[0]!r}?" if found else ""
