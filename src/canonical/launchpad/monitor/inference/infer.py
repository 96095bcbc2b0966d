"""From the history of a script, what to expect of it, or why not to."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.inference.changes import changed_interval
from canonical.launchpad.monitor.inference.changes import changed_schedule
from canonical.launchpad.monitor.inference.changes import is_doubtful
from canonical.launchpad.monitor.inference.evidence import change_evidence
from canonical.launchpad.monitor.inference.evidence import count_text
from canonical.launchpad.monitor.inference.evidence import schedule_text
from canonical.launchpad.monitor.inference.evidence import varies
from canonical.launchpad.monitor.inference.evidence import when_text
from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.hosts import by_host
from canonical.launchpad.monitor.inference.hosts import guess_on_hosts
from canonical.launchpad.monitor.inference.hosts import guesses_by_host
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.monitor.inference.matching import times_of
from canonical.launchpad.monitor.inference.plausible import FEWEST_RUNS
from canonical.launchpad.monitor.inference.plausible import why_not
from canonical.launchpad.monitor.inference.proposal import Suggestion
from canonical.launchpad.monitor.inference.proposal import at_intervals
from canonical.launchpad.monitor.inference.proposal import scheduled


__all__ = [
    "suggest_expectation",
]


HOUR = 3600.0
DAY = 86400.0
WEEK = 7 * DAY
FORTNIGHT = 14 * DAY


def suggest_expectation(
    runs: Sequence[Run], at: datetime.datetime
) -> Suggestion:
    """What to expect, so that an assessment of then would have been right.

    :param runs: the history.
    :param at: an aware datetime, up to which it is complete.
    """
    if len(runs) < FEWEST_RUNS:
        return _too_few(runs)
    times = times_of(runs)
    guess = guess_on_hosts(times)
    if is_doubtful(guess) and (differing := _differing(times)) is not None:
        return differing
    changed = changed_schedule(times, guess)
    if changed is not None:
        after = times[changed.first:]
        return _since_change(
            _too_few(after) if changed.after is None else
            _too_short(changed.after, after, at)
            or scheduled(changed.after, after, at),
            after, changed.before)
    if (too_short := _too_short(guess, times, at)) is not None:
        return too_short
    doubt = why_not(guess, times)
    if not doubt:
        return scheduled(guess, times, at)
    interval = at_intervals(times, at)
    if (interval is None or interval.gaps) and (
            (first := changed_interval(times)) is not None
            and (recent := at_intervals(times[first:], at)) is not None):
        return _since_change(recent, times[first:], None)
    if interval is not None:
        return interval
    return Suggestion({}, (
        f"no schedule fits: with the nearest, {guess.schedule},"
        f" {doubt}",
        f"no interval fits: {varies(times)}"))


def _differing(runs: Sequence[Times]) -> Suggestion | None:
    """On several hosts, each has its own schedule; one rule has one."""
    guesses = guesses_by_host(runs)
    kinds = {(each.schedule, each.timezone) for each in guesses.values()}
    if len(kinds) < 2 or any(
            is_doubtful(guess) or why_not(guess, by_host(runs, [host])[0])
            for host, guess in guesses.items()):
        return None
    return Suggestion({}, (
        "no single rule fits: " + ", ".join(
            f"{schedule_text(guess)} on {host}"
            for host, guess in guesses.items()),))


def _too_few(runs: Sequence[Run | Times]) -> Suggestion:
    return Suggestion({}, (
        f"{count_text(len(runs), 'run')}: too few to infer a rule from; it"
        f" needs {FEWEST_RUNS}",))


def _too_short(
    guess: Guess, runs: Sequence[Times], at: datetime.datetime
) -> Suggestion | None:
    """Of a short time it cannot be told whether what followed was rest."""
    first, last = runs[0].started, runs[-1].completed
    silent = at.timestamp() - last
    days = range(int(last // DAY) + 1, int(at.timestamp() // DAY) + 1)
    if last - first < min(FORTNIGHT, silent):
        why = "and has not since then"
    elif last - first < DAY and (
            silent > HOUR or guess.schedule.split()[1] != "*"):
        why = "too short to show at which hours it does not run"
    elif silent > DAY and last - first < WEEK and (
            all(map(_is_weekend, days))
            and not any(_is_weekend(int(run.started // DAY)) for run in runs)):
        why = "too short to show whether it runs at weekends"
    else:
        return None
    return Suggestion({}, (
        f"no rule can be inferred: it ran from {when_text(first)} to"
        f" {when_text(last)}, {why}",))


def _is_weekend(day: int) -> bool:
    """Is it, of the days since 1970, which began on a Thursday?"""
    return day % 7 in (2, 3)


def _since_change(
    suggestion: Suggestion, runs: Sequence[Times], before: Guess | None
) -> Suggestion:
    return dataclasses.replace(suggestion, evidence=(
        change_evidence(runs[0].started, before), *suggestion.evidence))
