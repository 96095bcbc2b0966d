"""Looks for the model that describes a history in the least bits."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from canonical.launchpad.monitor.inference.candidates import HOUR
from canonical.launchpad.monitor.inference.candidates import STEPS
from canonical.launchpad.monitor.inference.candidates import candidates
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.likelihood import cron_bits
from canonical.launchpad.monitor.inference.likelihood import every_bits
from canonical.launchpad.monitor.inference.likelihood import every_of
from canonical.launchpad.monitor.inference.likelihood import late_bits
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.zones import DAY
from canonical.launchpad.monitor.inference.zones import ZONES
from canonical.launchpad.monitor.inference.zones import changes
from canonical.launchpad.monitor.inference.zones import clock


__all__ = [
    "best",
    "explained",
]


# What a change of schedule has to save, in bits, beside one each time that the
# number of runs doubles, and one for each run of the shorter part.
CHANGE_BITS = 24.0

# Lateness drifts, so the times between starts are steadier than it.  So a
# timer costs so many bits more for each run; and more with a period of cron's.
DRIFT = 2.0
DRIFT_OF_CRON = 6.0

# A zone that is named costs so many bits, and half a bit for each that is
# better known.
ZONE_BITS = 6.0

# Zones that need so many bits more fit as well.
SAME = 10.0

# A sum is far from zero if steady values would come there once in five times;
# see Kolmogorov, "Sulla determinazione empirica di una legge" (1933).
PEAK = 1.07

# Where more slots than this part are unmet, a change may be anywhere.
LOOSE = 0.05

# What runs every hour shows no zone, unless this part of its slots is unmet.
HOURLY = 0.02

# A part of a history needs so many runs to show a schedule.
FEWEST = 3


class Found(NamedTuple):
    """A model, and the bits that it takes to describe a history with it."""

    bits: float
    model: Cron | Every


class Change(NamedTuple):
    """A schedule that changed.

    :ivar at: the start of the first run after it.
    """

    at: float
    before: Cron | Every


class Explained(NamedTuple):
    """A model of the last runs of a history.

    :ivar bits: of the whole history.
    :ivar change: the last change of the schedule, if it ever changed.
    :ivar alike: lines of crontabs in other zones that fit as well.
    """

    bits: float
    found: Found
    change: Change | None
    alike: Sequence[Cron]


def best(
    scopes: Sequence[History], timezone: str, timers: bool = True,
    least: float = math.inf
) -> Found:
    """The model that takes the least bits.

    :param timezone: where cron runs.
    :param timers: is a timer among them?
    :param least: a model that takes more bits does not matter.
    """
    busiest = max(scopes, key=len)
    clocks = [clock(timezone, scope.starts) for scope in scopes]
    found = [Found(math.inf, Every(1, "start"))]
    if timers:
        count = sum(map(len, scopes))
        period = every_of(busiest, "start").period
        drift = DRIFT_OF_CRON if any(
            abs(period / step - 1) < 0.002 for step in STEPS) else DRIFT
        for after in "start", "completion":
            every = every_of(busiest, after)
            found.append(
                Found(every_bits(every, scopes) + drift * count, every))
        least = min(least, *(each.bits for each in found))
    seconds = clocks[scopes.index(busiest)].seconds
    crons = dict.fromkeys(candidates(seconds, timezone))
    for (bits, matches), cron in sorted((
        (cron_bits(cron, clocks), cron) for cron in crons),
        key=lambda each: each[0][0]
    ):
        if bits > least:
            break
        bits += late_bits(cron, matches)
        found.append(Found(bits, cron))
        least = min(least, bits)
    return min(found, key=lambda each: each.bits)


def explained(
    scopes: Sequence[History], timezone: str, found: Found
) -> Explained:
    """What takes the least bits: a timer, or cron in some zone.

    Each with its changes: what looks like a timer may be cron with a schedule
    that changed.

    :param found: the best in the time zone that is assumed.
    """
    cron = found if isinstance(found.model, Cron) else best(
        scopes, timezone, False)
    models: list[tuple[Found, Sequence[Cron]]] = [(cron, ())]
    if others := _in_zones(scopes, timezone, cron):
        bits = others[0].bits
        models.append((others[0], [
            other.model for other in others[1:] if other.bits < bits + SAME
            and isinstance(other.model, Cron)]))
    if found is not cron:
        models.append((found, ()))
    return min((
        _since_change(scopes, timezone, *each) for each in models),
        key=lambda each: each.bits)


def _in_zones(
    scopes: Sequence[History], timezone: str, cron: Found
) -> list[Found]:
    """The best model in each other zone, the best of all first.

    A zone is tried if its clocks moved within the history, and if fewer times
    of the day remain when the starts are read on them.

    :param cron: the best in the time zone that is assumed.
    """
    if isinstance(cron.model, Cron) and cron.model.runs_every_hour() and (
            not _is_loose(cron.model, scopes, HOURLY)):
        return []
    starts = max(scopes, key=len).starts
    groups: dict[tuple[int, ...], list[str]] = {}
    for zone in ZONES:
        if zone != timezone:
            moved = changes(zone, starts[0], starts[-1])
            groups.setdefault(tuple(moved), []).append(zone)
    groups.pop((), None)
    spreads = sorted(
        (_spread(starts, group[0]) + _zone_bits(group[0]), group)
        for group in groups.values())
    plain = _spread(starts, timezone)
    found = []
    for spread, group in spreads:
        if spread > min(plain, spreads[0][0] + SAME):
            break
        for zone in group:
            found.append(_in_zone(scopes, zone))
            # The others have their hours too, or none has.
            if found[-1].bits > cron.bits:
                break
    if timezone != "UTC":
        found.append(_in_zone(scopes, "UTC"))
    return sorted(found, key=lambda each: each.bits)


def _in_zone(scopes: Sequence[History], timezone: str) -> Found:
    bits, model = best(scopes, timezone, False)
    return Found(bits + _zone_bits(timezone), model)


def _zone_bits(timezone: str) -> float:
    """What it costs to name a zone, beside the one that is assumed."""
    return ZONE_BITS + (
        ZONES.index(timezone) / 2 if timezone in ZONES else 0)


def _spread(starts: Sequence[float], timezone: str) -> float:
    """The bits of the times of the day, in quarters of an hour."""
    counts = Counter(
        second % DAY // 900 for second in clock(timezone, starts).seconds)
    return len(starts) * math.log2(len(starts)) - sum(
        count * math.log2(count) for count in counts.values())


def _since_change(
    scopes: Sequence[History], timezone: str, found: Found,
    alike: Sequence[Cron],
) -> Explained:
    """The model since the last change of the schedule."""
    timezone = found.model.timezone if isinstance(
        found.model, Cron) else timezone
    bits, last = found.bits, None
    while (changed := _changed(scopes, timezone, found)) is not None:
        last, after, saved = changed
        bits -= saved
        found = after
        scopes = [part for scope in scopes
                  if len(part := scope.between(last.at, math.inf))]
    return Explained(bits, found, last, () if last else alike)


def _changed(
    scopes: Sequence[History], timezone: str, found: Found
) -> tuple[Change, Found, float] | None:
    """The change of the schedule that saves the most bits, and these."""
    chosen = None
    limit = whole = found.bits - CHANGE_BITS - math.log2(
        sum(map(len, scopes)))
    # Where nearly every slot has its run, a change shows in the bits of a run.
    loose = not isinstance(found.model, Cron) or _is_loose(
        found.model, scopes, LOOSE)
    for at in _places(scopes, timezone):
        before, after = (
            [part for scope in scopes
             if len(part := scope.between(*span)) >= FEWEST]
            for span in ((-math.inf, at), (at, math.inf)))
        if not before or not after:
            continue
        parts = [sum(map(len, part)) for part in (before, after)]
        shorter = min(parts)
        if not loose and abs(
            _bits(found.model, before) / parts[0]
            - _bits(found.model, after) / parts[1]
        ) * shorter < (CHANGE_BITS + shorter) / 2:
            continue
        later = best(after, timezone, True, limit - shorter)
        if later.bits > limit - shorter:
            continue
        earlier = best(before, timezone, True, limit - shorter - later.bits)
        bits = earlier.bits + later.bits + shorter
        if bits < limit and earlier.model != later.model:
            limit = bits
            chosen = Change(at, earlier.model), later, whole - bits
    return chosen


def _bits(model: Cron | Every, scopes: Sequence[History]) -> float:
    """What it takes to describe runs with a model whose text is known."""
    if isinstance(model, Every):
        return every_bits(model, scopes)
    bits, matches = cron_bits(model, [
        clock(model.timezone, scope.starts) for scope in scopes])
    return bits + late_bits(model, matches) - model.bits


def _is_loose(cron: Cron, scopes: Sequence[History], part: float) -> bool:
    """Are more slots unmet, or more runs beside their slot, than a part?"""
    for scope in scopes:
        first = cron.matched(clock(cron.timezone, scope.starts)).first
        if len(first) < (1 - part) * max(
                max(first) - min(first) + 1, len(scope)):
            return True
    return False


def _places(scopes: Sequence[History], timezone: str) -> list[float]:
    """Where a schedule may have changed: the starts of some runs.

    At the half, at three quarters, at seven eighths, and where the sums of
    what gaps and times of the day differ from their mean are farthest from
    zero.
    """
    starts = max(scopes, key=len).starts
    count = len(starts)
    if count < 2 * FEWEST:
        return []
    numbers = {count // 2, count * 3 // 4, count * 7 // 8}
    seconds = clock(timezone, starts).seconds
    rows = [[math.log(max(b - a, 1)) for a, b in pairwise(starts)]]
    for size in DAY, HOUR:
        angles = [2 * math.pi * second / size for second in seconds]
        rows += [list(map(math.sin, angles)), list(map(math.cos, angles))]
    for values in rows:
        mean = sum(values) / len(values)
        sums = list(itertools.accumulate(value - mean for value in values))
        least = PEAK * math.sqrt(sum(
            (value - mean) ** 2 for value in values))
        numbers.update(
            sums.index(peak) + 1 for peak in (min(sums), max(sums))
            if abs(peak) > least)
    return [starts[number] for number in sorted(numbers)
            if FEWEST <= number <= count - FEWEST]
