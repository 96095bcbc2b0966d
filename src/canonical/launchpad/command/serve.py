"""The commands ``serve`` and ``token``."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import re
import sys
from pathlib import Path

from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.printing import log_plainly
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import rules_file


__all__ = [
    "serve",
    "token",
]


# What `serve` needs and other commands do not.
PACKAGES = ("chameleon", "pyramid", "waitress")

# A server lives long.  Its garbage is looked for, but not with each request,
# nor while an assessment of ten thousand scripts makes its 200,000 objects.
THRESHOLDS = (500_000, 10, 10)


def serve(args: argparse.Namespace) -> int:
    """Serve the pages, until a signal ends it."""
    try:
        from canonical.launchpad.webapp.application import configured_access
        from canonical.launchpad.webapp.application import make_application
        from canonical.launchpad.webapp.server import listen
        from canonical.launchpad.webapp.server import may_listen
        from canonical.launchpad.webapp.server import serve as run
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        if package not in PACKAGES:
            raise
        complain(
            f"the pages need the package {package}; install it with:"
            " pip install 'scriptactivity[web]'")
        return 2
    host, _, port = (args.listen or config.web.listen).rpartition(":")
    host = host.strip("[]")
    access = configured_access()
    if not may_listen(host, access):
        raise ConfigError(
            f"listening on {host} would show the pages to others; say who may"
            " look: name a file of tokens in [web] token_file and run"
            " \"scriptactivity token NAME\", or name a web server that passes"
            " users on in [web] trusted_proxy")
    try:
        access.check()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"[web] token_file: {in_a_line(error)}; make a token with:"
            " scriptactivity token NAME") from None
    log_plainly()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()
    application = make_application(
        args.expectations or rules_file(), access,
        config.duration_of("web", "refresh"))
    # What is wrong with them is better known before anybody looks.
    application.registry.keeper.read_rules()
    run(application, listen(
        application, host, int(port), config.web.trusted_proxy), host)
    return 0


def token(args: argparse.Namespace) -> int:
    """Make a token, print it, and keep its hash."""
    from canonical.launchpad.webapp.access import TokenFile
    from canonical.launchpad.webapp.access import hash_of
    from canonical.launchpad.webapp.access import new_token
    if not re.fullmatch(r"\S+", args.name):
        complain(f"a name without spaces is needed, not {args.name!r}")
        return 2
    name = config.web.token_file
    if not name:
        raise ConfigError(
            "[web] token_file is empty; name a file for the hashes of tokens,"
            " such as tokens")
    path = config.directory / Path(name).expanduser()
    made = new_token()
    try:
        if path.exists():
            TokenFile(path).check()
        _append(path, f"{args.name} sha256:{hash_of(made)}\n")
    except (OSError, ValueError) as error:
        raise ConfigError(f"[web] token_file: {in_a_line(error)}") from None
    say(made)
    sys.stdout.flush()
    complain(
        f"{path} has only the hash of this token; nobody can print the"
        " token again")
    return 0


def _append(path: Path, line: str) -> None:
    """Append a line to a file, whose last line may have no end."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with open(descriptor, "rb+", 0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        data = (line if file.read(1) in b"\n" else f"\n{line}").encode()
        # Where there is little room, a part is written without an error.
        try:
            written = file.write(data)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from None
        if written < len(data):
            file.truncate(size)
            raise OSError(
                errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
