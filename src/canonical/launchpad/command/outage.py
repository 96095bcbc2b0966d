"""Notifies people that ``scriptactivity alert`` itself does not work.

A file in the state directory says who was notified of what, since the database
may be what is away.  If the file cannot be used either, each run sends the
message.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import socket
import stat
from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from contextlib import suppress
from logging import Logger
from pathlib import Path
from typing import Any

from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.command.mail import addresses
from canonical.launchpad.command.notify import instance_name
from canonical.launchpad.command.notify import send
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.rules import channels
from canonical.launchpad.command.rules import repeat
from canonical.launchpad.monitor.message import Message
from canonical.launchpad.monitor.message import plain_message
from canonical.launchpad.plaintext import time_text


__all__ = [
    "end_outage",
    "report_outage",
]


FILE_NAME = "alert-outage.json"


def report_outage(error: BaseException, logger: Logger) -> None:
    """Notify people of why alerting does not work, if they do not know.

    They are notified again after [monitor] repeat.
    """
    now = datetime.datetime.now(datetime.UTC)
    with _memory(create=True) as memory:
        if memory is None:
            # Another process is doing the same.
            return
        since = memory.setdefault("since", now.isoformat())
        notified = memory.setdefault("notified", {})
        message = plain_message(
            now, "CRITICAL: scripts are not monitored",
            f"scriptactivity alert does not work on {socket.gethostname()}:\n"
            f"\n{_reason(error)}\n\n"
            f"Scripts have not been monitored since {_when(since)}, and"
            " nobody is notified of what breaks.\n", instance_name())
        for channel in channels():
            with _warnings(channel, error, logger):
                due = [
                    each for each in _targets(channel)
                    if each not in notified
                    or _moment(notified[each]) + repeat() <= now]
                sent, _ = _send(channel, message, due)
                notified.update(dict.fromkeys(sent, now.isoformat()))


def end_outage(logger: Logger) -> None:
    """Notify those who know of an outage that it is over."""
    now = datetime.datetime.now(datetime.UTC)
    with _memory(create=False) as memory:
        if not memory:
            return
        notified = memory["notified"]
        message = plain_message(
            now, "RECOVERED: scripts are monitored again",
            f"scriptactivity alert works again on {socket.gethostname()}.\n"
            f"It did not from {_when(memory['since'])} to"
            f" {_when(now.isoformat())}.\n", instance_name())
        left: dict[str, str] = {}
        for channel in channels():
            with _warnings(channel, None, logger):
                due = [each for each in _targets(channel) if each in notified]
                left.update((each, notified[each]) for each in due)
                sent, refused = _send(channel, message, due)
                for each in *sent, *refused:
                    del left[each]
        memory["notified"] = left
        if not left:
            memory.clear()


def _send(
    channel: str, message: Message, to: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Send a message, if there is anyone to send it to.

    :return: who has it, and who was refused for good.
    """
    if not to:
        return [], []
    if channel != "mail":
        send(channel, message)
        return list(to), []
    replies = send(channel, message, to)
    return (
        [each.recipient for each in replies if each.is_accepted],
        [each.recipient for each in replies
         if not each.is_accepted and not each.is_for_the_moment])


def _targets(channel: str) -> list[str]:
    """Who are notified by a channel, each on their own."""
    return addresses() if channel == "mail" else [channel]


@contextmanager
def _warnings(
    channel: str, known: BaseException | None, logger: Logger
) -> Iterator[None]:
    """Log what keeps a channel from sending, if that is not known already."""
    try:
        yield
    except (ConfigError, OSError) as error:
        if str(error) != str(known):
            logger.warning(
                "cannot notify by %s: %s", channel, in_a_line(error))


def _reason(error: BaseException) -> str:
    cause = error.__cause__ or error
    return in_a_line(cause) if isinstance(cause, Exception) else str(cause)


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def _when(text: str) -> str:
    return time_text(_moment(text), "minutes")


@contextmanager
def _memory(create: bool) -> Iterator[dict[str, Any] | None]:
    """What earlier runs have noted; what is changed in it is noted.

    It is empty if nothing is noted, or if the file cannot be used; and `None`
    if another process uses it.
    """
    path = config.state_directory / FILE_NAME
    try:
        file = _open(path, create)
    except BlockingIOError:
        yield None
        return
    except OSError:
        yield {}
        return
    try:
        noted = _parse(os.read(file, 1_000_000))
        yield noted
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, json.dumps(noted).encode(), 0)
    finally:
        os.close(file)


def _open(path: Path, create: bool) -> int:
    """The file, locked.

    :raises BlockingIOError: if another process has locked it.
    :raises OSError: if it cannot be used.
    """
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(path, flags | os.O_CREAT if create else flags, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError(f"not a regular file: {path}")
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(file)
        raise
    return file


def _parse(content: bytes) -> dict[str, Any]:
    """What the file says; nothing, if it was not written to its end."""
    try:
        noted = json.loads(content)
        for each in noted["since"], *noted["notified"].values():
            moment = _moment(each)
            if moment.utcoffset() is None or not 1970 <= moment.year < 3000:
                return {}
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return {}
    return dict(noted)
