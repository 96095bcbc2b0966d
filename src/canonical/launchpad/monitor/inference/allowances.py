"""What a rule has to allow, so that what was normal raises no alarm.

Each function returns attributes of the directive ``script``, or none if the
model does not fit, and the evidence in words.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
import statistics
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence

from canonical.launchpad.monitor import evidence
from canonical.launchpad.monitor.clocks import clock_changes
from canonical.launchpad.monitor.clocks import local
from canonical.launchpad.monitor.evidence import words
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import SKEW
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.matching import slot_numbers


__all__ = [
    "RUNS",
    "allowed_by_cron",
    "allowed_by_timer",
    "average_allowed",
]


# As a rule has them if it does not say.
RUNS = 20
WINDOW = DAY

YEAR = 365.25 * DAY

# A silence of more slots than this is an outage.  It is not allowed for,
# unless there are more than a dozen a year.
OUTAGE = 6
OUTAGES = 12

# The grace is at most so many times the time between slots.  With the days of
# rest of a weekend, that is an outage.
LIMIT = 3

# Later runs may be later than the latest by this part, and by half a period at
# most; the fewer runs there were, the more.
WIDER = 0.5
FEW = 5.0

# The text of a duration may be shorter by less than this.
ROUNDING = 1.05

# A run may be early by an eighth of the time between slots, or so many
# seconds, at most.
EARLIEST = 7200

# A schedule is proposed if this part of its slots is met.
LEAST_MET = 0.6

# The rule for irregular runs waits for at most this part of the history.
LONGEST = 0.2

# How many seconds slots waited for a run, how many slots were silent until
# then, and the slots that waited.
Wait = tuple[float, float, Sequence[int]]
Allowed = tuple[dict[str, str], list[str]]


def allowed_by_cron(
    cron: Cron, scopes: Sequence[History], until: float
) -> Allowed:
    """What slots, and the runs that met them, ask for.

    :param until: when the history ends.
    """
    zone, spacing = cron.timezone, cron.spacing
    last, = local(zone, [until])
    ends, extras, drifts = zip(*(
        _matched(cron, scope, last) for scope in scopes), strict=True)
    waits = [list(_waits(each)) for each in ends]
    grace, worst, outages = _grace(
        list(itertools.chain(*waits)), scopes, until, spacing,
        LIMIT * spacing)
    grace = max(
        grace, spacing / 4, SKEW, ROUNDING * worst if spacing < DAY else 0)
    # A silence that is reported is missed but not allowed for.
    missed = max(_most([
        slot for wait, _, silent in own if wait <= grace
        for slot in silent if each[slot] > slot + grace])
        for own, each in zip(waits, ends, strict=True))
    count, extra = sum(map(len, scopes)), sum(map(len, extras))
    due = [end < math.inf for each in ends for slot, end in each.items()
           if slot + grace <= last]
    if sum(due) < LEAST_MET * len(due):
        return {}, [evidence.no_schedule(cron, count, extra, due)]
    drift = max(drifts, key=abs)
    changes = clock_changes(zone, scopes[0].starts[0], until)
    return {
        "schedule": cron.text,
        "timezone": "" if zone == "UTC" else zone,
        "early": "" if drift >= -SKEW else (
            words(min(-drift, spacing / 8, EARLIEST))),
        "grace": words(grace),
        "missed": _more(missed),
        "extra": "" if extra > count / RUNS else (
            _more(max(map(_most, extras))) or "0"),
    }, evidence.slots_seen(
        scopes, due, extra, zone, changes[0][0] if changes else None, worst,
        outages) + ([evidence.drifted(drift)] if abs(drift) > SKEW else [])


def _matched(
    cron: Cron, scope: History, until: int
) -> tuple[dict[int, float], list[int], float]:
    """Matches runs with slots.

    :return: when the first of its own runs ended, for each slot; the slots of
        extra runs; and by how much starts drifted.
    """
    starts = local(cron.timezone, scope.starts)
    slots = cron.slots(starts[0], until)
    met = [slots[number - 1] for number in slot_numbers(slots, starts, SKEW)]
    ends = dict.fromkeys(slots, math.inf)
    for slot, end in zip(met, local(cron.timezone, scope.ends), strict=True):
        ends[slot] = min(ends[slot], end)
    return (ends, list((Counter(met) - Counter(set(met))).elements()),
            _drift(list(map(operator.sub, starts, met))))


def _drift(late: Sequence[float]) -> float:
    """By how much later runs start than they used to; 0 if that is chance.

    The last quarter of the runs is compared with the first.
    """
    size = len(late) // 4
    middle = size // 2
    first, last = sorted(late[:size]), sorted(late[len(late) - size:])
    if size < RUNS / 2:
        return 0.0
    low, high = sorted((first, last), key=operator.itemgetter(middle))
    return last[middle] - first[middle] if (
        low[-1] < high[middle] and low[middle] < high[0]) else 0.0


def _waits(ends: dict[int, float]) -> Iterator[Wait]:
    """The waits of slots; a later run makes good for those without one."""
    waiting: list[int] = []
    for slot, end in ends.items():
        waiting.append(slot)
        if end < math.inf:
            yield end - waiting[0], len(waiting), waiting
            waiting = []


def allowed_by_timer(
    scopes: Sequence[History], until: float, regular: bool
) -> Allowed:
    """What the time between completions asks for.

    :param regular: otherwise the rule only warns of a silence.
    """
    gaps = [b - a for scope in scopes
            for a, b in itertools.pairwise(sorted(scope.ends))]
    usual, every = (
        max(sorted(gaps)[len(gaps) * part // 10], 60.0) for part in (5, 9))
    wait, worst, _ = _grace(
        [(gap, gap // usual, ()) for gap in gaps], scopes, until, usual,
        OUTAGE * usual)
    grace = max(wait - every, every / 4, SKEW)
    if not regular and (
        len(gaps) < RUNS or every + grace > LONGEST * max(
            scope.starts[-1] - scope.starts[0] for scope in scopes)):
        return {}, [evidence.no_interval(gaps)]
    due = max(int(WINDOW // every), 1)
    reach = due * every + grace
    # The runs that count after each completion, if all were recorded.
    counts = [
        number - bisect.bisect_left(scope.starts, end - reach)
        for scope in scopes for number, end in enumerate(scope.ends, 1)
        if end - reach >= scope.starts[0]] or [due]
    return {
        "every": words(every),
        "severity": "" if regular else "warning",
        "grace": words(grace),
        "missed": _more(due + 1 - min(counts)),
        "extra": (_more(max(counts) + 2 - due) or "0") if regular else "",
    }, evidence.intervals_seen(scopes, usual, every, worst, regular)


def _grace(
    waits: Sequence[Wait], scopes: Sequence[History], until: float,
    period: float, limit: float,
) -> tuple[float, float, int]:
    """How long to wait, the longest wait that was normal, and the outages.

    Neither outages nor the latest run of each year and host are allowed for.
    What remains is made wider: there will be more runs than these, and the
    times may drift as they did between quarters of the history.

    :param limit: the longest to wait, unless outages are usual.
    :return: no outages if they are usual.
    """
    years = sum(until - scope.starts[0] for scope in scopes) / YEAR
    outages = sorted((
        wait for wait, silent, _ in waits if silent > OUTAGE), reverse=True)
    most = 1 + int(OUTAGES * years)
    left = sorted([*outages[most:], *(
        wait for wait, silent, _ in waits if silent <= OUTAGE)])
    worst = max([0.0, *left[:-max(round(years), len(scopes))]])
    medians = [statistics.median(wait for wait, *_ in waits[
        part * len(waits) // 4:(part + 1) * len(waits) // 4])
        for part in range(4)] if len(waits) >= RUNS else [0.0]
    wait = worst + sum(min(each, period / 2) for each in (
        WIDER * worst, FEW / len(waits) * worst, max(medians) - min(medians)))
    if len(outages) > most:
        return wait, worst, 0
    return min(wait, limit), worst, len(outages)


def average_allowed(scopes: Sequence[History]) -> Allowed:
    """A band for the average runtime.

    It is wide enough for averages that vary as these did, and not for twice
    the usual runtime, unless they came near to that.
    """
    if min(map(len, scopes)) < RUNS:
        return {}, [f"average: unknown, with fewer than {RUNS} runs"]
    took = [list(map(operator.sub, scope.ends, scope.starts))
            for scope in scopes]
    means = [sum(each[last - RUNS:last]) / RUNS for each in took
             for last in range(RUNS, len(each) + 1)]
    logs = [math.log(max(each, 1e-3)) for each in itertools.chain(*took)]
    # The ratio by which an average varies, three times.
    ratio = 1.2 * math.exp(min(
        3 * statistics.pstdev(logs) / math.sqrt(RUNS), 1.0))
    low, high = min(means), max(means)
    return {"average": f"{words(low / ratio)}..{words(high * ratio)}"}, [
        evidence.average_seen(RUNS, low, high)]


def _most(times: Sequence[float]) -> int:
    """How many of these there were in a window, at most."""
    return max((
        number - bisect.bisect_right(times, time - WINDOW)
        for number, time in enumerate(times, 1)), default=0)


def _more(most: int) -> str:
    """A quarter more than there were in the worst day; none if none were."""
    return str(most + most // 4 + (most > 1)) if most > 0 else ""
