"""Dying of a signal, in good order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
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

# Seconds that the server gets to cancel a statement.
PATIENCE = 3.0


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
    `cancel` is called meanwhile, from another thread, and after a while, if
    the server does not heed that, `cut`.

    :ivar arrived: is set once a signal has arrived.
    :ivar signum: the last one that did, or `None`.
    :ivar handled_at: when it was handled, by `time.monotonic`.
    """

    # Within a process there is one main thread; a script in another's main
    # is the active one as long as it lasts.
    active: DeadlySignals | None = None

    def __init__(self) -> None:
        self.cancel: Callable[[], None] = lambda: None
        self.cut: Callable[[], None] = lambda: None
        self.arrived = threading.Event()
        self.signum: int | None = None
        self.handled_at = 0.0
        self._handled = threading.Event()
        self._finished = threading.Event()
        self._finished.set()
        self._entered = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> DeadlySignals:
        if threading.current_thread() is not threading.main_thread():
            return self
        for signum in DEADLY:
            handler = signal.getsignal(signum)
            if handler in (signal.SIG_DFL, signal.default_int_handler) or (
                isinstance(getattr(handler, "__self__", None), DeadlySignals)
            ):
                self._previous[signum] = handler
                signal.signal(signum, self._handle)
        self._handled.clear()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._previous_fd = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True).start()
        self._outer = DeadlySignals.active
        DeadlySignals.active = self
        self._entered = True
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._entered:
            self._restore()
            self._writer.close()

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, a signal waits until the block is done.

        A signal that the script has survived is forgotten.  If the block is
        not done some seconds after a signal, the connection is cut
        nevertheless.

        :raises Killed: at the end, if one has arrived since and nothing else
            is raised.
        """
        self.signum = None
        self.arrived.clear()
        self._finished.clear()
        try:
            yield
        finally:
            self._finished.set()
        if self.signum is not None:
            raise Killed(self.signum)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        self.handled_at = time.monotonic()
        self.arrived.set()
        self._handled.set()
        if self._finished.is_set():
            raise Killed(signum)

    def _watch(self) -> None:
        with self._reader:
            while received := self._reader.recv(64):
                if any(self._is_ours(signum) for signum in received):
                    self._hasten()

    def _is_ours(self, signum: int) -> bool:
        return signal.getsignal(signum) == self._handle

    def _hasten(self) -> None:
        """Have the main thread come back from PostgreSQL."""
        done = threading.Event()
        threading.Thread(
            target=self._keep_cancelling, args=[done], daemon=True).start()
        if not self._handled.wait(PATIENCE):
            self.cut()
            self._handled.wait()
        done.set()
        self._handled.clear()
        # What is finished first may wait for the server only now.
        if not self._finished.wait(PATIENCE):
            self.cut()

    def _keep_cancelling(self, done: threading.Event) -> None:
        """The statement may start right after it is cancelled.

        Once the signal is handled, the next statements keep records.
        """
        while self._finished.is_set() and not (
            self._handled.is_set() or done.is_set()
        ):
            self.cancel()
            done.wait(0.1)

    def _restore(self) -> None:
        self._entered = False
        self._handled.set()
        DeadlySignals.active = self._outer
        signal.set_wakeup_fd(self._previous_fd)
        for signum, handler in self._previous.items():
            if self._is_ours(signum):
                signal.signal(signum, handler)


# A signal that reaches a forked child before its handlers are restored would
# be lost, since Python drops what is pending at that moment.  So signals are
# blocked for as long; the mask that was is kept by the thread that forks.
_forking = threading.local()


def _before_fork() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, DEADLY)


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_forked_child() -> None:
    """A child that a script forks dies of its signals by itself."""
    while DeadlySignals.active is not None:
        DeadlySignals.active._restore()
    _after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_in_forked_child,
)
