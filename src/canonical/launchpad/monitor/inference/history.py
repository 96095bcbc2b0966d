"""The runs of a script in little memory, however many there are."""

from __future__ import annotations

import bisect
import datetime
import itertools
from array import array
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import overload

from canonical.launchpad.interfaces import Run


__all__ = [
    "History",
]


class History(Sequence[Run]):
    """Runs in order of start, which are made anew when they are asked for.

    :param runs: in order of start; they are read once.
    :ivar starts: in seconds since 1970 UTC; likewise `ends`.
    :ivar hosts: the number of each run's host in `names`.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.starts = array("d")
        self.ends = array("d")
        self.hosts = array("l")
        numbers: dict[str, int] = {}
        for hostname, started, completed in runs:
            self.starts.append(started.timestamp())
            self.ends.append(completed.timestamp())
            self.hosts.append(numbers.setdefault(hostname, len(numbers)))
        self.names = list(numbers)

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, index: int) -> Run: ...

    @overload
    def __getitem__(self, index: slice) -> History: ...

    def __getitem__(self, index: int | slice) -> Run | History:
        if isinstance(index, slice):
            return self._part(
                self.starts[index], self.ends[index], self.hosts[index])
        return Run(
            self.names[self.hosts[index]],
            datetime.datetime.fromtimestamp(
                self.starts[index], datetime.UTC),
            datetime.datetime.fromtimestamp(self.ends[index], datetime.UTC))

    def __iter__(self) -> Iterator[Run]:
        return map(self.__getitem__, range(len(self)))

    def _part(self, *columns: Any) -> History:
        part = History()
        part.names = self.names
        part.starts, part.ends, part.hosts = columns
        return part

    @property
    def span(self) -> float:
        """The seconds from the first start to the last."""
        return self.starts[-1] - self.starts[0]

    def on(self, hostname: str) -> History:
        """The runs on a host."""
        number = self.names.index(hostname)
        there = [host == number for host in self.hosts]
        return self._part(*(
            array(column.typecode, itertools.compress(column, there))
            for column in (self.starts, self.ends, self.hosts)))

    def between(self, since: float, until: float) -> History:
        """The runs that started from one time until before another."""
        return self[bisect.bisect_left(self.starts, since):
                    bisect.bisect_left(self.starts, until)]
