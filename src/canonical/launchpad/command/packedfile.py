"""Writes gzip files on several processors, and reads whole ones."""

from __future__ import annotations

import gzip
import io
import zlib
from collections import deque
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from typing import BinaryIO


__all__ = [
    "PackedFile",
    "unpacked",
]


# A stronger one takes longer than the database.
COMPRESSION = 1

# By wbits in the manual of zlib: with the header and the trailer of gzip.
GZIP = 31

# Threads.  Two keep up with one process of the database.
PACKERS = 2



def _mark(comment: bytes) -> bytes:
    """A member of a gzip file without content, by RFC 1952."""
    return (
        b"\x1f\x8b\x08\x10" + bytes(5) + b"\xff" + comment + b"\0"
        + zlib.compress(b"", wbits=-15) + bytes(8))


# The first and the last member.  A file that is cut off between two members
# looks whole to each reader that does not know them.  BGZF marks its end so
# too.
BEGIN = _mark(b"begin of a scriptactivity export")
END = _mark(b"end of a scriptactivity export")


class PackedFile(io.RawIOBase):
    """A file that is packed into another one, by threads beside the database.

    Each piece that is written becomes a member of the gzip file, so several
    are packed at a time.  Every reader of gzip reads one member after another.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(PACKERS)
        self._members: deque[Future[bytes]] = deque()
        self._file.write(BEGIN)

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        self._members.append(self._pool.submit(
            zlib.compress, bytes(piece), COMPRESSION, GZIP))
        # One more than are packed, so that no thread waits for the next.
        self._write(PACKERS + 1)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            try:
                with self._pool:
                    self._write(0)
                self._file.write(END)
            finally:
                super().close()

    def _write(self, left: int) -> None:
        """Write members in turn, until only so many are left."""
        while len(self._members) > left:
            self._file.write(self._members.popleft().result())


def unpacked(file: io.BufferedReader) -> gzip.GzipFile:
    """What is packed in a file.

    To read it raises `EOFError` if the file is cut off.  That is not seen
    between two members of a file that `PackedFile` has not written.
    """
    start = file.peek(len(BEGIN))
    if not start:
        raise EOFError("an empty file, which is not a gzip file")
    source: Any = _Marked(file) if start.startswith(BEGIN) else file
    return gzip.GzipFile(fileobj=source)


class _Marked:
    """A file that must end with the mark."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._last = b""

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if not data and self._last != END:
            raise EOFError("it is cut off: the mark of its end is missing")
        self._last = (self._last + data)[-len(END):]
        return data
