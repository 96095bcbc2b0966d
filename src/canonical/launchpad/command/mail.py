"""Mail to the people whom [monitor] recipients names."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import parseaddr
from smtplib import SMTP
from smtplib import SMTPException
from typing import Any

from zope.sendmail.delivery import DirectMailDelivery
from zope.sendmail.mailer import SMTPMailer

from canonical.config import ConfigError
from canonical.config import config
from canonical.config.bounded import within
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import single_line


__all__ = [
    "NOT_SENT",
    "mail",
    "recipients",
]


# What sending may raise, or the commit of a transaction that a mail has
# joined.
NOT_SENT = (SMTPException, OSError, RuntimeError, ValueError)

ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


# Seconds that a mail server may take in all; for each word it has ten.
MAIL_TIMEOUT = 30


class Connection(SMTP):
    """One that says whom it could not reach, and may be lost afterwards."""

    def sendmail(self, *args: Any) -> Any:
        """See `smtplib.SMTP`."""
        refused = super().sendmail(*args)
        for address, (code, reason) in refused.items():
            logging.getLogger(__name__).error(
                "The mail server refused %s: %s %s", address, code,
                single_line(reason.decode(errors="replace")))
        return refused

    def quit(self) -> Any:
        """See `smtplib.SMTP`."""
        with suppress(SMTPException, OSError):
            return super().quit()


class Mailer(SMTPMailer):
    """Sends when it is asked for its vote.

    So a server that refuses a mail undoes the transaction, where later it
    would only be logged.
    """

    smtp = Connection

    def vote(self, fromaddr: str, toaddrs: list[str], message: bytes) -> None:
        """See `zope.sendmail.interfaces.IMailer`.

        A server that is slow to answer, word by word, is given up.
        """
        def send() -> None:
            SMTPMailer.vote(self, fromaddr, toaddrs, message)
            SMTPMailer.send(self, fromaddr, toaddrs, message)

        within(MAIL_TIMEOUT, send)

    def send(self, fromaddr: str, toaddrs: list[str], message: bytes) -> None:
        """It is sent already."""


def recipients() -> list[str]:
    """Whom mails are for; nobody, if nobody is configured.

    :raises ConfigError: if one is not an address.
    """
    return [
        _address("recipients", part)
        for part in str(config.monitor.recipients).split(",") if part.strip()]


def mail(subject: str, text: str, identifier: str | None = None) -> None:
    """Send a mail to the recipients, if the transaction is committed.

    Then the commit raises one of `NOT_SENT` if it cannot be sent, and does
    not happen.

    :param identifier: what makes a Message-ID, the same for the same mail.
    :raises ConfigError: if there is no such server.
    """
    message = EmailMessage(policy=SMTP_POLICY)
    message["Subject"] = printable(subject)
    sender = _address("sender", str(config.monitor.sender))
    message["From"] = sender
    message["To"] = ", ".join(recipients())
    message["Auto-Submitted"] = "auto-generated"
    if identifier is not None:
        host = sender.rpartition("@")[2].strip("> ")
        message["Message-ID"] = f"<{identifier}@{host}>"
    message.set_content(printable(text, keep="\n"))
    host, port = _server()
    DirectMailDelivery(Mailer(host, port)).send(
        sender, recipients(), message.as_bytes())


def _server() -> tuple[str, int]:
    """The mail server and its port.

    :raises ConfigError: if there can be none.
    """
    host = str(config.monitor.smtp_host).strip()
    port = str(config.monitor.smtp_port).strip()
    if not host:
        raise ConfigError("[monitor] smtp_host: it is empty")
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise ConfigError(
            "[monitor] smtp_port: not a number from 1 to 65535")
    return host, int(port)


def _address(key: str, text: str) -> str:
    """An address, perhaps with a name before it.

    :raises ConfigError: if it is not one.
    """
    text = text.strip()
    if "://" in text or not ADDRESS.fullmatch(parseaddr(text)[1]):
        # The URL of a mail server has a password in it.
        shown = "a URL" if "://" in text else repr(text)
        raise ConfigError(
            f"[monitor] {key}: not an address: {shown}; expected something"
            " like ops@example.com")
    return text
