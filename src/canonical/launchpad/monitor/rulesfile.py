"""Reads and writes rules files, which are ZCML."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from xml.sax import SAXParseException

from zope.configuration.config import ConfigurationConflictError
from zope.configuration.exceptions import ConfigurationError
from zope.configuration.exceptions import ConfigurationWrapperError

from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.monitor.directives import DIRECTIVES
from canonical.launchpad.monitor.directives import place
from canonical.launchpad.monitor.zcmlreader import execute_file
from canonical.launchpad.nearest import nearest
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import single_line


__all__ = [
    "Rule",
    "load_expectations",
    "rules_as_zcml",
]


NAMESPACE = "http://namespaces.canonical.com/lp"

START = f"""\
<configure
    xmlns="http://namespaces.zope.org/zope"
    xmlns:lp="{NAMESPACE}">
"""

INCLUDE = """\
  <include package="canonical.launchpad" file="meta.zcml" />
"""

DIRECTIVE = "  <lp:script "

WIDTH = 79

# Characters that XML 1.0 does not allow, not even as references.
UNWRITABLE = re.compile(
    "[^\t\n\r\\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


# How `zope.configuration` writes the place of a directive.
PLACE = re.compile(r'File "(.*)", line (\d+)')

# The classes of errors, which it puts before what an error says.
CLASSES = re.compile(r"(?<= )(zope\.[\w.]+|ImportError): ")


@dataclass(frozen=True)
class Rule:
    """One ``lp:script`` of a rules file, with its comment.

    :param attributes: the attributes of the directive, in order.  If they are
        empty, only the comment is written.
    :param comments: lines of plain text.
    :raises ValueError: if XML does not allow a character of an attribute.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    comments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value in self.attributes.items():
            if UNWRITABLE.search(value):
                raise ValueError(f"XML does not allow this {name}: {value!r}")


def rules_as_zcml(rules: Iterable[Rule], heading: Sequence[str] = ()) -> str:
    """The text of a rules file.

    :param heading: the lines of a comment at the top.
    :return: a text that ends with a line break.  Its encoding is UTF-8.
    """
    blocks = [START, *_comment(heading), INCLUDE]
    for rule in rules:
        blocks.append("".join(
            [*_comment(rule.comments), *_directive(rule.attributes)]))
    return "\n".join([*blocks, "</configure>\n"])


def _comment(lines: Sequence[str]) -> list[str]:
    """The text of a comment; nothing without lines."""
    if not lines:
        return []
    wrapped = [
        part
        for line in lines
        # XML does not allow two hyphens in a comment.  They are separated,
        # but stay on one line.
        for part in textwrap.wrap(
            re.sub("-(?=-)", "-\0", printable(line.expandtabs())), WIDTH - 11,
            break_long_words=False, break_on_hyphens=False) or [""]]
    text = "\n       ".join(wrapped).replace("\0", " ")
    return [f"  <!-- {text} -->\n"]


def _directive(attributes: Mapping[str, str]) -> list[str]:
    """The text of a directive; nothing without attributes."""
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
    """The quoted value of an attribute; references for unprintable characters.
    """
    # It imports `urllib`, and who reads rules does not need it.
    from xml.sax.saxutils import quoteattr
    return "".join(
        char if printable(char) == char else f"&#{ord(char)};"
        for char in quoteattr(value))


def load_expectations(path: Path) -> None:
    """Register the rules and downtimes of a file.

    :raises ExpectationError: if the file cannot be read, or is wrong.
    """
    try:
        path = path.absolute()
        execute_file(path)
    except (
        ConfigurationError, LookupError, OSError, SAXParseException, ValueError
    ) as error:
        where, what = _explained(error, str(path))
        raise ExpectationError(
            f"{printable(where)}: {single_line(what)}") from None


def _explained(error: Exception, path: str) -> tuple[str, str]:
    """The place of an error, and its text.

    :param path: the place of an error that names none.
    :return: the file, with the line if it is known; and the text.
    """
    if isinstance(error, ConfigurationConflictError):
        first, second, *_ = next(iter(error._conflicts.values()))
        return place(second), f"in conflict with {place(first)}"
    if isinstance(error, ConfigurationWrapperError):
        return _explained(error.evalue, place(error.info))
    if isinstance(error, ConfigurationError):
        # An error of `zope.configuration`.  It has the places of all nested
        # directives, the innermost last.
        places = PLACE.findall(str(error))
        return (
            ":".join(places[-1]) if places else path,
            _directive_problem(error))
    if isinstance(error, SAXParseException):
        reason = error.getMessage()
        return (
            f"{error.getSystemId()}:{error.getLineNumber()}",
            f"not XML{', or not in UTF-8' * ('token' in reason)}: {reason} at"
            f" column {(error.getColumnNumber() or 0) + 1}")
    if isinstance(error, OSError) and error.filename is not None:
        name = f"{error.filename}: " * (str(error.filename) != path)
        return path, f"{name}{error.strerror}"
    return path, (
        getattr(error, "strerror", None) or str(error) or type(error).__name__)


def _directive_problem(error: ConfigurationError) -> str:
    """The message about a directive that `zope.configuration` refuses."""
    if error.args[0].startswith("Invalid directive"):
        return "it is inside a directive, which has to be closed with /> first"
    if error.args[0] != "Unknown directive":
        lines = [line.strip() for line in str(error).splitlines()]
        return CLASSES.sub(
            "", ": ".join(line for line in lines if not PLACE.match(line)))
    _, namespace, name = error.args
    if namespace == NAMESPACE and name in DIRECTIVES:
        return (
            f"unknown directive lp:{name}; put before it: {INCLUDE.strip()}")
    if not namespace:
        return (
            f"unknown directive {name!r}; a rules file begins with"
            f" {single_line(START)}")
    known = [f"lp:{each}" for each in DIRECTIVES]
    said = f"lp:{name}" if namespace == NAMESPACE else name
    return (
        f"unknown directive {said!r}"
        + (f" of {namespace}" if said == name else "")
        + (nearest(said, known) or f"; rules are {' and '.join(known)}"))
