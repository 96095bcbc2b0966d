"""Keeps the secrets in URLs out of messages.

Some URLs, such as that of a webhook, hold a secret in the path or the query.
The errors of urllib quote the URL, or that of a proxy, and the response of a
server may repeat it.  Logs and messages must not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit


__all__ = [
    "WebError",
    "is_web_url",
    "site_of",
    "without_secrets",
]


# What exceptions of `http.client` say.  Their texts may hold a secret.
REASONS = {
    "BadStatusLine": "its response is not HTTP",
    "LineTooLong": "its response is not HTTP: a line is too long",
    "RemoteDisconnected": "it closed the connection without a response",
}


class WebError(OSError):
    """A request to a web server failed.  The text quotes no URL.

    :ivar status: the HTTP status, or `None` if there was no response.
    """

    def __init__(self, text: str, status: int | None = None):
        super().__init__(text)
        self.status = status


def is_web_url(url: str) -> bool:
    """Is it an http: or https: URL that urllib can open?

    urllib cannot open a URL with a user or a password before the host.
    """
    try:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port == 0:
            return False
        # The look-up of the host would fail for an empty label.
        parts.hostname.encode("idna")
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and "@" not in parts.netloc
        and url.isascii() and url.isprintable() and " " not in url)


def site_of(url: str) -> str:
    """The part of a web URL that messages may show: scheme and host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


@contextmanager
def without_secrets() -> Iterator[None]:
    """Turn the errors of urllib into `WebError`."""
    # http and urllib are slow to import, and a cron control file needs none.
    from http.client import HTTPException
    from urllib.error import HTTPError
    try:
        yield
    except HTTPError as error:
        with error:
            raise WebError(
                f"HTTP Error {error.code}: {_phrase(error.code)}", error.code
            ) from None
    except (HTTPException, OSError, ValueError) as error:
        raise WebError(_without_quotes(error)) from None


def _phrase(status: int) -> str:
    """The standard phrase of a status.  The server's may hold a secret."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"


def _without_quotes(error: Exception) -> str:
    """The text of an error of the system; of another error, its type."""
    # urllib wraps the error of the system in a URLError.
    reason = getattr(error, "reason", error)
    if isinstance(reason, OSError) and reason.strerror:
        return str(reason.strerror)
    refused = re.match(r"Tunnel connection failed: (\d+)", str(reason))
    if refused is not None:
        return f"the proxy answered {refused[1]}"
    kind = reason if isinstance(reason, Exception) else error
    name = type(kind).__name__
    return REASONS.get(name, name)
