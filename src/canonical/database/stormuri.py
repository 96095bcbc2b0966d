"""The URI of a database as Storm reads it, and what Storm raises in words."""

from __future__ import annotations

from psycopg2.extensions import make_dsn
from storm.database import register_scheme
from storm.databases.postgres import Postgres
from storm.exceptions import OperationalError
from storm.exceptions import ProgrammingError
from storm.uri import URI


__all__ = [
    "ISOLATION_LEVELS",
    "check_isolation",
    "connect_error",
    "set_parameter",
    "storm_uri",
]


# What `initZopeless` takes, and what Storm calls it.
ISOLATION_LEVELS = {
    "read_committed": "read-committed",
    "repeatable_read": "repeatable-read",
    "serializable": "serializable",
    "autocommit": "autocommit",
}


class Libpq(Postgres):
    """A database whose URI has parameters of libpq's for options, and no more.

    Storm's own form has no way to leave the name of the database to libpq,
    and does not quote values.
    """

    def __init__(self, uri: URI):
        super().__init__(uri)
        self._dsn = make_dsn(**uri.options)


register_scheme("libpq", Libpq)


def storm_uri(parameters: dict[str, str]) -> URI:
    """A connection's parameters, for Storm."""
    uri = URI("libpq:")
    uri.options = dict(parameters)
    return uri


def set_parameter(uri: URI, name: str, value: str) -> None:
    """Set a parameter of libpq's, in a URI of an application's too."""
    if uri.scheme != "libpq":
        # Storm strings them together for libpq, where the last of a name
        # counts.  Quoted by "Connection Strings" in the PostgreSQL manual.
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    uri.options[name] = value


def connect_error(
    uri: URI, error: OperationalError | ProgrammingError
) -> OperationalError:
    """Why there is no connection, without any part of the password."""
    host, user, name = (
        uri.options.get("host", uri.host),
        uri.options.get("user", uri.username),
        uri.options.get("dbname", uri.database))
    if "@" in f"{host}{name}" or ":" in str(user):
        # Storm has taken a part of a password for one of these.
        return OperationalError(
            "cannot connect: an @, / or : in a user name or password has to be"
            " written as %40, %2F or %3A")
    if isinstance(error, ProgrammingError):
        # libpq quotes what it does not understand.
        why = "libpq cannot read its parameters"
    else:
        why = _one_line(error)
    where = _describe(host, uri.options.get("port", uri.port), user, name)
    return OperationalError(f"cannot connect to {where}: {why}")


def _describe(
    host: str | None, port: object, user: str | None, name: str | None
) -> str:
    """Which database it is, in words."""
    parts = [f"database {name}" if name else "the default database"]
    for words, value in ("on", host), ("port", port), ("as", user):
        if value:
            parts.append(f"{words} {value}")
    return " ".join(parts)


def _one_line(error: Exception) -> str:
    """What libpq says of each host, without the hints that it indents."""
    lines = str(error).splitlines()
    return "; ".join(line for line in lines if line.strip() == line != "")


def check_isolation(isolation: str) -> None:
    """Is `isolation` a key of `ISOLATION_LEVELS`?

    :raises ValueError: if it is not; lists those that are.
    """
    if isolation not in ISOLATION_LEVELS:
        raise ValueError(
            f"isolation must be one of {', '.join(ISOLATION_LEVELS)},"
            f" not {isolation!r}")
