"""Sends mail to [monitor] recipients, and finds whom to try again.

The subject is from `canonical.launchpad.monitor.subject`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import localtime
from email.utils import parseaddr
from pathlib import Path

from canonical.config import ConfigError
from canonical.config import config
from canonical.config.timelimit import within
from canonical.launchpad.command.smtp import NOT_SENT
from canonical.launchpad.command.smtp import Reply
from canonical.launchpad.command.smtp import Server
from canonical.launchpad.command.smtp import converse
from canonical.launchpad.command.smtp import in_words
from canonical.launchpad.plaintext import printable


__all__ = [
    "MailError",
    "addresses",
    "check_accepted",
    "mail",
    "mail_server",
    "recipients",
    "to_try_again",
]


# Seconds that all replies of a mail server have together, for one that replies
# a bit at a time.
CONVERSATION = 30 * 60


class MailError(OSError):
    """A mail was not sent.  The text names the server, and says why."""


def recipients() -> list[str]:
    """Whom mails are for, as the header To says it; perhaps nobody."""
    parts = map(str.strip, config.monitor.recipients.split(","))
    return [each for each in parts if each]


def addresses() -> list[str]:
    """The same without names."""
    return [parseaddr(each)[1] for each in recipients()]


def mail(
    subject: str,
    text: str,
    identifier: str | None = None,
    to: Sequence[str] | None = None,
) -> list[Reply]:
    """Send a mail.

    A recipient who is refused is logged, as an error if that is for good.

    :param identifier: what makes a Message-ID, the same for the same mail.
    :param to: the addresses that it is sent to; by default those of all
        recipients.  It is addressed to all of them in any case.
    :return: a reply for each address, of which perhaps none is accepted.
    :raises ConfigError: as `mail_server`.
    :raises MailError: if it was not sent at all.
    """
    server = mail_server()
    sender = config.monitor.sender
    message = _message(sender, subject, text, identifier)
    to = addresses() if to is None else to
    try:
        replies = within(CONVERSATION, lambda: converse(
            server, parseaddr(sender)[1], to, message))
    except NOT_SENT as error:
        raise MailError(f"{server}: {in_words(error)}") from None
    for reply in replies:
        if not reply.is_accepted:
            logging.getLogger(__name__).log(
                logging.WARNING if reply.is_for_the_moment else logging.ERROR,
                "The mail server %s refused %s: %s", server, reply.recipient,
                reply)
    return replies


def check_accepted(replies: Sequence[Reply]) -> None:
    """Check that somebody has got a mail.

    :param replies: of `mail`.
    :raises MailError: if nobody has.
    """
    if not any(each.is_accepted for each in replies):
        raise MailError(f"{mail_server()}: it refused every recipient")


def to_try_again(replies: Sequence[Reply]) -> list[str]:
    """The addresses that were refused for the moment.

    They are pending with the alert, and the next ``scriptactivity alert``
    mails to them alone; see `canonical.launchpad.command.alert`.

    :param replies: of `mail`.
    """
    return [each.recipient for each in replies if each.is_for_the_moment]


def _message(
    sender: str, subject: str, text: str, identifier: str | None
) -> bytes:
    message = EmailMessage(policy=SMTP_POLICY.clone(cte_type="7bit"))
    message["Subject"] = subject
    message["From"] = sender
    message["To"] = ", ".join(recipients())
    message["Date"] = localtime()
    message["Auto-Submitted"] = "auto-generated"
    if identifier is not None:
        host = sender.rpartition("@")[2].strip("> ")
        message["Message-ID"] = f"<{identifier}@{host}>"
    message.set_content(printable(text, keep="\n"))
    return message.as_bytes()


def mail_server() -> Server:
    """The mail server, and the password for it.

    :raises ConfigError: if the password cannot be read.
    """
    monitor = config.monitor
    user = monitor.smtp_user
    return Server(
        monitor.smtp_host, int(monitor.smtp_port), monitor.smtp_tls, user,
        _password() if user else "")


def _password() -> str:
    """The first line of [monitor] smtp_password_file.

    :raises ConfigError: if there is none, or if others may read it.
    """
    name = config.monitor.smtp_password_file
    try:
        path = config.directory / Path(name).expanduser()
        lines = path.read_text(encoding="utf-8").splitlines()
        is_open = path.stat().st_mode & 0o007
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not in UTF-8"
        raise ConfigError(
            f"[monitor] smtp_password_file: {name}: {reason}") from None
    if not lines or not lines[0]:
        raise ConfigError(
            f"[monitor] smtp_password_file: {name}: the first line is empty")
    if is_open:
        raise ConfigError(
            f"[monitor] smtp_password_file: other users may read it; run:"
            f" chmod 600 {path}")
    return lines[0]
