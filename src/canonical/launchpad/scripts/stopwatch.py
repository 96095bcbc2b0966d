"""How long a run takes, whatever happens to the clock."""

from __future__ import annotations

import datetime
import time


__all__ = [
    "Stopwatch",
]


class Stopwatch:
    """The start and the end of what a script does.

    :ivar date_started: when it was made, in UTC.
    """

    def __init__(self) -> None:
        self.date_started = datetime.datetime.now(datetime.UTC)
        self._started = time.monotonic()

    def date_completed(self) -> datetime.datetime:
        """Now; or, if the clock was set back, what it would show."""
        elapsed = datetime.timedelta(seconds=time.monotonic() - self._started)
        return max(
            datetime.datetime.now(datetime.UTC), self.date_started + elapsed)
