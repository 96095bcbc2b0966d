"""What surrounds each page: access, headers, errors, caching."""

from __future__ import annotations

import html
import logging
import threading
import zlib
from collections.abc import Callable
from typing import Any

from pyramid.httpexceptions import HTTPException
from pyramid.httpexceptions import HTTPNotModified
from pyramid.response import Response

from canonical.database.errors import first_line
from canonical.launchpad.webapp.access import HEADERS
from canonical.launchpad.webapp.parameters import BadParameter
from canonical.launchpad.webapp.reading import GONE
from canonical.launchpad.webapp.templating import page


__all__ = [
    "UnknownScript",
    "guard",
    "of_snapshot",
]


# How many pages of one snapshot are cached.
CACHED_PAGES = 500

# How many seconds until a client should ask again for what is gone.
AGAIN = "5"

SENTENCES = {
    401: "Only those who have a token may look.  Any name will do; the token"
         " is the password.",
    403: "Only this machine may look.  To let others look, make a token with"
         " \"scriptactivity token\", or name a proxy in [web]"
         " trusted_proxy.",
    404: "There is no such page.",
    405: "This page can only be read.",
    500: "This page could not be made.  The log of the server says why.",
    503: "The database cannot be reached now.  This page comes back with it.",
}


class UnknownScript(LookupError):
    """A script has no rule and is not on record; the text is a sentence."""


def guard(handler: Callable[[Any], Any], registry: Any) -> Any:
    """A tween: answers only those who may look, and hides what fails."""

    def respond(request: Any) -> Any:
        try:
            response = _allowed(request, handler)
            if isinstance(response, HTTPException):
                response = _http(request, response)
        except BadParameter as error:
            response = _sentence(request, 400, str(error))
        except UnknownScript as error:
            response = _sentence(request, 404, str(error))
        except (*GONE, TimeoutError) as error:
            logging.getLogger(__name__).warning(
                "503 %r: %s", request.path, first_line(error))
            response = _sentence(request, 503)
            response.headers["Retry-After"] = AGAIN
        except Exception:
            logging.getLogger(__name__).exception("500 %r", request.path)
            response = _sentence(request, 500)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response
    return respond


def _http(request: Any, error: HTTPException) -> Any:
    return error if error.code < 400 else _sentence(request, error.code)


def _allowed(request: Any, handler: Callable[[Any], Any]) -> Any:
    """The response for somebody who may look."""
    path = _path(request)
    if path in ("/health", "/ready") or path.startswith("/static/"):
        response = handler(request)
        # A script of the page itself may be kept by any cache.
        if path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "max-age=3600")
        return response
    viewer = request.access.viewer(request)
    if viewer is None and request.access.is_open:
        return _sentence(request, 403)
    if viewer is None:
        response = _sentence(request, 401)
        response.headers["WWW-Authenticate"] = (
            'Basic realm="scriptactivity", charset="UTF-8"')
        return response
    if request.method not in ("GET", "HEAD"):
        response = _sentence(request, 405)
        response.headers["Allow"] = "GET, HEAD"
        return response
    request.viewer = viewer
    response = handler(request)
    if path.startswith("/badge/"):
        # Pages of others show it, but only those of the same site.
        response.headers["Cross-Origin-Resource-Policy"] = "same-site"
    return response


def _path(request: Any) -> str:
    """The path of a request, decoded.

    :raises BadParameter: if it is not in UTF-8.
    """
    try:
        # What else is not in UTF-8 would only be found by a view.
        request.GET.items()
        path: str = request.path_info
    except UnicodeDecodeError:
        raise BadParameter("The address is not in UTF-8.") from None
    return path


def of_snapshot(
    view: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], Any]:
    """A view that is made once of each snapshot, however many look at it.

    It gets the snapshot as its second argument.
    """
    def respond(context: Any, request: Any) -> Any:
        snapshot = request.keeper.current()
        sees = request.viewer.sees_output
        key = "page", request.path_qs, request.application_url, sees
        tag = (
            f"{request.keeper.boot}-{snapshot.number}-"
            f"{zlib.crc32(repr(key).encode()):x}")
        if tag in request.if_none_match:
            return HTTPNotModified(headers={"ETag": f'"{tag}"'})
        # Who asks for it meanwhile waits, and does not make it again.
        with snapshot.making.setdefault(key, threading.Lock()):
            cached = snapshot.pages.get(key)
            if cached is None:
                response = view(request, snapshot)
                if len(snapshot.pages) >= CACHED_PAGES:
                    snapshot.pages.clear()
                snapshot.pages[key] = (
                    response.body, response.content_type, response.charset)
        if cached is not None:
            body, content_type, charset = cached
            response = Response(
                body, content_type=content_type, charset=charset)
        response.etag = tag
        return response
    return respond


def _sentence(request: Any, status: int, sentence: str = "") -> Response:
    """A response that says what is wrong in a sentence."""
    sentence = sentence or SENTENCES.get(status, "This cannot be answered.")
    try:
        path = _path(request)
    except BadParameter:
        # A page shows where it is.
        path = request.path_info = "/"
    if path.startswith("/api/"):
        response = Response(json_body={"error": sentence})
    elif path in ("/metrics", "/health", "/ready", "/feed") or (
        path.startswith(("/badge/", "/static/"))
    ):
        response = Response(f"{sentence}\n", content_type="text/plain")
    else:
        response = _page(request, status, sentence)
    response.status = status
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(request: Any, status: int, sentence: str) -> Response:
    try:
        return page(
            request, "trouble", status=status, sentence=sentence,
            refresh=5 if status == 503 else None,
            worst="unknown")
    except Exception:
        logging.getLogger(__name__).exception("no page of an error")
        return Response(html.escape(sentence))
