"""What a rule has to allow, so that what was normal raises no alarm."""

from __future__ import annotations

import bisect
import datetime
import itertools
import math
import statistics
from collections import deque
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.monitor.inference.likelihood import SKEW
from canonical.launchpad.monitor.inference.likelihood import matched_slots
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.search import Scope


__all__ = [
    "RUNS",
    "Allowed",
    "allowed_by_cron",
    "allowed_by_timer",
    "average_band",
    "rounded",
]


# As a rule has them if it does not say; seconds for the window.
RUNS = 20
WINDOW = float(DAY)

YEAR = 365.25 * DAY

# A silence of more slots than this is an outage.  It is not allowed for,
# unless there are more than a dozen a year.
OUTAGE = 6
OUTAGES = 12

# One run a year may be later than what is allowed for.
LATE = 1

# Later runs may be later than the latest by this part, and by half a period at
# most; the fewer runs there were, the more.
WIDER = 0.5
FEW = 5.0

# Durations that people use, in seconds.
USUAL = (1, 2, 3, 5, 10, 15, 20, 30, 45) + tuple(
    60 * minutes for minutes in (
        1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 600,
        720, 960, 1080, 1440, 1800, 2160, 2880))


class Allowed(NamedTuple):
    """What is allowed.

    :ivar grace: seconds.
    :ivar worst: the longest wait that it was learned from, in seconds.
    :ivar outages: how many longer waits were left out.
    :ivar missed: in a day; likewise `extra`, which is `None` for any number.
    :ivar slots: how many slots there were, and of these `met` were met.
    :ivar beside: how many runs were beside them.
    """

    grace: float
    worst: float
    outages: int
    missed: int
    extra: int | None
    slots: int = 0
    met: int = 0
    beside: int = 0


class Outages(NamedTuple):
    """Silences of more slots than `OUTAGE`.

    :ivar number: how many were left out.
    :ivar usual: were there too many to leave all out?
    """

    number: int
    usual: bool


class Wait(NamedTuple):
    """How long it took until a run made good for a slot.

    :ivar slots: how many slots it took at once.
    :ivar since: the slot.
    """

    seconds: float
    slots: int
    since: float


def allowed_by_cron(
    cron: Cron, scopes: Sequence[Scope], until: float
) -> Allowed:
    """What slots and the runs that met them ask for.

    :param until: when the history ends.
    """
    matches = [
        (scope, *matched_slots(cron, scope.starts, until)) for scope in scopes]
    waits = [
        wait for each in matches for wait in _waits(*each, until)]
    count = sum(len(scope.starts) for scope in scopes)
    grace, worst, outages = _grace(
        waits, cron.spacing, count, _years(scopes, until))
    grace = max(rounded(grace), cron.spacing / 4, SKEW)
    if not outages.usual:
        # With the slot that was met last, six slots are silent.
        grace = min(grace, max(
            (OUTAGE - 1) * cron.spacing, rounded(worst)))
    missed = extra = beside = due = met = 0
    for scope, slots, numbers in matches:
        first: dict[int, float] = {}
        for number, end in zip(numbers, scope.ends, strict=True):
            first[number] = min(end, first.get(number, end))
        beside += len(numbers) - len(first)
        extra = max(extra, _most(sorted(_beside(numbers, slots))))
        silent = {
            wait.since for wait in waits if wait.seconds > grace}
        gone = [
            slot for number, slot in enumerate(slots, 1)
            if slot + grace <= until
            and first.get(number, math.inf) > slot + grace]
        due += sum(slot + grace <= until for slot in slots)
        met += sum(slot + grace <= until and number in first
                   for number, slot in enumerate(slots, 1))
        missed = max(missed, _most(
            _without(gone, slots, silent, waits, grace)))
    rare = beside <= count / RUNS
    return Allowed(
        grace, worst, outages.number, _more(missed),
        _more(extra) if rare else None, due, met, beside)


def _without(
    gone: Sequence[float],
    slots: Sequence[float],
    silent: set[float],
    waits: Iterable[Wait],
    grace: float,
) -> list[float]:
    """The missed slots that belong to no silence that is reported anyway."""
    if not silent:
        return list(gone)
    out: set[float] = set()
    for wait in waits:
        if wait.seconds > grace:
            first = bisect.bisect_left(slots, wait.since)
            out.update(slots[first:first + wait.slots])
    return [slot for slot in gone if slot not in out]


def _beside(
    numbers: Sequence[int], slots: Sequence[float]
) -> Iterable[float]:
    """The slot of each run that is beside its slot."""
    return (
        slots[max(number, 1) - 1] for before, number in zip(
            [-1, *numbers], numbers, strict=False) if number == before)


def allowed_by_timer(
    every: float, usual: float, scopes: Sequence[Scope], until: float
) -> Allowed:
    """What the time between completions asks for.

    :param every: how long it may be; `usual` is its median.
    """
    waits = []
    for scope in scopes:
        waits += [
            Wait(b - a, int((b - a) // usual), a)
            for a, b in itertools.pairwise(sorted(scope.ends))]
    count = sum(len(scope.starts) for scope in scopes)
    wait, worst, outages = _grace(
        waits, usual, count, _years(scopes, until))
    grace = max(rounded(max(wait - every, 0)), every / 4, SKEW)
    if not outages.usual:
        grace = min(grace, max(OUTAGE * usual - every, every / 4))
    span = max(WINDOW // every, 1) * every
    due = round(span / every)
    silent = [
        (each.since, each.since + each.seconds) for each in waits
        if each.seconds > every + grace]
    missed = extra = 0
    for starts, ends in scopes:
        for number, end in enumerate(ends):
            # A run counts from its completion until its start is out of reach.
            first = bisect.bisect_left(starts, end - span - grace)
            extra = max(extra, number - first + 1 - due)
            if first and not any(
                    a < end and end - span - grace < b for a, b in silent):
                missed = max(missed, due - (number - first))
    return Allowed(
        grace, worst, outages.number, _more(missed), _more(max(extra, 0) + 2))


def _waits(
    scope: Scope, slots: Sequence[float], numbers: Sequence[int], until: float
) -> list[Wait]:
    """How long each slot waited; slots that waited for one run are one.

    This is what the question "has it run recently?" looks at: any later run
    makes good for a slot.  A wait that has not ended is none.
    """
    earliest = list(itertools.accumulate(reversed(scope.ends), min))[::-1]
    found: list[Wait] = []
    last = -1.0
    for number, slot in enumerate(slots, 1):
        first = bisect.bisect_left(numbers, number)
        if first == len(numbers):
            break
        if earliest[first] == last:
            found[-1] = found[-1]._replace(slots=found[-1].slots + 1)
        else:
            last = earliest[first]
            found.append(Wait(last - slot, 1, slot))
    return found


def _grace(
    waits: Sequence[Wait], period: float, count: int, years: float
) -> tuple[float, float, Outages]:
    """How long to wait, the longest wait that was normal, and the outages.

    Neither outages nor the latest run of each year are allowed for.  What
    remains is made wider: there will be more runs than these, and the times
    may drift as they did between quarters of the history.
    """
    ordered = sorted(waits, reverse=True)
    long = [wait for wait in ordered if wait.slots > OUTAGE]
    most = 1 + int(OUTAGES * years)
    left = long[most:] + [wait for wait in ordered if wait.slots <= OUTAGE]
    left.sort(reverse=True)
    late = min(max(round(LATE * years), 1), len(left) - 1)
    worst = max(left[late].seconds, 0.0) if left else 0.0
    quarters = [
        statistics.median(wait.seconds for wait in quarter)
        for part in range(4)
        if (quarter := waits[part * len(waits) // 4:
                             (part + 1) * len(waits) // 4])]
    drift = min(max(quarters) - min(quarters), period / 2) if (
        len(waits) >= RUNS) else 0.0
    wider = min(WIDER * worst, period / 2) + min(
        FEW / count * worst, period / 2)
    return worst + wider + drift, worst, Outages(
        min(len(long), most), len(long) > most)


def _years(scopes: Sequence[Scope], until: float) -> float:
    return sum(until - scope.starts[0] for scope in scopes) / YEAR


def _most(times: Sequence[float]) -> int:
    """How many of these there were in a window, at most."""
    most = first = 0
    for number, time in enumerate(times):
        while times[first] <= time - WINDOW:
            first += 1
        most = max(most, number - first + 1)
    return most


def _more(most: int) -> int:
    """A quarter more than there were in the worst day; none if none were."""
    return most + most // 4 + (most > 1)


def rounded(seconds: float) -> float:
    """The next longer duration that people would use."""
    if seconds > USUAL[-1]:
        return float(-(-seconds // DAY) * DAY)
    return float(USUAL[bisect.bisect_left(USUAL, seconds)])


def average_band(
    scopes: Sequence[Scope],
) -> tuple[datetime.timedelta, datetime.timedelta, float, float] | None:
    """A band for the average runtime, and the least and greatest that it was.

    It is wide enough for averages that vary as these did, and not for twice
    the usual runtime, unless they came near to that.

    :return: `None` if there were too few runs on some host.
    """
    if min(len(scope.starts) for scope in scopes) < RUNS:
        return None
    means: list[float] = []
    logs: list[float] = []
    for scope in scopes:
        latest: deque[float] = deque(maxlen=RUNS)
        for start, end in zip(scope.starts, scope.ends, strict=True):
            latest.append(end - start)
            logs.append(math.log(max(end - start, 1e-3)))
            if len(latest) == RUNS:
                means.append(sum(latest) / RUNS)
    # The ratio by which an average varies, three times.
    ratio = 1.2 * math.exp(min(
        3 * statistics.pstdev(logs) / math.sqrt(RUNS), 1.0))
    low, high = min(means), max(means)
    return (
        _digits(low / ratio, math.floor), _digits(high * ratio, math.ceil),
        low, high)


def _digits(seconds: float, to: object) -> datetime.timedelta:
    """Two digits or so."""
    unit = 3600 if seconds > 36000 else 600 if seconds > 7200 else (
        60 if seconds > 600 else 10 if seconds > 120 else 1 if (
            seconds > 10) else 0.1)
    return datetime.timedelta(seconds=round(
        unit * to(seconds / unit), 1))  # type: ignore[operator]
