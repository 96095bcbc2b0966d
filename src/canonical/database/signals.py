"""Ends a script in good order when a signal arrives.

The script may be waiting for PostgreSQL at that moment, or may be about to
commit.
"""

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
from types import TracebackType
from typing import Any
from typing import NoReturn

from psycopg2.extensions import QueryCanceledError
from storm.exceptions import DisconnectionError


__all__ = [
    "DeadlySignals",
    "Killed",
    "die_of",
]


DEADLY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# How many seconds the server gets to cancel a statement.
PATIENCE = 3.0

# After so many seconds, Python has left what has dropped an exception.
AGAIN = 0.05

# In seconds.  If a signal is handled while an error is raised, the error
# appears within this time.
AT_ONCE = 1.0


class Killed(KeyboardInterrupt):
    """A signal has arrived that will end the process.

    :ivar signum: the number of the signal.
    """

    def __init__(self, signum: int):
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


def die_of(signum: int) -> NoReturn:
    """End this process as the unhandled signal `signum` would."""
    for stream in sys.stdout, sys.stderr:
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
    os._exit(128 + signum)


class DeadlySignals:
    """A context in which SIGINT, SIGTERM and SIGHUP raise `Killed`.

    They raise it in the main thread.  An ignored signal, such as SIGHUP under
    nohup, stays ignored.  A signal for which the script has its own handler
    keeps that handler.

    Python runs a handler only when the main thread returns from C code.  If
    it waits for PostgreSQL, that may take hours.  So another thread calls
    `cancel`, and if the server does not react in some seconds, `cut`.

    Python drops what is raised in a ``__del__`` or in a callback of a weak
    reference, as imports have.  Then the signal is sent again.

    :ivar arrived: an event that is set once a signal has arrived.
    :ivar signum: the last signal that has arrived, or `None`.
    """

    # A process has one main thread.  If the main() of a script runs another
    # script, the inner one is active until it ends.
    active: DeadlySignals | None = None

    def __init__(self) -> None:
        self.cancel: Callable[[], None] = lambda: None
        self.cut: Callable[[], None] = lambda: None
        self.arrived = threading.Event()
        self.signum: int | None = None
        self._handled_at = 0.0
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
        self._previous_hook = sys.unraisablehook
        sys.unraisablehook = self._drop
        self._previous_printer = sys.excepthook
        sys.excepthook = self._print
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
        """A context that delays `Killed` until its end.

        Signals from before the block are ignored.  If the block does not end
        within some seconds after a signal, the connection is cut.

        :raises Killed: at the end, if a signal has arrived in the block and
            nothing is raised but that the connection is cut.
        """
        self.signum = None
        self.arrived.clear()
        self._finished.clear()
        try:
            yield
        except DisconnectionError:
            if self.signum is None:
                raise
        finally:
            self._finished.set()
        if self.signum is not None:
            raise Killed(self.signum)

    @contextmanager
    def blamed(self) -> Iterator[None]:
        """A context that raises `Killed` for errors that a signal has caused.

        If a signal handler raises in Python code that psycopg2 calls, psycopg2
        drops that exception and raises its own error.  If the code is a
        function for COPY, the error quotes the exception.  If psycopg2 is
        creating the error of a statement that was cancelled or cut, it raises
        that error immediately.
        """
        try:
            yield
        except (DisconnectionError, QueryCanceledError) as error:
            if self.signum is not None and (
                isinstance(error, QueryCanceledError)
                and Killed.__name__ in str(error)
                or time.monotonic() - self._handled_at < AT_ONCE
            ):
                raise Killed(self.signum) from None
            raise

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        self._handled_at = time.monotonic()
        self.arrived.set()
        self._handled.set()
        if self._finished.is_set():
            raise Killed(signum)

    def _drop(self, dropped: Any) -> None:
        """Python cannot raise an exception here; see `sys.unraisablehook`."""
        if isinstance(dropped.exc_value, Killed):
            again = threading.Timer(
                AGAIN, os.kill, [os.getpid(), dropped.exc_value.signum])
            again.daemon = True
            again.start()
        else:
            self._previous_hook(dropped)

    def _print(
        self, kind: type[BaseException], error: BaseException,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing ends the program here; see `sys.excepthook`.

        If a signal is handled while psycopg2 decodes an error of the server,
        psycopg2 prints the exception and raises the error.  See `blamed`.
        """
        if not isinstance(error, Killed):
            self._previous_printer(kind, error, traceback)

    def _watch(self) -> None:
        with self._reader:
            while received := self._reader.recv(64):
                if any(self._is_ours(signum) for signum in received):
                    self._hasten()

    def _is_ours(self, signum: int) -> bool:
        return signal.getsignal(signum) == self._handle

    def _hasten(self) -> None:
        """Interrupt the main thread if it waits for PostgreSQL."""
        done = threading.Event()
        threading.Thread(
            target=self._keep_cancelling, args=[done], daemon=True).start()
        if not self._handled.wait(PATIENCE):
            self.cut()
            self._handled.wait()
        done.set()
        self._handled.clear()
        # A deferred block goes on, and may start to wait only now.
        if not self._finished.wait(PATIENCE):
            self.cut()

    def _keep_cancelling(self, done: threading.Event) -> None:
        """Cancel repeatedly: a statement may start just after `cancel`.

        Stop once the signal is handled, because the next statements write
        records.
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
        if sys.unraisablehook == self._drop:
            sys.unraisablehook = self._previous_hook
        if sys.excepthook == self._print:
            sys.excepthook = self._previous_printer
        for signum, handler in self._previous.items():
            if self._is_ours(signum):
                signal.signal(signum, handler)


# Python drops signals that are pending in a child when it is forked.  So
# signals are blocked until the child has restored its handlers.  The thread
# that forks keeps the previous mask.
_forking = threading.local()


def _before_fork() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, DEADLY)


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_forked_child() -> None:
    """Restore the handlers, so that signals end a forked child as usual."""
    while DeadlySignals.active is not None:
        DeadlySignals.active._restore()
    _after_fork()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork,
    after_in_child=_in_forked_child,
)
