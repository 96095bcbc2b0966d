"""Makes a message of a notification, and sends it through a channel.

Channels are mail, webhook and standard output.  Whom a mail did not reach is
tried again at the next run of ``alert``.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from collections.abc import Sequence

import psycopg2
from psycopg2.extensions import parse_dsn
from zope.component import getUtility

from canonical.config import config
from canonical.config.locations import FILE_NAME
from canonical.config.weburl import site_of
from canonical.launchpad.command.mail import addresses
from canonical.launchpad.command.mail import check_accepted
from canonical.launchpad.command.mail import mail
from canonical.launchpad.command.mail import mail_server
from canonical.launchpad.command.mail import to_try_again
from canonical.launchpad.command.output import end_of_output
from canonical.launchpad.command.rules import channels
from canonical.launchpad.command.smtp import Reply
from canonical.launchpad.command.webhook import post
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.monitor.message import Message
from canonical.launchpad.monitor.message import notification_message
from canonical.launchpad.monitor.notifications import Notification


__all__ = [
    "check_channels",
    "instance_name",
    "message_of",
    "notify",
    "send",
]


# Of how many scripts a message has the end of the output.
SCRIPTS = 10


def check_channels() -> None:
    """Check what `send` needs beside the configuration file.

    :raises ConfigError: if the password for mails cannot be read.
    """
    if "mail" in channels():
        mail_server()


def notify(
    channel: str,
    notification: Notification,
    message: Message,
    logger: logging.Logger,
) -> list[str]:
    """Send a notification.

    :param message: from `message_of`.
    :return: the recipients to try again, who were refused for the moment.
    :raises OSError: if nobody knows of it.  Then all are tried again.
    :raises ConfigError: as `send`.
    """
    to = None
    if notification.recipients:
        to = [
            each for each in addresses() if each in notification.recipients]
        if not to:
            # None of them is a recipient any more.
            return []
    replies = send(channel, message, to)
    if channel == "mail" and not notification.recipients:
        check_accepted(replies)
    if channel != "mail" or any(each.is_accepted for each in replies):
        logger.info("Notified by %s: %s", channel, message.subject)
    return to_try_again(replies)


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
        status = post(message.as_dict())
        return [Reply(site_of(config.monitor.webhook_url), status, "")]
    _print(message.text)
    return []


def _print(text: str) -> None:
    """Print without a buffer, which would try again later what has failed.

    :raises OSError: if standard output does not take it.
    """
    data = text.encode(sys.stdout.encoding, "backslashreplace")
    try:
        while data:
            data = data[os.write(sys.stdout.fileno(), data):]
    except OSError as error:
        raise OSError(f"standard output: {error.strerror}") from None


def instance_name() -> str:
    """What a message calls this installation.

    That is the name of its file, or of the directory, if LPCONFIG or --config
    names one; or else the database and its host; or, if that is a private
    one, this host.
    """
    file = config.file
    if file is not None and config.named_by:
        return file.parent.name if file.name == FILE_NAME else file.stem
    try:
        parameters = parse_dsn(config.setting("database", "uri").value)
    except psycopg2.ProgrammingError:
        parameters = {}
    shown = [
        parameters[key] for key in ("dbname", "host")
        # One that is written wrongly may have a password in it.
        if re.fullmatch(r"[\w.-]+", parameters.get(key, ""))]
    return " on ".join(shown) or socket.gethostname()


def message_of(notification: Notification) -> Message:
    """A notification, with the last lines of the runs that failed."""
    attempt_set = getUtility(IScriptAttemptSet)
    outputs: dict[tuple[str, str | None], list[str]] = {}
    left_out = set()
    for alert in [*notification.broken, *notification.still]:
        script = alert.name, alert.hostname
        if all(each.question == "runtime" for each in alert.answers):
            continue
        if len(outputs) == SCRIPTS:
            # Of a thousand scripts, to look each up would take a second.
            if "FAILED" in {
                each.trouble for each in notification.answers[script].values()
            }:
                left_out.add(script)
        elif attempt_set.countFailuresInARow(*script):
            outputs[script] = end_of_output(
                attempt_set.getLastFailure(*script))
    # Scripts of one kind keep their output, and others do not.
    return notification_message(
        notification, instance_name(), outputs,
        len(left_out) if any(outputs.values()) else 0)
