"""Opens and closes the store named ``main`` in the registry of stores."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from functools import partial

import transaction
from storm.database import create_database
from storm.exceptions import OperationalError
from storm.exceptions import ProgrammingError
from storm.store import Store
from storm.uri import URI
from storm.zope.interfaces import IZStorm
from storm.zope.zstorm import ZStorm
from storm.zope.zstorm import global_zstorm
from zope.component import provideUtility
from zope.component import queryUtility

from canonical.config.timelimit import interruptible
from canonical.database.connection import cut
from canonical.database.connection import in_transaction
from canonical.database.connection import time_limit
from canonical.database.postgres import connection_parameters
from canonical.database.stormuri import connect_error
from canonical.database.stormuri import storm_uri


__all__ = [
    "MAIN",
    "close_store",
    "have_zstorm",
    "main_uri",
    "open_store",
    "opened_store",
    "zstorm",
]


MAIN = "main"

# seconds
ROLLBACK_TIMEOUT = 5

# Storm asks a server for its version, to find out what 8.2 could not do.  That
# takes time, and behind a pooler it waits for a free session, beyond any limit
# of the time to connect.
OLDEST_VERSION = 130000


def have_zstorm() -> None:
    """Register the stores of the process, if the application has not."""
    if queryUtility(IZStorm) is None:
        # Not by ZCML: there it would conflict with the application's, and
        # Storm's own needs zope.security.
        provideUtility(global_zstorm, IZStorm)


def zstorm() -> ZStorm:
    """The application's registry of stores, or that of the process."""
    found: ZStorm = queryUtility(IZStorm, default=global_zstorm)
    return found


def open_store(uri: URI) -> Store:
    """Connect the store ``main`` of this thread."""
    registry = zstorm()
    # Storm takes the isolation out of a URI, and keeps each URI for ever.
    used = uri.copy()
    database = create_database(used)
    database._version = OLDEST_VERSION
    database.raw_connect = partial(interruptible, database.raw_connect)
    registry._databases[used] = database
    try:
        return registry.create(MAIN, used)
    except (
        OperationalError, ProgrammingError, UnicodeDecodeError
    ) as error:
        raise connect_error(uri, error) from None
    finally:
        registry._databases.pop(used, None)


def opened_store() -> Store | None:
    """The store ``main`` of this thread, if there is one."""
    for name, store in zstorm().iterstores():
        if name == MAIN:
            return store
    return None


def close_store() -> None:
    """Roll back, and close the store ``main`` of this thread if it is open.

    The server rolls back when it notices that the connection is gone.  So a
    rollback that takes too long is cut off, and one that fails, in any data
    manager, is only logged.
    """
    store = opened_store()
    limit = time_limit(
        partial(cut, store), ROLLBACK_TIMEOUT
    ) if store is not None and in_transaction(store) else nullcontext()
    try:
        with limit:
            transaction.abort()
    except Exception as error:
        logging.getLogger(__name__).warning(
            "The rollback failed: %s: %s", type(error).__name__, error)
    if store is not None:
        zstorm().remove(store)
        store.close()


def main_uri() -> URI:
    """The registered URI of the store, or else the configured one."""
    registered = zstorm().get_default_uris().get(MAIN)
    if registered is not None:
        return URI(registered)
    return storm_uri(connection_parameters())
