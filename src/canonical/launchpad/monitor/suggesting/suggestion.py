"""From the history of a script, what to expect of it, and the evidence."""

from __future__ import annotations

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
from canonical.launchpad.monitor.suggesting.evidence import average_of
from canonical.launchpad.monitor.suggesting.evidence import count_text
from canonical.launchpad.monitor.suggesting.evidence import gaps_evidence
from canonical.launchpad.monitor.suggesting.evidence import missed_evidence
from canonical.launchpad.monitor.suggesting.evidence import schedule_evidence
from canonical.launchpad.monitor.suggesting.evidence import seconds_text
from canonical.launchpad.monitor.suggesting.evidence import varies
from canonical.launchpad.monitor.suggesting.evidence import when_text
from canonical.launchpad.monitor.suggesting.evidence import zone_evidence
from canonical.launchpad.monitor.suggesting.guessing import Guess
from canonical.launchpad.monitor.suggesting.guessing import slot_seconds
from canonical.launchpad.monitor.suggesting.hosts import by_host
from canonical.launchpad.monitor.suggesting.hosts import guess_on_hosts
from canonical.launchpad.monitor.suggesting.hosts import hosts_of_interval
from canonical.launchpad.monitor.suggesting.hosts import hosts_of_schedule
from canonical.launchpad.monitor.suggesting.intervals import guess_interval
from canonical.launchpad.monitor.suggesting.intervals import is_steadier
from canonical.launchpad.monitor.suggesting.intervals import runs_missed
from canonical.launchpad.monitor.suggesting.matching import Match
from canonical.launchpad.monitor.suggesting.matching import Times
from canonical.launchpad.monitor.suggesting.matching import longest_normal
from canonical.launchpad.monitor.suggesting.matching import match
from canonical.launchpad.monitor.suggesting.matching import slots_within
from canonical.launchpad.monitor.suggesting.matching import times_of


__all__ = [
    "FEWEST_RUNS",
    "Suggestion",
    "suggest_expectation",
]


FEWEST_RUNS = 5

# A schedule fits if there is no more than this part of a stretch without runs
# for each slot that has one, and no more than this part of the runs is beside
# it.
STRETCHES = 0.2
EXTRA = 0.2

# And this part of the slots has to have a run, even where much is missing.
MET = 0.5

# It has to say more than a list of the runs would, which takes so many bits
# for each.
BITS = 10.0

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
    """

    attributes: Mapping[str, str]
    evidence: tuple[str, ...]


def suggest_expectation(
    runs: Sequence[Run], at: datetime.datetime
) -> Suggestion:
    """What to expect, so that an assessment of then would have been right.

    :param runs: the history.
    :param at: an aware datetime, up to which it is complete.
    """
    if len(runs) < FEWEST_RUNS:
        return Suggestion({}, (
            f"nothing can be told from {count_text(len(runs), 'run')};"
            f" {FEWEST_RUNS} at least would be needed",))
    times = times_of(runs)
    guess = guess_on_hosts(times)
    why_not = _why_not(guess, times)
    if not why_not:
        return _scheduled(guess, times, at)
    return _at_intervals(times, at) or Suggestion({}, (
        f"no schedule can be told: with the nearest, {guess.schedule},"
        f" {why_not}",
        f"no interval can be told: {varies(times)}"))


def _why_not(guess: Guess, runs: Sequence[Times]) -> str:
    """Why a guess does not fit, if it does not."""
    matched = guess.matched
    slots = len(matched.slots)
    stretches = len(matched.stretches())
    met = slots - len(matched.gaps)
    if matched.extra > EXTRA * len(runs):
        return f"{matched.extra} of {len(runs)} runs have no slot"
    if stretches > STRETCHES * len(matched.lateness) or met < MET * slots:
        return f"{len(matched.gaps)} of {slots} slots have no run"
    if len(matched.lateness) < FEWEST_RUNS:
        return f"only {len(matched.lateness)} slots have a run"
    if guess.cost > BITS * len(runs):
        return f"{count_text(len(runs), 'run')} are too few to believe it"
    if is_steadier(guess, runs):
        return "starts drift all over the time between slots"
    return ""


def _scheduled(
    guess: Guess, runs: Sequence[Times], at: datetime.datetime
) -> Suggestion:
    longest = longest_normal(runs)
    hosts, hosts_evidence = hosts_of_schedule(guess.matched, runs, longest)
    scopes = by_host(runs, hosts)
    until = at.timestamp()
    matches = [
        _matched(guess, scope, until) for scope in scopes]
    patience = max(map(patience_needed, matches, scopes))
    grace = rounded_up(max(patience * GRACE_MARGIN, 60))
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
    return Suggestion(
        {name: text for name, text in attributes.items() if text}, tuple([
            schedule_evidence(guess, runs),
            zone_evidence(guess),
            f"grace: the latest completion came {seconds_text(patience)} after"
            f" its slot",
            *hosts_evidence,
            *missed_evidence(missed, matches, scopes),
            average_evidence,
            *gaps_evidence(matches, hosts),
        ]))


def _matched(guess: Guess, runs: Sequence[Times], until: float) -> Match:
    """From the first slot that has a run to the last that is due."""
    days = slot_seconds(
        guess.schedule, guess.timezone,
        int(guess.matched.slots[0] // 86400), int(until // 86400))
    slots = slots_within(days, runs[0].started, until)
    spacing = min(
        (after - slot for slot, after in zip(slots, slots[1:], strict=False)),
        default=math.inf)
    return match(
        slots, runs, max(longest_normal(runs), LONGEST * spacing),
        LATEST * spacing)


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
    evidence = [
        "every: starts follow no clock, but it completed every"
        f" {seconds_text(usual)}, from {when_text(runs[0].started)} to"
        f" {when_text(runs[-1].started)}",
        f"grace: the longest time between completions was"
        f" {seconds_text(longest)}",
        *hosts_evidence,
        *([f"missed: a day may have {count_text(missed, 'run')} less"]
          if missed else []),
        average_evidence,
    ]
    for interval, scope in intervals:
        last = max(run.completed for run in scope)
        gaps = [*interval.gaps]
        if at.timestamp() - last > every + grace.total_seconds():
            gaps.append((last, at.timestamp()))
        where = f" on {scope[0].hostname}" if hosts else ""
        evidence += [
            f"gap: none completed{where} from {when_text(start)} to"
            f" {when_text(end)}"
            for start, end in gaps]
    return Suggestion(
        {name: text for name, text in attributes.items() if text},
        tuple(evidence))
