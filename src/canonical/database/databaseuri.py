"""The URI of a database, as libpq reads it, and as a person may see it."""

from __future__ import annotations

import re

import psycopg2
from psycopg2.extensions import make_dsn
from psycopg2.extensions import parse_dsn

from canonical.config import ConfigError


__all__ = [
    "EMBEDDED",
    "HIDDEN",
    "has_password",
    "hidden",
    "is_embedded",
    "parse_uri",
]


EMBEDDED = "embedded:"

# The parameters that messages show; those of libpq and the server do too.
SHOWN = ("host", "port", "user", "dbname")

# Those that no message shows, and what stands for them.
SECRETS = ("password", "sslpassword")
HIDDEN = "***"


def parse_uri(source: str, uri: str) -> dict[str, str]:
    """The parameters in a URI of libpq's.

    :param source: where it comes from, for messages.
    :raises ConfigError: if it is not one; the text does not quote it.
    """
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


def is_embedded(uri: str) -> bool:
    """Does a URI name an embedded cluster?"""
    return uri.startswith(EMBEDDED) and "://" not in uri


def hidden(uri: str) -> str:
    """A URI without its passwords, as it may be shown."""
    if is_embedded(uri):
        return uri
    try:
        parameters = parse_uri("uri", uri)
    except ConfigError:
        return HIDDEN
    secrets = [name for name in SECRETS if name in parameters]
    if not secrets:
        return uri
    shown = re.sub(r"(?<=://)([^:/@?]*):[^@/?]*(?=@)", rf"\1:{HIDDEN}", uri)
    # Each that is left stands among the parameters.
    if "://" not in uri or "password=" in shown:
        parameters.update(dict.fromkeys(secrets, HIDDEN))
        return str(make_dsn(**parameters))
    return shown


def has_password(uri: str) -> bool:
    """Does a URI hold a password?"""
    return hidden(uri) != uri
