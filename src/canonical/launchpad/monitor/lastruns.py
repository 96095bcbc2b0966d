"""The last runs of a script, as one completes after the other."""

from __future__ import annotations

import bisect
import datetime

from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.matching import earlier_runs


__all__ = [
    "LastRuns",
]


# When one started, and its seconds.
Kept = tuple[datetime.datetime, float]


class LastRuns:
    """What `Figures` has of the last runs, without being asked for it anew.

    :ivar recent: the durations that are judged, in seconds.
    :ivar earlier: those that they are compared with, in order of their
        length, since a median is found soon then.
    :ivar completed: the last completion there was, or `None`.
    """

    def __init__(self, expectation: IScriptExpectation) -> None:
        self.recent: list[float] = []
        self.earlier: list[float] = []
        self.completed: datetime.datetime | None = None
        self._runs = expectation.runs
        self._learned_from = earlier_runs(expectation)
        # Both in order of their starts.
        self._recent: list[Kept] = []
        self._earlier: list[Kept] = []

    @property
    def started(self) -> datetime.datetime | None:
        """When the one that started last did, or `None`."""
        return self._recent[-1][0] if self._recent else None

    def add(self, run: Run) -> None:
        """One more has completed."""
        _, started, completed = run
        kept = started, (completed - started).total_seconds()
        position = bisect.bisect(self._recent, kept)
        self._recent.insert(position, kept)
        self.recent.insert(position, kept[1])
        if self.completed is None or completed > self.completed:
            self.completed = completed
        if len(self._recent) > self._runs:
            del self.recent[0]
            self._make_earlier(self._recent.pop(0))

    def _make_earlier(self, run: Kept) -> None:
        """One is recent no longer, and another may be too old now."""
        bisect.insort(self._earlier, run)
        bisect.insort(self.earlier, run[1])
        if len(self._earlier) > self._learned_from:
            _, seconds = self._earlier.pop(0)
            del self.earlier[bisect.bisect_left(self.earlier, seconds)]
