"""The evidence for an inferred rule, in words."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.launchpad.monitor.inference.allowances import RUNS
from canonical.launchpad.monitor.inference.allowances import rolling_means
from canonical.launchpad.monitor.inference.allowances import rounded_down
from canonical.launchpad.monitor.inference.allowances import rounded_up
from canonical.launchpad.monitor.inference.allowances import unmet
from canonical.launchpad.monitor.inference.guessing import EVERY_HOUR
from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.plaintext import time_text


__all__ = [
    "average_of",
    "change_evidence",
    "count_text",
    "grace_evidence",
    "missed_evidence",
    "schedule_evidence",
    "schedule_text",
    "seconds_text",
    "varies",
    "when_text",
    "zone_evidence",
]


# The average may be off by this factor.
AVERAGE_MARGIN = 2.0

# How many other time zones are listed.
TOLD = 3


def change_evidence(since: float, before: Guess | None) -> str:
    was = "" if before is None else f" from {schedule_text(before)}"
    return (
        f"schedule changed{was} at {when_text(since)}; earlier runs ignored")


def schedule_text(guess: Guess) -> str:
    if guess.timezone == "UTC":
        return guess.schedule
    return f"{guess.schedule} in {guess.timezone}"


def schedule_evidence(guess: Guess, runs: Sequence[Times]) -> str:
    slots = guess.matched.slots
    met = len(guess.matched.lateness)
    extra = len(guess.matched.extra)
    also = f"; {count_text(extra, 'extra run')}" if extra else ""
    return (
        f"schedule: {met} of {count_text(len(slots), 'slot')} have a run, from"
        f" {when_text(slots[0])} to {when_text(slots[-1])}{also}")


def zone_evidence(guess: Guess) -> str:
    name = guess.timezone
    if guess.schedule.split()[1:] == EVERY_HOUR:
        return "timezone: unknown, since it runs every hour"
    if name == "UTC" and not guess.clocks_changed:
        return (
            "timezone: unknown, since no clock changed in this history; UTC is"
            " assumed")
    if name == "UTC":
        return (
            "timezone: starts stayed the same in UTC when clocks elsewhere"
            " changed")
    if guess.zone.changes:
        said = " and ".join(when_text(each) for each in guess.zone.changes)
        text = f"timezone: starts moved with the clocks of {name}, at {said}"
    else:
        text = f"timezone: hours or days fit the clocks of {name}, not UTC"
    others = [
        zone if schedule == guess.schedule else f"{zone} with {schedule}"
        for zone, schedule in guess.alike]
    if others:
        more = len(others) - TOLD
        text += f"; also fits {', '.join(others[:TOLD])}" + (
            f" and {more} more" if more > 0 else "")
    return text


def grace_evidence(met: float, covered: float) -> str:
    """See `patience_needed`."""
    text = (
        f"grace: the latest completion came {seconds_text(met)} after its"
        " slot")
    return text if covered <= met else (
        f"{text}; a slot during a run was met up to"
        f" {seconds_text(covered)} later")


def missed_evidence(
    missed: int, matches: Sequence[Match], scopes: Sequence[Sequence[Times]]
) -> Iterable[str]:
    durations = [run.duration for runs in scopes for run in runs]
    if missed:
        slots = sum(len(each.slots) for each in matches)
        count = sum(map(len, map(unmet, matches, scopes)))
        covered = min(sum(len(each.covered) for each in matches), count)
        why = [
            f"{number} {reason}" for number, reason in (
                (covered, "during the previous run"),
                (count - covered,
                 "with a run so late that it meets the next slot"),
            ) if number]
        yield f"missed: of {slots} slots, {' and '.join(why)}"
    elif statistics.median(durations) > 0.5 * _spacing(matches[0].slots):
        yield (
            "schedule: runs take"
            f" {seconds_text(statistics.median(durations))}; slots during a"
            " run would not show")


def varies(runs: Sequence[Times]) -> str:
    completed = sorted(run.completed for run in runs)
    between = [
        after - before
        for before, after in zip(completed, completed[1:], strict=False)]
    return (
        "the time between completions varies from"
        f" {seconds_text(min(between))} to {seconds_text(max(between))}")


def average_of(scopes: Sequence[Sequence[Times]]) -> tuple[str, str]:
    """A band for the average, and the evidence for it."""
    fewest = min(map(len, scopes))
    if fewest < RUNS:
        return "", (
            f"average: unknown, since there are only"
            f" {count_text(fewest, 'run')}; it needs {RUNS}")
    means = [mean for scope in scopes for mean in rolling_means(scope)]
    low = rounded_down(min(means) / AVERAGE_MARGIN)
    high = rounded_up(max(means) * AVERAGE_MARGIN)
    band = f"{duration_text(low) if low else ''}..{duration_text(high)}"
    return band, (
        f"average: the average of {RUNS} runs was from"
        f" {seconds_text(min(means))} to {seconds_text(max(means))}")


def _spacing(slots: Sequence[float]) -> float:
    return min(
        after - slot for slot, after in zip(slots, slots[1:], strict=False))


def count_text(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def seconds_text(seconds: float) -> str:
    """A duration to two digits or so."""
    seconds = round(seconds, 0 if seconds >= 10 else 1 if seconds >= 1 else 3)
    return duration_text(datetime.timedelta(seconds=seconds))


def when_text(seconds: float) -> str:
    return time_text(
        datetime.datetime.fromtimestamp(seconds, datetime.UTC), "minutes")
