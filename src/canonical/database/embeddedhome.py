"""The directory of the embedded cluster, and who may connect to it.

PostgreSQL refuses to run as root.  For root, the server runs as the system
user ``pgserver``, which must be able to reach the cluster and the programs.
The permissions of existing directories are not changed for that.  If
``pgserver`` cannot reach the directory, the cluster is elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shlex
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextlib import suppress
from pathlib import Path


__all__ = [
    "STORE",
    "admit_only_owner",
    "discard_home",
    "find_home",
    "leave_socket_directory",
    "locked",
    "owner_of",
    "server_uid",
    "socket_directory",
]


SERVER_USER = "pgserver"

# Holds the clusters of root whose directories pgserver cannot reach.
STORE = Path("/var/lib/scriptactivity")

# sun_path of sockaddr_un holds 104 bytes on BSD, 108 on Linux; one is NUL.
LONGEST_SOCKET = 103

HBA = """\
# Written when the server starts: only the owner may connect, as any role.
local all all peer map=owner
"""


def server_uid() -> int:
    """The user id that the server runs as if this process starts it."""
    if os.geteuid() == 0:
        # The user is created with the first cluster.
        with suppress(KeyError):
            return pwd.getpwnam(SERVER_USER).pw_uid
    return os.geteuid()


def owner_of(directory: Path) -> str:
    """The name of the user who owns a directory.

    :raises OSError: if there is no such directory, or if it belongs to
        another user, who could have put anything in it.
    """
    uid = directory.stat().st_uid
    if uid not in (os.geteuid(), server_uid()):
        raise PermissionError(
            f"{directory} belongs to {_name(uid)}, and you are"
            f" {_name(os.geteuid())}; name another directory")
    return _name(uid)


def find_home(directory: Path) -> Path:
    """The directory of the cluster.

    This is `directory`, with one exception.  If root asks, and ``pgserver``
    cannot reach `directory` or others could replace it, the cluster is in
    `STORE`, and `directory` becomes a symbolic link to it.

    :raises OSError: if a directory cannot be created, or belongs to others.
    :raises RuntimeError: if `directory` has to become a link, but something
        else is there.
    """
    _make_private(directory.parent)
    if directory.exists():
        owner_of(directory)
    if os.geteuid() == 0 and not all(map(_is_passable, directory.parents)):
        return _link_to_store(directory)
    return directory


def _make_private(directory: Path) -> None:
    """Create a directory and its parents, where they are missing.

    Other users cannot list them.  ``pgserver`` can pass through those of root.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = [
        each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir(mode)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on a file of this user.

    :raises OSError: if the file belongs to another user, or is a link.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if os.fstat(lock).st_uid != os.geteuid():
            raise PermissionError(
                f"{path} belongs to another user, who could hold it for ever;"
                " remove it, or name another directory")
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def discard_home(directory: Path) -> None:
    """Remove the cluster of `directory` from `STORE`, and the link to it."""
    home = directory.resolve()
    if not directory.is_symlink() or home.parent != STORE:
        return
    for each in STORE.glob(f"{home.name}*"):
        if each.is_dir():
            shutil.rmtree(each)
        else:
            each.unlink()
    directory.unlink()


def socket_directory(directory: Path) -> Path:
    """The directory of the server's socket.

    This is `directory`.  If its name is too long for a socket, a new
    directory is created, which no other user can enter.  It is in ``/tmp``,
    since TMPDIR may be long too, or closed to ``pgserver``.
    """
    if len(os.fsencode(directory / ".s.PGSQL.65535")) <= LONGEST_SOCKET:
        return directory
    made = tempfile.mkdtemp(prefix="scriptactivity-", dir="/tmp")
    os.chown(made, server_uid(), -1)
    return Path(made)


def leave_socket_directory(directory: Path, sockets: str) -> None:
    """Remove a directory that `socket_directory` created.

    A directory that still holds a socket is left there.
    """
    if sockets != str(directory):
        with suppress(OSError):
            os.rmdir(sockets)


def admit_only_owner(directory: Path) -> bool:
    """Let only the owner of the cluster connect, as any role.

    The owner is the user who runs the server.  If it runs for root, root is
    an owner too.

    :return: whether a file has changed.  If so, the server has to reload its
        configuration.
    """
    owner = owner_of(directory)
    names = ["root", owner] if owner == SERVER_USER else [owner]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    ident = "".join(f"owner {name} all\n" for name in quoted)
    changes = [
        _replace(directory / name, text)
        for name, text in (("pg_ident.conf", ident), ("pg_hba.conf", HBA))]
    return any(changes)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _is_passable(directory: Path) -> bool:
    """Can all users pass through, and can only owners rename its entries?"""
    mode = directory.stat().st_mode
    return bool(
        mode & stat.S_IXOTH
        and (not mode & stat.S_IWOTH or mode & stat.S_ISVTX))


def _link_to_store(directory: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()
    home = STORE / digest[:16]
    _make_private(STORE)
    # The umask may have closed it to pgserver.
    STORE.chmod(0o711)
    with suppress(OSError):
        # Succeeds only if it exists and is empty.
        directory.rmdir()
    with suppress(FileExistsError):
        directory.symlink_to(home)
    if directory.resolve() != home:
        there = shlex.quote(str(directory))
        raise RuntimeError(
            f"the user {SERVER_USER}, who runs the server, cannot reach it, or"
            f' others can replace it; move it with "mv {there} {home}'
            f' && ln -s {home} {there}"')
    return home


def _replace(path: Path, text: str) -> bool:
    """Replace a file of the cluster atomically.

    :return: whether the file differed before.
    """
    wanted = text.encode(errors="surrogateescape")
    with suppress(FileNotFoundError):
        if path.read_bytes() == wanted:
            return False
    # A new file, because the server could have made a link at `path`.
    descriptor, written = tempfile.mkstemp(dir=path.parent)
    with open(descriptor, "wb") as stream:
        stream.write(wanted)
        os.fchown(stream.fileno(), server_uid(), -1)
    os.replace(written, path)
    return True
