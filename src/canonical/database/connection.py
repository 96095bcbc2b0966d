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
from storm.exceptions import InternalError
from storm.store import Store


__all__ = [
    "cancel_statement",
    "cut",
    "in_transaction",
    "is_connected",
    "refuse_failed",
    "time_limit",
]


def _raw(store: Store) -> Any:
    """The connection of psycopg2, or `None` while there is none."""
    return store._connection._raw_connection


def is_connected(store: Store) -> bool:
    """Is there a connection that has not been found dead?"""
    raw = _raw(store)
    return raw is not None and not raw.closed


def refuse_failed(store: Store) -> None:
    """Check that no statement has failed in this transaction.

    PostgreSQL takes a COMMIT of it for a ROLLBACK, and says nothing.

    :raises storm.exceptions.InternalError: if one has.
    """
    if is_connected(store) and (
        _raw(store).get_transaction_status() == TRANSACTION_STATUS_INERROR
    ):
        raise InternalError(
            "the transaction cannot be committed: a statement in it has failed"
        )


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


def cut(store: Store) -> None:
    """Shut the connection down; what waits for it fails.

    May be called from any thread.  The server is asked to stop as well, lest
    it goes on with a statement that nobody waits for, but not waited for.
    """
    raw = _raw(store)
    if raw is None:
        return
    with suppress(OSError, Error):
        line = socket.socket(fileno=os.dup(raw.fileno()))
        asking = threading.Thread(
            target=cancel_statement, args=[store], daemon=True)
        asking.start()
        asking.join(0.5)
        with line:
            line.shutdown(socket.SHUT_RDWR)


@contextmanager
def time_limit(store: Store, seconds: float) -> Iterator[None]:
    """Cut the connection if what is done within takes longer.

    However it hangs, on a lock or a network that swallows everything, it then
    fails as it does when the server closes the connection.
    """
    timer = threading.Timer(seconds, cut, [store])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
