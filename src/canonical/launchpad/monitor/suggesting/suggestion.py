"""From the history of a script, what to expect of it, and the evidence."""

from __future__ import annotations

import dataclasses
import datetime
import math
import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.durations import duration_text
from canonical.launchpad.monitor.suggesting.allowances import missed_needed
from canonical.launchpad.monitor.suggesting.allowances import patience_needed
from canonical.launchpad.monitor.suggesting.allowances import rounded_up
from canonical.launchpad.monitor.suggesting.allowances import unmet
from canonical.launchpad.monitor.suggesting.changes import changed_interval
from canonical.launchpad.monitor.suggesting.changes import changed_schedule
from canonical.launchpad.monitor.suggesting.changes import is_doubtful
from canonical.launchpad.monitor.suggesting.evidence import average_of
from canonical.launchpad.monitor.suggesting.evidence import change_evidence
from canonical.launchpad.monitor.suggesting.evidence import count_text
from canonical.launchpad.monitor.suggesting.evidence import grace_evidence
from canonical.launchpad.monitor.suggesting.evidence import missed_evidence
from canonical.launchpad.monitor.suggesting.evidence import schedule_evidence
from canonical.launchpad.monitor.suggesting.evidence import schedule_text
from canonical.launchpad.monitor.suggesting.evidence import seconds_text
from canonical.launchpad.monitor.suggesting.evidence import varies
from canonical.launchpad.monitor.suggesting.evidence import when_text
from canonical.launchpad.monitor.suggesting.evidence import zone_evidence
from canonical.launchpad.monitor.suggesting.gaps import Gap
from canonical.launchpad.monitor.suggesting.gaps import (
    gaps_between_completions,
)
from canonical.launchpad.monitor.suggesting.gaps import gaps_evidence
from canonical.launchpad.monitor.suggesting.gaps import gaps_of_slots
from canonical.launchpad.monitor.suggesting.guessing import Guess
from canonical.launchpad.monitor.suggesting.hosts import by_host
from canonical.launchpad.monitor.suggesting.hosts import guess_on_hosts
from canonical.launchpad.monitor.suggesting.hosts import guesses_by_host
from canonical.launchpad.monitor.suggesting.hosts import hosts_of_interval
from canonical.launchpad.monitor.suggesting.hosts import hosts_of_schedule
from canonical.launchpad.monitor.suggesting.intervals import guess_interval
from canonical.launchpad.monitor.suggesting.intervals import runs_missed
from canonical.launchpad.monitor.suggesting.matching import Match
from canonical.launchpad.monitor.suggesting.matching import Times
from canonical.launchpad.monitor.suggesting.matching import latest_normal
from canonical.launchpad.monitor.suggesting.matching import longest_normal
from canonical.launchpad.monitor.suggesting.matching import match
from canonical.launchpad.monitor.suggesting.matching import times_of
from canonical.launchpad.monitor.suggesting.plausible import FEWEST_RUNS
from canonical.launchpad.monitor.suggesting.plausible import why_not
from canonical.launchpad.monitor.suggesting.slots import slots_of


__all__ = [
    "Suggestion",
    "suggest_expectation",
]


# What a run may take, and how late it may start, that is allowed for, as parts
# of the time between slots: what takes longer was stuck, and what comes later
# was started by hand.
LONGEST = 4.0
LATEST = 0.5

HOUR = 3600.0
DAY = 86400.0
WEEK = 7 * DAY
FORTNIGHT = 14 * DAY

# Future runs may be later than past ones by this factor.
GRACE_MARGIN = 1.5


@dataclass(frozen=True)
class Suggestion:
    """What to expect of a script.

    :ivar attributes: of the directive ``script``, but for the name; none if
        nothing can be told.
    :ivar evidence: sentences, one for each of them, and for what cannot be
        told.
    :ivar since: when the history begins that it is from, in seconds since
        1970 UTC.
    :ivar gaps: in that history, where alarms are right.
    """

    attributes: Mapping[str, str]
    evidence: tuple[str, ...]
    since: float = 0.0
    gaps: tuple[Gap, ...] = ()


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
            or _scheduled(changed.after, after, at),
            after, changed.before)
    if (too_short := _too_short(guess, times, at)) is not None:
        return too_short
    doubt = why_not(guess, times)
    if not doubt:
        return _scheduled(guess, times, at)
    interval = _at_intervals(times, at)
    if (interval is None or interval.gaps) and (
            (first := changed_interval(times)) is not None
            and (recent := _at_intervals(times[first:], at)) is not None):
        return _since_change(recent, times[first:], None)
    if interval is not None:
        return interval
    return Suggestion({}, (
        f"no schedule can be told: with the nearest, {guess.schedule},"
        f" {doubt}",
        f"no interval can be told: {varies(times)}"))


def _differing(runs: Sequence[Times]) -> Suggestion | None:
    """On several hosts, each has its own schedule; one rule has one."""
    guesses = guesses_by_host(runs)
    kinds = {(each.schedule, each.timezone) for each in guesses.values()}
    if len(kinds) < 2 or any(
            is_doubtful(guess) or why_not(guess, by_host(runs, [host])[0])
            for host, guess in guesses.items()):
        return None
    return Suggestion({}, (
        "no one rule can be told: " + ", ".join(
            f"on {host} it is {schedule_text(guess)}"
            for host, guess in guesses.items()),))


def _too_few(runs: Sequence[Run | Times]) -> Suggestion:
    return Suggestion({}, (
        f"nothing can be told from {count_text(len(runs), 'run')};"
        f" {FEWEST_RUNS} at least would be needed",))


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
        why = "too short to tell at which hours it rests"
    elif silent > DAY and last - first < WEEK and (
            all(map(_is_weekend, days))
            and not any(_is_weekend(int(run.started // DAY)) for run in runs)):
        why = "too short to tell whether it rests at weekends"
    else:
        return None
    return Suggestion({}, (
        f"nothing can be told: it ran from {when_text(first)} to"
        f" {when_text(last)}, {why}",))


def _is_weekend(day: int) -> bool:
    """Is it, of the days since 1970, which began on a Thursday?"""
    return day % 7 in (2, 3)


def _since_change(
    suggestion: Suggestion, runs: Sequence[Times], before: Guess | None
) -> Suggestion:
    return dataclasses.replace(suggestion, evidence=(
        change_evidence(runs[0].started, before), *suggestion.evidence))


def _scheduled(
    guess: Guess, runs: Sequence[Times], at: datetime.datetime
) -> Suggestion:
    longest = longest_normal(runs)
    hosts, hosts_evidence = hosts_of_schedule(guess.matched, runs, longest)
    scopes = by_host(runs, hosts)
    until = at.timestamp()
    matches = [
        _matched(guess, scope, until) for scope in scopes]
    met, covered = map(max, zip(*(
        patience_needed(each, scope, until)
        for each, scope in zip(matches, scopes, strict=True)), strict=True))
    grace = rounded_up(max(met * GRACE_MARGIN, covered * GRACE_MARGIN, 60))
    # Those that are not due yet are not missed.
    due_until = until - grace.total_seconds()
    matches = [
        each if each.slots[-1] <= due_until
        else _matched(guess, scope, due_until)
        for each, scope in zip(matches, scopes, strict=True)]
    missed = max(
        missed_needed(unmet(each, scope))
        for each, scope in zip(matches, scopes, strict=True))
    average, average_evidence = average_of(scopes)
    attributes = {
        "schedule": guess.schedule,
        "timezone": guess.timezone if guess.timezone != "UTC" else "",
        "grace": duration_text(grace),
        "hosts": " ".join(hosts),
        "missed": str(missed) if missed else "",
        "average": average,
    }
    gaps = [
        gap for hostname, each, scope in zip(
            hosts or (None,), matches, scopes, strict=True)
        for gap in gaps_of_slots(each, scope, hostname, runs[0].started)]
    return _suggested(attributes, runs, gaps, [
        schedule_evidence(guess, runs),
        zone_evidence(guess),
        grace_evidence(met, covered),
        *hosts_evidence,
        *missed_evidence(missed, matches, scopes),
        average_evidence,
    ])


def _suggested(
    attributes: Mapping[str, str],
    runs: Sequence[Times],
    gaps: Sequence[Gap],
    evidence: Sequence[str],
) -> Suggestion:
    return Suggestion(
        attributes={name: text for name, text in attributes.items() if text},
        evidence=(*evidence, *gaps_evidence(gaps)),
        since=runs[0].started,
        gaps=tuple(gaps))


def _matched(guess: Guess, runs: Sequence[Times], until: float) -> Match:
    """From the first slot that has a run to the last that is due."""
    slots = slots_of(
        guess.schedule, guess.timezone, runs[0].started, until)
    spacing = min(
        (after - slot for slot, after in zip(slots, slots[1:], strict=False)),
        default=math.inf)
    return match(
        slots, runs, max(longest_normal(runs), LONGEST * spacing),
        max(latest_normal(guess.matched.lateness), LATEST * spacing))


def _at_intervals(
    runs: Sequence[Times], at: datetime.datetime
) -> Suggestion | None:
    hosts, hosts_evidence = hosts_of_interval(runs)
    scopes = by_host(runs, hosts)
    intervals = [
        (interval, scope) for scope in scopes
        if (interval := guess_interval(scope)) is not None]
    if len(intervals) < len(scopes):
        return None
    every = max(interval.most for interval, _ in intervals)
    longest = max(interval.longest for interval, _ in intervals)
    grace = rounded_up(max(longest * GRACE_MARGIN - every, 60))
    missed = max(
        runs_missed(interval, scope, every, grace.total_seconds())
        for interval, scope in intervals)
    average, average_evidence = average_of(scopes)
    attributes = {
        "every": seconds_text(every),
        "grace": duration_text(grace),
        "hosts": " ".join(hosts),
        "missed": str(missed) if missed else "",
        "average": average,
    }
    usual = statistics.median(each.usual for each, _ in intervals)
    gaps = [
        gap for hostname, (interval, scope) in zip(
            hosts or (None,), intervals, strict=True)
        for gap in gaps_between_completions(
            interval, scope, hostname, runs[0].started, at.timestamp(),
            every + grace.total_seconds())]
    return _suggested(attributes, runs, gaps, [
        "every: starts follow no clock, but it completed every"
        f" {seconds_text(usual)}, from {when_text(runs[0].started)} to"
        f" {when_text(runs[-1].started)}",
        f"grace: the longest time between completions was"
        f" {seconds_text(longest)}",
        *hosts_evidence,
        *([f"missed: a day may have {count_text(missed, 'run')} less"]
          if missed else []),
        average_evidence,
    ])
