"""Connects to the configured PostgreSQL, and applies the schema.

In this module, *parameters* are a dict of libpq's connection parameters
(``host``, ``port``, ``dbname``, ``user``, ...), as for
``psycopg2.connect(**parameters)``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection

from canonical.config import ConfigError
from canonical.config import config
from canonical.config.locations import FILE_NAME
from canonical.config.locations import SYSTEM
from canonical.config.locations import user_directory
from canonical.config.timelimit import interruptible
from canonical.database.databaseuri import EMBEDDED
from canonical.database.databaseuri import is_embedded
from canonical.database.databaseuri import parse_uri
from canonical.database.roles import owners_of
from canonical.database.stormuri import connect_error
from canonical.database.stormuri import storm_uri


__all__ = [
    "EmbeddedClusterError",
    "TABLES",
    "apply_schema",
    "connect",
    "connection_parameters",
    "is_up_to_date",
    "name_of",
    "parameters_of",
    "read_parameters",
]


# How many seconds to wait for a server to answer, unless the URI gives
# another number.  libpq by itself would wait for minutes.
CONNECT_TIMEOUT = "10"

# How many seconds a change of the tables waits for a lock.  A script that
# starts meanwhile waits behind it.
LOCK_TIMEOUT = 5

TABLES = (
    "scriptactivity", "scriptattempt", "scriptpause", "scriptrule",
    "scriptalert", "scriptday")

# In a read-only transaction, PostgreSQL refuses a statement that changes
# something before it takes a lock.
LOOK = "SET TRANSACTION READ ONLY;"

# The transaction must see what others have committed while it waited for
# them, whatever the default isolation of the database.
CHANGE = """
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = '%gs';
"""

# The locks that do not block a statement, from the table "Conflicting Lock
# Modes" of PostgreSQL's manual.  Every lock blocks ALTER and DROP.
COMPATIBLE = {
    "CREATE": ("AccessShareLock", "RowShareLock", "ShareLock"),
    "COMMENT": ("AccessShareLock", "RowShareLock", "RowExclusiveLock"),
}

# The sessions that have blocked this one.  Locks are granted in order, so
# their transactions began before this one started to wait.  A role that may
# not see the transactions of others sees neither their start nor their state.
LOCK_HOLDERS = """
    SELECT format(
        'pid %%s (role %%s, application "%%s", %%s)', pid,
        coalesce(usename, backend_type), application_name,
        coalesce(state || to_char(
            state_change AT TIME ZONE 'UTC',
            '" since "YYYY-MM-DD HH24:MI:SS" UTC"'), 'state not visible'))
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid()
        AND coalesce(
            xact_start <= clock_timestamp() - %(timeout)s * interval '1s',
            true)
        AND pid IN (
            SELECT pid FROM pg_locks
            WHERE granted AND database = (
                    SELECT oid FROM pg_database
                    WHERE datname = current_database())
                AND (
                    relation IN (
                        SELECT to_regclass(name)
                        FROM unnest(%(tables)s::text[]) AS name)
                        AND mode <> ALL (%(compatible)s::text[])
                    OR locktype = 'advisory'
                        AND classid::bigint << 32 | objid::bigint
                            = hashtext('scriptactivity schema')))
    ORDER BY xact_start
"""


class EmbeddedClusterError(Exception):
    """The embedded PostgreSQL cannot be started; the text says why."""


def connection_parameters() -> dict[str, str]:
    """The connection parameters of the configured database.

    The configuration has them in ``[database] uri``, which the environment
    variable LP_DATABASE_URI overrides.  An embedded cluster is running when
    this returns.

    :raises ConfigError: if the URI is missing or wrong.  The text does not
        quote the URI, which may hold a password.
    :raises EmbeddedClusterError: if the embedded cluster does not start.
    """
    uri, source, line = config.setting("database", "uri")
    if not uri:
        raise ConfigError(_no_database())
    where = source if source == "LP_DATABASE_URI" else (
        f"{source}: line {line}: [database] uri")
    return parameters_of(uri, where)


def read_parameters() -> dict[str, str] | None:
    """The connection parameters of the configured replica, if there is one.

    It is a replica of the configured database.  So there is none if
    LP_DATABASE_URI names another.

    :raises ConfigError, EmbeddedClusterError: as `connection_parameters`.
    """
    uri, source, line = config.setting("database", "read_uri")
    overridden = config.setting("database", "uri").source == "LP_DATABASE_URI"
    if not uri or overridden:
        return None
    return parameters_of(uri, f"{source}: line {line}: [database] read_uri")


def parameters_of(uri: str, source: str) -> dict[str, str]:
    """The connection parameters for a URI.

    :param source: where the URI comes from; messages quote it.
    :raises ConfigError, EmbeddedClusterError: as `connection_parameters`.
    """
    if is_embedded(uri):
        directory = Path(uri[len(EMBEDDED):] or "postgresql")
        try:
            directory = config.state_directory / directory.expanduser()
        except RuntimeError as error:
            raise ConfigError(f"{source}: {error}") from None
        # embedded is slow to import, and other databases do not need it.
        from canonical.database.embedded import embedded_parameters
        parameters = embedded_parameters(directory)
    else:
        parameters = parse_uri(source, uri)
    if "PGCONNECT_TIMEOUT" not in os.environ:
        parameters.setdefault("connect_timeout", CONNECT_TIMEOUT)
    return parameters


def _no_database() -> str:
    """The message for a configuration without a database."""
    if config.file is not None:
        return (
            f"{config.file} names no database: add a line"
            ' "uri: postgresql://USER@HOST/DATABASE" below [database]')
    places = " nor ".join(
        str(place / FILE_NAME) for place in (user_directory(), SYSTEM))
    return (
        "no database is configured: run"
        ' "scriptactivity init postgresql://USER@HOST/DATABASE", or'
        ' "scriptactivity init --embedded" for a private PostgreSQL (there is'
        f" neither {places})")


def connect(parameters: dict[str, str]) -> Connection:
    """Connect to a database.

    :raises storm.exceptions.OperationalError: if the connection fails.  The
        text is one line, and quotes no password.
    """
    try:
        return interruptible(lambda: psycopg2.connect(**parameters))
    except (
        psycopg2.OperationalError, psycopg2.ProgrammingError,
        UnicodeDecodeError,
    ) as error:
        raise connect_error(storm_uri(parameters), error) from None


def name_of(connection: Connection) -> str:
    """The name and the host of the database, for messages."""
    info = connection.info
    return f"{info.dbname} on {info.host or 'this host'}"


def apply_schema(parameters: dict[str, str]) -> str:
    """Create the tables, or upgrade older ones.  No row is lost.

    If the tables are up to date, this takes no locks, and any role may call
    it.  A change needs the owner of the tables, and waits for a lock for at
    most `LOCK_TIMEOUT` seconds.

    :param parameters: of a connection.
    :return: the name and the host of the database, for messages.
    :raises storm.exceptions.OperationalError: see `connect`.
    :raises psycopg2.Error: if PostgreSQL refuses, if rows prevent the upgrade,
        or if others use the tables.  Then nothing has changed, and the first
        line of the text says what to do.
    """
    connection = connect(parameters)
    try:
        where = name_of(connection)
        if not is_up_to_date(connection):
            _execute(connection, CHANGE % LOCK_TIMEOUT + _schema())
        return where
    except psycopg2.errors.InsufficientPrivilege as error:
        raise psycopg2.errors.InsufficientPrivilege(
            f"{connection.info.user} may not make or upgrade the tables in"
            f" {where}: {str(error).splitlines()[0]}; let"
            f" {owners_of(connection, TABLES) or 'a role that may do it'} run:"
            " scriptactivity init") from None
    except psycopg2.errors.LockNotAvailable as error:
        holders = _lock_holders(connection, error.diag.context or "")
        raise psycopg2.errors.LockNotAvailable(
            f"the tables in {where} are not changed, after waiting"
            f" {LOCK_TIMEOUT:g}s for {holders}; let it finish, or"
            " end it with pg_terminate_backend(pid), then run scriptactivity"
            " init again") from None
    finally:
        connection.close()


def is_up_to_date(connection: Connection) -> bool:
    """Are the tables there, and are they those of this version?

    Nothing is changed or locked.

    :raises psycopg2.Error: if rows prevent an upgrade.
    """
    try:
        _execute(connection, LOOK + _schema())
    except psycopg2.errors.ReadOnlySqlTransaction:
        return False
    return True


def _schema() -> str:
    from importlib.resources import files
    return files("canonical.database").joinpath("schema.sql").read_text(
        encoding="utf-8")


def _execute(connection: Connection, statements: str) -> None:
    """Execute statements in a new transaction."""
    with connection, connection.cursor() as cursor:
        cursor.execute(statements)


def _lock_holders(connection: Connection, context: str) -> str:
    """The sessions that have blocked a statement of the schema, for messages.

    :param context: of the error, in the server's language.  It quotes the
        statement, unless the statement is the one that makes sessions take
        turns.
    """
    words = re.search(r"\b(ALTER|COMMENT|CREATE|DROP)\b", context)
    with connection, connection.cursor() as cursor:
        cursor.execute(LOCK_HOLDERS, {
            "tables": list(TABLES) if words else [],
            "compatible": list(COMPATIBLE.get(words[1], ())) if words else [],
            "timeout": LOCK_TIMEOUT,
        })
        holders = [holder for holder, in cursor]
    return "; ".join(holders) or (
        "a session that is not visible, or has ended (is it a prepared"
        " transaction? see pg_prepared_xacts)")
