"""Times, durations, numbers and the marks of states as pages show them."""

from __future__ import annotations

import datetime

from canonical.config.durations import rounded_text
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


__all__ = [
    "ago_words",
    "band_words",
    "marks",
    "seconds_words",
    "short_time",
    "shown_time",
]


# The shape of each state.  Nobody needs to see its colour.
MARKS = {
    "critical": "\u2715", "warning": "\u25b2", "unknown": "?",
    "paused": "\u2016", "waiting": "\u2026", "ok": "\u2713",
    "running": "\u25b6",
    "success": "\u2713", "failure": "\u2715", "killed": "\u2715",
    "vanished": "\u25cc", "skipped": "\u2013"}

UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def marks(state: str) -> str:
    """The shape of a state or an outcome."""
    return MARKS.get(state, "")


def ago_words(
    moment: datetime.datetime | None, at: datetime.datetime
) -> str:
    """How long ago something was, or when it will be."""
    if moment is None:
        return "never"
    seconds = (at - moment).total_seconds()
    size = abs(seconds)
    if size < 1:
        return "now"
    for unit, length in UNITS:
        # "90 minutes" says more than "1 hour".
        if size >= 2 * length or length == 1:
            number = int(size // length)
            words = counted(number, unit)
            return f"{words} ago" if seconds > 0 else f"in {words}"
    raise AssertionError(size)


def seconds_words(seconds: float | None) -> str:
    """A duration; empty if it is not known."""
    return "" if seconds is None else rounded_text(
        datetime.timedelta(seconds=seconds))


def band_words(low: float | None, high: float | None) -> str:
    """A band, such as ``2s..4m``; empty if there is no limit."""
    if low is None and high is None:
        return ""
    return "..".join(
        "" if each is None or each <= 0 else seconds_words(each)
        for each in (low, high))


def shown_time(moment: datetime.datetime | None) -> str:
    """A time to the second, without its zone, which the page names."""
    return "" if moment is None else time_text(moment).removesuffix(" UTC")


def short_time(moment: datetime.datetime) -> str:
    """A time to the minute, without the year."""
    moment = moment.astimezone(datetime.UTC)
    return f"{moment.day} {moment:%b %H:%M}"
