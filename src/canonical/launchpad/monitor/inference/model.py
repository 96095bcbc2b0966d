"""What can start a script, and how many bits it takes to describe its runs so.

Cron can, or a timer that starts anew after each run.  The text of the model
comes first.  Then a row says which slots are met, and a number for each run
how late it is.  Both are coded adaptively, so that no probability has to be
assumed: the code learns from what it has coded already.  (See Rissanen, "A
universal prior for integers and estimation by minimum description length",
1983, and Krichevsky and Trofimov, "The performance of universal encoding",
1981.)  A run without a slot is coded as chance.

Times are seconds since 1970, on the clock of the zone.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import math
import operator
import re
from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.monitor.clocks import day_of_month
from canonical.launchpad.monitor.clocks import day_of_week
from canonical.launchpad.monitor.crontab import field_text
from canonical.launchpad.monitor.evidence import words
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.matching import slot_numbers


__all__ = [
    "DAY",
    "HOUR",
    "MONTH",
    "SKEW",
    "WEEKDAYS",
    "Cron",
    "Every",
    "by_chance",
    "cron_bits",
    "every_bits",
    "hosts_bits",
]


# In seconds, as all times here.
DAY = 86400
HOUR = 3600

# By how much the clock of a host may be behind, as `Case` has it.
SKEW = 60

MINUTES = tuple(range(60))
HOURS = tuple(range(24))
MONTH = tuple(range(1, 32))
WEEKDAYS = tuple(range(7))
FIELDS = MINUTES, HOURS, MONTH, WEEKDAYS

# A slot is at most so many days before the next: two months of which the
# first has no such day.
BACK = 62

# Lateness is coded as its power of two, of which there are so many.
OCTAVES = 26

# Lateness drifts, so the times between runs are steadier than it.  So a timer
# costs this part of the bits of its period more for each run.
DRIFT = 1 / 3

# However often slots are unmet, one or two are no part of a schedule; and a
# run before its slot is from a clock that is behind.  Each takes so many bits.
RARE = 3.0


class Cron(NamedTuple):
    """A line of a crontab, in a time zone; 0 is Sunday."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...] = MONTH
    weekdays: tuple[int, ...] = WEEKDAYS
    timezone: str = "UTC"

    def __str__(self) -> str:
        return self.text + (
            "" if self.timezone == "UTC" else f" in {self.timezone}")

    @property
    def text(self) -> str:
        minute, hour, day, weekday = map(field_text, self, FIELDS)
        return f"{minute} {hour} {day} * {weekday}"

    @property
    def bits(self) -> float:
        """The length of the text; usual numbers are short."""
        return sum(map(_bits, self, FIELDS))

    @property
    def spacing(self) -> int:
        """The least number of seconds between slots."""
        # The days of a week come back after seven.
        slots = _slots(*self[:4], 0, 7 if self.days == MONTH else BACK)
        return min(b - a for a, b in itertools.pairwise(slots))

    def slots(self, first: int, until: int) -> list[int]:
        """The slots from that of a first run until a time."""
        slots = _slots(*self[:4], first // DAY, (until + SKEW) // DAY)
        return slots[bisect.bisect_right(slots, first + SKEW) - 1:
                     bisect.bisect_right(slots, until + SKEW)]


class Every(NamedTuple):
    """A timer that starts anew after each run."""

    period: float

    def __str__(self) -> str:
        return f"every {words(self.period)}"


@functools.lru_cache(4)
def _slots(
    minutes: tuple[int, ...], hours: tuple[int, ...], days: tuple[int, ...],
    weekdays: tuple[int, ...], first: int, last: int
) -> list[int]:
    """From the last slot before a day to those of another."""
    there: Sequence[int] = range(first - BACK, last + 1)
    if weekdays != WEEKDAYS:
        there = [day for day in there if day_of_week(day) in weekdays]
    if days != MONTH:
        there = [day for day in there if day_of_month(day) in days]
    times = [HOUR * hour + 60 * minute for hour in hours for minute in minutes]
    return [DAY * day + time
            for day in there[bisect.bisect_left(there, first) - 1:]
            for time in times]


@functools.lru_cache(10_000)
def _bits(values: tuple[int, ...], whole: tuple[int, ...]) -> float:
    """The length of a field: what people write often is short."""
    text = field_text(values, whole)
    if text == "*":
        return 1.0
    if text.startswith("*/") or text == "1-5":
        return 3.0
    return 2.0 + sum(
        1.0 + (math.log2(len(whole)) if whole is not MINUTES or number % 5
               else 1.0 if number == 0 else 2.5 if number % 15 == 0 else 4.0)
        for number in map(int, re.findall(r"\d+", text)))


def by_chance(scopes: Iterable[History]) -> float:
    """The length of all runs if they start at any time."""
    return sum(
        _chance_bits(len(scope), scope.starts[-1] - scope.starts[0])
        for scope in scopes)


def _chance_bits(count: int, span: float) -> float:
    """The length of runs that start at any time, at some rate."""
    return count and count * max(
        math.log2(max(span, 1) / count) + 1.443, 0.0)


def cron_bits(cron: Cron, clocks: Sequence[Sequence[int]]) -> float:
    """The length of runs that cron starts.

    :param clocks: what the clock showed at the start of each run, on each
        host, or on all together.
    """
    gaps: Counter[int] = Counter()
    bits, extra, late = cron.bits, 0, []
    for seconds in clocks:
        slots = cron.slots(seconds[0], max(seconds))
        first = dict(zip(
            reversed(slot_numbers(slots, seconds, SKEW)), reversed(seconds),
            strict=True))
        numbers = sorted(first)
        gaps.update(map(operator.sub, numbers[1:], numbers))
        late += [start - slots[number - 1] for number, start in first.items()]
        beside = len(seconds) - len(first)
        extra += beside
        bits += _chance_bits(beside, seconds[-1] - seconds[0])
    # How often a slot is unmet after none, one, and more unmet slots.
    unmet = gaps.total() - gaps[1]
    more = unmet - gaps[2]
    most = sum(count * (gap - 3) for gap, count in gaps.items() if gap > 2)
    bits += (
        max(_row(gaps[1], unmet), RARE * unmet)
        + _row(gaps[2], more) + _row(more, most) + _row(len(late), extra))
    # With a slot each minute, all runs come before their slot.
    skew = SKEW if cron.minutes == MINUTES else 0
    return bits + _lateness([each + skew for each in late])


def every_bits(scopes: Sequence[History]) -> tuple[float, Every]:
    """The length of runs that the best timer starts, and that timer.

    A rest is coded as its difference from the period.  One that is far off,
    after an outage, is coded as chance.
    """
    rests = [list(map(operator.sub, scope.starts[1:], scope.ends))
             for scope in scopes]
    busiest = max(map(sorted, rests), key=len)
    every = Every(max(busiest[len(busiest) // 2], 1.0))
    late = [math.floor(rest - every.period) for rest in itertools.chain(*rests)
            if abs(rest - every.period) < every.period / 2]
    off = sum(map(len, rests)) - len(late)
    # The text of the timer, and the drift.
    bits = 6 + math.log2(max(every.period, 2)) * (
        1 + DRIFT * sum(map(len, scopes)))
    span = sum(scope.starts[-1] - scope.starts[0] for scope in scopes)
    return (bits + _lateness(late) + _row(len(late), off)
            + _chance_bits(off, span)), every


def _lateness(late: Sequence[int]) -> float:
    """The length of some numbers: the octave of each, and its place there."""
    octaves = Counter(map(int.bit_length, late))
    return _row(*(octaves[octave] for octave in range(OCTAVES))) + sum(
        count * (octave - 1) for octave, count in octaves.items() if octave
    ) + RARE * sum(map((0).__gt__, late))


def hosts_bits(hosts: Sequence[str]) -> float:
    """What it takes to say which run was on which host."""
    changes = sum(a != b for a, b in itertools.pairwise(hosts))
    return _row(len(hosts) - changes, changes) + (
        changes * math.log2(max(len(set(hosts)) - 1, 1)))


def _row(*counts: int) -> float:
    """The length of a row of symbols, coded adaptively.

    :param counts: of each symbol, as if half of each had come before.
    """
    half = len(counts) / 2
    return (
        math.lgamma(sum(counts) + half) - math.lgamma(half)
        + len(counts) * math.lgamma(0.5)
        - sum(math.lgamma(count + 0.5) for count in counts)) / math.log(2)
