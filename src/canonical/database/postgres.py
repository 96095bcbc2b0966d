"""PostgreSQL itself: where it is, and the schema.

A database is told of here by the parameters of its connection, by libpq's
names (``host``, ``port``, ``dbname``, ``user``, ...) in a dict; that is what
``psycopg2.connect(**parameters)`` takes.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.embedded import embedded_parameters


__all__ = [
    "apply_schema",
    "connection_parameters",
]


EMBEDDED = "embedded:"

# The parameters that messages show; those of libpq and the server do too.
SHOWN = ("host", "port", "user", "dbname")

# A server that does not answer is given up after this many seconds, unless
# the URI says otherwise; libpq by itself would wait for minutes.
CONNECT_TIMEOUT = "10"


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

    :param parameters: of a connection that may create tables.
    :return: which database that was, in words.
    :raises psycopg2.Error: if PostgreSQL refuses; then nothing has changed.
    """
    schema = files("canonical.database").joinpath("schema.sql")
    connection = psycopg2.connect(**parameters)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(schema.read_text(encoding="utf-8"))
        info = connection.info
        return f"{info.dbname} on {info.host or 'this host'}"
    finally:
        connection.close()
