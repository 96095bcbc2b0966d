"""Looks for the model that describes a history in the least bits."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from canonical.launchpad.monitor.inference.likelihood import SKEW
from canonical.launchpad.monitor.inference.likelihood import cron_bits
from canonical.launchpad.monitor.inference.likelihood import every_bits
from canonical.launchpad.monitor.inference.likelihood import every_of
from canonical.launchpad.monitor.inference.likelihood import matched_slots
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import HOURS
from canonical.launchpad.monitor.inference.model import MONTH
from canonical.launchpad.monitor.inference.model import WEEKDAYS
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import Every
from canonical.launchpad.monitor.inference.model import day_of_month
from canonical.launchpad.monitor.inference.zones import local
from canonical.launchpad.monitor.inference.zones import tried
from canonical.launchpad.monitor.inference.zones import zone_bits
from canonical.launchpad.monitor.inference.zones import zones_that_moved


__all__ = [
    "Change",
    "Found",
    "Scope",
    "best",
    "since_change",
    "with_zone",
]


HOUR = 3600

# The steps that divide an hour or a day, in seconds.
STEPS = tuple(
    60 * minutes for minutes in (
        1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480,
        720, 1440))

# Steps are tried from this part of the median gap to this multiple.
NEAR = 0.45, 1.8

# So many anchors of each step are compared in full.
ANCHORS = 2

# An anchor is rounded down to these, in seconds.
ROUND = (60, 300, 900, 1800, 3600)

# A list of days of the month is believed if they came back over three months.
MONTHS = 90 * DAY
FORTNIGHT = 14 * DAY

# What a change of schedule has to save, in bits, beside two for each time that
# the number of runs doubles, and one for each run of the shorter part.
CHANGE_BITS = 24.0

# Lateness drifts, so the times between starts are steadier than it.  So a
# timer costs so many bits more for each run; and more with a period of cron's.
DRIFT = 2.0
DRIFT_OF_CRON = 6.0

# So many groups of zones are tried.
TRIED = 3

# Zones that need so many bits more fit as well.
SAME = 10.0

# A sum is far from zero if steady values would come there once in five times;
# see Kolmogorov, "Sulla determinazione empirica di una legge" (1933).
PEAK = 1.07

# Many is more than this part.
LOOSE = 0.05

# A part of a history needs so many runs to show a schedule.
FEWEST = 3


class Scope(NamedTuple):
    """The runs on a host, or on all hosts together.

    :ivar starts: in order, in seconds since 1970 UTC.
    :ivar ends: the completions of these runs.
    """

    starts: Sequence[float]
    ends: Sequence[float]

    def between(self, since: float, until: float) -> Scope:
        part = slice(
            bisect.bisect_left(self.starts, since),
            bisect.bisect_left(self.starts, until))
        return Scope(self.starts[part], self.ends[part])


class Found(NamedTuple):
    """A model, and the bits that it takes to describe a history with it."""

    bits: float
    model: Cron | Every


class Change(NamedTuple):
    """A schedule that changed.

    :ivar at: the start of the first run after it.
    :ivar saved: the bits that it saves, and what it costs.
    """

    at: float
    before: Cron | Every
    after: Found
    saved: float


def best(
    scopes: Sequence[Scope], timezone: str, timers: bool = True
) -> Found:
    """The model that takes the least bits.

    :param timezone: where cron runs.
    :param timers: is a timer among them?
    """
    busiest = max(scopes, key=lambda scope: len(scope.starts))
    starts = [scope.starts for scope in scopes]
    found: list[Found] = []
    seen = set()
    for cron in _candidates(busiest.starts, timezone):
        if cron not in seen:
            seen.add(cron)
            found.append(Found(cron_bits(cron, starts), cron))
    if timers:
        count = sum(map(len, starts))
        period = every_of(*busiest, "start").period
        drift = DRIFT_OF_CRON if any(
            abs(period / step - 1) < 0.002 for step in STEPS) else DRIFT
        for after in "start", "completion":
            every = every_of(*busiest, after)
            found.append(
                Found(every_bits(every, scopes) + drift * count, every))
    return min(found, key=lambda each: each.bits)


def with_zone(
    scopes: Sequence[Scope], timezone: str, found: Found
) -> tuple[Found, list[Cron]] | None:
    """The best model in another zone, and others that describe it as well.

    A zone is tried if its clocks moved within the history, and if fewer times
    of the day remain when the starts are read on them.

    :param found: the best in the time zone that is assumed.
    """
    others: list[Found] = []
    starts = max((scope.starts for scope in scopes), key=len)
    if isinstance(found.model, Cron) and found.model.runs_every_hour() and (
            not any(_loose(found.model, scope.starts, 0.02)
                    for scope in scopes)):
        return None
    groups = zones_that_moved(starts[0], starts[-1])
    spreads = sorted(
        (_spread(starts, group[0]) + zone_bits(group[0]), group)
        for group in groups)
    plain = _spread(starts, timezone)
    for spread, group in spreads[:TRIED]:
        if spread > plain or spread > spreads[0][0] + SAME:
            break
        first, *more = tried(group, timezone)
        others.append(_in_zone(scopes, first))
        if others[-1].bits < found.bits:
            others += [_in_zone(scopes, zone) for zone in more]
    if timezone != "UTC":
        others.append(_in_zone(scopes, "UTC"))
    if not others:
        return None
    chosen = min(others, key=lambda each: each.bits)
    return chosen, [
        each.model for each in others
        if each.bits < chosen.bits + SAME and each is not chosen
        and isinstance(each.model, Cron)]


def _in_zone(scopes: Sequence[Scope], timezone: str) -> Found:
    bits, model = best(scopes, timezone, False)
    more = zone_bits(timezone)
    if isinstance(model, Cron):
        model = model._replace(zone_bits=more)
    return Found(bits + more, model)


def _spread(starts: Sequence[float], timezone: str) -> float:
    """The bits of the times of the day, in quarters of an hour."""
    counts = Counter(
        int(start % DAY // 900) for start in local(timezone, starts))
    return len(starts) * math.log2(len(starts)) - sum(
        count * math.log2(count) for count in counts.values())


def _candidates(starts: Sequence[float], timezone: str) -> Iterator[Cron]:
    """The lines of a crontab that may have started these runs."""
    clock = local(timezone, starts)
    gaps = sorted(b - a for a, b in pairwise(starts))
    median = gaps[len(gaps) // 2]
    steps = [
        step for step in STEPS if NEAR[0] * median <= step <= NEAR[1] * median
    ] or [STEPS[-1] if median > STEPS[-1] else STEPS[0]]
    # Some hours of a day, of which none may be regular.
    steps += {
        step for step in (HOUR, DAY) if median > step / 6} - set(steps)
    for step in steps:
        for anchor in _anchors(clock, step):
            yield from _lines(clock, step, anchor, timezone)
    if 60 < median <= HOUR:
        yield from _minute_lists(clock, timezone)


def _anchors(clock: Sequence[float], step: int) -> list[int]:
    """The seconds after each multiple of a step at which slots may be."""
    # A start just before a minute may be from a clock that is behind.
    minutes = Counter(int((time + 2) % step // 60) for time in clock)
    common = [minute for minute, _ in minutes.most_common(3)]
    size = step // 60
    # The first minutes after the longest times without a start.
    for least in (1, 1 + len(clock) // 50):
        there = sorted(
            minute for minute, count in minutes.items() if count >= least)
        if there:
            arcs = sorted((
                (after - before - 1) % size, after) for before, after in zip(
                    [there[-1], *there], there, strict=False))
            common += [minute for _, minute in arcs[-2:]]
    anchors = {
        60 * minute // near * near for minute in common for near in ROUND
        if near <= step}
    counts = list(minutes.items())

    def late(anchor: int) -> float:
        first = anchor // 60
        return sum(
            count * math.log2(1 + 60 * ((minute - first) % size))
            for minute, count in counts)

    return sorted(anchors, key=lambda anchor: (
        late(anchor) + (0 if anchor % 300 == 0 else 4), anchor))[:ANCHORS]


def _lines(
    clock: Sequence[float], step: int, anchor: int, timezone: str
) -> Iterator[Cron]:
    """The lines with slots at a step, on the hours and days that have runs."""
    slots = [
        (time + SKEW - anchor) // step * step + anchor for time in clock]
    distinct = sorted(set(slots))
    minutes = tuple(sorted({
        (anchor + number * step) % HOUR // 60
        for number in range(max(HOUR // step, 1))}))
    regular = tuple(sorted({
        (anchor + number * step) % DAY // HOUR
        for number in range(DAY // step)}))
    hours = [regular]
    if len(regular) > 1:
        usual = _usual(int(slot % DAY // HOUR) for slot in distinct)
        hours.append(usual)
        if len(usual) > 2:
            hours.append(tuple(range(usual[0], usual[-1] + 1)))
    weekdays = [WEEKDAYS]
    span = clock[-1] - clock[0]
    some = _usual((int(slot // DAY) + 4) % 7 for slot in distinct)
    # One day without runs is no day of rest.
    if span > FORTNIGHT or some == (1, 2, 3, 4, 5):
        weekdays.append(some)
    days = [MONTH]
    if step >= HOUR:
        some = _usual(day_of_month(int(slot // DAY)) for slot in distinct)
        if span > MONTHS or some == MONTH[::2]:
            days.append(some)
    for each in itertools.product(dict.fromkeys(hours), days, weekdays):
        if each[1] == MONTH or each[2] == WEEKDAYS:
            yield Cron(minutes, *each, timezone)


def _minute_lists(clock: Sequence[float], timezone: str) -> Iterator[Cron]:
    """The lines with some minutes of an hour, each the first of a cluster."""
    counts = Counter(int((time + 2) % HOUR // 60) for time in clock)
    most = max(counts.values())
    there = sorted(
        minute for minute, count in counts.items() if count > most / 8)
    minutes = tuple(
        minute for minute in there
        if counts[(minute - 1) % 60] < counts[minute] / 4)
    if 1 < len(minutes) < 30:
        usual = _usual(int(time % DAY // HOUR) for time in clock)
        for hours in {HOURS, usual}:
            yield Cron(minutes, hours, timezone=timezone)


def _usual(values: Iterable[int]) -> tuple[int, ...]:
    """The values that come at least half as often as the one that comes most.
    """
    counts = Counter(values)
    most = max(counts.values())
    return tuple(sorted(
        value for value, count in counts.items() if 2 * count >= most))


def since_change(
    scopes: Sequence[Scope], found: Found
) -> tuple[Change | None, float]:
    """The last change of the schedule, if it ever changed.

    :return: with the bits that it takes to describe the whole history.
    """
    timezone = found.model.timezone if isinstance(
        found.model, Cron) else "UTC"
    last, saved = None, 0.0
    bits = found.bits
    while (change := _changed(scopes, timezone, found)) is not None:
        saved += change.saved
        last, found = change, change.after
        scopes = [
            part for scope in scopes
            if (part := scope.between(change.at, math.inf)).starts]
    return last, bits - saved


def _changed(
    scopes: Sequence[Scope], timezone: str, found: Found
) -> Change | None:
    """The change of the schedule that saves the most bits."""
    count = sum(len(scope.starts) for scope in scopes)
    # Where nearly every slot has its run, a change shows in the bits of a run.
    loose = not isinstance(found.model, Cron) or any(
        _loose(found.model, scope.starts, LOOSE) for scope in scopes)
    cost = CHANGE_BITS + math.log2(max(count, 1))
    chosen, least = None, found.bits - cost
    for at in _places(scopes, timezone):
        before, after = (
            [part for scope in scopes
             if len((part := scope.between(*span)).starts) >= FEWEST]
            for span in ((-math.inf, at), (at, math.inf)))
        if not before or not after:
            continue
        parts = [sum(len(scope.starts) for scope in part)
                 for part in (before, after)]
        shorter = min(parts)
        if not loose and abs(
            _bits(found.model, before) / parts[0]
            - _bits(found.model, after) / parts[1]
        ) * shorter < (CHANGE_BITS + shorter) / 2:
            continue
        later = best(after, timezone)
        # The earlier part is not looked at if nothing can be won.
        if later.bits + shorter > least:
            continue
        earlier = best(before, timezone)
        bits = earlier.bits + later.bits + shorter
        if bits < least and earlier.model != later.model:
            chosen, least = Change(
                at, earlier.model, later, found.bits - bits - cost), bits
    return chosen


def _bits(model: Cron | Every, scopes: Sequence[Scope]) -> float:
    if isinstance(model, Every):
        return every_bits(model, scopes)
    return cron_bits(model, [scope.starts for scope in scopes]) - model.bits


def _loose(cron: Cron, starts: Sequence[float], part: float) -> bool:
    """Are more slots unmet, or more runs without a slot, than this part?"""
    slots, numbers = matched_slots(cron, starts, starts[-1])
    met = len(set(numbers))
    return met < (1 - part) * max(len(slots), len(starts))


def _places(scopes: Sequence[Scope], timezone: str) -> list[float]:
    """Where a schedule may have changed: the starts of some runs.

    At the half, at three quarters, at seven eighths, and where the sums of
    what gaps and times of the day differ from their mean are farthest from
    zero.
    """
    starts = max((scope.starts for scope in scopes), key=len)
    count = len(starts)
    if count < 2 * FEWEST:
        return []
    numbers = {count // 2, count * 3 // 4, count * 7 // 8}
    gaps = [
        min(math.log(max(b - a, 1)), 20) for a, b in pairwise(starts)]
    angles = [
        2 * math.pi * time / DAY for time in local(timezone, starts)]
    quick = [
        2 * math.pi * time / HOUR for time in local(timezone, starts)]
    for row in (gaps, map(math.sin, angles), map(math.cos, angles),
                map(math.sin, quick), map(math.cos, quick)):
        values = list(row)
        mean = sum(values) / len(values)
        least = PEAK * math.sqrt(sum(
            (value - mean) ** 2 for value in values))
        sums = list(itertools.accumulate(value - mean for value in values))
        for peak in min(sums), max(sums):
            if abs(peak) > least:
                numbers.add(sums.index(peak) + 1)
    return [starts[number] for number in sorted(numbers)
            if FEWEST <= number <= count - FEWEST]
