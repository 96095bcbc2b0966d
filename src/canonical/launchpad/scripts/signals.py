"""Dying of a signal, in good order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from types import FrameType
from typing import Any
from typing import NoReturn


__all__ = [
    "DeadlySignals",
    "Killed",
    "die_of",
]


DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Killed(KeyboardInterrupt):
    """A signal has arrived that is going to end the process.

    :ivar signum: which.
    """

    def __init__(self, signum: int):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def die_of(signum: int) -> NoReturn:
    """End this process as `signum` would have, had it not been handled."""
    for stream in sys.stdout, sys.stderr:
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)


class DeadlySignals:
    """Within, SIGINT, SIGTERM and SIGHUP raise `Killed` in the main thread.

    One that is ignored, as nohup does with SIGHUP, stays ignored, and one
    that the script has a handler of its own for keeps it.

    Python runs a handler when the main thread comes back from C, and a
    statement that PostgreSQL is busy with may keep it there for hours; so
    `cancel` is called meanwhile, from another thread.

    :ivar arrived: is set once a signal has arrived.
    """

    # Within a process there is one main thread, and so one of these.
    active: DeadlySignals | None = None

    def __init__(self) -> None:
        self.cancel: Callable[[], None] = lambda: None
        self.arrived = threading.Event()
        self._signum: int | None = None
        self._deferring = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> DeadlySignals:
        if threading.current_thread() is not threading.main_thread():
            return self
        for signum in DEADLY:
            handler = signal.getsignal(signum)
            if handler in (signal.SIG_DFL, signal.default_int_handler):
                self._previous[signum] = handler
                signal.signal(signum, self._handle)
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._previous_fd = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False)
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        DeadlySignals.active = self
        return self

    def __exit__(self, *exc_info: object) -> None:
        if DeadlySignals.active is self:
            self._restore()
            self._writer.close()
            self._watcher.join()
            self._reader.close()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, what is going on is finished first.

        :raises Killed: at the end, if a signal has arrived.
        """
        self._deferring = True
        try:
            yield
        finally:
            self._deferring = False
        if self._signum is not None:
            raise Killed(self._signum)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self._signum = signum
        self.arrived.set()
        if not self._deferring:
            raise Killed(signum)

    def _watch(self) -> None:
        while received := self._reader.recv(64):
            if not self._previous.keys().isdisjoint(received):
                # The statement may start right after it is cancelled.
                while not (self.arrived.is_set() or self._deferring):
                    self.cancel()
                    self.arrived.wait(0.1)

    def _restore(self) -> None:
        DeadlySignals.active = None
        signal.set_wakeup_fd(self._previous_fd)
        for signum, handler in self._previous.items():
            signal.signal(signum, handler)


def _in_forked_child() -> None:
    """A child that a script forks dies of its signals by itself."""
    if DeadlySignals.active is not None:
        DeadlySignals.active._restore()


os.register_at_fork(after_in_child=_in_forked_child)
