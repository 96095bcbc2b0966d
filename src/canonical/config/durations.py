"""Durations as people write them: ``90s``, ``1h30m``, ``1.5h``, ``2d``."""

from __future__ import annotations

import datetime
import functools
import re


__all__ = [
    "duration_text",
    "parse_band",
    "parse_duration",
    "rounded_text",
]


# A year has 365 days.
UNITS = {
    "y": 31_536_000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}

# 100 years.  With a longer one, a computed time could be out of range.
LONGEST = datetime.timedelta(days=36525)

# To what a duration is rounded that is shorter than this, in seconds.
ROUNDED = (
    (1, 0.001), (60, 0.1), (UNITS["h"], 1), (UNITS["d"], UNITS["m"]),
    (float("inf"), UNITS["h"]))

DURATION = re.compile(
    "".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in UNITS),
    re.ASCII)


@functools.cache
def parse_duration(text: str) -> datetime.timedelta:
    """The duration that `text` stands for.

    :param text: years, weeks, days, hours, minutes and seconds, each at most
        once and in that order.  A number may have a fraction.
    :raises ValueError: if `text` is not a duration.  The message says what
        is expected.
    """
    text = text.strip()
    match = DURATION.fullmatch(text)
    if not text or match is None:
        positive = text.removeprefix("-")
        if text != positive != "" and DURATION.fullmatch(positive):
            raise ValueError(
                f"a duration cannot be negative: {text!r}; do you mean"
                f" {positive!r}?")
        raise ValueError(
            f"not a duration: {text!r}; expected something like 90s, 1h30m,"
            " 1.5h, 2d or 1w")
    seconds = sum(
        float(match[unit] or 0) * size for unit, size in UNITS.items())
    if seconds > LONGEST.total_seconds():
        raise ValueError(
            f"too long a duration: {text!r}; expected at most"
            f" {LONGEST.days}d")
    return datetime.timedelta(seconds=seconds)


@functools.cache
def parse_band(
    text: str
) -> tuple[datetime.timedelta | None, datetime.timedelta | None]:
    """The ends of a band such as ``2s..4m``; an open end is `None`.

    :raises ValueError: if `text` is not a band, or if its first end is the
        longer one.
    """
    low, dots, high = text.partition("..")
    if not dots or not (low.strip() or high.strip()):
        raise ValueError(
            f"not a band: {text!r}; expected something like 2s..4m, ..4m or"
            " 2s..")
    ends = (
        parse_duration(low) if low.strip() else None,
        parse_duration(high) if high.strip() else None,
    )
    if None not in ends and ends[0] > ends[1]:  # type: ignore[operator]
        raise ValueError(
            f"the band {text!r} is upside down; do you mean"
            f" {high.strip()}..{low.strip()}?")
    return ends


@functools.lru_cache(10_000)
def duration_text(duration: datetime.timedelta) -> str:
    """A duration as `parse_duration` reads it, without units of zero.

    A duration of a minute or more is rounded to seconds.
    """
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    rest = round(seconds)
    parts = []
    for unit, size in UNITS.items():
        # A week is printed as 7d, like 6d and 8d, and a year as 365d.
        if unit in ("y", "w"):
            continue
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def rounded_text(duration: datetime.timedelta) -> str:
    """A duration as people read it at a glance, such as ``2.5s`` or ``3d4h``.

    It is `duration_text` with at most two units.
    """
    seconds = duration.total_seconds()
    unit = next(unit for limit, unit in ROUNDED if seconds < limit)
    return duration_text(
        datetime.timedelta(seconds=round(seconds / unit) * unit))
