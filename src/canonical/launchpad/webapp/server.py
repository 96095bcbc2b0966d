"""Serves the pages with waitress, until a signal ends it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from waitress.server import create_server

from canonical.launchpad.command.output import say
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.access import is_loopback


__all__ = [
    "may_listen",
    "serve",
]


# Requests of readers are short, and few people look at once.
LIMITS: dict[str, Any] = {
    "threads": 4,
    "connection_limit": 200,
    "backlog": 128,
    "channel_timeout": 30,
    "max_request_header_size": 16384,
    "max_request_body_size": 4096,
    "ident": "scriptactivity",
    "expose_tracebacks": False,
}


def may_listen(host: str, access: Access) -> bool:
    """May the pages be served there?  Others see them only by a token or so.
    """
    return is_loopback(host) or not access.is_open


def _port(server: Any) -> Any:
    # For a name with several addresses there are several sockets.
    listening = getattr(server, "effective_listen", None)
    return listening[0][1] if listening else server.effective_port


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def serve(
    application: Any, host: str, port: int, proxy: str
) -> None:
    """Serve until an exception, such as that of a signal, ends it.

    :param proxy: the address of a server whose headers about the scheme and
        the host are believed; empty if there is none.
    :raises OSError: if the address cannot be listened on.
    """
    server = create_server(
        application, host=host, port=port, **LIMITS,
        **({
            "trusted_proxy": proxy,
            "trusted_proxy_headers": {
                "x-forwarded-proto", "x-forwarded-host"},
        } if proxy else {}))
    # What is asked while all threads are busy is no warning.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    application.registry.keeper.prepare()
    # The system chooses a port if none was given.
    say(f"Serving on http://{_in_address(host)}:{_port(server)}/")
    sys.stdout.flush()
    try:
        server.run()
    finally:
        server.close()
        application.registry.keeper.close()
