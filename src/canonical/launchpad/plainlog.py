"""Log records as plain text.

Apart from `canonical.launchpad.plaintext`, since `logging` is slow to import.
"""

from __future__ import annotations

import logging

from canonical.launchpad.plaintext import printable


__all__ = [
    "PlainFormatter",
]


class PlainFormatter(logging.Formatter):
    """Keeps line breaks and tabs, and escapes all else that is unprintable.

    Tracebacks have several lines, and so have some messages.  So whoever logs
    text from outside puts it on one line.
    """

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        return printable(super().format(record), keep="\n\t")
