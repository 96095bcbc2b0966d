"""Looks for the model that describes a history in the least bits."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.monitor.inference.candidates import STEPS
from canonical.launchpad.monitor.inference.candidates import candidates
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.likelihood import cron_bits
from canonical.launchpad.monitor.inference.likelihood import every_bits
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import HOUR
from canonical.launchpad.monitor.inference.model import ZONES
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.model import changes
from canonical.launchpad.monitor.inference.model import local


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

# So many zones are compared in full.
TRIED = 3

# A sum is far from zero if steady values would come there once in five times;
# see Kolmogorov, "Sulla determinazione empirica di una legge" (1933).
PEAK = 1.07

# A part of a history needs so many runs to show a schedule.
FEWEST = 3


class Found(NamedTuple):
    """A model, and the bits that it takes to describe a history with it.

    :ivar changed: the start of the first run of this model, if there was
        another before it: `before`.
    """

    bits: float
    model: Cron | Every
    changed: float = -math.inf
    before: Cron | Every | None = None


def best(
    scopes: Sequence[History], timezone: str, timers: bool = True,
    least: float = math.inf
) -> Found:
    """The model that takes the least bits.

    :param scopes: the runs on each host, or on all together.
    :param timezone: where cron runs.
    :param timers: is a timer among them?
    :param least: a model that takes more bits does not matter.
    """
    clocks = [local(timezone, scope.starts) for scope in scopes]
    found = Found(math.inf, Every(1, "start"))
    if timers:
        each = [every_bits(after, scopes) for after in ("start", "completion")]
        drift = DRIFT_OF_CRON if any(
            abs(each[0][1].period / step - 1) < 0.002 for step in STEPS
        ) else DRIFT
        bits, timer = min(each)
        found = Found(bits + drift * sum(map(len, scopes)), timer)
    for cron in set(candidates(max(clocks, key=len), timezone)):
        least = min(least, found.bits)
        bits = cron_bits(cron, clocks, least)
        if bits < found.bits:
            found = Found(bits, cron)
    return found


def explained(
    scopes: Sequence[History], timezone: str, found: Found
) -> Found:
    """What takes the least bits: a timer, or cron in some zone.

    Each with its changes: what looks like a timer may be cron with a schedule
    that changed.

    :param found: the best in the time zone that is assumed.
    """
    models = {found, found if isinstance(found.model, Cron) else best(
        scopes, timezone, False), *_in_zones(scopes, timezone)}
    return min((
        _since_change(scopes, timezone, each) for each in models),
        key=lambda pair: pair[0])[1]


def _in_zones(scopes: Sequence[History], timezone: str) -> list[Found]:
    """The best model in other zones that the starts may be from, if any.

    A zone is tried if its clocks moved within the history, and if fewer times
    of the day remain when the starts are read on them.
    """
    starts = max(scopes, key=len).starts
    costs = {
        zone: ZONE_BITS + number / 2 for number, zone in enumerate(ZONES)
        if zone != timezone and changes(zone, starts[0], starts[-1])}
    spreads = {
        zone: _spread(starts, zone) + cost for zone, cost in costs.items()}
    plain = _spread(starts, timezone)
    zones = [zone for zone in sorted(spreads, key=spreads.__getitem__)
             if spreads[zone] <= plain][:TRIED]
    zones += ["UTC"] * (timezone != "UTC")
    found = [
        found._replace(bits=found.bits + costs.get(zone, ZONE_BITS))
        for zone in zones for found in [best(scopes, zone, False)]]
    return sorted(found, key=lambda each: each.bits)[:1]


def _spread(starts: Sequence[float], timezone: str) -> float:
    """The bits of the times of the day, in quarters of an hour."""
    counts = Counter(
        second % DAY // 900 for second in local(timezone, starts))
    return len(starts) * math.log2(len(starts)) - sum(
        count * math.log2(count) for count in counts.values())


def _since_change(
    scopes: Sequence[History], timezone: str, found: Found
) -> tuple[float, Found]:
    """The bits of the whole history, and the model since the last change."""
    if isinstance(found.model, Cron):
        timezone = found.model.timezone
    bits = found.bits
    while changed := _changed(scopes, timezone, found):
        saved, found = changed
        bits -= saved
        scopes = [part for scope in scopes
                  if len(part := scope.between(found.changed, math.inf))]
    return bits, found


def _changed(
    scopes: Sequence[History], timezone: str, found: Found
) -> tuple[float, Found] | None:
    """The bits that a change saves at most, and the model since then."""
    chosen = None
    saved = CHANGE_BITS + math.log2(sum(map(len, scopes)))
    for at in sorted(_places(scopes, timezone)):
        before, after = (
            [part for scope in scopes
             if len(part := scope.between(*span)) >= FEWEST]
            for span in ((-math.inf, at), (at, math.inf)))
        if not before or not after:
            continue
        limit = found.bits - saved - min(
            sum(map(len, part)) for part in (before, after))
        later = best(after, timezone, True, limit)
        if later.bits > limit:
            continue
        limit -= later.bits
        earlier = best(before, timezone, True, limit)
        if earlier.bits < limit and earlier.model != later.model:
            saved += limit - earlier.bits
            chosen = saved, later._replace(
                changed=at, before=earlier.model)
    return chosen


def _places(scopes: Sequence[History], timezone: str) -> set[float]:
    """Where a schedule may have changed: the starts of some runs.

    They are where the sums of what gaps and times of the day and of the hour
    differ from their mean are far from zero.
    """
    starts = max(scopes, key=len).starts
    seconds = local(timezone, starts)
    rows = [[math.log(max(b - a, 1)) for a, b in itertools.pairwise(starts)]]
    for size in DAY, HOUR:
        angles = [2 * math.pi * second / size for second in seconds]
        rows += [list(map(math.sin, angles)), list(map(math.cos, angles))]
    places = set()
    for values in rows:
        mean = sum(values) / len(values)
        sums = list(itertools.accumulate(value - mean for value in values))
        far = PEAK * math.sqrt(sum((value - mean) ** 2 for value in values))
        places |= {starts[sums.index(peak) + 1] for peak in (
            min(sums[:-1]), max(sums[:-1])) if abs(peak) > far}
    return places
