"""The runs of a script in little memory, however many there are."""

from __future__ import annotations

import datetime
from array import array
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import overload

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.inference.search import Scope


__all__ = [
    "History",
]


class History(Sequence[Run]):
    """Runs in order of start, which are made anew when they are asked for.

    :param runs: in order of start; they are read once.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self.starts = array("d")
        self.ends = array("d")
        self.names: list[str] = []
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
            part = History()
            part.names = self.names
            part.starts = self.starts[index]
            part.ends = self.ends[index]
            part.hosts = self.hosts[index]
            return part
        return Run(
            self.names[self.hosts[index]],
            datetime.datetime.fromtimestamp(
                self.starts[index], datetime.UTC),
            datetime.datetime.fromtimestamp(self.ends[index], datetime.UTC))

    def __iter__(self) -> Iterator[Run]:
        return map(self.__getitem__, range(len(self)))

    @property
    def hostnames(self) -> list[str]:
        """The host of each run."""
        return [self.names[number] for number in self.hosts]

    def on(self, hostname: str) -> History:
        """The runs on a host."""
        number = self.names.index(hostname)
        part = History()
        part.names = self.names
        there = [index for index, host in enumerate(self.hosts)
                 if host == number]
        part.starts = array("d", [self.starts[index] for index in there])
        part.ends = array("d", [self.ends[index] for index in there])
        part.hosts = array("l", [number]) * len(there)
        return part

    @property
    def scope(self) -> Scope:
        return Scope(self.starts, self.ends)
