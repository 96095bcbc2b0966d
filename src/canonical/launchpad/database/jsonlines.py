"""Writes rows from COPY as JSON lines.

PostgreSQL takes longer to make JSON than COPY takes for all the rest.  The
text format of COPY is almost JSON, and this makes it JSON by thousands of rows
at once, while PostgreSQL works on the next ones.
"""

from __future__ import annotations

import io
import re
from collections.abc import Collection
from collections.abc import Sequence
from typing import Any


__all__ = [
    "JsonLines",
]


# What both formats escape, they escape alike, but for these: COPY escapes a
# vertical tab and no other control character, and no quote.
CONTROLS = bytes(set(range(32)) - set(b"\t\n"))
ESCAPED = re.compile(rb'\\\\|\\v|["%s]' % re.escape(CONTROLS))


class JsonLines(io.RawIOBase):
    """A file for what COPY writes in its text format, with times in UTC."""

    def __init__(
        self,
        file: Any,
        columns: Sequence[str],
        times: Collection[str],
        numbers: Collection[str],
    ) -> None:
        """:param file: what the lines are written to.

        :param times, numbers: the columns with these.
        """
        self._file = file
        self._columns = len(columns)
        self._times = [columns.index(each) for each in times]
        self._line = b"{%s}\n" % b",".join(
            b'"%s":%s' % (each.encode(), b"%s" if each in numbers else b'"%s"')
            for each in columns)
        self._rest = b""

    def writable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def write(self, data: Any) -> int:
        """See `io.RawIOBase`."""
        text = self._rest + data
        end = text.rfind(b"\n") + 1
        self._rest = text[end:]
        if end:
            self._file.write(self._lines(text[:end - 1]))
        return len(data)

    def _lines(self, text: bytes) -> bytes:
        if b'"' in text or b"\\v" in text or (
            len(text.translate(None, CONTROLS)) < len(text)
        ):
            text = ESCAPED.sub(_escape, text)
        values = text.replace(b"\n", b"\t").split(b"\t")
        for column in self._times:
            which = slice(column, None, self._columns)
            # ISO 8601 as in JSON, which differs from that of PostgreSQL.
            values[which] = b"\t".join(values[which]).replace(
                b" ", b"T").replace(b"+00", b"+00:00").split(b"\t")
        lines = self._line * (len(values) // self._columns) % tuple(values)
        # A backslash in a value is doubled, so no value looks like this.
        return lines.replace(b'"\\N"', b"null").replace(b":\\N", b":null")


def _escape(match: re.Match[bytes]) -> bytes:
    found = match[0]
    if found == b"\\\\":
        return found
    return b'\\"' if found == b'"' else b"\\u%04x" % (
        11 if found == b"\\v" else ord(found))
