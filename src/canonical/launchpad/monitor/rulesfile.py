"""A file of rules, which is ZCML: read and written."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from zope.configuration import xmlconfig
from zope.configuration.exceptions import ConfigurationError

from canonical.launchpad.interfaces import printable


__all__ = [
    "ExpectationError",
    "Rule",
    "load_expectations",
    "rules_as_zcml",
]


START = """\
<configure
    xmlns="http://namespaces.zope.org/zope"
    xmlns:lp="http://namespaces.canonical.com/lp">
"""

INCLUDE = """\
  <include package="canonical.launchpad" file="meta.zcml" />
"""

DIRECTIVE = "  <lp:script "

WIDTH = 79

# What XML 1.0 cannot have in it, not even as a reference.
UNWRITABLE = re.compile(
    "[^\t\n\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Rule:
    """What is to be written of one script.

    :param attributes: of the directive ``lp:script``, in their order.  None
        at all: there is only the comment.
    :param comments: lines of text, without anything of XML.
    :raises ValueError: for an attribute that XML cannot have.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    comments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.attributes.items():
            if UNWRITABLE.search(value):
                raise ValueError(f"{name}: XML cannot have it: {value!r}")


def rules_as_zcml(rules: Iterable[Rule], heading: Sequence[str] = ()) -> str:
    """A whole file, that ``check --expectations`` reads.

    :param heading: lines of a comment at the top.
    :return: text to be written in UTF-8, with a line break at its end.
    """
    blocks = [START, *_comment(heading), INCLUDE]
    for rule in rules:
        blocks.append("".join(
            [*_comment(rule.comments), *_directive(rule.attributes)]))
    return "\n".join([*blocks, "</configure>\n"])


def _comment(lines: Sequence[str]) -> list[str]:
    """A comment, if there are any lines."""
    if not lines:
        return []
    wrapped = [
        part
        for line in lines
        # Two hyphens would end the comment, and stay on one line.
        for part in textwrap.wrap(
            re.sub("-(?=-)", "-\0", printable(line.expandtabs())), WIDTH - 11,
            break_long_words=False, break_on_hyphens=False) or [""]]
    text = "\n       ".join(wrapped).replace("\0", " ")
    return [f"  <!-- {text} -->\n"]


def _directive(attributes: Mapping[str, str]) -> list[str]:
    """A directive, if there are any attributes."""
    if not attributes:
        return []
    lines = [DIRECTIVE]
    for name, value in attributes.items():
        attribute = f"{name}={_quoted(value)} "
        if lines[-1].strip() and lines[-1] != DIRECTIVE and (
            len(lines[-1]) + len(attribute) + len("/>") > WIDTH
        ):
            lines.append(" " * len(DIRECTIVE))
        lines[-1] += attribute
    return ["\n".join(line.rstrip() for line in lines) + " />\n"]


def _quoted(value: str) -> str:
    """An attribute's value; what is not printable is a reference to it."""
    return "".join(
        char if printable(char) == char else f"&#{ord(char)};"
        for char in quoteattr(value))


class ExpectationError(Exception):
    """A file of expectations is wrong; the text names the file and line."""


def load_expectations(path: Path) -> None:
    """Register what a ZCML file declares.

    :raises ExpectationError: if there is anything wrong with it.
    """
    try:
        xmlconfig.file(str(path.absolute()))
    except (ConfigurationError, OSError, ValueError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        # What is no XML is told of with the object that it was read from.
        text = re.sub(r"<_io\S+ name='(.*?)'[^>]*>", r'File "\1"', text)
        # Of several arguments an exception makes a tuple.
        text = re.sub(
            r"\A\(('[^']*'(?:, '[^']*')+)\)",
            lambda match: match[1][1:-1].replace("', '", " "), text)
        raise ExpectationError(text) from None
