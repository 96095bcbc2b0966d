"""Is a script due on each of its hosts, or on any of them?"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.guessing import guess_of
from canonical.launchpad.monitor.inference.guessing import guess_schedule
from canonical.launchpad.monitor.inference.intervals import guess_interval
from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times
from canonical.launchpad.monitor.inference.matching import longest_normal
from canonical.launchpad.monitor.inference.matching import match
from canonical.launchpad.monitor.inference.matching import quantile


__all__ = [
    "by_host",
    "guess_on_hosts",
    "guesses_by_host",
    "hosts_of_interval",
    "hosts_of_schedule",
]


# A host that has a smaller part than this of the runs that the busiest has
# may have some that were started by hand.
FEW = 0.1

# It is due there if it ran there for this part of the slots that any host
# met, since it first did, and did so until near the end.
FULL = 0.8
END = 0.9

# How many runs on a host its own times between completions are told from.
FEWEST = 5


def guess_on_hosts(runs: Sequence[Times]) -> Guess:
    """The schedule that fits best.

    Where many hosts are late now and then, together they seem to run at
    later minutes as well.  So what the busiest does is the answer, if the
    others do the same.

    :param runs: at least one, in order of their starts.
    """
    together = guess_schedule(runs)
    hosts = _substantial(runs)
    if len(hosts) < 2:
        return together
    scopes = by_host(runs, hosts)
    alone = guess_schedule(max(scopes, key=len))
    if alone.schedule == together.schedule or not alone.matched.lateness:
        return together
    longest = longest_normal(runs)
    guess = guess_of(alone.schedule, alone.zone, runs)
    slots = guess.matched.slots
    latest = 2 * max(quantile(alone.matched.lateness, 0.9), 60.0)
    for scope in scopes:
        matched = match(slots, scope, longest)
        if (len(matched.gaps) > (1 - FULL) * len(slots)
                or quantile(matched.lateness, 0.9) > latest):
            return together
    return dataclasses.replace(
        guess, alike=alone.alike, clocks_changed=alone.clocks_changed)


def guesses_by_host(runs: Sequence[Times]) -> dict[str, Guess]:
    """What each of the hosts would be guessed to do by itself.

    :return: none if fewer than two are there until the end.
    """
    there = _until_end(_substantial(runs), runs)
    if len(there) < 2:
        return {}
    return dict(zip(
        there, map(guess_schedule, by_host(runs, there)), strict=True))


def by_host(
    runs: Sequence[Times], hosts: Sequence[str]
) -> list[list[Times]]:
    """The runs on each host; if there are none, all runs together."""
    if not hosts:
        return [list(runs)]
    return [
        [run for run in runs if run.hostname == host] for host in hosts]


def hosts_of_schedule(
    matched: Match, runs: Sequence[Times], longest: float
) -> tuple[list[str], list[str]]:
    """The hosts to name, if each is due by itself, and the evidence.

    :param matched: of all runs together.
    """
    substantial = _substantial(runs)
    if len(substantial) < 2:
        return [], _only_on(substantial, runs)
    shares = []
    for host in substantial:
        own = match(
            matched.slots, by_host(runs, [host])[0], longest)
        there = [number for number, run in enumerate(own.runs) if run]
        if len(there) < 2 or there[-1] < END * len(matched.slots) - 1:
            continue
        met = {*there, *own.covered}
        any_met = {
            number for number, run in enumerate(matched.runs)
            if run and number >= there[0]}
        shares.append((len(met & any_met) / len(any_met), host))
    if len(shares) < 2 or min(shares)[0] < FULL:
        return [], [
            f"hosts: any will do; it ran on {_and(substantial)}, but not on"
            " each for all slots"]
    return _listed([host for _, host in shares])


def _listed(hosts: list[str]) -> tuple[list[str], list[str]]:
    if any(len(host.split()) != 1 or host != host.strip() for host in hosts):
        return [], [
            f"hosts: any will do; it ran on each of {_and(hosts)}, but names"
            " with spaces cannot be listed"]
    return hosts, [f"hosts: it ran on each of {_and(hosts)}"]


def hosts_of_interval(
    runs: Sequence[Times]
) -> tuple[list[str], list[str]]:
    """The hosts to name, if each is steady by itself, and the evidence."""
    substantial = _substantial(runs)
    if len(substantial) < 2:
        return [], _only_on(substantial, runs)
    there = _until_end(substantial, runs)
    if len(there) < 2 or guess_interval(runs) is not None or any(
            len(each) < FEWEST or guess_interval(each) is None
            for each in by_host(runs, there)):
        return [], [f"hosts: any will do; it ran on {_and(substantial)}"]
    return _listed(there)


def _substantial(runs: Sequence[Times]) -> list[str]:
    counts = Counter(run.hostname for run in runs)
    return sorted(
        host for host, count in counts.items()
        if count >= FEW * max(counts.values()))


def _until_end(
    hosts: Sequence[str], runs: Sequence[Times]
) -> list[str]:
    """Those of the hosts that have runs near the end."""
    end = runs[0].started + END * (runs[-1].started - runs[0].started)
    return [
        host for host, own in zip(hosts, by_host(runs, hosts), strict=True)
        if own[-1].started >= end]


def _only_on(hosts: Sequence[str], runs: Sequence[Times]) -> list[str]:
    others = sorted({run.hostname for run in runs}.difference(hosts))
    if not others:
        return []
    return [
        f"hosts: any will do; it ran on {_and(hosts)}, and sometimes on"
        f" {_and(others)}"]


def _and(names: Sequence[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
