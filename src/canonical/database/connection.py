"""What a store does not show of its connection to PostgreSQL."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from storm.exceptions import Error
from storm.store import Store


__all__ = [
    "cancel_statement",
    "has_failed",
    "in_transaction",
    "is_connected",
    "time_limit",
]


def _raw(store: Store) -> Any:
    """The connection of psycopg2, or `None` while there is none."""
    return store._connection._raw_connection


def is_connected(store: Store) -> bool:
    """Is there a connection that has not been found dead?"""
    raw = _raw(store)
    return raw is not None and not raw.closed


def has_failed(store: Store) -> bool:
    """Has a statement failed in this transaction?

    PostgreSQL takes a COMMIT of it for a ROLLBACK, and says nothing.
    """
    return is_connected(store) and (
        _raw(store).get_transaction_status() == TRANSACTION_STATUS_INERROR)


def in_transaction(store: Store) -> bool:
    """Has something been sent in this transaction?"""
    return is_connected(store) and (
        _raw(store).get_transaction_status() != TRANSACTION_STATUS_IDLE)


def cancel_statement(store: Store) -> None:
    """Have the statement that runs, if any, end with an error.

    May be called from any thread.
    """
    raw = _raw(store)
    if raw is not None:
        with suppress(Error):
            raw.cancel()


@contextmanager
def time_limit(store: Store, seconds: float) -> Iterator[None]:
    """Cut the connection if what is done within takes longer.

    However it hangs, on a lock or a network that swallows everything, it then
    fails as it does when the server closes the connection.
    """
    line = socket.socket(fileno=os.dup(_raw(store).fileno()))

    def cut() -> None:
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        line.close()
