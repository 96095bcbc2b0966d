"""PostgreSQL itself: where it is, and the schema.

A database is told of here by the parameters of its connection, by libpq's
names (``host``, ``port``, ``dbname``, ``user``, ...) in a dict; that is what
``psycopg2.connect(**parameters)`` takes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from canonical.config import ConfigError
from canonical.config import config


__all__ = [
    "EmbeddedClusterError",
    "apply_schema",
    "connection_parameters",
]


EMBEDDED = "embedded:"

# The parameters that messages show; those of libpq and the server do too.
SHOWN = ("host", "port", "user", "dbname")

# A server that does not answer is given up after this many seconds, unless
# the URI says otherwise; libpq by itself would wait for minutes.
CONNECT_TIMEOUT = "10"

# A change of the tables waits this many seconds for a lock, and every script
# that starts meanwhile waits behind it.
LOCK_TIMEOUT = 5

TABLES = "scriptactivity", "scriptattempt", "scriptpause", "scriptalert"

# In a read-only transaction PostgreSQL refuses a statement that would change
# something before the statement asks for a lock.
LOOK = "SET TRANSACTION READ ONLY;"

# What others committed while this waited for them has to be seen, whatever the
# isolation that the database has by default.
CHANGE = """
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET LOCAL lock_timeout = '%gs';
"""

# The locks of others that a statement does not wait for, from the table of
# conflicting lock modes in PostgreSQL's manual; ALTER and DROP wait for all.
COMPATIBLE = {
    "CREATE": ("AccessShareLock", "RowShareLock", "ShareLock"),
    "COMMENT": ("AccessShareLock", "RowShareLock", "RowExclusiveLock"),
}

# Nobody gets ahead of a session that waits for a lock.  So those that kept it
# waiting began their transactions before it began to wait.  A role that may
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
    """Where the records are kept, by ``[database] uri``.

    The environment variable LP_DATABASE_URI overrides the configuration.  An
    embedded cluster is running when this returns.

    :raises ConfigError: if the URI is not one.  Its text does not quote the
        URI, which may hold a password.
    :raises EmbeddedClusterError: if the embedded cluster does not start.
    """
    source, uri = "[database] uri", config.database.uri
    if os.environ.get("LP_DATABASE_URI"):
        source, uri = "LP_DATABASE_URI", os.environ["LP_DATABASE_URI"]
    if uri.startswith(EMBEDDED) and "://" not in uri:
        directory = Path(uri[len(EMBEDDED):] or "postgresql")
        try:
            directory = config.state_directory / directory.expanduser()
        except RuntimeError as error:
            raise ConfigError(f"{source}: {error}") from None
        # Slow to import, for those who have a PostgreSQL.
        from canonical.database.embedded import embedded_parameters
        return embedded_parameters(directory)
    parameters = _parse_uri(source, uri)
    if "PGCONNECT_TIMEOUT" not in os.environ:
        parameters.setdefault("connect_timeout", CONNECT_TIMEOUT)
    return parameters


def _parse_uri(source: str, uri: str) -> dict[str, str]:
    """The parameters in a URI of libpq's."""
    _, scheme, rest = uri.partition("://")
    user, at, place = rest.partition("@")
    if scheme and at and ("/" in user or "@" in place):
        # It would be taken for a host or a database, and end in a message.
        raise ConfigError(
            f"{source}: an @ or / in a user name, a password or a parameter"
            " has to be written as %40 or %2F")
    try:
        parameters: dict[str, str] = parse_dsn(uri)
        for name in "port", "connect_timeout":
            for number in parameters.get(name, "").split(","):
                int(number or 0)
        for name in SHOWN:
            _check_shown(parameters.get(name, ""))
    except (psycopg2.ProgrammingError, ValueError):
        raise ConfigError(
            f"{source}: not a PostgreSQL URI; expected"
            " postgresql://[user@][host][:port][/dbname][?name=value],"
            " or embedded:DIRECTORY"
        ) from None
    return parameters


def _check_shown(value: str) -> None:
    """Check that a value is what it seems, before it ends in a message.

    :raises ValueError: if a space is missing before the next parameter, or
        if it is a URI of its own.
    """
    if "=" in value or "://" in value:
        raise ValueError


def apply_schema(parameters: dict[str, str]) -> str:
    """Make the tables, or bring older ones up to date; rows are kept.

    Up-to-date tables are not locked, and any role will do.  A change needs
    their owner, and waits for no lock longer than `LOCK_TIMEOUT`.

    :param parameters: of a connection.
    :return: which database that was, in words.
    :raises psycopg2.Error: if PostgreSQL refuses, if rows stand in the way,
        or if others use the tables.  Then nothing has changed, and the first
        line of the text says what to do.
    """
    from importlib.resources import files
    schema = files("canonical.database").joinpath("schema.sql").read_text(
        encoding="utf-8")
    connection = psycopg2.connect(**parameters)
    try:
        where = f"{connection.info.dbname} on" \
            f" {connection.info.host or 'this host'}"
        try:
            _execute(connection, LOOK + schema)
        except psycopg2.errors.ReadOnlySqlTransaction:
            # There is something to change.
            _execute(connection, CHANGE % LOCK_TIMEOUT + schema)
        return where
    except psycopg2.errors.LockNotAvailable as error:
        holders = _lock_holders(connection, error.diag.context or "")
        raise psycopg2.errors.LockNotAvailable(
            f"the tables in {where} are not changed, after"
            f" {LOCK_TIMEOUT:g}s of waiting for {holders}; let it finish, or"
            " end it with pg_terminate_backend(pid), then run scriptactivity"
            " init again") from error
    finally:
        connection.close()


def _execute(connection: Connection, statements: str) -> None:
    """Execute statements in a transaction of their own."""
    with connection, connection.cursor() as cursor:
        cursor.execute(statements)


def _lock_holders(connection: Connection, context: str) -> str:
    """Who kept a statement of the schema waiting, in words.

    :param context: of the error, in the server's language; it quotes the
        statement, except that which has the sessions that apply the schema
        take turns.
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
        "a session that cannot be seen, or not any more (a prepared"
        " transaction? see pg_prepared_xacts)")
