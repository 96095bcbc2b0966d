"""Doing what may hang, for a bounded time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar


__all__ = [
    "within",
]


T = TypeVar("T")


def within(seconds: float, function: Callable[[], T]) -> T:
    """What `function` returns or raises.

    It runs in a thread of its own, which is left to itself when the time is
    over; so even a look-up of a host name, which has no time limit, is one
    that can be given up.

    :raises TimeoutError: if the time is over.
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
