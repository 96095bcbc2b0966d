"""From the history of a script, a rule and its evidence, or why there is none.
"""

from __future__ import annotations

import bisect
import datetime
import itertools
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import NamedTuple

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.inference import evidence
from canonical.launchpad.monitor.inference.allowances import OUTAGE
from canonical.launchpad.monitor.inference.allowances import RUNS
from canonical.launchpad.monitor.inference.allowances import Allowed
from canonical.launchpad.monitor.inference.allowances import allowed_by_cron
from canonical.launchpad.monitor.inference.allowances import allowed_by_timer
from canonical.launchpad.monitor.inference.allowances import average_band
from canonical.launchpad.monitor.inference.allowances import digits
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.likelihood import believed
from canonical.launchpad.monitor.inference.likelihood import hosts_bits
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.search import best
from canonical.launchpad.monitor.inference.search import explained
from canonical.launchpad.monitor.inference.zones import DAY
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.plaintext import counted


__all__ = [
    "Suggestion",
    "suggest_expectation",
]


FEWEST_RUNS = 5

# A schedule is looked for in the last runs only, for the sake of time.
LEARNED = 20_000

# A host that has a smaller part than this of the runs that the busiest has
# may have some that were started by hand.
FEW = 0.1

# A host counts that still ran in the last part of the history.
END = 0.9

# So many bits have to speak for hosts with schedules of their own.
DIFFER = 24.0

# A schedule is proposed if no more than this part of the runs is beside its
# slots, and this part of the slots is met.
BESIDE = 0.25
LEAST_MET = 0.6

# A run may be early by the time by which starts came to be earlier, or by an
# eighth of the time between slots; but by no more than this, in seconds.
EARLIEST = 7200.0

# The rule for irregular runs waits for at most this part of the history.
LONGEST = 0.2


@dataclass(frozen=True)
class Suggestion:
    """What to expect of a script.

    :ivar attributes: of the directive ``script``, but for the name; none if
        nothing can be inferred.
    :ivar evidence: sentences: one for each attribute, and for what cannot be
        inferred.
    :ivar since: when the history begins that it is from, in seconds since
        1970 UTC.
    :ivar incidents: what the rule would have found in that history.
    """

    attributes: Mapping[str, str]
    evidence: tuple[str, ...]
    since: float = 0.0
    incidents: tuple[Incident, ...] = field(default=())


class Past(NamedTuple):
    """What a rule is inferred from.

    :ivar scopes: the last runs on each of the hosts, or on all together if
        there are none.
    :ivar until: when the history ends.
    """

    history: History
    hosts: Sequence[str]
    scopes: Sequence[History]
    until: float


def suggest_expectation(
    runs: Iterable[Run], at: datetime.datetime, timezone: str = "UTC"
) -> Suggestion:
    """What to expect of a script, so that a check would have been right.

    :param runs: the history, in order of start.
    :param at: an aware datetime, up to which the history is complete.
    :param timezone: where the history does not show the zone.
    """
    history = runs if isinstance(runs, History) else History(runs)
    if len(history) < FEWEST_RUNS:
        return _too_few(history)
    last = history[-LEARNED:]
    hosts, scopes = _hosts(last), [last]
    found = best(scopes, timezone)
    if hosts:
        each = [last.on(host) for host in hosts]
        apart = best(each, timezone)
        if (why := _differing(
                hosts, each, timezone, min(apart.bits, found.bits))):
            return Suggestion({}, (why,))
        if apart.bits < found.bits + hosts_bits(last.hosts):
            scopes, found = each, apart
        else:
            hosts = []
    _, found, change, alike = explained(scopes, timezone, found)
    said = []
    if change is not None:
        days = round((change.at - history.starts[0]) / DAY)
        said.append(
            f"schedule changed from {evidence.model(change.before)} at"
            f" {evidence.when(change.at)}; {days}d of earlier runs ignored")
        history = history[bisect.bisect_left(history.starts, change.at):]
        last = history[-LEARNED:]
        scopes = [last.on(host) for host in hosts] or [last]
        if len(history) < FEWEST_RUNS:
            return _too_few(history, *said)
    past = Past(history, hosts, scopes, at.timestamp())
    if not believed(found.bits, scopes):
        return _timer(past, said, (
            f"no schedule fits: {counted(len(last), 'run')} are"
            f" described hardly better by {evidence.model(found.model)} than"
            " by chance"))
    if isinstance(found.model, Cron):
        return _cron(past, said, found.model, alike)
    return _timer(past, said)


def _too_few(history: History, *said: str) -> Suggestion:
    return Suggestion({}, (*said, (
        f"{counted(len(history), 'run')}: too few to infer a rule from;"
        f" it needs {FEWEST_RUNS}")))


def _hosts(history: History) -> list[str]:
    """The hosts that may each have their own runs; none if fewer than two."""
    counts = Counter(history.hosts)
    late = set(history.between(
        history.starts[0] + END * history.span, float("inf")).hosts)
    found = sorted(
        history.names[host] for host, number in counts.items()
        if number >= max(FEW * max(counts.values()), 2) and host in late)
    return found if len(found) > 1 else []


def _differing(
    hosts: Sequence[str], scopes: Sequence[History], timezone: str,
    bits: float,
) -> str:
    """Why there is no rule, if each host has a schedule of its own.

    :param bits: of the best model for all.
    """
    own = [best([scope], timezone) for scope in scopes]
    if len({each.model for each in own}) < 2:
        return ""
    own = [explained([scope], timezone, each).found
           for scope, each in zip(scopes, own, strict=True)]
    if len({each.model for each in own}) < 2 or (
            sum(each.bits for each in own) > bits - DIFFER) or not all(
                isinstance(each.model, Cron) for each in own):
        return ""
    return "no single rule fits: " + ", ".join(
        f"{evidence.model(each.model)} on {host}"
        for host, each in zip(hosts, own, strict=True))


def _cron(
    past: Past, said: Sequence[str], model: Cron, alike: Sequence[Cron]
) -> Suggestion:
    """The rule for runs that cron starts, or why there is none."""
    if why := _too_short(model, past):
        return Suggestion({}, (*said, why))
    allowed = allowed_by_cron(model, past.scopes, past.until)
    count = sum(map(len, past.scopes))
    unmet = f"{allowed.slots - allowed.met} of {allowed.slots} slots"
    if allowed.beside > BESIDE * count:
        why = f"{allowed.beside} of {count} runs have no slot"
    elif allowed.met < LEAST_MET * allowed.slots:
        why = f"{unmet} have no run"
    if why:
        return _timer(past, said, (
            f"no schedule fits: with the nearest, {evidence.model(model)},"
            f" {why}"))
    zone = "" if model.runs_every_hour() else model.timezone
    early = min(digits(max(-allowed.drift, 0)), model.spacing / 8, EARLIEST)
    return _rule(past, {
        "schedule": model.text, "timezone": zone if zone != "UTC" else "",
        "early": evidence.seconds(early) if early else "",
    }, allowed, [
        *said,
        evidence.schedule(allowed, past.history[-LEARNED:]),
        evidence.zone(model, past.history[-LEARNED:], alike),
        evidence.grace(allowed),
        *([evidence.drift(allowed)] if allowed.drift else []),
        *([f"missed: {unmet} had no run of their own"]
          if allowed.missed else []),
    ])


def _timer(past: Past, said: Sequence[str], why: str = "") -> Suggestion:
    """The rule for runs that follow no clock, but each other.

    :param why: runs are irregular.  The rule warns of a silence, if no silence
        was too long for that.
    """
    gaps = sorted(
        b - a for scope in past.scopes
        for a, b in itertools.pairwise(sorted(scope.ends)))
    usual = max(gaps[len(gaps) // 2], 60.0)
    every = digits(max(gaps[len(gaps) * 9 // 10], 60.0))
    allowed = allowed_by_timer(every, usual, past.scopes, past.until)
    attributes = {"every": evidence.seconds(every)}
    grace = "grace: the longest time between completions was" \
        f" {evidence.seconds(allowed.worst)}"
    if not why:
        return _rule(past, attributes, allowed, [*said, (
            "every: starts follow no clock, but it completed every"
            f" {evidence.seconds(usual)},"
            f" {evidence.span(past.history[-LEARNED:])}"), grace])
    if len(past.history) < RUNS or (
            every + allowed.grace > LONGEST * past.history.span):
        return Suggestion({}, (*said, why, (
            "no interval fits: the time between completions varies from"
            f" {evidence.seconds(gaps[0])} to {evidence.seconds(gaps[-1])}")))
    return _rule(
        past, {**attributes, "severity": "warning"},
        allowed._replace(extra=None), [*said, why, (
            "every: runs are irregular, so the rule warns only of a silence;"
            " nine of ten times between completions were below"
            f" {evidence.seconds(every)}"), grace])


def _rule(
    past: Past,
    attributes: Mapping[str, str],
    allowed: Allowed,
    said: Sequence[str],
) -> Suggestion:
    """A rule with its allowances, replayed over its history."""
    said = list(said)
    hosts = past.hosts
    if any(host.split()[1:] for host in hosts):
        said.append("hosts: names with spaces cannot be listed")
        hosts = []
    elif hosts or len(past.history.names) > 1:
        said.append(evidence.hosts(hosts, past.history.names))
    band = average_band(past.scopes)
    said.append(evidence.average(band, min(map(len, past.scopes))))
    rule = {
        **attributes,
        "grace": evidence.seconds(allowed.grace),
        "hosts": " ".join(hosts),
        "missed": str(allowed.missed) if allowed.missed else "",
        "extra": "" if allowed.extra is None else str(allowed.extra),
        "average": "" if band is None else "..".join(
            evidence.seconds(end) if end else "" for end in band[:2]),
    }
    rule = {name: text for name, text in rule.items() if text}
    incidents = tuple(_replayed(rule, past.history, hosts, past.until))
    said.append(evidence.replay(incidents))
    return Suggestion(rule, tuple(said), past.history.starts[0], incidents)


def _replayed(
    attributes: Mapping[str, str],
    history: History,
    hosts: Sequence[str],
    until: float,
) -> Iterator[Incident]:
    """What a rule would have found, from its first full window on."""
    case = Case(expectation_from_text("-", **attributes))
    at = datetime.datetime.fromtimestamp(until, datetime.UTC)
    for host in (*hosts,) or (None,):
        runs = history if host is None else history.on(host)
        first, last = (runs[number].date_started for number in (0, -1))
        since = first + reach(case)
        if since < at:
            length = max(reach(case), (last - first) * min(
                LEARNED / len(runs), 1) + datetime.timedelta(days=1))
            for each in replay(case, runs, since, at, length):
                yield each._replace(hostname=host)


def _too_short(cron: Cron, past: Past) -> str:
    """In a short history, what followed may have been a rest."""
    history = past.history[-LEARNED:]
    first, last = history.starts[0], max(history.ends)
    silent = past.until - last
    days = range(int(last // DAY) + 1, int(past.until // DAY) + 1)
    if last - first < min(14 * DAY, silent) and silent > (
            OUTAGE * cron.spacing):
        why = "and has not since then"
    elif last - first < DAY and (
            silent > 3600 or not cron.runs_every_hour()):
        why = "too short to show at which hours it does not run"
    elif silent > DAY and last - first < 7 * DAY and (
        all(map(_is_weekend, days)) and not any(
            _is_weekend(int(start // DAY)) for start in history.starts)):
        why = "too short to show whether it runs at weekends"
    else:
        return ""
    return (
        f"no rule can be inferred: it ran from {evidence.when(first)} to"
        f" {evidence.when(last)}, {why}")


def _is_weekend(day: int) -> bool:
    """Is it one of these, of the days since Thursday, 1 January 1970?"""
    return day % 7 in (2, 3)
