"""JSON to the URL that [monitor] webhook_url names."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from canonical.config import ConfigError
from canonical.config import config
from canonical.config.bounded import within
from canonical.config.weburl import is_web_url
from canonical.config.weburl import without_secrets


__all__ = [
    "TIMEOUT",
    "post",
    "webhook_url",
]


# Seconds that a webhook may take.
TIMEOUT = 10


def webhook_url() -> str:
    """Where to post; empty if nowhere is configured.

    :raises ConfigError: if it is not a URL.  Its text does not quote what is
        there, which may hold a secret.
    """
    url = str(config.monitor.webhook_url).strip()
    if url and not is_web_url(url):
        raise ConfigError(
            "[monitor] webhook_url: not an http: or https: URL, or one with a"
            " user in it; expected something like"
            " https://hooks.example.com/...")
    return url


def post(payload: dict[str, Any]) -> None:
    """Post JSON to the webhook.

    :raises OSError, RuntimeError: if nobody has said that it is taken.
    """
    request = urllib.request.Request(
        webhook_url(), json.dumps(payload).encode(),
        {"Content-Type": "application/json",
         "User-Agent": "scriptactivity"})

    def send() -> None:
        opener = urllib.request.build_opener(_NoRedirects)
        with without_secrets():
            # What it says beside its status does not matter.
            opener.open(request, timeout=TIMEOUT).close()

    within(TIMEOUT, send)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A POST that is redirected would arrive empty."""

    def redirect_request(self, *args: Any) -> None:
        """See `urllib.request.HTTPRedirectHandler`."""
