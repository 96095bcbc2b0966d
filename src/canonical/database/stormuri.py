"""Telling Storm, and people, which database it is."""

from __future__ import annotations

from psycopg2.extensions import parse_dsn
from storm.databases.postgres import make_dsn
from storm.uri import URI


__all__ = [
    "describe",
    "one_line",
    "set_option",
    "storm_uri",
]


def storm_uri(parameters: dict[str, str]) -> URI:
    """Storm's form of a connection's parameters."""
    uri = URI("postgres:")
    uri.database = _quote(parameters.get("dbname", ""))
    for name, value in parameters.items():
        if name != "dbname":
            set_option(uri, name, value)
    return uri


def set_option(uri: URI, name: str, value: str) -> None:
    """Set a parameter of libpq's.  The last one of a name counts for libpq."""
    # Storm strings them together without quoting them.
    uri.options[name] = _quote(value)


def describe(uri: URI) -> str:
    """Which database it is, without the password."""
    parameters = parse_dsn(make_dsn(uri))
    parts = [f"database {parameters['dbname'] or 'of the user'}"]
    for name, words in ("host", "on"), ("port", "port"), ("user", "as"):
        if parameters.get(name):
            parts.append(f"{words} {parameters[name]}")
    return " ".join(parts)


def one_line(error: Exception) -> str:
    """What libpq says of each host, without the hints that it indents."""
    lines = str(error).splitlines()
    return "; ".join(line for line in lines if line.strip() == line != "")


def _quote(value: str) -> str:
    """`value` as a value in a libpq connection string.

    By "Connection Strings" in the PostgreSQL manual, chapter on libpq.
    """
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
