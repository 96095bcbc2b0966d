"""What a rule has to allow, so that what was normal raises no alarm.

Each function returns attributes of the directive ``script``, and the evidence
for them in words.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
import math
import operator
import statistics
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence

from canonical.config.durations import rounded_text
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import SKEW
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import changes
from canonical.launchpad.monitor.inference.model import local
from canonical.launchpad.monitor.matching import slot_numbers
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


__all__ = [
    "RUNS",
    "allowed_by_cron",
    "allowed_by_timer",
    "span",
    "when",
    "words",
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

# The text of a duration may be shorter by less than this.
ROUNDING = 1.05

# Starts that moved by a smaller part of the time between slots do not matter.
DRIFT = 0.02

# A run may be early by the time by which starts came to be earlier, or by an
# eighth of the time between slots; but by no more than this, in seconds.
EARLIEST = 7200.0

# A schedule is proposed if no more than this part of the runs is beside its
# slots, and this part of the slots is met.
BESIDE = 0.25
LEAST_MET = 0.6

# The rule for irregular runs waits for at most this part of the history.
LONGEST = 0.2


# How many seconds slots waited for a run, how many slots were silent until
# then, and the slots that waited.
Wait = tuple[float, float, Sequence[float]]


def allowed_by_cron(
    cron: Cron, scopes: Sequence[History], until: float
) -> tuple[dict[str, str], list[str]]:
    """What slots, and the runs that met them, ask for.

    :param until: when the history ends.
    :return: no attributes if the schedule does not fit.
    """
    drift, spacing = 0.0, cron.spacing
    waits: list[list[Wait]] = []
    ends: list[dict[float, float]] = []
    extras: list[list[float]] = []
    last, = local(cron.timezone, [until])
    for scope in scopes:
        starts = local(cron.timezone, scope.starts)
        slots = cron.slots(starts[0], last)
        met = [slots[number - 1] for number in slot_numbers(
            slots, starts, SKEW)]
        drift = max(drift, _drift(
            list(map(operator.sub, starts, met)), spacing), key=abs)
        ends.append(dict.fromkeys(slots, math.inf))
        extras.append([])
        for slot, end in zip(
                met, local(cron.timezone, scope.ends), strict=True):
            if ends[-1][slot] < math.inf:
                extras[-1].append(slot)
            ends[-1][slot] = min(ends[-1][slot], end)
        waits.append(list(_waits(ends[-1], spacing)))
    grace, worst, outages = _grace(
        list(itertools.chain(*waits)), spacing, scopes, until)
    if outages is not None:
        # Six slots are silent with the slot that was met last, or six days.
        grace = min(grace, max(ROUNDING * worst, min((
            b - a for a, b in zip(slots, slots[OUTAGE - 1:], strict=False)),
            default=math.inf)) if spacing < DAY else OUTAGE * spacing - max(
            map(operator.sub, slots[1:], slots)))
    grace = max(grace, spacing / 4, SKEW)
    # A silence that is reported is missed but not allowed for.
    missed = max(_most([
        slot for seconds, _, slots in own if seconds <= grace
        for slot in slots if each[slot] > slot + grace])
        for own, each in zip(waits, ends, strict=True))
    count, extra = sum(map(len, scopes)), sum(map(len, extras))
    due = [end < math.inf for each in ends for slot, end in each.items()
           if slot + grace <= last]
    if extra > BESIDE * count or sum(due) < LEAST_MET * len(due):
        return {}, [
            f"no schedule fits: with the nearest, {cron}, {extra} of {count}"
            f" runs have no slot, and {due.count(False)} of {len(due)} slots"
            " have no run"]
    moved = changes(cron.timezone, scopes[0].starts[0], until)
    said = [
        f"schedule: {sum(due)} of {counted(len(due), 'slot')} have a run,"
        f" {span(scopes)}"
        + (f"; {counted(extra, 'extra run')}" if extra else ""),
        f"timezone: starts moved with the clocks of {cron.timezone}, first at"
        f" {when(moved[0])}" if moved else
        f"timezone: {cron.timezone} is assumed, since starts moved with no"
        " clocks",
        f"grace: the latest completion came {words(worst) or '0s'} after its"
        " slot"
        + (f"; {counted(outages, 'outage')} left out" if outages else "")]
    if drift:
        # What does the script wait for?
        said.append(
            f"drift: it starts {words(abs(drift))}"
            f" {'later' if drift > 0 else 'earlier'} than it used to")
    return {
        "schedule": cron.text,
        "timezone": "" if cron.timezone == "UTC" else cron.timezone,
        "early": words(min(max(-drift, 0), spacing / 8, EARLIEST)),
        "grace": words(grace),
        "missed": _more(missed),
        "extra": (_more(max(map(_most, extras))) or "0") if (
            extra <= count / RUNS) else "",
    }, said


def _drift(late: Sequence[float], spacing: float) -> float:
    """By how much later runs start than they used to; 0 if that is chance.

    The last quarter of the runs is compared with the first.
    """
    size = len(late) // 4
    if size < RUNS / 2:
        return 0.0
    (least, first, most), (low, last, high) = (
        (part[0], part[size // 2], part[-1])
        for part in (sorted(late[:size]), sorted(late[-size:])))
    clear = most < last and first < low or least > last and first > high
    return last - first if clear and abs(last - first) > max(
        DRIFT * spacing, SKEW) else 0.0


def _waits(ends: Mapping[float, float], spacing: float) -> Iterator[Wait]:
    """The waits of slots; any later run makes good for a slot.

    :param ends: when the first of its own runs ended, for each slot.
    """
    slots = list(ends)
    good = list(itertools.accumulate(
        reversed(list(ends.values())), min))[::-1]
    for end, group in itertools.groupby(range(len(slots)), good.__getitem__):
        first, *others = group
        if end < math.inf:
            # The days of rest before a slot are silent too.
            silent = 1.0 + len(others) if spacing < DAY else (
                end - slots[max(first - 1, 0)]) / spacing
            yield end - slots[first], silent, slots[
                first:first + len(others) + 1]


def allowed_by_timer(
    scopes: Sequence[History], until: float, regular: bool
) -> tuple[dict[str, str], list[str]]:
    """What the time between completions asks for.

    :param regular: otherwise the rule only warns of a silence.
    :return: no attributes if silences are too long for that.
    """
    gaps = [b - a for scope in scopes
            for a, b in itertools.pairwise(sorted(scope.ends))]
    usual, every = (
        max(sorted(gaps)[len(gaps) * part // 10], 60.0) for part in (5, 9))
    wait, worst, outages = _grace(
        [(gap, gap // usual, ()) for gap in gaps], usual, scopes, until)
    if outages is not None:
        wait = min(wait, OUTAGE * usual)
    grace = max(wait - every, every / 4, SKEW)
    if not regular and (
        len(gaps) < RUNS or every + grace > LONGEST * max(
            scope.starts[-1] - scope.starts[0] for scope in scopes)):
        return {}, [
            "no interval fits: the time between completions varies from"
            f" {words(min(gaps))} to {words(max(gaps))}"]
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
    }, [
        f"every: starts follow no clock; it completed every {words(usual)},"
        f" nine of ten times within {words(every)}, {span(scopes)}"
        + ("" if regular else "; the rule warns only of a silence"),
        f"grace: the longest time between completions was {words(worst)}"]


def _grace(
    waits: Sequence[Wait], period: float, scopes: Sequence[History],
    until: float,
) -> tuple[float, float, int | None]:
    """How long to wait, the longest wait that was normal, and the outages.

    Neither outages nor the latest run of each year are allowed for.  What
    remains is made wider: there will be more runs than these, and the times
    may drift as they did between quarters of the history.

    :return: no number of outages if they are usual.
    """
    years = sum(until - scope.starts[0] for scope in scopes) / YEAR
    long = sorted((
        seconds for seconds, silent, _ in waits if silent > OUTAGE),
        reverse=True)
    most = 1 + int(OUTAGES * years)
    left = sorted(long[most:] + [
        seconds for seconds, silent, _ in waits if silent <= OUTAGE])
    late = min(max(round(years), 1), len(left) - 1)
    worst = max(left[-1 - late], 0.0) if left else 0.0
    drift = 0.0
    if len(waits) >= RUNS:
        medians = [statistics.median(seconds for seconds, *_ in waits[
            part * len(waits) // 4:(part + 1) * len(waits) // 4])
            for part in range(4)]
        drift = max(medians) - min(medians)
    return worst + sum(min(each, period / 2) for each in (
        WIDER * worst, FEW / max(len(waits), 1) * worst, drift)), worst, (
            len(long) if len(long) <= most else None)


def _most(times: Sequence[float]) -> int:
    """How many of these there were in a window, at most."""
    return max((
        number - bisect.bisect_right(times, time - WINDOW)
        for number, time in enumerate(times, 1)), default=0)


def _more(most: int) -> str:
    """A quarter more than there were in the worst day; none if none were."""
    return str(most + most // 4 + (most > 1)) if most > 0 else ""


def words(seconds: float) -> str:
    """A duration in short; empty if it is 0."""
    return rounded_text(
        datetime.timedelta(seconds=seconds)) if seconds else ""


def span(scopes: Sequence[History]) -> str:
    return (
        f"from {when(min(scope.starts[0] for scope in scopes))} to"
        f" {when(max(scope.starts[-1] for scope in scopes))}")


def when(at: float) -> str:
    return time_text(
        datetime.datetime.fromtimestamp(at, datetime.UTC), "minutes")
