"""Where the embedded cluster lives, and whom it lets in.

PostgreSQL refuses to run as root.  For root the server runs as the system
user ``pgserver``, who has to get to the cluster and to the programs.  Nothing
that exists is opened for that: what ``pgserver`` cannot get to is kept
elsewhere.
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

# The clusters of root whose own directories are no place for them.
STORE = Path("/var/lib/scriptactivity")

# sun_path of sockaddr_un holds 104 bytes on BSD, 108 on Linux; one is NUL.
LONGEST_SOCKET = 103

HBA = """\
# Written when the server starts: who owns the cluster gets in, as any role.
local all all peer map=owner
"""


def server_uid() -> int:
    """The user id that a server we start runs as."""
    if os.geteuid() == 0:
        # Until there is a cluster there may be no such user.
        with suppress(KeyError):
            return pwd.getpwnam(SERVER_USER).pw_uid
    return os.geteuid()


def owner_of(directory: Path) -> str:
    """The name of the user who owns a directory.

    :raises OSError: if there is none, or it belongs to somebody whose server
        we would not start: what is in it would be theirs to say.
    """
    uid = directory.stat().st_uid
    if uid not in (os.geteuid(), server_uid()):
        raise PermissionError(
            f"{directory} belongs to {_name(uid)}, and you are"
            f" {_name(os.geteuid())}; name another directory")
    return _name(uid)


def find_home(directory: Path) -> Path:
    """Where to keep the cluster that is wanted in `directory`.

    That is `directory`, unless root wants it and ``pgserver`` could not get
    there, or others could put something else there.  Then it is in `STORE`,
    and `directory` becomes a symbolic link.

    :raises OSError: if a directory cannot be made, or belongs to others.
    :raises RuntimeError: if there is something else in `directory`.
    """
    _make_private(directory.parent)
    if directory.exists():
        owner_of(directory)
    if os.geteuid() == 0 and not all(map(_is_passable, directory.parents)):
        return _link_to_store(directory)
    return directory


def _make_private(directory: Path) -> None:
    """Make a directory, and those above it, if there are none.

    Others cannot list them.  ``pgserver`` can pass through those of root.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    missing = [
        each for each in (directory, *directory.parents) if not each.exists()]
    for each in reversed(missing):
        with suppress(FileExistsError):
            each.mkdir(mode)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock of the user's own.

    :raises OSError: if it belongs to somebody else, or is a link.
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
    """Remove what `STORE` holds for `directory`, and the link to it."""
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
    """Where the server of the cluster in `directory` has its socket.

    That is `directory`, or if its name is too long, a new directory that
    nobody else can enter.  It is in ``/tmp``, since TMPDIR may be long, or
    closed to ``pgserver``.
    """
    if len(os.fsencode(directory / ".s.PGSQL.65535")) <= LONGEST_SOCKET:
        return directory
    made = tempfile.mkdtemp(prefix="scriptactivity-", dir="/tmp")
    os.chown(made, server_uid(), -1)
    return Path(made)


def leave_socket_directory(directory: Path, sockets: str) -> None:
    """Remove what `socket_directory` made, when the socket is gone."""
    if sockets != str(directory):
        with suppress(OSError):
            os.rmdir(sockets)


def admit_only_owner(directory: Path) -> bool:
    """Let the owner of the cluster in, as any role, and nobody else.

    The owner is who runs the server, and root, if it runs for root.

    :return: whether that was not so before; then the server has to read its
        configuration again.
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
    """Can all pass through, and nobody rename what is in it?"""
    mode = directory.stat().st_mode
    return bool(
        mode & stat.S_IXOTH
        and (not mode & stat.S_IWOTH or mode & stat.S_ISVTX))


def _link_to_store(directory: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(directory)).hexdigest()
    home = STORE / digest[:16]
    _make_private(STORE)
    # The umask may have closed it to the user who runs the server.
    STORE.chmod(0o711)
    with suppress(OSError):
        # It may be there, but empty.
        directory.rmdir()
    with suppress(FileExistsError):
        directory.symlink_to(home)
    if directory.resolve() != home:
        there = shlex.quote(str(directory))
        raise RuntimeError(
            f"the user {SERVER_USER}, who is to run it, cannot get there, or"
            f' others can replace it; move it with "mv {there} {home}'
            f' && ln -s {home} {there}"')
    return home


def _replace(path: Path, text: str) -> bool:
    """Give a file of the cluster a text, at once and whatever is there."""
    wanted = text.encode(errors="surrogateescape")
    with suppress(FileNotFoundError):
        if path.read_bytes() == wanted:
            return False
    # Root follows no link here that the server has made.
    descriptor, written = tempfile.mkstemp(dir=path.parent)
    with open(descriptor, "wb") as stream:
        stream.write(wanted)
        os.fchown(stream.fileno(), server_uid(), -1)
    os.replace(written, path)
    return True
