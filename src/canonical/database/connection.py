"""What Storm does not offer for a connection: time limits, cancelling."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2 import _psycopg
from psycopg2.extensions import ISOLATION_LEVEL_READ_COMMITTED
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import TRANSACTION_STATUS_INERROR
from psycopg2.extensions import cursor as Cursor
from storm.exceptions import DisconnectionError
from storm.exceptions import Error
from storm.exceptions import InternalError
from storm.store import Store

from canonical.database.databaseuri import database_in
from canonical.database.databaseuri import database_named


__all__ = [
    "cancel_statement",
    "cursor_of",
    "cut",
    "database_of",
    "in_transaction",
    "is_connected",
    "leave_to_parent",
    "limit_lock_waits",
    "make_durable",
    "occupy_standard_descriptors",
    "read_committed",
    "refuse_failed",
    "savepoint",
    "stream",
    "time_limit",
]


# Every other setting waits for the disk.
DURABLE = """
    SELECT set_config('synchronous_commit', 'on', true)
    WHERE current_setting('synchronous_commit') = 'off'
"""


def occupy_standard_descriptors() -> None:
    """Open closed standard streams (input, output, error) on ``/dev/null``.

    Otherwise a connection or a lock could get the descriptor of a closed
    stream, and output would be written into it.
    """
    for descriptor in 0, 1, 2:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _raw(store: Store) -> Any:
    """The connection of psycopg2, or `None` while there is none."""
    return store._connection._raw_connection


@contextmanager
def cursor_of(store: Store) -> Iterator[Any]:
    """A cursor of psycopg2, for COPY, in the transaction of a store."""
    # This connects, and joins the transaction.
    store.execute("SELECT 1", noresult=True)
    with _raw(store).cursor() as cursor:
        yield cursor


def stream(
    store: Store,
    statement: str,
    parameters: tuple[Any, ...],
    use: Callable[[str], None],
) -> None:
    """Execute a COPY TO STDOUT, and call `use` with each line as it arrives.

    So a row is used while the server works on those after it.  For Storm and
    its tracers, this is a statement like any other.

    :param store: in a transaction.
    :param use: must not use this store.
    """
    lines = _Lines()
    lines.write = use  # type: ignore[method-assign, assignment]

    class Copying(Cursor):

        def execute(self, query: Any, vars: Any = None) -> None:
            self.copy_expert(self.mogrify(query, vars), lines)

    raw = _raw(store)
    factory, raw.cursor_factory = raw.cursor_factory, Copying
    try:
        store.execute(statement, parameters, noresult=True)
    finally:
        raw.cursor_factory = factory


class _Lines(io.TextIOBase):
    """A file of text, for which psycopg2 decodes what it writes."""


def is_connected(store: Store) -> bool:
    """Has the store a connection that is not known to be lost?"""
    raw = _raw(store)
    return raw is not None and not raw.closed


def database_of(store: Store) -> str:
    """The host, port and name of the database of a connected store.

    They come from the URI and the environment.  So a database that has moved
    to another server behind the same name is still the same.
    """
    raw = _raw(store)
    try:
        return database_in(raw.get_dsn_parameters())
    except UnicodeDecodeError:
        # Another parameter, such as PGAPPNAME, is not in UTF-8.
        return database_named(raw.dsn)


def refuse_failed(store: Store) -> None:
    """Check that no statement has failed in this transaction.

    Otherwise PostgreSQL would turn a COMMIT into a ROLLBACK without an error.

    :raises storm.exceptions.InternalError: if a statement has failed.
    """
    # An attribute; Storm would wrap a method of the connection at each call.
    if is_connected(store) and (
        _raw(store).info.transaction_status == TRANSACTION_STATUS_INERROR
    ):
        raise InternalError(
            "the transaction cannot be committed: a statement in it has failed"
        )


def in_transaction(store: Store) -> bool:
    """Has a statement been sent in this transaction?"""
    return is_connected(store) and (
        _raw(store).info.transaction_status != TRANSACTION_STATUS_IDLE)


@contextmanager
def read_committed(store: Store) -> Iterator[None]:
    """Use READ COMMITTED, whatever the isolation of the store.

    No transaction may be open on entry.
    """
    raw = _raw(store)
    isolation, autocommit = raw.isolation_level, raw.autocommit
    raw.set_session(
        isolation_level=ISOLATION_LEVEL_READ_COMMITTED, autocommit=False)
    try:
        yield
    finally:
        if raw is _raw(store) and not in_transaction(store):
            # None means the default of the server.
            raw.set_session(
                isolation_level=isolation or "DEFAULT", autocommit=autocommit)


def make_durable(store: Store) -> None:
    """Make the COMMIT of this transaction wait for the disk.

    A server or a role may have ``synchronous_commit=off`` by default.
    """
    store.execute(DURABLE)


def limit_lock_waits(store: Store, seconds: float) -> None:
    """Limit how long each statement of this transaction waits for a lock."""
    store.execute(
        "SELECT set_config('lock_timeout', ?, true)", (f"{seconds:g}s",),
        noresult=True)


@contextmanager
def savepoint(store: Store, seconds: float) -> Iterator[None]:
    """Undo only the statements of this block if one of them fails.

    :param seconds: how long a statement of the block may wait for a lock.
    """
    lock_timeout, _ = store.execute(
        "SAVEPOINT scriptactivity; SELECT current_setting('lock_timeout'),"
        " set_config('lock_timeout', ?, true)", (f"{seconds:g}s",)
    ).get_one()
    try:
        yield
        store.execute(
            "SELECT set_config('lock_timeout', ?, true);"
            " RELEASE SAVEPOINT scriptactivity", (lock_timeout,),
            noresult=True)
    except Exception:
        if is_connected(store):
            store.execute("ROLLBACK TO SAVEPOINT scriptactivity")
        raise


def cancel_statement(store: Store) -> None:
    """Cancel the statement that runs, if any.  It ends with an error.

    May be called from any thread.  It may block: a server that hangs does not
    answer the request either.
    """
    _cancel(_request_to_cancel(_raw(store)))


def cut(store: Store) -> None:
    """Shut the connection down.  A statement that waits on it fails at once.

    May be called from any thread.  A thread then asks the server to cancel
    the statement, which it would otherwise go on with.
    """
    raw = _raw(store)
    if raw is None:
        return
    request = None
    with suppress(AttributeError, OSError):
        request = _request_to_cancel(raw)
    with (
        suppress(OSError, Error),
        socket.socket(fileno=os.dup(raw.fileno())) as line,
    ):
        line.shutdown(socket.SHUT_RDWR)
    threading.Thread(target=_cancel, args=[request], daemon=True).start()


def _request_to_cancel(raw: Any) -> int | None:
    """A PGcancel of libpq, for `_cancel`, or `None`.

    :param raw: a connection, which another thread may close at any time.
    """
    import ctypes
    # PyDLL holds the interpreter's lock, so no thread closes it meanwhile.
    get_cancel = ctypes.PyDLL(_psycopg.__file__).PQgetCancel
    get_cancel.argtypes = [ctypes.c_void_p]
    get_cancel.restype = ctypes.c_void_p
    request: int | None = get_cancel(None if raw is None else raw.pgconn_ptr)
    return request


def _cancel(request: int | None) -> None:
    """Ask the server to cancel the statement.

    Other threads run meanwhile.  ``cancel`` of psycopg2 would stop them until
    the server answers.
    """
    if request is not None:
        import ctypes
        libpq = ctypes.CDLL(_psycopg.__file__)
        answer = ctypes.create_string_buffer(256)
        pointer = ctypes.c_void_p(request)
        libpq.PQcancel(pointer, answer, len(answer))
        libpq.PQfreeCancel(pointer)


def leave_to_parent(store: Store) -> None:
    """Detach a forked child from the connection of its parent.

    Nothing that the child does with the store, even at its end, reaches the
    server.  Its first statement fails as on a lost connection.
    """
    if is_connected(store):
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nothing, _raw(store).fileno(), inheritable=False)
        os.close(nothing)


@contextmanager
def time_limit(
    cut: Callable[[], None], seconds: float
) -> Iterator[threading.Event]:
    """Limit the time of a block that uses the database.

    The block may hang, for example on a lock or on a network that loses every
    packet.  The value is an event, which is set once the time is over.  The
    time may be over just when the block is done, so ask it after a block that
    ended well: then the connections are lost all the same.

    :param cut: is called when the time is over; it shuts connections down.
    :raises storm.exceptions.DisconnectionError: if `cut` was called and the
        block has raised an error of the database, instead of that error.
    """
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        cut()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield is_over
    except (Error, psycopg2.Error) as error:
        if not is_over.is_set():
            raise
        raise DisconnectionError(
            f"the database has not answered within {seconds:g} s (does"
            " another session hold a lock? see pg_locks)") from error
    finally:
        timer.cancel()
        timer.join()
