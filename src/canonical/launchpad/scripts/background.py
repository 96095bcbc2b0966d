"""Records a run in a background thread, so that the work never waits.

The work starts at once, and does not wait for the database.  Meanwhile this
thread connects, and records the start.  When the work has ended, the thread
has a limited time to record the end.  After that, a success is spooled, and
nobody waits for the thread.  If both record the success, the key of the run
lets the database accept it once.

Imported before the work begins, so what is slow to import waits for the
thread.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from typing import TYPE_CHECKING
from typing import NamedTuple

from canonical.config import ConfigError
from canonical.config import config


if TYPE_CHECKING:
    from canonical.launchpad.scripts.clerk import Clerk
    from canonical.launchpad.scripts.spool import Success


__all__ = [
    "BackgroundRecord",
    "Ending",
]


# Seconds that the database gets at the end, and all imports before.
PATIENCE = 1.0
IMPORTS = 60.0


class Ending(NamedTuple):
    """How a run has ended; see `IScriptAttempt`.

    :ivar output: what it printed, without secrets, or `None` for nothing.
    """

    outcome: str
    exit_status: int | None
    reason: str | None
    output: tuple[str, str] | None = None


class BackgroundRecord:
    """The record of a run that begins now.

    :param name: of the script; valid.
    :ivar run_key: identifies the run, by the text of a `uuid.UUID`.
    :ivar date_started: aware, in UTC.
    """

    def __init__(self, name: str):
        self.run_key = _new_key()
        self._name = name
        self._pid = os.getpid()
        self._started = time.monotonic()
        self.date_started = datetime.datetime.now(datetime.UTC)
        self._ending: Ending | None = None
        self._date_ended = self.date_started
        self._clerk: Clerk | None = None
        self._trouble: str | None = None
        self._is_recorded = False
        self._imported = threading.Event()
        self._ended = threading.Event()
        self._done = threading.Event()

    def start(self) -> None:
        """Begin to record."""
        try:
            threading.Thread(
                target=self._record, name="scriptactivity", daemon=True
            ).start()
        except RuntimeError as error:
            # There can be no more threads.
            self._trouble = str(error)
            self._imported.set()
            self._done.set()

    def end(self, ending: Ending) -> str | None:
        """Record how the run has ended, in bounded time.

        A child of the process that began it records nothing.

        :return: what is not on record, and why; or `None` if all is.
        """
        if os.getpid() != self._pid:
            return None
        self._ending = ending
        self._date_ended = max(
            datetime.datetime.now(datetime.UTC),
            self.date_started + datetime.timedelta(
                seconds=time.monotonic() - self._started))
        self._ended.set()
        self._imported.wait(IMPORTS)
        self._done.wait(PATIENCE)
        if self._is_recorded:
            return self._trouble
        return self._not_recorded(ending)

    def _not_recorded(self, ending: Ending) -> str:
        """Spool a success; return what is not on record."""
        trouble = self._trouble
        if not self._done.is_set():
            trouble = f"the database has not answered within {PATIENCE:g} s"
        if ending.outcome != "success":
            return f"This run of {self._name} is not on record: {trouble}"
        why = f"The success of {self._name} is not recorded yet: {trouble}"
        from canonical.launchpad.scripts.spool import NotSpooled
        from canonical.launchpad.scripts.spool import spool_success
        try:
            directory = config.directory_for("scripts", "spool_directory")
            return spool_success(directory, self._success(), why)
        except NotSpooled as error:
            return str(error)
        except ConfigError as error:
            return f"{why}.  It cannot be spooled either: {error}"

    def _success(self) -> Success:
        import socket
        import uuid

        from canonical.launchpad.scripts.spool import Success
        success = None if self._clerk is None else self._clerk.success(
            self._date_ended)
        return success or Success(
            self._name, socket.gethostname(), self.date_started,
            self._date_ended, uuid.UUID(self.run_key), "begun", "")

    def _record(self) -> None:
        """What the thread does."""
        try:
            from canonical.launchpad.scripts.clerk import Clerk
            self._clerk = Clerk(
                self._name, self.run_key, self.date_started, self._ended)
            self._imported.set()
            self._clerk.begin()
        except Exception as error:
            self._trouble = _line(error)
        self._imported.set()
        self._ended.wait()
        try:
            if self._clerk is not None and self._ending is not None:
                self._trouble = self._clerk.end(
                    self._ending, self._date_ended)
                self._is_recorded = True
                self._clerk.send_duration(self._ending, self._date_ended)
        except Exception as error:
            self._trouble = _line(error)
        self._done.set()
        if self._clerk is not None:
            self._clerk.leave()


def _new_key() -> str:
    """As `uuid.uuid4` makes one, without what that imports."""
    value = bytearray(os.urandom(16))
    value[6] = value[6] & 0x0F | 0x40
    value[8] = value[8] & 0x3F | 0x80
    text = value.hex()
    return "-".join(
        (text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _line(error: Exception) -> str:
    """What is wrong, on a line."""
    from canonical.database.errors import first_line
    return first_line(error)
