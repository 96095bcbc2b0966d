"""What a rule has to allow, so that what was normal raises no alarm."""

from __future__ import annotations

import bisect
import datetime
import itertools
import math
import statistics
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.zones import DAY
from canonical.launchpad.monitor.inference.zones import SKEW
from canonical.launchpad.monitor.matching import slot_numbers
from canonical.launchpad.monitor.schedule import slots_of_period


__all__ = [
    "OUTAGE",
    "RUNS",
    "Allowed",
    "allowed_by_cron",
    "allowed_by_timer",
    "average_band",
    "digits",
]


# As a rule has them if it does not say; seconds for the window.
RUNS = 20
WINDOW = float(DAY)

YEAR = 365.25 * DAY

# A silence of more slots than this is an outage.  It is not allowed for,
# unless there are more than a dozen a year.
OUTAGE = 6
OUTAGES = 12

# Later runs may be later than the latest by this part, and by half a period at
# most; the fewer runs there were, the more.
WIDER = 0.5
FEW = 5.0

# Starts that moved by a smaller part of the time between slots do not matter.
DRIFT = 0.02


class Allowed(NamedTuple):
    """What is allowed.

    :ivar grace: seconds.
    :ivar worst: the longest wait that it was learned from, in seconds.
    :ivar outages: how many longer waits were left out.
    :ivar missed: in a day; likewise `extra`, which is `None` for any number.
    :ivar slots: how many slots there were, and of these `met` were met.
    :ivar beside: how many runs were beside them.
    :ivar drift: by how many seconds it starts later than it used to.
    """

    grace: float
    worst: float
    outages: int
    missed: int
    extra: int | None
    slots: int = 0
    met: int = 0
    beside: int = 0
    drift: float = 0.0


class Wait(NamedTuple):
    """How long it took until a run made good for some slots at once."""

    seconds: float
    slots: Sequence[float]


def allowed_by_cron(
    cron: Cron, scopes: Sequence[History], until: float
) -> Allowed:
    """What slots and the runs that met them ask for.

    :param until: when the history ends.
    """
    matches, drifts = [], []
    for scope in scopes:
        slots = _slots(cron, scope.starts[0], until)
        own = [math.inf] * (len(slots) + 1)
        numbers = slot_numbers(slots, scope.starts, SKEW)
        beside = []
        for number, end in zip(numbers, scope.ends, strict=True):
            if own[number] < math.inf:
                beside.append(slots[max(number, 1) - 1])
            own[number] = min(own[number], end)
        drifts.append(_drift(cron, [
            start - slots[max(number, 1) - 1]
            for number, start in zip(numbers, scope.starts, strict=True)]))
        matches.append((slots, own[1:], beside, _waits(slots, own[1:])))
    count = sum(map(len, scopes))
    grace, worst, outages = _grace(
        [wait for *_, waits in matches for wait in waits], cron.spacing,
        count, _years(scopes, until))
    grace = max(digits(grace), cron.spacing / 4, SKEW)
    if outages is not None:
        # With the slot that was met last, six slots are silent.
        grace = min(grace, max((OUTAGE - 1) * cron.spacing, digits(worst)))
    missed = 0
    for slots, own, _, waits in matches:
        ends = dict(zip(slots, own, strict=True))
        # A silence that is reported is missed but not allowed for.
        missed = max(missed, _most([
            slot for wait in waits if wait.seconds <= grace
            for slot in wait.slots if ends[slot] > slot + grace]))
    due = [end for slots, own, *_ in matches
           for slot, end in zip(slots, own, strict=True)
           if slot + grace <= until]
    extras = [sorted(beside) for _, _, beside, _ in matches]
    number = sum(map(len, extras))
    return Allowed(
        grace, worst, outages or 0, _more(missed),
        _more(max(map(_most, extras))) if number <= count / RUNS else None,
        len(due), sum(end < math.inf for end in due), number,
        max(drifts, key=abs))


def _slots(cron: Cron, first: float, until: float) -> list[float]:
    """The slots from that of the first run on."""
    # The slot before the first run may be so many days before it.
    back = 62 if cron.days != MONTH else 8 if cron.weekdays != WEEKDAYS else 2
    since, end = (
        datetime.datetime.fromtimestamp(at, datetime.UTC)
        for at in (first - back * DAY, until + SKEW))
    slots = [slot.timestamp() for slot in slots_of_period(
        cron.text, cron.timezone, since, end)]
    return slots[max(bisect.bisect_right(slots, first + SKEW) - 1, 0):]


def _drift(cron: Cron, late: Sequence[float]) -> float:
    """By how much later runs start than they used to; 0 if that is chance.

    The last quarter of the runs is compared with the first.
    """
    quarter = len(late) // 4
    if quarter < RUNS / 2:
        return 0.0
    (least, first, most), (low, last, high) = (
        (part[0], part[quarter // 2], part[-1])
        for part in (sorted(late[:quarter]), sorted(late[-quarter:])))
    clear = most < last and first < low or least > last and first > high
    moved = last - first
    return moved if clear and abs(moved) > max(
        DRIFT * cron.spacing, SKEW) else 0.0


def _waits(slots: Sequence[float], own: Sequence[float]) -> list[Wait]:
    """How long each slot waited; slots that waited for one run are one.

    This is what the question "has it run recently?" looks at: any later run
    makes good for a slot.  A wait that has not ended is none.

    :param own: when the first of its own runs ended, for each slot.
    """
    ends = list(itertools.accumulate(reversed(own), min))[::-1]
    found = []
    for end, pairs in itertools.groupby(
            zip(ends, slots, strict=True), lambda pair: pair[0]):
        if end < math.inf:
            group = [slot for _, slot in pairs]
            found.append(Wait(end - group[0], group))
    return found


def allowed_by_timer(
    every: float, usual: float, scopes: Sequence[History], until: float
) -> Allowed:
    """What the time between completions asks for.

    :param every: how long it may be; `usual` is its median.
    """
    waits = [
        Wait(b - a, range(int((b - a) // usual)))
        for scope in scopes
        for a, b in itertools.pairwise(sorted(scope.ends))]
    wait, worst, outages = _grace(
        waits, usual, sum(map(len, scopes)), _years(scopes, until))
    grace = max(digits(max(wait - every, 0)), every / 4, SKEW)
    if outages is not None:
        grace = min(grace, max(OUTAGE * usual - every, every / 4))
    due = round(max(WINDOW // every, 1))
    span = due * every + grace
    missed = extra = 0
    for scope in scopes:
        # A run counts from its completion until its start is out of reach.
        silent = -math.inf
        for number, end in enumerate(scope.ends):
            first = bisect.bisect_left(scope.starts, end - span)
            extra = max(extra, number - first + 1 - due)
            if number and end - scope.ends[number - 1] > every + grace:
                silent = end
            if first and end - span >= silent:
                missed = max(missed, due - (number - first))
    return Allowed(
        grace, worst, outages or 0, _more(missed), _more(extra + 2))


def _grace(
    waits: Sequence[Wait], period: float, count: int, years: float
) -> tuple[float, float, int | None]:
    """How long to wait, the longest wait that was normal, and the outages.

    Neither outages nor the latest run of each year are allowed for.  What
    remains is made wider: there will be more runs than these, and the times
    may drift as they did between quarters of the history.

    :return: no number of outages if they are usual.
    """
    long = sorted(
        (wait.seconds for wait in waits if len(wait.slots) > OUTAGE),
        reverse=True)
    most = 1 + int(OUTAGES * years)
    left = sorted(long[most:] + [
        wait.seconds for wait in waits if len(wait.slots) <= OUTAGE])
    late = min(max(round(years), 1), len(left) - 1)
    worst = max(left[-1 - late], 0.0) if left else 0.0
    drift = 0.0
    if len(waits) >= RUNS:
        medians = [statistics.median(wait.seconds for wait in waits[
            part * len(waits) // 4:(part + 1) * len(waits) // 4])
            for part in range(4)]
        drift = min(max(medians) - min(medians), period / 2)
    wider = min(WIDER * worst, period / 2) + min(
        FEW / count * worst, period / 2)
    return worst + wider + drift, worst, (
        len(long) if len(long) <= most else None)


def _years(scopes: Sequence[History], until: float) -> float:
    return sum(until - scope.starts[0] for scope in scopes) / YEAR


def _most(times: Sequence[float]) -> int:
    """How many of these there were in a window, at most."""
    return max((
        number - bisect.bisect_right(times, time - WINDOW)
        for number, time in enumerate(times, 1)), default=0)


def _more(most: int) -> int:
    """A quarter more than there were in the worst day; none if none were."""
    return most + most // 4 + (most > 1)


def digits(
    seconds: float, to: Callable[[float], int] = math.ceil
) -> float:
    """The next longer duration of two digits or so."""
    unit = 3600 if seconds > 36000 else 600 if seconds > 7200 else (
        60 if seconds > 600 else 10 if seconds > 120 else 1 if (
            seconds > 10) else 0.1)
    return round(unit * to(seconds / unit), 1)


def average_band(
    scopes: Sequence[History],
) -> tuple[float, float, float, float] | None:
    """A band for the average runtime, and the least and greatest that it was.

    It is wide enough for averages that vary as these did, and not for twice
    the usual runtime, unless they came near to that.

    :return: seconds; `None` if there were too few runs on some host.
    """
    if min(map(len, scopes)) < RUNS:
        return None
    means: list[float] = []
    logs: list[float] = []
    for scope in scopes:
        took = [end - start for start, end in zip(
            scope.starts, scope.ends, strict=True)]
        sums = list(itertools.accumulate(took, initial=0.0))
        means += [(b - a) / RUNS for a, b in zip(
            sums, sums[RUNS:], strict=False)]
        logs += [math.log(max(each, 1e-3)) for each in took]
    # The ratio by which an average varies, three times.
    ratio = 1.2 * math.exp(min(
        3 * statistics.pstdev(logs) / math.sqrt(RUNS), 1.0))
    low, high = min(means), max(means)
    return (
        digits(low / ratio, math.floor), digits(high * ratio), low, high)
