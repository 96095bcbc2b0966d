"""The schedule of a script, from when it ran.

First the minutes of the hour, which hardly depend on a time zone; then hours
and days, in each zone that there is; then the few best are compared with
what cron would have done.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import math
from collections import Counter
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.monitor.inference.matching import longest_normal
from canonical.launchpad.monitor.inference.matching import match
from canonical.launchpad.monitor.inference.phases import AGAIN
from canonical.launchpad.monitor.inference.phases import EARLY
from canonical.launchpad.monitor.inference.phases import EXTRA
from canonical.launchpad.monitor.inference.phases import MISSED
from canonical.launchpad.monitor.inference.phases import Phase
from canonical.launchpad.monitor.inference.phases import field_text
from canonical.launchpad.monitor.inference.phases import phase_of
from canonical.launchpad.monitor.inference.phases import phases
from canonical.launchpad.monitor.inference.phases import price
from canonical.launchpad.monitor.inference.slots import slots_of
from canonical.launchpad.monitor.inference.zones import KNOWN
from canonical.launchpad.monitor.inference.zones import Zone
from canonical.launchpad.monitor.inference.zones import fame
from canonical.launchpad.monitor.inference.zones import zones_between


__all__ = [
    "EVERY_HOUR",
    "Guess",
    "guess_of",
    "guess_schedule",
    "naming",
]


# An hour of the day counts if it has this part of the days that the fullest
# has; likewise a day of the week or month.
HEAVY_HOUR = 0.3
HEAVY_DAY = 0.5
HALF_MONTH = 15

EVERY_HOUR = ["*"] * 4

# How many answers are compared with what cron would have done.
CLOSEST = 8

# Minutes that are so much dearer than the best are not worth a look.
FAR = 1.2
FAR_BITS = 100.0

# A zone that is known better is named, if its schedule takes no more bits than
# so.
DETAIL = 4.0

# What it takes to name a zone, in bits: a move of the clock for a single day
# is not yet enough to believe in one.
ZONE = 10.0
RARE_ZONE = 14.0


@dataclass(frozen=True)
class Guess:
    """What a schedule may be.

    :ivar cost: what it takes to tell the history with it, in bits.
    :ivar told: the part of it that is for schedule and zone.
    :ivar exceptions: the part of it that is for runs and slots against the
        rule.
    :ivar matched: the slots from the first run to the last.
    :ivar alike: other zones, each with its schedule, that mean the same
        slots.
    :ivar zone: the clock that was gone by.
    :ivar clocks_changed: were those of any zone known well, in this time?
    """

    schedule: str
    timezone: str
    cost: float
    told: float
    exceptions: float
    matched: Match
    alike: tuple[tuple[str, str], ...]
    zone: Zone
    clocks_changed: bool


@dataclass(frozen=True)
class Rough:
    """A guess that has not been compared with what cron would have done."""

    schedule: str
    zone: Zone
    cost: float


def guess_schedule(runs: Sequence[Times]) -> Guess:
    """The schedule that fits best; whether it fits well is another question.

    :param runs: at least one, in order of their starts.
    """
    longest = longest_normal(runs)
    zones = zones_between(runs[0].started, runs[-1].started)
    covered = _covered_hours(runs, longest)
    tried = phases(runs, longest)
    roughs = [
        rough for phase in tried[:3]
        if phase.cost <= FAR * tried[0].cost + FAR_BITS
        for rough in _roughs(phase, runs, longest, zones, covered)]
    roughs.sort(key=lambda each: each.cost)
    known: dict[tuple[float, ...], Match] = {}
    guesses = [
        guess_of(each.schedule, each.zone, runs, known)
        for each in roughs[:CLOSEST]
        if each.cost <= roughs[0].cost + 4 * MISSED]
    cheapest = min(guesses, key=lambda each: each.cost)
    best = min(
        (each for each in guesses
         if each.cost - each.told <= cheapest.cost - cheapest.told
         and each.told <= cheapest.told + DETAIL),
        key=lambda each: (fame(each.timezone), each.cost))
    alike = [
        (each.timezone, each.schedule) for each in guesses
        if each is not best and each.matched.slots == best.matched.slots
        and each.timezone != best.timezone]
    alike += [(name, best.schedule) for name in best.zone.names[1:]]
    alike.sort(key=lambda each: fame(each[0]))
    changed = any(zone.changes for zone in zones if zone.names[0] in KNOWN)
    return dataclasses.replace(
        best, alike=tuple(alike), clocks_changed=changed)


def guess_of(
    schedule: str,
    zone: Zone,
    runs: Sequence[Times],
    known: dict[tuple[float, ...], Match] | None = None,
) -> Guess:
    """What a schedule is worth, by the slots that cron has.

    :param known: matches for slots; zones may have them in common.
    """
    known = {} if known is None else known
    first, last = runs[0].started, runs[-1].started
    name = zone.names[0]
    slots = tuple(slots_of(schedule, name, first, last + EARLY))
    if slots not in known:
        known[slots] = match(slots, runs, longest_normal(runs))
    matched = known[slots]
    exceptions = (
        EXTRA * len(matched.extra) + AGAIN * len(matched.again)
        + sum(MISSED + math.log2(len(each)) for each in matched.stretches())
        + 0.5 * len(matched.covered))
    told = _price(schedule) + naming(zone)
    lateness = matched.lateness
    late = len(lateness) * math.log2(1 + sum(
        max(each, 0.0) for each in lateness) / 60 / max(len(lateness), 1))
    return Guess(
        schedule, name, told + exceptions + late, told, exceptions, matched,
        (), zone, False)


def _price(schedule: str) -> float:
    return sum(map(price, schedule.split()))


def naming(zone: Zone) -> float:
    """What it takes to name a zone, in bits."""
    name = zone.names[0]
    if name == "UTC":
        return 0.0
    return ZONE + 0.1 * KNOWN.index(name) if name in KNOWN else RARE_ZONE


def _covered_hours(runs: Sequence[Times], longest: float) -> set[int]:
    """The hours, since 1970, that began while it was running."""
    return {
        hour for run in runs if run.duration <= longest
        for hour in range(
            int(run.started // 3600) + 1, int(run.completed // 3600) + 1)}


def _roughs(
    phase: Phase,
    runs: Sequence[Times],
    longest: float,
    zones: Sequence[Zone],
    covered: set[int],
) -> Iterator[Rough]:
    """The best in each zone; only in UTC, if that is perfect there.

    What is due every hour is so in each.
    """
    shifted = {0: phase}
    for zone in zones:
        shift = zone.offsets[0] % 60
        if shift not in shifted:
            shifted[shift] = phase_of(
                tuple(sorted((each + shift) % 60 for each in phase.minutes)),
                runs, longest, shift)
        rough, is_perfect = _rough(shifted[shift], zone, covered)
        if zone is zones[0] or rough.schedule.split()[1:] != EVERY_HOUR:
            yield rough
        if zone is zones[0] and is_perfect:
            break


def _rough(
    phase: Phase, zone: Zone, covered: set[int]
) -> tuple[Rough, bool]:
    """The hours and days that fit best in a zone; and do they perfectly?"""
    local = sorted({
        minute // 60 for minute in zone.local_minutes(phase.firsts)})
    excused = {
        minute // 60 for minute in zone.local_minutes(
            hour * 60 for hour in covered)} if covered else covered
    counts = Counter(hour % 24 for hour in local)
    enough = HEAVY_HOUR * max(counts.values())
    hours = sorted(hour for hour, count in counts.items() if count >= enough)
    if local[-1] - local[0] < 23 and len(local) == local[-1] - local[0] + 1:
        # There was a run in each hour that was seen.
        hours = list(range(24))
    times = f"{field_text(phase.minutes, 0, 59)} {field_text(hours, 0, 23)}"
    options = []
    for days, is_day in _day_fields(local, hours):
        missed = _exceptions(local, excused, hours, is_day)
        schedule = f"{times} {days}"
        options.append((_price(schedule) + missed, schedule, missed))
    cost, schedule, missed = min(options)
    return Rough(schedule, zone, phase.cost + cost + naming(zone)), not (
        missed or phase.exceptions)


def _day_fields(
    local: list[int], hours: list[int]
) -> Iterator[tuple[str, frozenset[int]]]:
    """Days of month and week as a crontab has them, and which those are.

    :param local: hours since 1970.
    :return: days since 1970.
    """
    span = range(local[0] // 24, local[-1] // 24 + 1)
    wanted = set(hours)
    ran = {hour // 24 for hour in local if hour % 24 in wanted}
    yield "* * *", frozenset(span)
    for first, last, text, number in (
        (0, 6, "* * {}", _day_of_week), (1, 31, "{} * *", _day_of_month),
    ):
        there = Counter(number(day) for day in span)
        met = Counter(number(day) for day in ran)
        if not met:
            continue
        enough = HEAVY_DAY * max(met[each] / there[each] for each in there)
        chosen = sorted(
            each for each in there if met[each] / there[each] >= enough)
        field = field_text(chosen, first, last)
        # A stretch of days that was seen once is a gap rather than a rule;
        # and so are a few days that are missing in two months.
        seen_once = last == 31 and "-" in field and len(span) < 62 and (
            len(chosen) > HALF_MONTH
            or min(there[each] for each in chosen) < 2)
        # Likewise a day of the week, unless it is a weekend.
        if last == 6 and chosen != [1, 2, 3, 4, 5]:
            seen_once = min(
                (there[each] for each in there if each not in chosen),
                default=2) < 2
        if field != "*" and not seen_once:
            yield text.format(field), frozenset(
                day for day in span if number(day) in chosen)


def _exceptions(
    local: list[int],
    excused: set[int],
    hours: list[int],
    days: frozenset[int],
) -> float:
    """What it takes to tell of hours that have a run, or none, against the
    rule; in bits."""
    first, last = local[0], local[-1]
    due = [
        hour for day in sorted(days) for hour in (
            day * 24 + each for each in hours) if first <= hour <= last]
    ran = set(local)
    cost = 0.0
    missing = 0
    for hour in due:
        if hour in ran:
            if missing:
                cost += MISSED + math.log2(missing)
            missing = 0
        elif hour not in excused:
            missing += 1
    if missing:
        cost += MISSED + math.log2(missing)
    return cost + EXTRA * len(ran.difference(due))


def _day_of_week(day: int) -> int:
    """As crontab(5) counts; 1970 began on a Thursday."""
    return (day + 4) % 7


@functools.lru_cache(100_000)
def _day_of_month(day: int) -> int:
    return datetime.date.fromordinal(
        day + datetime.date(1970, 1, 1).toordinal()).day
