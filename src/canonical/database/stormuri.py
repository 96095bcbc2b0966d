"""Telling Storm, and people, which database it is."""

from __future__ import annotations

from psycopg2.extensions import make_dsn
from storm.database import register_scheme
from storm.databases.postgres import Postgres
from storm.uri import URI


__all__ = [
    "describe",
    "one_line",
    "set_parameter",
    "storm_uri",
]


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


def describe(uri: URI) -> str:
    """Which database it is, without the password."""
    host = uri.options.get("host", uri.host)
    port = uri.options.get("port", uri.port)
    user = uri.options.get("user", uri.username)
    name = uri.options.get("dbname", uri.database)
    parts = [f"database {name}" if name else "the default database"]
    for words, value in ("on", host), ("port", port), ("as", user):
        if value:
            parts.append(f"{words} {value}")
    return " ".join(parts)


def one_line(error: Exception) -> str:
    """What libpq says of each host, without the hints that it indents."""
    lines = str(error).splitlines()
    return "; ".join(line for line in lines if line.strip() == line != "")
