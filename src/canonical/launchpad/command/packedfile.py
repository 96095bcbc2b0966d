"""Writes gzip files on several processors."""

from __future__ import annotations

import io
import zlib
from collections import deque
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from typing import BinaryIO


__all__ = [
    "PackedFile",
]


# A stronger one takes longer than the database.
COMPRESSION = 1

# By wbits in the manual of zlib: with the header and the trailer of gzip.
GZIP = 31

# Threads.  Two keep up with one process of the database.
PACKERS = 2


class PackedFile(io.RawIOBase):
    """A file that is packed into another one, by threads beside the database.

    Each piece that is written becomes a member of the gzip file, so several
    are packed at a time.  Every reader of gzip reads one member after another.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pool = ThreadPoolExecutor(PACKERS)
        self._members: deque[Future[bytes]] = deque()
        # Without any member it would be no gzip file.
        self.write(b"")

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
            finally:
                super().close()

    def _write(self, left: int) -> None:
        """Write members in turn, until only so many are left."""
        while len(self._members) > left:
            self._file.write(self._members.popleft().result())
