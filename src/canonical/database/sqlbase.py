"""The transaction manager of a script, and the store named ``main``.

A script installs a `ZopelessTransactionManager` with `initZopeless`; within
an application of its own that has a store named ``main``, nothing needs to
be installed.
"""

from __future__ import annotations

from typing import ClassVar

import transaction
from storm.store import Store
from storm.uri import URI
from storm.zope.interfaces import IZStorm
from zope.component import getUtility

from canonical.database.postgres import connection_parameters


__all__ = [
    "ISOLATION_LEVELS",
    "ZopelessTransactionManager",
    "initZopeless",
    "main_store",
]


MAIN = "main"

# What `initZopeless` takes, and what Storm calls it.
ISOLATION_LEVELS = {
    "read_committed": "read-committed",
    "repeatable_read": "repeatable-read",
    "serializable": "serializable",
    "autocommit": "autocommit",
}


class ZopelessTransactionManager:
    """The transactions of a script, and its connection to the database.

    Made by `initZopeless`.  Objects from one transaction can be used in the
    next; Storm reads them anew.

    :ivar dbuser: the role that the script connects as; `None` means the one
        that the configuration, or libpq, says.
    :ivar isolation: a key of `ISOLATION_LEVELS`.
    """

    _installed: ClassVar[ZopelessTransactionManager | None] = None

    def __init__(self, dbuser: str | None, isolation: str, uri: URI):
        self.dbuser = dbuser
        self.isolation = isolation
        self._uri = uri

    def begin(self) -> None:
        """Begin a new transaction; what was not committed is rolled back."""
        transaction.begin()

    def commit(self) -> None:
        """Commit the transaction.

        :raises Exception: what the database said, if it did not commit.
            Then `abort` or `begin` comes next, and makes the store usable
            again; a lost connection is made anew when it is first needed.
        """
        transaction.commit()

    def abort(self) -> None:
        """Roll back the transaction."""
        transaction.abort()

    def uninstall(self) -> None:
        """Undo `initZopeless`: roll back, and close the connection."""
        _close_store()
        ZopelessTransactionManager._installed = None


def initZopeless(
    dbuser: str | None = None, isolation: str = "read_committed"
) -> ZopelessTransactionManager:
    """Install the transaction manager, and connect the store ``main``.

    The ZCML of the package has to be executed before.  An application that
    has registered a store ``main`` of its own keeps its database; otherwise
    it is the one of the configuration.

    :param dbuser: the role to connect as, if not the configured one.
    :param isolation: a key of `ISOLATION_LEVELS`; it holds for every
        transaction until `uninstall`.
    :return: what is installed; the same again for the same arguments.
    :raises ValueError: for another isolation.
    :raises RuntimeError: if one is installed with other settings.
    :raises canonical.config.ConfigError: if the database is misconfigured.
    :raises canonical.database.postgres.EmbeddedClusterError: if it is the
        embedded one and does not start.
    :raises storm.exceptions.OperationalError: if it cannot be connected to.
    """
    if isolation not in ISOLATION_LEVELS:
        raise ValueError(
            f"isolation must be one of {', '.join(ISOLATION_LEVELS)},"
            f" not {isolation!r}")
    installed = ZopelessTransactionManager._installed
    if installed is not None:
        if (installed.dbuser, installed.isolation) == (dbuser, isolation):
            return installed
        raise RuntimeError(
            "a transaction manager is installed already, with"
            f" dbuser={installed.dbuser!r}, isolation={installed.isolation!r};"
            f" uninstall() it before dbuser={dbuser!r},"
            f" isolation={isolation!r}")
    uri = _main_uri()
    if dbuser is not None:
        uri.options["user"] = _quote(dbuser)
        uri.username = None
    uri.options["isolation"] = ISOLATION_LEVELS[isolation]
    _close_store()
    getUtility(IZStorm).create(MAIN, uri)
    installed = ZopelessTransactionManager(dbuser, isolation, uri)
    ZopelessTransactionManager._installed = installed
    return installed


def main_store() -> Store:
    """The store ``main`` of this thread, joined to its transaction.

    :raises storm.zope.interfaces.ZStormError: if there is neither a
        transaction manager installed nor a store ``main`` registered.
    """
    installed = ZopelessTransactionManager._installed
    uri = None if installed is None else installed._uri
    return getUtility(IZStorm).get(MAIN, uri)


def _close_store() -> None:
    """Roll back, and close the store ``main`` of this thread if it is open."""
    transaction.abort()
    zstorm = getUtility(IZStorm)
    for name, store in list(zstorm.iterstores()):
        if name == MAIN:
            zstorm.remove(store)
            store.close()


def _main_uri() -> URI:
    """Where the application keeps its store, or else the configured place."""
    registered = getUtility(IZStorm).get_default_uris().get(MAIN)
    if registered is not None:
        return URI(registered)
    uri = URI("postgres:")
    parameters = connection_parameters()
    # Storm strings these together for libpq without quoting them.
    uri.database = _quote(parameters.pop("dbname", ""))
    uri.options = {
        name: _quote(value) for name, value in parameters.items()}
    return uri


def _quote(value: str) -> str:
    """`value` as a value in a libpq connection string.

    By "Connection Strings" in the PostgreSQL manual, chapter on libpq.
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
