"""Sends a message to a mail server by SMTP, with a limit for each reply."""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from typing import NamedTuple

from canonical.launchpad.plaintext import single_line


__all__ = [
    "NOT_SENT",
    "Reply",
    "Server",
    "connected",
    "converse",
    "in_words",
]


# Seconds that a mail server has for each reply, by RFC 5321, 4.5.3.2.  That
# says nothing of the commands that are not listed there; they have as long as
# the greeting, MAIL and RCPT.
COMMAND = 5 * 60
DATA_START = 2 * 60
DATA_BLOCK = 3 * 60
DATA_END = 10 * 60

# What `connected` and `converse` raise.
NOT_SENT = (smtplib.SMTPException, OSError, RuntimeError, ValueError)


class Server(NamedTuple):
    """A mail server.

    :ivar tls: ``starttls``, ``implicit`` or ``off``.
    :ivar user: to log in as; empty for nobody.
    """

    host: str
    port: int
    tls: str
    user: str
    password: str

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Reply(NamedTuple):
    """What a server answered about a recipient.

    :ivar recipient: an address; of a webhook, its site.
    :ivar code: of SMTP, or the status of HTTP.
    :ivar text: the words after it, on one line.
    """

    recipient: str
    code: int
    text: str

    @property
    def is_accepted(self) -> bool:
        """Has the recipient got it?"""
        return self.code // 100 == 2

    @property
    def is_for_the_moment(self) -> bool:
        """Is it refused now, and may be accepted later?"""
        return self.code // 100 == 4

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


def converse(
    server: Server, sender: str, to: Sequence[str], message: bytes
) -> list[Reply]:
    """Send a message.

    :param sender: an address, as are all of `to`.
    :param message: with CR LF at the end of each line.
    :return: a reply for each recipient, of which perhaps none is accepted.
    :raises Exception: one of `NOT_SENT`, if it was not sent at all.
    """
    with connected(server) as smtp:
        _expect(250, smtp.mail(sender))
        replies = [_reply(each, smtp.rcpt(each)) for each in to]
        if not any(each.is_accepted for each in replies):
            return replies
        _give(smtp, DATA_START)
        _expect(354, smtp.docmd("DATA"))
        _give(smtp, DATA_BLOCK)
        # A line with nothing but a dot would be the end.
        smtp.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        _give(smtp, DATA_END)
        end = _expect(250, smtp.getreply())
        _give(smtp, COMMAND)
        return [
            _reply(each.recipient, end) if each.is_accepted else each
            for each in replies]


@contextmanager
def connected(
    server: Server, timeout: float = COMMAND
) -> Iterator[smtplib.SMTP]:
    """With a connection that is encrypted and logged in as it should be.

    It may be lost at the end.

    :param timeout: seconds that the server has for each reply.
    :raises Exception: one of `NOT_SENT`, if that cannot be had.
    """
    connect: Callable[..., smtplib.SMTP] = smtplib.SMTP
    options = {}
    if server.tls == "implicit":
        connect = smtplib.SMTP_SSL
        options["context"] = ssl.create_default_context()
    smtp = connect(server.host, server.port, timeout=timeout, **options)
    try:
        if server.tls == "starttls":
            smtp.starttls(context=ssl.create_default_context())
        smtp.ehlo_or_helo_if_needed()
        if server.user:
            smtp.login(server.user, server.password)
        yield smtp
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()
    finally:
        smtp.close()


def _give(smtp: smtplib.SMTP, seconds: int) -> None:
    """How long the server has from now on, for each reply."""
    assert smtp.sock is not None
    smtp.sock.settimeout(seconds)


def _expect(code: int, reply: tuple[int, bytes]) -> tuple[int, bytes]:
    """A reply that has to be the good one.

    :raises SMTPResponseException: if it is not.
    """
    if reply[0] != code:
        raise smtplib.SMTPResponseException(*reply)
    return reply


def _reply(recipient: str, reply: tuple[int, bytes]) -> Reply:
    code, text = reply
    return Reply(recipient, code, single_line(text.decode(errors="replace")))


def in_words(error: Exception) -> str:
    """What went wrong, on a line."""
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if error.smtp_code == -1:
            return single_line(f"its reply is not SMTP: {text}").rstrip(": ")
        return single_line(f"{error.smtp_code} {text}")
    if getattr(error, "reason", None) == "WRONG_VERSION_NUMBER":
        return "no TLS there; set smtp_tls to starttls or off"
    if isinstance(error, OSError) and error.strerror:
        return single_line(error.strerror)
    return single_line(str(error)) or type(error).__name__
