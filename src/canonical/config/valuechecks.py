"""Checks the values of configuration keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path

from canonical.config.durations import parse_duration


__all__ = [
    "login_mistake",
    "parse_size",
    "value_mistake",
]


PORT = re.compile(r"[0-9]{1,5}")
HOST = re.compile(r"[\w.:%-]+")
SIZE = re.compile(r"(\d{1,12}) ?(k?B|MB)?", re.ASCII)
UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 1_000_000}
LARGEST = 1_000_000
PLAIN_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")

# What smtp_tls may be.
TLS = ("starttls", "implicit", "off")

# A password that is sent there does not cross the network.
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def value_mistake(section: str, key: str, value: str) -> str | None:
    """The mistake in a value, or `None`.

    The text quotes nothing that may be a secret.  ``cron_control_url`` is not
    checked here: scripts run even if it is wrong.
    """
    check = CHECKS.get((section, key))
    try:
        if check is not None:
            check(value)
    except ValueError as error:
        return str(error)
    return None


def login_mistake(monitor: Mapping[str, str]) -> str | None:
    """What is wrong with [monitor] smtp_user, if anything is.

    :param monitor: the values of all keys of the section.
    """
    if not monitor["smtp_user"]:
        return None
    if not monitor["smtp_password_file"]:
        return "it needs a password; name its file in smtp_password_file"
    if monitor["smtp_tls"] == "off" and monitor["smtp_host"] not in LOOPBACK:
        return (
            "the password would cross the network unencrypted; set smtp_tls"
            " to starttls or implicit")
    return None


def parse_size(text: str) -> int:
    """A number of bytes, such as ``10kB``, ``1MB`` or ``0``.

    :raises ValueError: for anything else, and for more than `LARGEST`.
    """
    match = SIZE.fullmatch(text)
    if match is None:
        raise ValueError(
            f"not a size: {text!r}; expected something like 10kB, or 0")
    size = int(match[1]) * UNITS[match[2] or ""]
    if size > LARGEST:
        raise ValueError(f"too large a size: {text!r}; expected at most 1MB")
    return size


def _patterns(value: str) -> None:
    for line in filter(None, value.split("\n")):
        try:
            match = re.match(line, "")
        except re.error as error:
            raise ValueError(
                f"not a regular expression: {line!r}: {error}") from None
        if match:
            raise ValueError(
                f"it matches the empty text, and so everywhere: {line!r}")


def _optional(check: Callable[[str], object]) -> Callable[[str], object]:
    return lambda value: value and check(value)


def _path(value: str) -> None:
    if not value:
        raise ValueError("it is empty")
    try:
        Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no such user: {value!r}") from None


def _port(value: str, least: int = 1) -> None:
    if not (PORT.fullmatch(value) and least <= int(value) < 65536):
        raise ValueError(
            f"not a number from {least} to 65535: {_shown(value)}")


def _host(value: str) -> None:
    if not value:
        raise ValueError("it is empty")
    if not HOST.fullmatch(value):
        raise ValueError(f"not the name of a host: {_shown(value)}")


def _address(value: str) -> None:
    text = value.strip()
    if not PLAIN_ADDRESS.fullmatch(text):
        # email is slow to import, and most addresses have no display name.
        from email.utils import parseaddr
        text = parseaddr(text)[1]
    if "://" in value or not (
        text.isascii() and PLAIN_ADDRESS.fullmatch(text)
    ):
        raise ValueError(
            f"not an address: {_shown(value.strip())}; expected something like"
            " ops@example.com")


def _addresses(value: str) -> None:
    for part in value.split(","):
        if part.strip():
            _address(part)


def _url(value: str) -> None:
    # weburl is slow to import, and most instances have no URL.
    from canonical.config.weburl import is_web_url
    if not is_web_url(value):
        raise ValueError(
            "not an http: or https: URL without a user; expected"
            " something like https://hooks.example.com/...")


def _listen(value: str) -> None:
    host, colon, port = value.rpartition(":")
    if not host or not colon or "://" in value:
        raise ValueError(
            f"not an address with a port: {_shown(value)}; expected something"
            " like 127.0.0.1:8080")
    if ":" in host or host.startswith("["):
        # Without brackets, nobody knows where the port begins.
        if not (host.startswith("[") and host.endswith("]")):
            raise ValueError(
                f"not an address with a port: {_shown(value)}; an IPv6 address"
                " needs brackets, as in [::1]:8080")
        _ip_address(host[1:-1])
    else:
        _host(host)
    # The system chooses a port for 0.
    _port(port, 0)


def _ip_address(value: str) -> None:
    import ipaddress
    try:
        ipaddress.ip_address(value)
    except ValueError:
        raise ValueError(
            f"not an IP address: {_shown(value)}; expected something like"
            " 127.0.0.1") from None


def _refresh(value: str) -> None:
    if not 1 <= parse_duration(value).total_seconds() <= 3600:
        raise ValueError(f"must be from 1s to 1h, not {value}")


def _tls(value: str) -> None:
    if value not in TLS:
        raise ValueError(
            f"not one of {', '.join(TLS[:-1])} and {TLS[-1]}:"
            f" {_shown(value)}")


def _shown(value: str) -> str:
    """A value for a message.  A URL is hidden: it may hold a password."""
    return "a URL" if "://" in value else repr(value)


CHECKS: dict[tuple[str, str], Callable[[str], object]] = {
    ("scripts", "lock_directory"): _path,
    ("scripts", "spool_directory"): _path,
    ("scripts", "record_timeout"): parse_duration,
    ("scripts", "commit_timeout"): parse_duration,
    ("run", "keep_output"): parse_size,
    ("run", "redact"): _patterns,
    ("monitor", "expectations"): _optional(_path),
    ("monitor", "smtp_password_file"): _optional(_path),
    ("monitor", "clock_skew"): parse_duration,
    ("monitor", "recipients"): _addresses,
    ("monitor", "sender"): _address,
    ("monitor", "smtp_host"): _host,
    ("monitor", "smtp_port"): _port,
    ("monitor", "smtp_tls"): _tls,
    ("monitor", "webhook_url"): _optional(_url),
    ("monitor", "heartbeat_url"): _optional(_url),
    ("monitor", "repeat"): parse_duration,
    ("web", "listen"): _listen,
    ("web", "token_file"): _optional(_path),
    ("web", "trusted_proxy"): _optional(_ip_address),
    ("web", "refresh"): _refresh,
    ("statsd", "host"): _optional(_host),
    ("statsd", "port"): _port,
}
