"""All that can be found out about a configuration before it is needed."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies
from urllib.request import proxy_bypass

import psycopg2
from psycopg2.extensions import connection as Connection
from storm.exceptions import StormError

from canonical.config import ConfigError
from canonical.config import config
from canonical.config.croncontrol import switches
from canonical.config.timelimit import within
from canonical.database.databaseuri import has_password
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.postgres import connect
from canonical.database.postgres import connection_parameters
from canonical.database.postgres import is_up_to_date
from canonical.database.postgres import name_of
from canonical.database.roles import missing_rights
from canonical.launchpad.command.mail import mail_server
from canonical.launchpad.command.mail import recipients
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.rules import rules_file
from canonical.launchpad.command.smtp import NOT_SENT
from canonical.launchpad.command.smtp import connected
from canonical.launchpad.command.smtp import in_words
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import single_line
from canonical.launchpad.webapp.access import TokenFile
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "Finding",
    "diagnose",
]


# Seconds that a check of something in the network may take.  A database has
# more: an embedded one may have to start.
TIMEOUT = 10
DATABASE_TIMEOUT = 90

TROUBLE = (
    ConfigError, EmbeddedClusterError, ExpectationError, OSError, StormError,
    ValueError, psycopg2.Error)


class Finding(NamedTuple):
    """What a check has found.

    :ivar state: ``ok``, ``wrong``, or ``-`` if there is nothing to check.
    """

    name: str
    state: str
    text: str


class Nothing(Exception):
    """There is nothing to check; the text says why."""


def diagnose() -> list[Finding]:
    """Check everything, in bounded time."""
    execute_zcml()
    return [
        _finding("file", _file),
        *_database_findings(),
        _finding("rules", _rules),
        _finding("cron control", _cron_control),
        _finding("lock directory", lambda: _directory("lock_directory")),
        _finding("spool directory", lambda: _directory("spool_directory")),
        _finding("mail server", _mail_server),
        _finding("webhook", lambda: _web_server("webhook_url")),
        _finding("heartbeat", lambda: _web_server("heartbeat_url")),
        _finding("statsd", _statsd),
        _finding("tokens", _tokens),
    ]


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, "ok", check())
    except Nothing as nothing:
        return Finding(name, "-", str(nothing))
    except TROUBLE as error:
        return Finding(name, "wrong", single_line(_reason(error)))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return in_a_line(error)


def _file() -> str:
    """Check that a file with a password is not for everybody to read."""
    path = config.file
    if path is None:
        raise Nothing("none was found")
    for key in "uri", "read_uri":
        uri, source, _ = config.setting("database", key)
        if os.path.exists(source) and has_password(uri) and (
            os.stat(source).st_mode & stat.S_IROTH
        ):
            raise ValueError(
                f"everybody can read {source}, which holds a password; change"
                f" that with: chmod o-r {shlex.quote(source)}")
    return "it can be read"


def _database_findings() -> list[Finding]:
    """The database, and if it answers, what is in it."""
    connections: list[Connection] = []

    def find() -> str:
        connection = within(
            DATABASE_TIMEOUT, lambda: connect(connection_parameters()))
        connections.append(connection)
        version = connection.info.parameter_status("server_version")
        return f"{name_of(connection)} as {connection.info.user}, PostgreSQL" \
            f" {version}"

    findings = [_finding("database", find)]
    if not connections:
        return findings
    connection, = connections
    findings.append(_finding(
        "tables", lambda: within(TIMEOUT, lambda: _tables(connection))))
    if findings[-1].state == "ok":
        findings.append(_finding(
            "rights", lambda: within(TIMEOUT, lambda: _rights(connection))))
    connection.close()
    return findings


def _tables(connection: Connection) -> str:
    if is_up_to_date(connection):
        return "up to date"
    raise ValueError(
        "missing, or of an older version; make or upgrade them with:"
        " scriptactivity init")


def _rights(connection: Connection) -> str:
    role = connection.info.user
    if not missing_rights(connection, "monitor", role):
        return f"{role} may run scripts, check and alert"
    is_monitor = any(
        config.setting("monitor", key).value
        for key in ("expectations", "recipients", "webhook_url"))
    purpose = "monitor" if is_monitor else "scripts"
    missing = missing_rights(connection, purpose, role)
    if missing:
        raise ValueError(
            f"{role} may not do all that it needs; let the owner of the tables"
            f" run: scriptactivity init --grant {purpose}={role}")
    return f"{role} may run scripts, but neither check nor alert"


def _rules() -> str:
    path = rules_file()
    if path is not None:
        load_expectations(path)
    rules = registered_expectations()
    if not rules:
        raise Nothing("none: [monitor] expectations names no file")
    return f"{len(rules)} rule{'s' if len(rules) > 1 else ''}"


def _cron_control() -> str:
    url = config.scripts.cron_control_url
    if not url:
        raise Nothing("none: all scripts are on")
    log = Messages()
    logger = logging.Logger("cron control", logging.DEBUG)
    logger.addHandler(log)
    # Those that there are rules for, or any; more than one.
    names = [each.name for each in registered_expectations()]
    names = [*names, "a script", "another script"]
    if len(switches(url, names, config.directory, logger)) < len(set(names)):
        raise ValueError(log.messages[0])
    return log.messages[0] if log.messages else "it can be read"


class Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        self.messages.append(record.getMessage())


def _directory(key: str) -> str:
    """Check that a directory is there, or can be made, without making it."""
    wanted = config.path_of("scripts", key)
    there = next(
        each for each in (wanted, *wanted.parents) if os.path.lexists(each))
    if there != wanted and not wanted.is_relative_to(config.state_directory):
        raise ValueError(f"there is no {wanted}; make it")
    if not there.is_dir():
        raise ValueError(f"{there} is no directory")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"you may not write to {there}")
    return "it can be written to" if there == wanted else "it can be made"


def _mail_server() -> str:
    if not recipients():
        raise Nothing("not needed: [monitor] recipients names nobody")
    server = mail_server()
    place = f"{server.host} port {server.port}"

    def greet() -> None:
        with connected(server, TIMEOUT):
            pass

    try:
        within(TIMEOUT, greet)
    except NOT_SENT as error:
        raise ValueError(f"{place}: {in_words(error)}") from None
    return f"{place} answers" + (
        f", and knows {server.user}" if server.user else "")


def _web_server(key: str) -> str:
    """Check that the server of a URL of [monitor] answers."""
    url = config.setting("monitor", key).value
    if not url:
        raise Nothing(f"none: [monitor] {key} is empty")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if getproxies().get(parts.scheme) and not proxy_bypass(host):
        raise Nothing(f"not checked: a proxy leads to {host}")
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    # A request would alert somebody, or say that alert has run.
    try:
        within(TIMEOUT, lambda: socket.create_connection(
            (host, port), TIMEOUT).close())
    except OSError as error:
        raise ValueError(f"{host} port {port}: {_reason(error)}") from None
    return f"{host} port {port} answers"


def _statsd() -> str:
    host, port = config.statsd.host, int(config.statsd.port)
    if not host:
        raise Nothing("none: [statsd] host is empty")
    try:
        within(TIMEOUT, lambda: socket.getaddrinfo(
            host, port, type=socket.SOCK_DGRAM))
    except OSError as error:
        raise ValueError(f"{host}: {_reason(error)}") from None
    return f"{host} port {port}, which answers nothing, has an address"


def _tokens() -> str:
    name = config.web.token_file
    if not name:
        raise Nothing("none: [web] token_file is empty")
    file = TokenFile(config.directory / Path(name).expanduser())
    try:
        file.check()
    except FileNotFoundError as error:
        raise ValueError(
            f"there is no {error.filename}; make a token with: scriptactivity"
            " token NAME") from None
    return counted(len(file.names()), "token")
