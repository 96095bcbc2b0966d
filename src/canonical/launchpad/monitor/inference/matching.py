"""Which run was for which slot, in hindsight.

A check asks whether the slots that are due were met by then; this looks back,
and tells a slot that was missed since nothing ran from one that was missed
since the run before it was not done.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from canonical.launchpad.interfaces import Run


__all__ = [
    "Match",
    "SOON",
    "Times",
    "latest_normal",
    "longest_normal",
    "match",
    "quantile",
    "slots_within",
    "times_of",
]


# By how many seconds a clock may be behind that of the schedule; less if
# slots are so near to each other that this would be another's time.
EARLY = 60.0
EARLY_IF_FREQUENT = 5.0
FREQUENT = 300.0

# So many seconds after a slot a run may be one more for it, or that for one
# before.
SOON = 600.0

# So many slots in a row may be met late because the first of them was.
CHAIN = 4

# So many runs have to have taken as long as another for it to be usual.
OTHERS = 2


class Times(NamedTuple):
    """A run, in seconds since 1970 UTC."""

    hostname: str
    started: float
    completed: float

    @property
    def duration(self) -> float:
        """In seconds."""
        return self.completed - self.started


@dataclass(frozen=True)
class Match:
    """Slots, and what ran for each.

    :ivar slots: in seconds since 1970 UTC, in order.
    :ivar runs: the first run for each slot, or `None`.
    :ivar covered: the numbers of slots without a run that fell into the run
        before it.
    :ivar gaps: the numbers of slots that have no run and no such excuse.
    :ivar again: the runs soon after a slot that had one already.
    :ivar extra: the runs beside those.
    """

    slots: Sequence[float]
    runs: tuple[Times | None, ...]
    covered: frozenset[int]
    gaps: tuple[int, ...]
    again: tuple[Times, ...]
    extra: tuple[Times, ...]

    @property
    def lateness(self) -> list[float]:
        """Of the starts after their slots, in seconds."""
        return [
            run.started - slot
            for slot, run in zip(self.slots, self.runs, strict=True) if run]

    def stretches(self) -> list[list[int]]:
        """The gaps, those that follow on each other together."""
        found: list[list[int]] = []
        for number in self.gaps:
            if found and found[-1][-1] == number - 1:
                found[-1].append(number)
            else:
                found.append([number])
        return found


def times_of(runs: Sequence[Run]) -> list[Times]:
    """Runs, in order of their starts."""
    return sorted((
        Times(run.hostname, run.date_started.timestamp(),
              run.date_completed.timestamp())
        for run in runs), key=lambda each: each.started)


def quantile(values: Sequence[float], fraction: float) -> float:
    """The value that this fraction of `values` do not exceed."""
    return sorted(values)[min(int(fraction * len(values)), len(values) - 1)]


def longest_normal(runs: Sequence[Times]) -> float:
    """How long a run takes at most that is not stuck, in seconds.

    That is twice what most take, or what is nothing unusual since at least
    two others took half as long or longer.
    """
    durations = sorted(run.duration for run in runs)
    usual = [
        duration for other, duration in zip(
            durations, durations[OTHERS:], strict=False)
        if other >= 0.5 * duration]
    return max(2 * quantile(durations, 0.95), *usual, 0.0)


def latest_normal(lateness: Sequence[float]) -> float:
    """How late a run starts at most that is for the slot, in seconds."""
    return max(4 * quantile(lateness or [0.0], 0.9), 600.0)


def slots_within(
    slots: Sequence[float], first: float, last: float
) -> Sequence[float]:
    """The slots from that of a start to the last that is not later.

    :param slots: in seconds since 1970 UTC, in order; `first` and `last`
        likewise.
    """
    since = bisect.bisect(slots, first + _early(slots)) - 1
    return slots[max(since, 0):bisect.bisect(slots, last)]


def _early(slots: Sequence[float]) -> float:
    spacing = min(
        (after - slot for slot, after in zip(slots, slots[1:], strict=False)),
        default=FREQUENT)
    return EARLY if spacing >= FREQUENT else EARLY_IF_FREQUENT


def match(
    slots: Sequence[float],
    runs: Sequence[Times],
    longest: float,
    latest: float | None = None,
) -> Match:
    """Find the run for each slot.

    A run that is later after its slot than most, by far, or that is still
    stuck when the next is due, does not make good for it.  If there were two
    for a slot and none for one before, then all between came late.

    :param slots: in seconds since 1970 UTC, in order.
    :param runs: in order of their starts.
    :param longest: see `longest_normal`.
    :param latest: by how many seconds it may be later; by default see
        `latest_normal`.
    """
    early = _early(slots)
    numbers = [
        bisect.bisect(slots, run.started + early) - 1 for run in runs]
    if latest is None:
        firsts: dict[tuple[str, int], float] = {}
        for number, run in zip(numbers, runs, strict=True):
            if number >= 0:
                firsts.setdefault(
                    (run.hostname, number), run.started - slots[number])
        latest = latest_normal([*firsts.values()])
    found: list[Times | None] = [None] * len(slots)
    last: dict[str, int] = {}
    again: list[Times] = []
    extra: list[Times] = []
    covered = set()
    for number, run in zip(numbers, runs, strict=True):
        stuck = run.duration > longest
        if number < 0 or run.started - slots[number] > latest:
            extra.append(run)
        elif last.get(run.hostname) == number:
            free = _free_before(number, slots, found)
            if free is None:
                late = run.started - slots[number]
                (again if late <= SOON else extra).append(run)
            else:
                found[free:number + 1] = *found[free + 1:number + 1], run
        elif not stuck or run.completed <= (
                slots[number + 1] if number + 1 < len(slots) else math.inf):
            last[run.hostname] = number
            if found[number] is None:
                found[number] = run
        if not stuck:
            over = max(number + 1, 0)
            while over < len(slots) and slots[over] < run.completed:
                covered.add(over)
                over += 1
    missing = [number for number, run in enumerate(found) if run is None]
    return Match(
        slots=slots,
        runs=tuple(found),
        covered=frozenset(covered.intersection(missing)),
        gaps=tuple(each for each in missing if each not in covered),
        again=tuple(again),
        extra=tuple(extra),
    )


def _free_before(
    number: int,
    slots: Sequence[float],
    found: Sequence[Times | None],
) -> int | None:
    """The slot without a run from which on each run is for the slot before.

    :return: the number of the slot; `None` if they would be too late.
    """
    for before in range(number - 1, max(number - 1 - CHAIN, -1), -1):
        run = found[before + 1]
        if run is None or run.started - slots[before] > SOON:
            return None
        if found[before] is None:
            return before
    return None
