"""Copies what a command prints, as it comes, and takes its end.

Imported before the command starts, so it imports little.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from canonical.launchpad.scripts.outputend import Tail


if TYPE_CHECKING:
    from typing import IO


__all__ = [
    "Copier",
    "Spill",
    "Stream",
    "leave_relay",
]


# Bytes that are copied at once: as many as a pipe holds.
CHUNK = 65536

# The most bytes that a pipe may be made to hold, by pipe(7).
LARGEST_PIPE = 1048576

# Milliseconds after which what was written to a terminal can be read.
TERMINAL_DELAY = 20


class Stream:
    """A standard stream of a command, and where it goes.

    :param number: 1 or 2.
    :param most: how many bytes of its end to keep.
    :ivar target: the descriptor for the command, until it is started.
    :ivar is_open: whether anything may still come.
    :ivar is_terminal: whether the command sees a terminal.
    """

    def __init__(self, number: int, most: int):
        self.number = number
        self.tail = Tail(most)
        self.is_open = True
        self.is_terminal = os.isatty(number)
        self.source, self.target = (
            os.openpty() if self.is_terminal else os.pipe())
        if self.is_terminal:
            self._make_raw()
            self.copy_size()
        os.set_blocking(self.source, False)

    def copy_size(self) -> None:
        """Give the command's terminal the size of ours."""
        import fcntl
        import termios
        with suppress(OSError):
            size = fcntl.ioctl(self.number, termios.TIOCGWINSZ, bytes(8))
            fcntl.ioctl(self.source, termios.TIOCSWINSZ, size)

    def read(self) -> bytes | None:
        """What has come, nothing at the end, or `None` if nothing has."""
        try:
            return os.read(self.source, CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            # The other side of a terminal is closed.
            return b""

    def write(self, data: bytes) -> None:
        """Print it where it would have been printed without us.

        :raises OSError: if that cannot be.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.number, rest):]
            except BlockingIOError:
                select.select([], [self.number], [])

    def close(self) -> None:
        """Let the command find that nobody reads."""
        if self.is_open:
            self.is_open = False
            os.close(self.source)

    def _make_raw(self) -> None:
        """Let bytes pass unchanged; the terminal that shows them does more."""
        import termios
        attributes = termios.tcgetattr(self.target)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(self.target, termios.TCSANOW, attributes)


class Copier(threading.Thread):
    """Copies streams until they end, or until the command has ended.

    :param streams: they take turns, which keeps them in order.
    :param spill: what holds it back instead of printing, or `None`.
    """

    def __init__(self, streams: Sequence[Stream], spill: Spill | None):
        super().__init__(daemon=True)
        self._streams = streams
        self._spill = spill
        self._ended, self._end = os.pipe()

    def stop(self) -> None:
        """Copy what is there, and no more."""
        os.close(self._end)

    def run(self) -> None:
        """See `threading.Thread`."""
        poll = select.poll()
        poll.register(self._ended, 0)
        for stream in self._streams:
            poll.register(stream.source, select.POLLIN)
        by_source = {stream.source: stream for stream in self._streams}
        while by_source:
            for descriptor, _ in poll.poll():
                if descriptor == self._ended:
                    for stream in by_source.values():
                        self._drain(stream)
                    return
                if not self._copy(by_source[descriptor]):
                    del by_source[descriptor]
                    poll.unregister(descriptor)

    def _drain(self, stream: Stream) -> None:
        """Copy what is there; a process that was left may go on writing."""
        poll = select.poll()
        poll.register(stream.source, select.POLLIN)
        room = LARGEST_PIPE
        while room > 0 and poll.poll(
            TERMINAL_DELAY if stream.is_terminal else 0
        ):
            room -= CHUNK
            if not self._copy(stream):
                break

    def _copy(self, stream: Stream) -> bool:
        """Copy what there is; return whether more may come."""
        data = stream.read()
        if data is None:
            return True
        stream.tail.add(data)
        try:
            if data and self._spill is not None:
                self._spill.write(stream, data)
            elif data:
                stream.write(data)
        except OSError:
            # As without us, the command finds out as it writes more.
            data = b""
        if not data:
            stream.close()
        return bool(data)


class Spill:
    """Holds back what is printed only if the command fails.

    It is in an unnamed file.  If that cannot be written, all is printed.
    """

    def __init__(self) -> None:
        # Slow to import; the command runs already.
        import tempfile
        self._lock = threading.Lock()
        self._parts: list[tuple[Stream, int]] = []
        self._file: IO[bytes] | None = None
        with suppress(OSError):
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115

    def write(self, stream: Stream, data: bytes) -> None:
        """Hold back what a stream has brought.

        :raises OSError: if it has to be printed, and cannot be.
        """
        with self._lock:
            size = self._hold(data)
            self._parts.append((stream, size))
            if size < len(data):
                self._print()
                stream.write(data[size:])

    def print(self) -> None:
        """Print what is held back, and all that comes."""
        with self._lock:
            self._print()

    def _hold(self, data: bytes) -> int:
        """Hold it back; return how many bytes of it that were."""
        size = 0
        with suppress(OSError):
            while self._file is not None and size < len(data):
                size += self._file.write(data[size:])
        return size

    def _print(self) -> None:
        if self._file is None:
            return
        self._file.seek(0)
        for stream, size in self._parts:
            while size:
                data = self._file.read(min(size, CHUNK))
                size -= len(data)
                with suppress(OSError):
                    stream.write(data)
        self._file.close()
        self._file = None


def leave_relay(streams: Iterable[Stream], is_silent: bool) -> None:
    """Leave a process that copies what a command's children still print.

    It has nothing else of ours, and ends when they have closed the streams.

    :param is_silent: copy to nowhere.
    """
    held = [stream for stream in streams if stream.is_open]
    if not held or os.fork() != 0:
        return
    try:
        os.setsid()
        _keep_only(held, is_silent)
        Copier(held, None).run()
    finally:
        os._exit(0)


def _keep_only(streams: Sequence[Stream], is_silent: bool) -> None:
    """Close all descriptors but those of the streams."""
    nothing = os.open(os.devnull, os.O_RDWR)
    sources = {stream.source for stream in streams}
    for number in 0, 1, 2:
        if is_silent or number not in {stream.number for stream in streams}:
            os.dup2(nothing, number)
    low = 3
    for descriptor in sorted(sources):
        os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))
