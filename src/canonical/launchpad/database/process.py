"""Which process is it, and does it still run?

A pid is given again, a machine starts anew, and two containers may have the
same host name.  So a process is known by a text of four parts: its machine,
the boot of that machine, its PID namespace, and when it started.  They come
from ``/proc``; where there is none, nothing is known of a process.
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
    """The text for this process; `None` where there is no ``/proc``."""
    start = _start(os.getpid())
    return None if start is None else "/".join((*_here(os.getpid()), start))


def is_alive(pid: int, process: str | None) -> bool | None:
    """Does a process still run, as seen from this one?

    :param process: what `this_process` returned in it.
    :return: `None` if nobody can know that here: it belongs to another
        machine or container, or its text is not known.
    """
    if process is None or process.count("/") != 3:
        return None
    machine, boot, namespace, start = process.split("/")
    here = _here(os.getpid())
    if boot and here[1:] == (boot, namespace):
        return _runs(pid, start)
    if machine and here[0] == machine and here[2] == namespace == MACHINES_OWN:
        # This machine has been started anew since.  Of a container that
        # would prove nothing: containers of one image share their machine
        # id, wherever they run.
        return False
    return None


def _runs(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # Another user's process may be hidden in /proc; then it is there.
    return _start(pid) in (start, None)


def _start(pid: int) -> str | None:
    """When a process started, in ticks since the boot.

    By proc(5), field 22 of its ``stat``.  Field 2 is a name in parentheses
    that may have anything in it, and field 3 says whether it is a zombie,
    which has ended.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]


@lru_cache(maxsize=1)
def _here(pid: int) -> tuple[str, str, str]:
    """Machine, boot and PID namespace of this process.

    :param pid: its own; a child is asked anew, as it may be elsewhere.
    """
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    machine = _line("/etc/machine-id")
    return (
        # Copies of a virtual machine may share an id, and hardly a name too.
        f"{machine}:{socket.gethostname()}" if machine else "",
        _line("/proc/sys/kernel/random/boot_id"),
        namespace,
    )


def _line(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace").strip()
    except OSError:
        return ""
