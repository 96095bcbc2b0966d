"""Identifies a process, and finds out whether it still runs.

A pid does not identify a process: pids are reused, machines restart, and two
containers may have the same host name.  So a text of four parts identifies a
process: its machine, the boot of that machine, its PID namespace, and its
start time.  They come from ``/proc``.  On a system without ``/proc``,
processes cannot be identified.
"""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path


__all__ = [
    "is_alive",
    "this_process",
]


# PROC_PID_INIT_INO of Linux: the PID namespace of a machine itself, as
# opposed to that of a container.
MACHINES_OWN = "pid:[4026531836]"


def this_process() -> str | None:
    """The text that identifies this process; `None` without ``/proc``."""
    start = _start(os.getpid())
    return None if start is None else "/".join((*_here(os.getpid()), start))


def is_alive(pid: int, process: str | None) -> bool | None:
    """Does a process still run?

    :param process: the text that `this_process` returned in it.
    :return: `None` if this process cannot know: the other one belongs to
        another machine or container, or its text is missing.
    """
    if process is None or process.count("/") != 3:
        return None
    machine, boot, namespace, start = process.split("/")
    here = _here(os.getpid())
    if boot and here[1:] == (boot, namespace):
        return _runs(pid, start)
    if machine and here[0] == machine and here[2] == namespace == MACHINES_OWN:
        # This machine has restarted since.  For a container, this would prove
        # nothing: containers of one image share a machine id on any machine.
        return False
    return None


def _runs(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # /proc may hide a process of another user; since kill found it, it runs.
    return _start(pid) in (start, None)


def _start(pid: int) -> str | None:
    """The start time of a process, in clock ticks since the boot.

    See proc(5): the start time is field 22 of ``stat``.  Field 2 is a name in
    parentheses that may contain any character.  Field 3 is the state; a
    zombie has ended.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]


@lru_cache(maxsize=1)
def _here(pid: int) -> tuple[str, str, str]:
    """The machine, boot and PID namespace of this process.

    :param pid: the pid of this process, as the key of the cache: a child may
        be in another namespace.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    machine = _line("/etc/machine-id")
    return (
        # Copies of a virtual machine may share an id, but rarely a name too.
        f"{machine}:{socket.gethostname()}" if machine else "",
        _line("/proc/sys/kernel/random/boot_id"),
        namespace,
    )


def _line(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
