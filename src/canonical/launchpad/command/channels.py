"""How people are told: by mail, and by whatever a webhook is."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from http.client import HTTPException
from smtplib import SMTP
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlsplit

from zope.sendmail.delivery import DirectMailDelivery
from zope.sendmail.mailer import SMTPMailer

from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.scripts.bounded import within


__all__ = [
    "NOT_SENT",
    "mail",
    "post",
    "recipients",
    "webhook_url",
]


# What sending may raise, or the commit of a transaction that a mail has
# joined.
NOT_SENT = (SMTPException, HTTPException, OSError, RuntimeError, ValueError)

# Seconds that a webhook may take.
TIMEOUT = 10


class Connection(SMTP):
    """One that has sent its mail may be lost."""

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
        """See `zope.sendmail.interfaces.IMailer`."""
        super().vote(fromaddr, toaddrs, message)
        super().send(fromaddr, toaddrs, message)

    def send(self, fromaddr: str, toaddrs: list[str], message: bytes) -> None:
        """It is sent already."""


def recipients() -> list[str]:
    """Whom mails are for; nobody, if nobody is configured."""
    return str(config.monitor.recipients).replace(",", " ").split()


def webhook_url() -> str:
    """Where to post; empty if nowhere is configured.

    :raises ConfigError: if it is not a URL.
    """
    url = str(config.monitor.webhook_url)
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ConfigError(
            f"[monitor] webhook_url: not an http: or https: URL: {url!r}")
    return url


def mail(subject: str, text: str, identifier: str | None = None) -> None:
    """Send a mail to the recipients, if the transaction is committed.

    Then the commit raises one of `NOT_SENT` if it cannot be sent, and does
    not happen.

    :param identifier: what makes a Message-ID, the same for the same mail.
    :raises ConfigError: if there is no such server.
    """
    message = EmailMessage(policy=SMTP_POLICY)
    message["Subject"] = subject
    message["From"] = config.monitor.sender
    message["To"] = ", ".join(recipients())
    message["Auto-Submitted"] = "auto-generated"
    if identifier is not None:
        host = str(config.monitor.sender).rpartition("@")[2].strip("> ")
        message["Message-ID"] = f"<{identifier}@{host or 'localhost'}>"
    message.set_content(text)
    try:
        port = int(config.monitor.smtp_port)
    except ValueError:
        raise ConfigError(
            "[monitor] smtp_port: not a number:"
            f" {config.monitor.smtp_port!r}") from None
    mailer = Mailer(config.monitor.smtp_host, port, force_tls=False)
    DirectMailDelivery(mailer).send(
        config.monitor.sender, recipients(), message.as_bytes())


def post(payload: dict[str, Any]) -> None:
    """Post JSON to the webhook.

    :raises Exception: one of `NOT_SENT`, if nobody has said that it is taken.
    """
    request = urllib.request.Request(
        webhook_url(), json.dumps(payload).encode(),
        {"Content-Type": "application/json",
         "User-Agent": "scriptactivity"})

    def send() -> None:
        opener = urllib.request.build_opener(_NoRedirects)
        with opener.open(request, timeout=TIMEOUT) as answer:
            answer.read()

    within(TIMEOUT, send)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected would arrive empty."""

    def redirect_request(self, *args: Any) -> None:
        """See `urllib.request.HTTPRedirectHandler`."""
