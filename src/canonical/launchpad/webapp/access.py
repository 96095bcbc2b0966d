"""Who may look, and what every response says to a browser."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import re
import secrets
import stat
from pathlib import Path
from typing import Any
from typing import NamedTuple


__all__ = [
    "Access",
    "HEADERS",
    "TokenFile",
    "Viewer",
    "hash_of",
    "is_loopback",
    "new_token",
]


LOOPBACK_NAMES = ("localhost", "localhost.localdomain")

# A line of the file of tokens: a name, and a hash as `hash_of` makes it.
LINE = re.compile(r"(\S+)\s+sha256:([0-9a-f]{64})")

# Everything comes from the same host, and nothing is in the page itself.
HEADERS = {
    "Content-Security-Policy":
    "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nobody else's cache keeps it, and the own asks each time.
    "Cache-Control": "private, no-cache",
}


class Viewer(NamedTuple):
    """Who looks.

    :ivar sees_output: may the kept output of runs be shown?
    """

    name: str
    sees_output: bool


class TokenFile:
    """The hashes of tokens, from a file that is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: object = None
        self._hashes: dict[str, str] = {}

    def holder(self, token: str) -> str | None:
        """The name of the holder of a token, or `None`.

        This takes the same time whichever token is wrong, and wherever.
        """
        self._load()
        given, found = hash_of(token), None
        for name, known in self._hashes.items():
            if hmac.compare_digest(given, known):
                found = name
        return found

    def names(self) -> list[str]:
        """The holders of tokens."""
        self._load()
        return list(self._hashes)

    def check(self) -> None:
        """Check that the file can be read.

        :raises OSError, ValueError: if not.
        """
        # A device may have no end, and a pipe would keep us waiting.
        if not stat.S_ISREG(self._path.stat().st_mode):
            raise ValueError(f"not a regular file: {self._path}")
        try:
            self._path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"not in UTF-8: {self._path}") from None

    def _load(self) -> None:
        try:
            status = self._path.stat()
            version = status.st_mtime_ns, status.st_size, status.st_ino
            if version == self._version:
                return
            self.check()
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError):
            # Nobody may look by a token that can no longer be read.
            self._version, self._hashes = None, {}
            return
        matches = filter(None, map(LINE.fullmatch, map(str.strip, lines)))
        self._hashes = {match[1]: match[2] for match in matches}
        self._version = version


class Access:
    """Decides who may look.

    :param tokens: `None` if there are no tokens.
    :param proxy: the address of a server whose header Remote-User is
        believed; empty if there is none.
    """

    def __init__(self, tokens: TokenFile | None, proxy: str = "") -> None:
        self._tokens = tokens
        self._proxy = ipaddress.ip_address(proxy) if proxy else None

    @property
    def is_open(self) -> bool:
        """May everybody on this machine look?"""
        return self._tokens is None and self._proxy is None

    def check(self) -> None:
        """Check that the tokens can be read; see `TokenFile.check`."""
        if self._tokens is not None:
            self._tokens.check()

    def viewer(self, request: Any) -> Viewer | None:
        """Who looks, or `None` if that is not known."""
        token = _token_of(request.headers.get("Authorization", ""))
        if token is not None:
            holder = self._tokens and self._tokens.holder(token)
            return Viewer(holder, True) if holder else None
        # Only the server that calls the application can set this.
        user = request.environ.get("REMOTE_USER", "")
        address = request.environ.get("REMOTE_ADDR", "")
        if not user and self._is_proxy(address):
            user = request.headers.get("Remote-User", "")
        if user:
            return Viewer(user, False)
        if self.is_open and is_loopback(address) and is_loopback(
            request.domain
        ):
            return Viewer("", False)
        return None

    def _is_proxy(self, address: str) -> bool:
        try:
            return self._proxy == ipaddress.ip_address(address)
        except ValueError:
            return False


def is_loopback(host: str) -> bool:
    """Is this a name or an address of this machine alone?

    A page of another site may let a name of its own lead here.  So a request
    for a name like that is not taken for one of this machine.
    """
    host = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in LOOPBACK_NAMES


def new_token() -> str:
    """A token that cannot be guessed."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """The hash of a token, in hexadecimal.

    A token is random and long, so one round is enough.
    """
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _token_of(header: str) -> str | None:
    """The token in an Authorization header, or `None` without one.

    A browser asks for a name and a password.  The token is the password, and
    any name will do.
    """
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(value.strip(), validate=True).decode()
        except ValueError:
            # It is not in Base64, or not in UTF-8.
            return ""
        return text.partition(":")[2]
    return None
