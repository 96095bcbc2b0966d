"""The time zones whose clocks moved within a history."""

from __future__ import annotations

import bisect
import functools
import zoneinfo
from collections.abc import Sequence
from itertools import pairwise

from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import offset


__all__ = [
    "changes",
    "fame",
    "local",
    "tried",
    "zone_bits",
    "zones_that_moved",
]


# Of zones whose clocks moved together these are tried, in this order.
KNOWN = (
    "Europe/London", "America/New_York", "Europe/Berlin",
    "America/Los_Angeles", "America/Chicago", "Australia/Sydney",
    "Europe/Athens", "America/Denver", "America/Sao_Paulo",
    "Pacific/Auckland",
)

# Names that are kept for those who knew them, see `backward` in the IANA
# time zone database; and those that are not of places.
OLD = ("Brazil/", "Canada/", "Chile/", "Etc/", "Mexico/", "US/", "posix/",
       "right/", "Antarctica/")


def local(timezone: str, starts: Sequence[float]) -> list[float]:
    """Seconds by the clock on the wall, of starts in order."""
    if timezone == "UTC":
        return list(starts)
    found: list[float] = []
    ahead = offset(timezone, int(starts[0] // 3600), False)
    for at, moved in (*changes(timezone, starts[0], starts[-1]),
                      (starts[-1] + 1, 0)):
        upto = bisect.bisect_left(starts, at)
        found += [start + ahead for start in starts[len(found):upto]]
        ahead += moved
    return found


def changes(timezone: str, since: float, until: float) -> tuple[
    tuple[int, int], ...
]:
    """When the clocks of a zone moved, and by how many seconds.

    :param since: seconds since 1970 UTC; likewise `until`, and each change.
    """
    # To the hour; all clocks move on a whole hour or half an hour of UTC.
    return tuple(
        change for month in range(
            int(since // (30 * DAY)), int(until // (30 * DAY)) + 1)
        for change in _changes(timezone, month)
        if since < change[0] < until)


@functools.lru_cache(100_000)
def _changes(timezone: str, month: int) -> list[tuple[int, int]]:
    """The changes within thirty days."""
    # No zone moves its clocks twice in ten days.
    hours = range(720 * month, 720 * month + 721, 240)
    found = []
    for before, after in pairwise(hours):
        moved = offset(timezone, after, False) - offset(
            timezone, before, False)
        if moved:
            while after - before > 1:
                middle = (before + after) // 2
                if offset(timezone, middle, False) == offset(
                        timezone, before, False):
                    before = middle
                else:
                    after = middle
            found.append((after * 3600, moved))
    return found


def zones_that_moved(since: float, until: float) -> list[list[str]]:
    """The zones whose clocks moved, in groups that moved together.

    :param since: seconds since 1970 UTC; likewise `until`.
    """
    month = 30 * DAY
    groups = _groups(int(since // month), int(until // month) + 1)
    found: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for names in groups:
        moved = changes(names[0], since, until)
        if moved:
            found.setdefault(moved, []).extend(names)
    return [sorted(names, key=fame) for names in found.values()]


@functools.lru_cache(1000)
def _groups(first: int, last: int) -> Sequence[Sequence[str]]:
    """As `zones_that_moved`, in months of thirty days."""
    found: dict[tuple[tuple[int, int], ...], list[str]] = {}
    for name in _names():
        moved = tuple(
            change for month in range(first, last)
            for change in _changes(name, month))
        found.setdefault(moved, []).append(name)
    return [names for moved, names in found.items() if moved]


@functools.cache
def _names() -> list[str]:
    return sorted((
        name for name in zoneinfo.available_timezones()
        if "/" in name and not name.startswith(OLD)), key=fame)


def fame(name: str) -> tuple[int, str]:
    """A key to sort names by, the best known first."""
    return KNOWN.index(name) if name in KNOWN else len(KNOWN), name


def zone_bits(timezone: str) -> float:
    """What it costs to name a zone, beside the one that is assumed."""
    if timezone == "UTC":
        return 6.0
    return 6.0 + fame(timezone)[0] / 2 if timezone in KNOWN else 30.0


def tried(names: Sequence[str], timezone: str) -> list[str]:
    """Of zones that moved together, those that a schedule is looked for in."""
    known = [name for name in names if name in KNOWN or name == timezone]
    return known or list(names[:1])
