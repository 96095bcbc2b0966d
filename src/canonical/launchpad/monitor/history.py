"""The runs of a script in little memory, however many there are."""

from __future__ import annotations

import bisect
import datetime
import functools
import itertools
import math
import sys
from array import array
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from canonical.launchpad.interfaces import Run


__all__ = [
    "History",
]


class History(Sequence[Run]):
    """Runs in order of start, which are made anew when they are asked for.

    :param runs: in order of start; they are read once.
    :ivar starts: in seconds since 1970 UTC; likewise `ends`.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.hosts: list[str] = []
        self.starts, self.ends = array("d"), array("d")
        for hostname, started, completed in runs:
            self.hosts.append(sys.intern(hostname))
            self.starts.append(started.timestamp())
            self.ends.append(completed.timestamp())

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: Any) -> Any:
        columns = self.hosts[index], self.starts[index], self.ends[index]
        if isinstance(index, slice):
            part = History()
            part.hosts, part.starts, part.ends = columns
            return part
        return Run(columns[0], *(
            datetime.datetime.fromtimestamp(time, datetime.UTC)
            for time in columns[1:]))

    def __iter__(self) -> Iterator[Run]:
        at = functools.partial(
            datetime.datetime.fromtimestamp, tz=datetime.UTC)
        return map(Run, self.hosts, map(at, self.starts), map(at, self.ends))

    def on(self, hostname: str) -> History:
        """The runs on a host."""
        part = History()
        there = [each == hostname for each in self.hosts]
        part.hosts = there.count(True) * [hostname]
        part.starts, part.ends = (
            array("d", itertools.compress(column, there))
            for column in (self.starts, self.ends))
        return part

    def between(self, since: float, until: float = math.inf) -> History:
        """The runs that started from one time until before another."""
        part: History = self[bisect.bisect_left(self.starts, since):
                             bisect.bisect_left(self.starts, until)]
        return part
