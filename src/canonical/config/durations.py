"""Durations as people write them: ``90s``, ``1h30m``, ``2d``."""

from __future__ import annotations

import datetime
import functools
import re


__all__ = [
    "duration_text",
    "parse_band",
    "parse_duration",
]


UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}

# A hundred years, so that no time that is meant is out of range.
LONGEST = datetime.timedelta(days=36525)

DURATION = re.compile(
    r"(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?"
    r"(?:(?P<s>\d+(?:\.\d+)?)s)?")


@functools.cache
def parse_duration(text: str) -> datetime.timedelta:
    """The duration that `text` means.

    :param text: days, hours, minutes and seconds, each at most once and in
        that order; seconds may have a fraction.
    :raises ValueError: for anything else; says what would be right.
    """
    match = DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        raise ValueError(
            f"not a duration: {text!r}; expected something like 90s, 1h30m"
            " or 2d")
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
    """The ends of a band such as ``2s..4m``; an end that is open is `None`.

    :raises ValueError: for anything else, and for a band that is upside down.
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
        raise ValueError(f"a band that is upside down: {text!r}")
    return ends


@functools.lru_cache(10_000)
def duration_text(duration: datetime.timedelta) -> str:
    """A duration as `parse_duration` reads it, without what is nought.

    From a minute on it is rounded to seconds.
    """
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    rest = round(seconds)
    parts = []
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
