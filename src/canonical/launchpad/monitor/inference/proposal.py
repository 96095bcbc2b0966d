"""From the history of a script, a rule and its evidence, or why there is none.
"""

from __future__ import annotations

import bisect
import dataclasses
import datetime
import itertools
import math
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field

from canonical.config.durations import duration_text
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
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.likelihood import believed
from canonical.launchpad.monitor.inference.likelihood import hosts_bits
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.search import Change
from canonical.launchpad.monitor.inference.search import Found
from canonical.launchpad.monitor.inference.search import Scope
from canonical.launchpad.monitor.inference.search import best
from canonical.launchpad.monitor.inference.search import since_change
from canonical.launchpad.monitor.inference.search import with_zone
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.replay import replay


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
        return _nothing(_too_few(len(history)))
    until = at.timestamp()
    last = history[-LEARNED:]
    hosts = _hosts(last)
    found = best([last.scope], timezone)
    scopes = [last.scope]
    if hosts:
        each = [last.on(host).scope for host in hosts]
        apart = best(each, timezone)
        if (differ := _differing(
                hosts, each, timezone, min(apart, found))) is not None:
            return differ
        if apart.bits < found.bits + hosts_bits(last.hostnames):
            scopes, found = each, apart
        else:
            hosts = []
    found, change, alike = _explained(scopes, timezone, found)
    if change is None:
        return _proposed(found, history, hosts, until, alike)
    first = bisect.bisect_left(history.starts, change.at)
    said = evidence.change(change, history.starts[0])
    if len(history) - first < FEWEST_RUNS:
        return _nothing(said, _too_few(len(history) - first))
    after = _proposed(change.after, history[first:], hosts, until, [])
    return dataclasses.replace(after, evidence=(said, *after.evidence))


def _explained(
    scopes: Sequence[Scope], timezone: str, found: Found
) -> tuple[Found, Change | None, list[Cron]]:
    """What takes the least bits: a timer, or cron in some zone.

    Each with its changes: what looks like a timer may be cron with a schedule
    that changed.

    :return: the model, its last change, and models that fit as well.
    """
    cron = found if isinstance(found.model, Cron) else best(
        scopes, timezone, False)
    models = [(cron, list[Cron]())]
    if (other := with_zone(scopes, timezone, cron)) is not None:
        models.append(other)
    if found is not cron:
        models.append((found, []))
    least = math.inf
    explained: tuple[Found, Change | None, list[Cron]] = found, None, []
    for model, alike in models:
        change, bits = since_change(scopes, model)
        if bits < least:
            least, explained = bits, (model, change, alike)
    return explained


def _nothing(*why: str) -> Suggestion:
    return Suggestion({}, why)


def _too_few(count: int) -> str:
    return (
        f"{evidence.count(count, 'run')}: too few to infer a rule from; it"
        f" needs {FEWEST_RUNS}")


def _hosts(history: History) -> list[str]:
    """The hosts that may each have their own runs; none if fewer than two."""
    counts = Counter(history.hosts)
    most = max(counts.values())
    begin, end = history.starts[0], history.starts[-1]
    late = set(history.hosts[bisect.bisect_left(
        history.starts, begin + END * (end - begin)):])
    found = sorted(
        history.names[host] for host, number in counts.items()
        if number >= max(FEW * most, 2) and host in late)
    return found if len(found) > 1 else []


def _differing(
    hosts: Sequence[str], scopes: Sequence[Scope], timezone: str, found: Found
) -> Suggestion | None:
    """Why there is no rule, if each host has a schedule of its own."""
    if len(hosts) > FEWEST_RUNS or min(
            len(scope.starts) for scope in scopes) < RUNS:
        return None
    own = [best([scope], timezone) for scope in scopes]
    if len({each.model for each in own}) < 2:
        return None
    own = [_explained([scope], timezone, each)[0]
           for scope, each in zip(scopes, own, strict=True)]
    if len({each.model for each in own}) < 2 or not all(
        isinstance(each.model, Cron) for each in own) or (
            sum(each.bits for each in own) > found.bits - DIFFER):
        return None
    return _nothing("no single rule fits: " + ", ".join(
        f"{evidence.model(each.model)} on {host}"
        for host, each in zip(hosts, own, strict=True)))


def _proposed(
    found: Found,
    history: History,
    hosts: Sequence[str],
    until: float,
    alike: Sequence[Cron],
) -> Suggestion:
    """The rule that a model asks for, or why there is none."""
    learned = history[-LEARNED:]
    scopes = [learned.on(host).scope for host in hosts] or [learned.scope]
    model = found.model
    count = sum(len(scope.starts) for scope in scopes)
    if not believed(found.bits, [scope.starts for scope in scopes]):
        return _irregular(
            history, scopes, hosts, until,
            f"no schedule fits: {evidence.count(count, 'run')} are described"
            f" hardly better by {evidence.model(model)} than by chance")
    if not isinstance(model, Cron):
        return _timer(history, scopes, hosts, until)
    if (why := _too_short(model, scopes, until)) is not None:
        return _nothing(why)
    allowed = allowed_by_cron(model, scopes, until)
    why = ""
    if allowed.beside > BESIDE * count:
        why = f"{allowed.beside} of {count} runs have no slot"
    elif allowed.met < LEAST_MET * allowed.slots:
        why = f"{allowed.slots - allowed.met} of {allowed.slots} slots have" \
            " no run"
    if why:
        return _irregular(
            history, scopes, hosts, until,
            f"no schedule fits: with the nearest, {evidence.model(model)},"
            f" {why}")
    zone = "" if model.runs_every_hour() else model.timezone
    said = [
        evidence.schedule(allowed, scopes),
        evidence.zone(model, scopes, alike),
        evidence.grace(allowed),
    ]
    if allowed.missed:
        said.append(
            f"missed: {allowed.slots - allowed.met} of {allowed.slots} slots"
            " had no run of their own")
    return _rule({
        "schedule": model.text,
        "timezone": zone if zone != "UTC" else "",
    }, allowed, said, history, scopes, hosts, until)


def _timer(
    history: History,
    scopes: Sequence[Scope],
    hosts: Sequence[str],
    until: float,
) -> Suggestion:
    """The rule for runs that follow no clock, but each other."""
    gaps = sorted(
        b - a for scope in scopes
        for a, b in itertools.pairwise(sorted(scope.ends)))
    usual = gaps[len(gaps) // 2]
    every = evidence.longer(gaps[len(gaps) * 9 // 10])
    allowed = allowed_by_timer(every, usual, scopes, until)
    return _rule({"every": evidence.seconds(every)}, allowed, [
        "every: starts follow no clock, but it completed every"
        f" {evidence.seconds(usual)}, from"
        f" {evidence.when(min(scope.starts[0] for scope in scopes))} to"
        f" {evidence.when(max(scope.starts[-1] for scope in scopes))}",
        f"grace: the longest time between completions was"
        f" {evidence.seconds(allowed.worst)}",
    ], history, scopes, hosts, until)


def _irregular(
    history: History,
    scopes: Sequence[Scope],
    hosts: Sequence[str],
    until: float,
    why: str,
) -> Suggestion:
    """A rule that warns of a silence, if no silence was too long for that."""
    gaps = sorted(
        b - a for scope in scopes
        for a, b in itertools.pairwise(sorted(scope.ends)))
    span = history.starts[-1] - history.starts[0]
    usual = max(gaps[len(gaps) // 2], 60.0)
    every = evidence.longer(max(gaps[len(gaps) * 9 // 10], 60.0))
    allowed = allowed_by_timer(every, usual, scopes, until)
    longest = every + allowed.grace
    if len(history) < RUNS or longest > LONGEST * span:
        return _nothing(why, (
            "no interval fits: the time between completions varies from"
            f" {evidence.seconds(gaps[0])} to {evidence.seconds(gaps[-1])}"))
    return _rule({
        "every": evidence.seconds(every), "severity": "warning",
    }, allowed._replace(extra=None), [
        why,
        "every: runs are irregular, so the rule warns only of a silence; nine"
        f" of ten times between completions were below"
        f" {evidence.seconds(every)}",
        f"grace: the longest time between completions was"
        f" {evidence.seconds(allowed.worst)}",
    ], history, scopes, hosts, until)


def _rule(
    attributes: Mapping[str, str],
    allowed: Allowed,
    said: Sequence[str],
    history: History,
    scopes: Sequence[Scope],
    hosts: Sequence[str],
    until: float,
) -> Suggestion:
    """A rule with its allowances, replayed over its history."""
    said = list(said)
    listed = [host for host in hosts if not host.split()[1:]]
    if hosts and listed != list(hosts):
        said.append("hosts: names with spaces cannot be listed")
        listed = []
    elif hosts or len(history.names) > 1:
        said.append(evidence.hosts(hosts, history.names))
    band = average_band(scopes)
    average = ""
    if band is not None:
        low = duration_text(band[0]) if band[0] else ""
        average = f"{low}..{duration_text(band[1])}"
    rule = {
        **attributes,
        "grace": evidence.seconds(allowed.grace),
        "hosts": " ".join(listed),
        "missed": str(allowed.missed) if allowed.missed else "",
        "extra": "" if allowed.extra is None else str(allowed.extra),
        "average": average,
    }
    rule = {name: text for name, text in rule.items() if text}
    said.append(evidence.average(band, min(
        len(scope.starts) for scope in scopes)))
    incidents = tuple(_replayed(rule, history, listed, until))
    said.append(evidence.replay(incidents))
    return Suggestion(rule, tuple(said), history.starts[0], incidents)


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


def _too_short(
    cron: Cron, scopes: Sequence[Scope], until: float
) -> str | None:
    """In a short history, what followed may have been a rest."""
    first = min(scope.starts[0] for scope in scopes)
    last = max(scope.ends[-1] for scope in scopes)
    silent = until - last
    days = range(int(last // DAY) + 1, int(until // DAY) + 1)
    if last - first < min(14 * DAY, silent) and silent > (
            OUTAGE * cron.spacing):
        why = "and has not since then"
    elif last - first < DAY and (
            silent > 3600 or not cron.runs_every_hour()):
        why = "too short to show at which hours it does not run"
    elif silent > DAY and last - first < 7 * DAY and (
        all(map(_is_weekend, days)) and not any(
            _is_weekend(int(start // DAY))
            for scope in scopes for start in scope.starts)):
        why = "too short to show whether it runs at weekends"
    else:
        return None
    return (
        f"no rule can be inferred: it ran from {evidence.when(first)} to"
        f" {evidence.when(last)}, {why}")


def _is_weekend(day: int) -> bool:
    """Is it one of these, of the days since Thursday, 1 January 1970?"""
    return day % 7 in (2, 3)
