"""Reads the URI of a database, and hides its passwords in messages."""

from __future__ import annotations

import os
import pwd
import re

import psycopg2
from psycopg2.extensions import make_dsn
from psycopg2.extensions import parse_dsn

from canonical.config import ConfigError
from canonical.launchpad.plaintext import is_printable


__all__ = [
    "EMBEDDED",
    "HIDDEN",
    "database_in",
    "database_named",
    "has_password",
    "hidden",
    "is_embedded",
    "parse_uri",
]


EMBEDDED = "embedded:"

# The parameters that messages show, ours and those of libpq and the server.
SHOWN = ("host", "port", "user", "dbname")

# The parameters that no message shows, and the text shown in their place.
SECRETS = ("password", "sslpassword")
HIDDEN = "***"

# Where libpq looks for what a URI leaves out; by "Environment Variables" in
# the PostgreSQL manual.
DEFAULTS = {
    "host": ("PGHOST", ""),
    "hostaddr": ("PGHOSTADDR", ""),
    "port": ("PGPORT", "5432"),
    "user": ("PGUSER", ""),
    "dbname": ("PGDATABASE", ""),
}


def parse_uri(source: str, uri: str) -> dict[str, str]:
    """The connection parameters in a URI of libpq.

    :param source: where the URI comes from; messages quote it.
    :raises ConfigError: if it is not such a URI.  The text does not quote
        the URI.
    """
    _, scheme, rest = uri.partition("://")
    user, at, place = rest.partition("@")
    if scheme and at and ("/" in user or "@" in place):
        # libpq would take a part of the password for a host or a database,
        # which messages show.
        raise ConfigError(
            f"{source}: an @ or / in a user name, a password or a parameter"
            " has to be written as %40 or %2F")
    try:
        parameters: dict[str, str] = parse_dsn(uri)
        for name in SHOWN:
            _check_shown(parameters.get(name, ""))
    except (psycopg2.ProgrammingError, ValueError) as error:
        raise ConfigError(
            f"{source}: not a PostgreSQL URI{_mistake(error, rest)}; expected"
            " postgresql://[user@][host][:port][/dbname][?name=value],"
            " or embedded:DIRECTORY"
        ) from None
    for name, most in ("port", 65535), ("connect_timeout", 2**31 - 1):
        for number in filter(None, parameters.get(name, "").split(",")):
            # Nothing is quoted: without an @, it may be a password.
            if not (number.isdecimal() and 0 <= int(number[:11]) <= most):
                raise ConfigError(
                    f"{source}: the {name} in this PostgreSQL URI is not a"
                    f" number from 1 to {most}")
    return parameters


def _mistake(error: Exception, rest: str) -> str:
    """What libpq does not understand in a URI, if that is no secret.

    :param rest: the URI without its scheme.
    """
    text, place = str(error), rest.partition("?")[0]
    if "percent-encoded" in text:
        return ", because a % has to be written as %25"
    unknown = re.search(r'URI query parameter: "(\w+)"', text)
    if unknown and ("@" in place or "/" in place):
        return f", because it has a parameter {unknown[1]!r}"
    return ""


def _check_shown(value: str) -> None:
    """Check that a value that messages show holds nothing else.

    :raises ValueError: if it holds another parameter, because a space is
        missing between them, or a URI, or a line break.
    """
    if "=" in value or "://" in value or not is_printable(value):
        raise ValueError


def is_embedded(uri: str) -> bool:
    """Does a URI name an embedded cluster?"""
    return uri.startswith(EMBEDDED) and "://" not in uri


def hidden(uri: str) -> str:
    """A URI with its passwords hidden, for messages."""
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
    # A password that is still there is among the parameters.
    if "://" not in uri or "password=" in shown:
        parameters.update(dict.fromkeys(secrets, HIDDEN))
        return str(make_dsn(**parameters))
    return shown


def has_password(uri: str) -> bool:
    """Does a URI hold a password?"""
    return hidden(uri) != uri


def database_named(dsn: str) -> str:
    """Which database a connection would use, as `database_in` says it.

    :param dsn: as libpq takes it.
    :return: nothing if that depends on a service file of libpq's.
    """
    parameters = parse_dsn(dsn)
    if "service" in parameters or "PGSERVICE" in os.environ:
        return ""
    for name, (variable, default) in DEFAULTS.items():
        parameters.setdefault(name, os.environ.get(variable) or default)
    if not parameters["user"]:
        parameters["user"] = pwd.getpwuid(os.geteuid()).pw_name
    parameters["dbname"] = parameters["dbname"] or parameters["user"]
    return database_in(parameters)


def database_in(parameters: dict[str, str]) -> str:
    """The host, port and name of the database that parameters name."""
    return " ".join(
        f"{name}={parameters[name]}"
        for name in ("host", "hostaddr", "port", "dbname")
        if parameters.get(name))
