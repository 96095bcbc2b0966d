"""Read-only transactions for the pages, in any thread."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import psycopg2
import transaction
from storm.exceptions import DisconnectionError
from storm.exceptions import OperationalError
from storm.zope.interfaces import IZStorm
from zope.component import getUtility

from canonical.database.connection import cut
from canonical.database.connection import time_limit
from canonical.database.sqlbase import main_store


__all__ = [
    "GONE",
    "forget_store",
    "reading",
    "refuse_after_hang",
]


# No page may need longer than this, in milliseconds.
LONGEST = "20000"

# A server that hangs does not end its statements.  So after this time, in
# seconds, its connection is given up.  Meanwhile a page keeps one of the few
# threads of the server.
PATIENCE = 25

# A failure that took longer than this, in seconds, is a hang.  After it only
# one page tries the database again in so long a time, and the others fail at
# once: else all threads wait, and `/health` waits behind them.
QUICK = 5.0
AGAIN = 15.0

# In one statement, because it costs each page a round trip.  A role that may
# only read needs no more.
READ_ONLY = """
    SELECT set_config('transaction_read_only', 'on', true),
        set_config('statement_timeout', ?, true)
"""

# What is raised while the database cannot be reached.
GONE = (
    DisconnectionError, OperationalError, psycopg2.OperationalError,
    psycopg2.InterfaceError)


class _Hang:
    """The last hang of the database, for all threads.

    :ivar until: when the next page may try, on the monotonic clock.
    """

    until = -math.inf


@contextmanager
def reading(patience: float = 0) -> Iterator[None]:
    """A transaction of this thread that only reads, in bounded time.

    A connection that was lost is opened again when it is next needed.

    :param patience: in seconds; by default `PATIENCE`, but after a hang
        nobody waits; see `refuse_after_hang`.
    """
    begun = time.monotonic()
    if not patience:
        refuse_after_hang()
        if _Hang.until > 0:
            _Hang.until = begun + AGAIN
    longest = patience or PATIENCE
    try:
        try:
            _begin(longest)
        except GONE:
            if time.monotonic() - begun > QUICK:
                raise
            # The server may have been started again since this thread last
            # asked it.
            forget_store()
            _begin(longest)
        with time_limit(partial(cut, main_store()), longest) as is_over:
            yield
            transaction.abort()
        if is_over.is_set():
            forget_store()
        _Hang.until = -math.inf
    except GONE as error:
        forget_store()
        # A server that cancels a statement answers.
        if time.monotonic() - begun > QUICK and not isinstance(
            error, psycopg2.errors.QueryCanceled
        ):
            _Hang.until = time.monotonic() + AGAIN
        raise
    finally:
        transaction.abort()


def _begin(longest: float) -> None:
    """Begin a transaction that only reads.

    :param longest: in seconds; after that the connection is cut.
    """
    transaction.begin()
    with time_limit(partial(cut, main_store()), longest):
        main_store().execute(READ_ONLY, (LONGEST,))


def refuse_after_hang() -> None:
    """Raise an error of `GONE` if the database hung a moment ago."""
    if time.monotonic() < _Hang.until:
        raise DisconnectionError("the database did not answer a moment ago")


def forget_store() -> None:
    """Close the connection of this thread; the next transaction connects."""
    zstorm = getUtility(IZStorm)
    for _, store in list(zstorm.iterstores()):
        transaction.abort()
        zstorm.remove(store)
        store.close()
