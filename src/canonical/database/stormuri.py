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


# The isolation levels, by the names of `initZopeless`, with those of Storm.
ISOLATION_LEVELS = {
    "read_committed": "read-committed",
    "repeatable_read": "repeatable-read",
    "serializable": "serializable",
    "autocommit": "autocommit",
}


class Libpq(Postgres):
    """A database whose URI consists of connection parameters of libpq.

    A URI of Storm must name the database, which libpq could choose, and does
    not quote values.
    """

    def __init__(self, uri: URI):
        super().__init__(uri)
        self._dsn = make_dsn(**uri.options)


register_scheme("libpq", Libpq)


def storm_uri(parameters: dict[str, str]) -> URI:
    """The URI for Storm with these connection parameters."""
    uri = URI("libpq:")
    uri.options = dict(parameters)
    return uri


def set_parameter(uri: URI, name: str, value: str) -> None:
    """Set a connection parameter of libpq, also in a URI of an application."""
    if uri.scheme != "libpq":
        # Storm joins the options for libpq, which uses the last of a name.
        # For the quotes see "Connection Strings" in PostgreSQL's manual.
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        value = f"'{escaped}'"
    uri.options[name] = value


def connect_error(
    uri: URI, error: OperationalError | ProgrammingError | UnicodeDecodeError
) -> OperationalError:
    """The error to raise for a failed connection; it shows no password."""
    host, user, name = (
        uri.options.get("host", uri.host),
        uri.options.get("user", uri.username),
        uri.options.get("dbname", uri.database))
    if "@" in f"{host}{name}" or ":" in str(user):
        # Storm has taken a part of the password for one of these.
        return OperationalError(
            "cannot connect: an @, / or : in a user name or password has to be"
            " written as %40, %2F or %3A")
    if isinstance(error, ProgrammingError):
        # The error of libpq quotes the parameters.
        why = "libpq cannot read its parameters"
    elif isinstance(error, UnicodeDecodeError):
        # Before it knows the encoding, a server answers in its own.
        why = _one_line(error.object.decode(errors="replace"))
    else:
        why = _one_line(str(error))
    where = _describe(host, uri.options.get("port", uri.port), user, name)
    return OperationalError(f"cannot connect to {where}: {why}")


def _describe(
    host: str | None, port: object, user: str | None, name: str | None
) -> str:
    """The database, its host, port and user, for messages."""
    parts = [f"database {name}" if name else "the default database"]
    for words, value in ("on", host), ("port", port), ("as", user):
        if value:
            parts.append(f"{words} {value}")
    return " ".join(parts)


def _one_line(text: str) -> str:
    """The error of libpq for each host, without the indented hints."""
    lines = text.splitlines()
    return "; ".join(line for line in lines if line.strip() == line != "")


def check_isolation(isolation: str) -> None:
    """Check that `isolation` is a key of `ISOLATION_LEVELS`.

    :raises ValueError: if it is not.  The text lists the keys.
    """
    if isolation not in ISOLATION_LEVELS:
        raise ValueError(
            f"isolation must be one of {', '.join(ISOLATION_LEVELS)},"
            f" not {isolation!r}")
