"""Posts messages to [monitor] webhook_url, and pings heartbeat_url."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from canonical.config import config
from canonical.config.timelimit import within
from canonical.config.weburl import WebError
from canonical.config.weburl import site_of
from canonical.config.weburl import without_secrets


__all__ = [
    "TIMEOUT",
    "ping",
    "post",
]


# Seconds that a web server may take.
TIMEOUT = 10

AGENT = {"User-Agent": "scriptactivity"}


def post(payload: dict[str, Any]) -> int:
    """Post JSON to the webhook.

    :return: the status that it answered with, 2xx.
    :raises WebError: if it did not say that it has it.  The text names the
        site, and no secret.
    """
    return _open(urllib.request.Request(
        config.monitor.webhook_url, json.dumps(payload).encode(),
        {"Content-Type": "application/json", **AGENT}), _NoRedirects())


def ping() -> None:
    """Get the heartbeat's URL, if there is one.

    :raises WebError: as `post`.
    """
    url = config.monitor.heartbeat_url
    if url:
        _open(urllib.request.Request(url, headers=AGENT))


def _open(
    request: urllib.request.Request,
    *handlers: urllib.request.BaseHandler,
) -> int:
    def send() -> int:
        opener = urllib.request.build_opener(*handlers)
        with (
            without_secrets(),
            opener.open(request, timeout=TIMEOUT) as response,
        ):
            # What it says beside its status does not matter.
            return int(response.status)

    try:
        return within(TIMEOUT, send)
    except (OSError, RuntimeError) as error:
        raise WebError(f"{site_of(request.full_url)}: {error}") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected would arrive empty."""

    def redirect_request(self, *args: Any) -> None:
        """See `urllib.request.HTTPRedirectHandler`."""
