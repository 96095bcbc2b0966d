"""A time limit for calls that may hang, and files that keep nobody waiting."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import TypeVar


__all__ = [
    "interruptible",
    "within",
    "without_waiting",
]


T = TypeVar("T")


def interruptible(function: Callable[[], T]) -> T:
    """Call `function`, so that a signal interrupts it.

    Python handles a signal in the main thread, once that has left the code in
    C.  libpq may wait there for minutes until a connection is made.  So
    another thread waits for it.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    return within(None, function)


def within(seconds: float | None, function: Callable[[], T]) -> T:
    """Call `function`, and return or raise what it returns or raises.

    The call runs in a new thread.  When the time is over, the thread is
    abandoned.  So this can bound even the look-up of a host name, which takes
    no timeout.

    :param seconds: `None` for any time.
    :raises TimeoutError: if the call has not ended after `seconds`.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:g} s")
    return results[0]


def without_waiting(path: str, flags: int) -> int:
    """Open a file, as an ``opener`` of `open`.

    `open` waits for the other end of a named pipe, and what cron starts would
    wait for ever.  A pipe that nobody writes to is empty instead, and one that
    nobody reads is an error.
    """
    descriptor = os.open(path, flags | os.O_NONBLOCK, 0o666)
    os.set_blocking(descriptor, True)
    return descriptor
