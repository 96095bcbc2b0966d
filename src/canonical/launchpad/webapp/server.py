"""Serves the pages with waitress, until a signal ends it."""

from __future__ import annotations

import logging
import sys
from typing import Any

from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.server import create_server

from canonical.launchpad.command.printing import say
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.access import is_loopback
from canonical.launchpad.webapp.templating import compile_templates


__all__ = [
    "listen",
    "may_listen",
    "serve",
]


# Requests of readers are short, and few people look at once.  Who comes when
# all connections are taken waits in the backlog of the kernel.
LIMITS: dict[str, Any] = {
    "threads": 4,
    "connection_limit": 200,
    "backlog": 128,
    "channel_timeout": 30,
    "cleanup_interval": 5,
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


class Channel(HTTPChannel):
    """A connection; it is closed if a request takes too long to arrive.

    waitress closes a connection on which nothing happens.  But a client that
    sends a byte now and then would keep it.
    """

    last_activity: float

    def handle_read(self) -> None:
        """Read what has arrived."""
        begun, request = self.last_activity, self.request
        super().handle_read()
        if request is not None and self.request is request:
            self.last_activity = begun


def listen(
    application: Any, host: str, port: int, proxy: str = "", **limits: Any
) -> Any:
    """A server that listens, and serves as soon as it is run.

    :param proxy: the address of a server whose headers about the scheme and
        the host are believed; empty if there is none.
    :param limits: other limits than `LIMITS`.
    :raises OSError: if the address cannot be listened on.
    """
    sockets: dict[int, Any] = {}
    try:
        server = create_server(
            application, sockets, host=host, port=port,
            **{**LIMITS, **limits},
            **({
                "trusted_proxy": proxy,
                "trusted_proxy_headers": {
                    "x-forwarded-proto", "x-forwarded-host"},
            } if proxy else {}))
    except (OSError, ValueError) as error:
        # waitress has a ValueError for a name that has no address.
        reason = getattr(error, "strerror", None) or "no such host"
        raise OSError(
            f"cannot listen on {_in_address(host)}:{port}: {reason}; name"
            " another address with --listen or in [web] listen") from None
    for each in sockets.values():
        if isinstance(each, BaseWSGIServer):
            each.channel_class = Channel
    return server


def serve(application: Any, server: Any, host: str) -> None:
    """Serve until an exception, such as that of a signal, ends it.

    :param server: what `listen` has returned.
    """
    # What is asked while all threads are busy is no warning.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    application.registry.keeper.prepare()
    # The database works on the first snapshot meanwhile.
    compile_templates()
    # The system chooses a port if none was given.
    say(f"Serving on http://{_in_address(host)}:{_port(server)}/")
    sys.stdout.flush()
    try:
        server.run()
    finally:
        server.close()
        application.registry.keeper.close()
