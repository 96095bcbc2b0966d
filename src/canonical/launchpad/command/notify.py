"""Sending a message by a channel: mail, webhook or standard output."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn

from canonical.config import config
from canonical.config.weburl import site_of
from canonical.launchpad.command.mail import check_mail
from canonical.launchpad.command.mail import mail
from canonical.launchpad.command.rules import configured_channels
from canonical.launchpad.command.smtp import Reply
from canonical.launchpad.command.webhook import heartbeat_url
from canonical.launchpad.command.webhook import post
from canonical.launchpad.command.webhook import webhook_url
from canonical.launchpad.monitor.message import Message


__all__ = [
    "channels",
    "check_channels",
    "instance_name",
    "send",
]


def channels() -> list[str]:
    """How people are notified: as configured, or else by printing."""
    return configured_channels() or ["output"]


def check_channels() -> None:
    """Check all of the configuration that `send` needs.

    :raises ConfigError: if something is wrong with it.
    """
    if "mail" in channels():
        check_mail()
    webhook_url()
    heartbeat_url()


def send(
    channel: str, message: Message, to: Sequence[str] | None = None
) -> list[Reply]:
    """Send a message.

    :param to: the addresses of a mail; by default those of all recipients.
    :return: what the server answered about each of them.  Standard output
        answers nothing.
    :raises OSError: if it was not sent at all.
    :raises ConfigError: if the channel's configuration is wrong.
    """
    if channel == "mail":
        return mail(message.subject, message.text, message.id, to)
    if channel == "webhook":
        return [Reply(site_of(webhook_url()), post(message.as_dict()), "")]
    _print(message.text)
    return []


def _print(text: str) -> None:
    """Print without a buffer, which would try again later what has failed.

    :raises OSError: if standard output does not take it.
    """
    if sys.stdout is None:
        raise OSError("standard output is closed")
    data = text.encode(sys.stdout.encoding, "backslashreplace")
    try:
        while data:
            data = data[os.write(sys.stdout.fileno(), data):]
    except OSError as error:
        raise OSError(f"standard output: {error.strerror}") from None


def instance_name() -> str:
    """What a message calls this installation.

    That is the name of the instance if LPCONFIG names one; or else the
    database and its host; or, if that is a private one, this host.
    """
    if os.environ.get("LPCONFIG"):
        path = Path(config.instance_name).expanduser()
        if path.is_dir():
            return path.absolute().name
        if path.name == "scriptactivity.conf":
            return path.absolute().parent.name
        return path.stem
    uri = os.environ.get("LP_DATABASE_URI") or str(config.database.uri)
    try:
        parameters = parse_dsn(uri)
    except psycopg2.ProgrammingError:
        parameters = {}
    shown = [
        parameters[key] for key in ("dbname", "host")
        # One that is written wrongly may have a password in it.
        if re.fullmatch(r"[\w.-]+", parameters.get(key, ""))]
    return " on ".join(shown) or socket.gethostname()
