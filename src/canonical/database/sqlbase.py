"""The transaction manager of a script, and the store named ``main``.

A script installs a `ZopelessTransactionManager` with `initZopeless`.  An
application that has a store named ``main`` need not install one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import ClassVar

import transaction
from storm.database import create_database
from storm.store import Store
from storm.uri import URI

from canonical.database.connection import cancel_statement
from canonical.database.connection import cut
from canonical.database.connection import database_of
from canonical.database.connection import is_connected
from canonical.database.connection import leave_to_parent
from canonical.database.connection import read_committed
from canonical.database.connection import refuse_failed
from canonical.database.connection import time_limit
from canonical.database.databaseuri import database_named
from canonical.database.postgres import read_parameters
from canonical.database.storeregistry import MAIN
from canonical.database.storeregistry import close_store
from canonical.database.storeregistry import have_zstorm
from canonical.database.storeregistry import main_uri
from canonical.database.storeregistry import open_store
from canonical.database.storeregistry import opened_store
from canonical.database.storeregistry import zstorm
from canonical.database.stormuri import ISOLATION_LEVELS
from canonical.database.stormuri import check_isolation
from canonical.database.stormuri import set_parameter
from canonical.database.stormuri import storm_uri


__all__ = [
    "ZopelessTransactionManager",
    "initZopeless",
    "leave_stores_to_parent",
    "main_store",
    "transactions_apart",
]


class ZopelessTransactionManager:
    """The transactions of a script, and its connection to the database.

    `initZopeless` creates it.  Objects from one transaction can be used in the
    next: Storm reads them again.

    :ivar dbuser: the role that the script connects as.  `None` means the role
        in the configuration, or else the default of libpq.
    :ivar isolation: a key of `ISOLATION_LEVELS`.
    :ivar database: the host, port and name of the database; see `database_of`.
    """

    _installed: ClassVar[ZopelessTransactionManager | None] = None

    def __init__(
        self, dbuser: str | None, isolation: str, uri: URI, database: str
    ):
        self.dbuser = dbuser
        self.isolation = isolation
        self.database = database
        self._uri = uri
        self._stores = zstorm()._stores
        self._thread = threading.get_ident()
        self._store: Store | None = None

    def begin(self) -> None:
        """Begin a new transaction.  Uncommitted changes are rolled back."""
        transaction.begin()

    def commit(self) -> None:
        """Commit the transaction.

        :raises Exception: the error of the database, if the commit fails.
            After that, call `abort` or `begin` before you use the store again.
            A lost connection is opened again when it is first needed.
        :raises storm.exceptions.InternalError: if a statement of this
            transaction has failed, even if its exception was caught.
            PostgreSQL would roll back without an error.
        """
        refuse_failed(main_store())
        transaction.commit()

    def abort(self) -> None:
        """Roll back the transaction."""
        transaction.abort()

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Connect if needed, and limit the time of a block.

        See `canonical.database.connection.time_limit`.

        :raises storm.exceptions.OperationalError: if no connection can be
            made.
        """
        store = opened_store()
        if store is None or not is_connected(store):
            self.disconnect()
            uri = self._uri.copy()
            uri.options["isolation"] = ISOLATION_LEVELS[self.isolation]
            # libpq reads 1 as 2, and 0 as no limit.
            set_parameter(
                uri, "connect_timeout", str(max(2, round(seconds))))
            self.database = database_of(open_store(uri))
        with time_limit(partial(cut, main_store()), seconds) as is_over:
            yield
        if is_over.is_set():
            self.disconnect()

    @contextmanager
    def apart(self, seconds: float) -> Iterator[None]:
        """Run a block in a separate transaction, in bounded time.

        Records are written in such transactions.  It is committed at the end.
        It is READ COMMITTED whatever the isolation of the work, so it does
        not conflict with the work.

        :param seconds: as in `time_limit`.
        :raises Exception: if anything fails.  Then the transaction is rolled
            back, and the connection is closed.
        """
        try:
            transaction.begin()
            with self.time_limit(seconds), read_committed(main_store()):
                yield
                self.commit()
        except Exception:
            self.disconnect()
            raise

    def cancel(self) -> None:
        """Cancel the statement that the script runs, if any.

        It ends with an error.  May be called from any thread, and applies to
        all stores of the script.
        """
        for store in list(self._stores.values()):
            cancel_statement(store)

    def cut(self) -> None:
        """Shut down the connections of all stores.

        May be called from any thread.
        """
        for store in list(self._stores.values()):
            cut(store)

    def disconnect(self) -> None:
        """Roll back, and close the connection, in bounded time.

        A new connection is opened when it is needed.
        """
        close_store()

    def uninstall(self) -> None:
        """Undo `initZopeless`: roll back, and close the connection.

        A second call does nothing.
        """
        if ZopelessTransactionManager._installed is self:
            close_store()
            ZopelessTransactionManager._installed = None


def leave_stores_to_parent() -> None:
    """Detach a forked child from the connections of its parent."""
    stores = [store for _, store in zstorm().iterstores()]
    installed = ZopelessTransactionManager._installed
    if installed is not None and installed._store is not None:
        # The store of the main thread, even if another thread has forked.
        stores.append(installed._store)
    for store in stores:
        leave_to_parent(store)


def initZopeless(
    dbuser: str | None = None,
    isolation: str = "read_committed",
    only_reads: bool = False,
) -> ZopelessTransactionManager:
    """Install the transaction manager, and connect the store ``main``.

    A current transaction is rolled back.  The store uses the database that
    the application has registered for ``main``, or else the configured one.
    An `IZStorm` of the application is used; without one, that of Storm is
    registered.

    :param dbuser: the role to connect as, instead of the configured one.
    :param isolation: a key of `ISOLATION_LEVELS`; it holds for every
        transaction until `uninstall`.
    :param only_reads: use the replica, if one is configured.
    :return: the transaction manager.  A call with the same arguments returns
        the same one.
    :raises ValueError: if `isolation` is not such a key.
    :raises RuntimeError: if one is installed with other settings.
    :raises canonical.config.ConfigError: if the database is misconfigured.
    :raises canonical.database.postgres.EmbeddedClusterError: if the embedded
        cluster does not start.
    :raises storm.exceptions.OperationalError: if the connection fails.
    """
    check_isolation(isolation)
    have_zstorm()
    installed = ZopelessTransactionManager._installed
    if installed is not None:
        if (installed.dbuser, installed.isolation) == (dbuser, isolation):
            return installed
        raise RuntimeError(
            "a transaction manager is installed already, with"
            f" dbuser={installed.dbuser!r}, isolation={installed.isolation!r};"
            f" uninstall() it before dbuser={dbuser!r},"
            f" isolation={isolation!r}")
    replica = read_parameters() if only_reads else None
    uri = main_uri() if replica is None else storm_uri(replica)
    if dbuser is not None:
        set_parameter(uri, "user", dbuser)
    uri.options["isolation"] = ISOLATION_LEVELS[isolation]
    close_store()
    database = database_of(open_store(uri))
    installed = ZopelessTransactionManager(dbuser, isolation, uri, database)
    ZopelessTransactionManager._installed = installed
    return installed


def transactions_apart() -> ZopelessTransactionManager:
    """Transactions of this thread alone, which is a new one.

    Nothing is installed, and nobody else's store or transaction is touched.
    `ZopelessTransactionManager.apart` connects when it is needed.

    :raises canonical.config.ConfigError: as `initZopeless` does.
    :raises canonical.database.postgres.EmbeddedClusterError: likewise.
    """
    have_zstorm()
    uri = main_uri()
    return ZopelessTransactionManager(
        None, "read_committed", uri, database_named(create_database(uri)._dsn))


def main_store() -> Store:
    """The store ``main`` of this thread, joined to its transaction.

    :raises storm.zope.interfaces.ZStormError: if no transaction manager is
        installed and no store ``main`` is registered.
    """
    installed = ZopelessTransactionManager._installed
    if installed is None:
        return zstorm().get(MAIN)
    store = zstorm().get(MAIN, installed._uri)
    if installed._thread == threading.get_ident():
        installed._store = store
    return store
