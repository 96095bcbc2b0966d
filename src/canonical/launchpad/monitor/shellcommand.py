"""The simple commands in a command of the shell, and where their words are.

Quotes, substitutions and redirections are found as POSIX defines them.
Nothing is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


__all__ = [
    "Word",
    "simple_commands",
]


BLANKS = re.compile(r"[ \t\n]*")

OPERATOR = re.compile(r"(?P<redirection>&?[<>]+[&|]*)|&&|\|\||\|&|;;|[&|;()]")

# What begins something that may have blanks and operators in it.
OPENING = re.compile(r"['\"`]|\$[({]|[<>]\(")

# What matters inside of it.
INSIDE = re.compile(r"\\.|\$[({]|['\"`(){}]", re.DOTALL)

QUOTE = re.compile("'")

CLOSING = {"(": ")", "{": "}"}

# What begins something inside of double quotes, beside what "$" begins.
OPENS = {'"': "`"}

IN_DOUBLE_QUOTES = re.compile(r"\\([$`\"\\])")

PLAIN = re.compile(r"\\(.)|[^ \t\n&|;()<>'\"`]", re.DOTALL)


@dataclass(frozen=True)
class Word:
    """A word of a command.

    :ivar text: without its quotes; a ``$`` stands for the output of another
        command.
    :ivar start: where it begins.
    :ivar end: where it has ended.
    """

    text: str
    start: int
    end: int


def simple_commands(command: str) -> Iterator[tuple[str, list[Word]]]:
    """The operator before each simple command, and its words.

    :raises ValueError: if something is not closed; says what.
    """
    operator = ""
    words: list[Word] = []
    place = _after_blanks(command, 0)
    while place < len(command) and command[place] != "#":
        opening = OPENING.match(command, place)
        found = None if opening else OPERATOR.match(command, place)
        if found is not None and _is_in_test(words):
            words.append(Word(found[0], place, found.end()))
            place = found.end()
        elif found is None:
            words.append(_word(command, place))
            place = words[-1].end
        elif found["redirection"]:
            # The number of a descriptor, and the word after it, are no words
            # of the command.
            if words and words[-1].end == place and words[-1].text.isdigit():
                words.pop()
            place = _word(command, _after_blanks(command, found.end())).end
        else:
            # What stands in parentheses follows the operator before them.
            if words or found[0] != "(":
                yield operator, words
                operator, words = found[0].strip("()"), []
            place = found.end()
        place = _after_blanks(command, place)
    yield operator, words


def _is_in_test(words: list[Word]) -> bool:
    """Are operators part of what is tested, as in ``[[ a && b ]]``?"""
    texts = [word.text for word in words]
    return "[[" in texts and texts[-1] != "]]"


def _after_blanks(command: str, place: int) -> int:
    found = BLANKS.match(command, place)
    assert found is not None
    return found.end()


def _word(command: str, start: int) -> Word:
    """The word that begins there; it may be empty."""
    text = ""
    place = start
    while place < len(command):
        if OPENING.match(command, place):
            end = _end(command, place)
            text += _plain(command[place:end])
            place = end
        elif found := PLAIN.match(command, place):
            text += found[1] or found[0]
            place = found.end()
        else:
            break
    return Word(text, start, place)


def _plain(part: str) -> str:
    """What a quoted or substituted part of a word is, as far as is known."""
    if part[0] == "'":
        return part[1:-1]
    if part.startswith("${"):
        return part
    if part[0] != '"':
        return "$"
    text = ""
    place, last = 1, len(part) - 1
    while place < last:
        if part[place] == "`" or part.startswith(("$(", "${"), place):
            end = _end(part, place)
            text += _plain(part[place:end])
            place = end
        elif found := IN_DOUBLE_QUOTES.match(part, place):
            text += found[1]
            place = found.end()
        else:
            text += part[place]
            place += 1
    return text


def _end(command: str, start: int) -> int:
    """Where something has ended that `OPENING` matches.

    :raises ValueError: if it does not end.
    """
    opened: list[str] = []
    place = start
    while found := (
        QUOTE if opened[-1:] == ["'"] else INSIDE
    ).search(command, place):
        token, place = found[0], found.end()
        closing = CLOSING.get(opened[-1], opened[-1]) if opened else ""
        if token == closing:
            opened.pop()
            if not opened:
                return place
        elif token[0] == "$" or token in OPENS.get(closing, "'\"`({"):
            opened.append(token[-1])
    raise ValueError(
        ("a quote" if command[start] in "'\"`" else
         "$((" if command.startswith("$((", start) else
         command[start:start + 2])
        + r" is not closed; % ends a command, and \% does not")
