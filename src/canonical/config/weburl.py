"""URLs that may hold a secret, and errors that would quote it.

A webhook has its secret in the path, and others have it in the query.  What
urllib raises quotes the URL, or that of a proxy, and what a server says may
repeat either.  None of it belongs in a log.
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


class WebError(OSError):
    """A web server did not do as it should; the text quotes no URL.

    :ivar status: what it answered, or `None` if it did not.
    """

    def __init__(self, text: str, status: int | None = None):
        super().__init__(text)
        self.status = status


def is_web_url(url: str) -> bool:
    """Is it an http: or https: URL that urllib can ask?

    It cannot if there is a user or a password before the host.
    """
    try:
        parts = urlsplit(url)
        if parts.hostname is None or parts.port == 0:
            return False
        # The look-up of the host would find fault with an empty label.
        parts.hostname.encode("idna")
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https") and "@" not in parts.netloc
        and url.isascii() and url.isprintable() and " " not in url)


def site_of(url: str) -> str:
    """The part of an `is_web_url` that may be shown: scheme and host."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"


@contextmanager
def without_secrets() -> Iterator[None]:
    """Raise `WebError` for whatever urllib raises within."""
    # Slow to import, for scripts that are switched by a file.
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
    """What a status means; the server's own words could be anything."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unknown"


def _without_quotes(error: Exception) -> str:
    """What is wrong, if the system says so, and else of which kind it is."""
    # urllib wraps what the system says in an error of its own.
    reason = getattr(error, "reason", error)
    if isinstance(reason, OSError) and reason.strerror:
        return str(reason.strerror)
    refused = re.match(r"Tunnel connection failed: (\d+)", str(reason))
    if refused is not None:
        return f"the proxy answered {refused[1]}"
    kind = reason if isinstance(reason, Exception) else error
    return type(kind).__name__
