"""The end of what a command prints: cut, and without secrets.

Imported before the command starts, so it imports little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


__all__ = [
    "Tail",
    "safe_text",
]


# What is shown instead of a secret.
HIDDEN = "***"

# Bytes before the end that is wanted, so that a secret that begins there is
# recognized.
BEFORE = 4096

# Colours and other control sequences of terminals; by "CSI" in ECMA-48.
CONTROL_SEQUENCE = r"\x1b\[[0-?]*[ -/]*[@-~]"


class Tail:
    """The last bytes of a stream.

    :param most: how many; with 0, none.
    """

    def __init__(self, most: int):
        self._most = most
        self._bytes = b""
        self._is_cut = False

    def add(self, data: bytes) -> None:
        """Take in what follows."""
        if not self._most:
            return
        room = self._most + BEFORE
        self._is_cut = self._is_cut or len(self._bytes) + len(data) > room
        self._bytes = (self._bytes + data)[-room:]

    def text(self, secrets: Sequence[str]) -> str:
        """The end of the stream, as it may be stored and shown.

        :param secrets: regular expressions.  What they match is hidden.
        """
        text = safe_text(self._bytes, secrets)
        if not self._is_cut and len(self._bytes) <= self._most:
            return text
        # A character may have taken several bytes.
        cut = text.encode()[-self._most:].decode(errors="ignore")
        # A line whose start is not known might be the rest of a secret.
        _, newline, lines = cut.partition("\n")
        return lines if newline else cut


def safe_text(data: bytes, secrets: Sequence[str]) -> str:
    """Text that harms no terminal, and has no secrets in it.

    :param secrets: as in `Tail.text`.
    """
    # Slow to import; the command has ended.
    from canonical.launchpad.plaintext import printable
    text = data.decode(errors="backslashreplace")
    text = re.sub(CONTROL_SEQUENCE, "", text.replace("\r\n", "\n"))
    for pattern in filter(None, secrets):
        text = re.sub(pattern, HIDDEN, text)
    return printable(text, keep="\n\t")
