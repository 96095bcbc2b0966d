"""What to expect of a script, with allowances, and the evidence."""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.config.durations import duration_text
from canonical.launchpad.monitor.inference.allowances import missed_needed
from canonical.launchpad.monitor.inference.allowances import patience_needed
from canonical.launchpad.monitor.inference.allowances import rounded_up
from canonical.launchpad.monitor.inference.allowances import unmet
from canonical.launchpad.monitor.inference.evidence import average_of
from canonical.launchpad.monitor.inference.evidence import count_text
from canonical.launchpad.monitor.inference.evidence import grace_evidence
from canonical.launchpad.monitor.inference.evidence import missed_evidence
from canonical.launchpad.monitor.inference.evidence import schedule_evidence
from canonical.launchpad.monitor.inference.evidence import seconds_text
from canonical.launchpad.monitor.inference.evidence import when_text
from canonical.launchpad.monitor.inference.evidence import zone_evidence
from canonical.launchpad.monitor.inference.gaps import Gap
from canonical.launchpad.monitor.inference.gaps import gaps_between_completions
from canonical.launchpad.monitor.inference.gaps import gaps_evidence
from canonical.launchpad.monitor.inference.gaps import gaps_of_slots
from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.hosts import by_host
from canonical.launchpad.monitor.inference.hosts import hosts_of_interval
from canonical.launchpad.monitor.inference.hosts import hosts_of_schedule
from canonical.launchpad.monitor.inference.intervals import guess_interval
from canonical.launchpad.monitor.inference.intervals import runs_missed
from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.monitor.inference.matching import latest_normal
from canonical.launchpad.monitor.inference.matching import longest_normal
from canonical.launchpad.monitor.inference.matching import match
from canonical.launchpad.monitor.inference.slots import slots_of


__all__ = [
    "Suggestion",
    "at_intervals",
    "scheduled",
]


# What a run may take, and how late it may start, that is allowed for, as parts
# of the time between slots: what takes longer was stuck, and what comes later
# was started by hand.
LONGEST = 4.0
LATEST = 0.5

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


def scheduled(
    guess: Guess, runs: Sequence[Times], at: datetime.datetime
) -> Suggestion:
    """What to expect, if a guess at the schedule is right.

    :param runs: the history, in order of their starts.
    :param at: up to when it is complete.
    """
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
        else _matched(guess, scope, max(due_until, each.slots[1]))
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


def at_intervals(
    runs: Sequence[Times], at: datetime.datetime
) -> Suggestion | None:
    """What to expect, if it keeps to no clock but completes steadily."""
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
        *([f"missed: a day had up to {count_text(missed, 'run')} fewer"]
          if missed else []),
        average_evidence,
    ])
