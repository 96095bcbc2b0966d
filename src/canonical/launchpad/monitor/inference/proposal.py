"""From the history of a script, a rule and its evidence, or why there is none.
"""

from __future__ import annotations

import datetime
import itertools
import math
import operator
import statistics
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.inference.allowances import RUNS
from canonical.launchpad.monitor.inference.allowances import allowed_by_cron
from canonical.launchpad.monitor.inference.allowances import allowed_by_timer
from canonical.launchpad.monitor.inference.allowances import when
from canonical.launchpad.monitor.inference.allowances import words
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.likelihood import by_chance
from canonical.launchpad.monitor.inference.likelihood import hosts_bits
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import HOUR
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.search import FEWEST
from canonical.launchpad.monitor.inference.search import Found
from canonical.launchpad.monitor.inference.search import best
from canonical.launchpad.monitor.inference.search import explained
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.replay import replay
from canonical.launchpad.plaintext import counted


__all__ = [
    "Suggestion",
    "suggest_expectation",
]


# A schedule is looked for in the last runs only, for the sake of time.
LEARNED = 20_000

# A host that has a smaller part than this of the runs that the busiest has
# may have some that were started by hand.
FEW = 0.1

# A host counts that still ran in the last part of the history.
END = 0.9

# In so short a history, a silence of so many slots at its end may be a rest.
SHORT = 7 * DAY
SILENT = 1.5


# So many alerts are listed.
LISTED = 3


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
    incidents: tuple[Incident, ...] = ()


def suggest_expectation(
    runs: Iterable[Run], at: datetime.datetime, timezone: str = "UTC"
) -> Suggestion:
    """What to expect of a script, so that a check would have been right.

    :param runs: the history, in order of start.
    :param at: an aware datetime, up to which the history is complete.
    :param timezone: where the history does not show the zone.
    """
    history = runs if isinstance(runs, History) else History(runs)
    if len(history) < FEWEST:
        return Suggestion({}, (
            f"{counted(len(history), 'run')}: too few to infer a rule from;"
            f" it needs {FEWEST}",))
    last = history[-LEARNED:]
    hosts, scopes = _hosts(last), [last]
    found = best(scopes, timezone)
    if hosts:
        each = [last.on(host) for host in hosts]
        apart = best(each, timezone)
        if apart.bits < found.bits + hosts_bits(last.hosts):
            scopes, found = each, apart
        else:
            hosts = []
    found = explained(scopes, timezone, found)
    said: list[str] = []
    if found.before is not None:
        days = round((found.changed - history.starts[0]) / DAY)
        said.append(
            f"schedule changed from {found.before} at {when(found.changed)};"
            f" {days}d of earlier runs ignored")
        history = history.between(found.changed, float("inf"))
        last = history[-LEARNED:]
        scopes = [last.on(host) for host in hosts] or [last]
    attributes, why = _allowed(found, last, scopes, at.timestamp())
    said += why
    if not attributes:
        return Suggestion({}, tuple(said))
    if len(names := sorted(set(last.hosts))) > 1:
        said.append("hosts: it ran on each of " + ", ".join(hosts) if hosts
                    else "hosts: any will do; it ran on " + ", ".join(names))
    attributes["hosts"] = " ".join(hosts)
    attributes["average"], evidence = _average(scopes)
    said.append(evidence)
    attributes = {name: text for name, text in attributes.items() if text}
    incidents = tuple(sorted(
        _replayed(attributes, history, hosts, at),
        key=lambda each: each.opened))
    return Suggestion(
        attributes, (*said, _alerts(incidents)), history.starts[0], incidents)


def _allowed(
    found: Found, last: History, scopes: Sequence[History], until: float
) -> tuple[dict[str, str], list[str]]:
    """What the model, or else the time between completions, asks for.

    :return: attributes, unless there is no rule; and the evidence.
    """
    said = []
    model, count = found.model, len(last)
    regular = found.bits < by_chance(scopes) - max(10.0, count / 2)
    if not regular:
        said = [
            f"no schedule fits: {counted(count, 'run')} are described hardly"
            f" better by {model} than by chance"]
    elif isinstance(model, Cron):
        first, ended = last.starts[0], max(last.ends)
        if ended - first < SHORT and until - ended > max(
                SILENT * model.spacing, HOUR):
            return {}, [
                f"no rule can be inferred: it ran from {when(first)} to"
                f" {when(ended)}, and has not since then"]
        attributes, said = allowed_by_cron(model, scopes, until)
        if attributes:
            return attributes, said
    attributes, why = allowed_by_timer(
        scopes, until, regular and not isinstance(model, Cron))
    return attributes, [*said, *why]


def _hosts(history: History) -> list[str]:
    """The hosts that may each have their own runs; none if fewer than two."""
    counts = Counter(history.hosts)
    first, last = history.starts[0], history.starts[-1]
    late = history.between(first + END * (last - first), float("inf")).hosts
    found = sorted(
        host for host in set(late)
        if counts[host] >= max(FEW * max(counts.values()), 2))
    # A rule cannot list names with spaces.
    return found if len(found) > 1 and not any(
        host.split()[1:] for host in found) else []


def _average(scopes: Sequence[History]) -> tuple[str, str]:
    """A band for the average runtime, and the evidence for it.

    It is wide enough for averages that vary as these did, and not for twice
    the usual runtime, unless they came near to that.
    """
    if min(map(len, scopes)) < RUNS:
        return "", f"average: unknown, with fewer than {RUNS} runs"
    means: list[float] = []
    logs: list[float] = []
    for scope in scopes:
        took = list(map(operator.sub, scope.ends, scope.starts))
        sums = list(itertools.accumulate(took, initial=0.0))
        means += [(b - a) / RUNS for a, b in zip(
            sums, sums[RUNS:], strict=False)]
        logs += [math.log(max(each, 1e-3)) for each in took]
    # The ratio by which an average varies, three times.
    ratio = 1.2 * math.exp(min(
        3 * statistics.pstdev(logs) / math.sqrt(RUNS), 1.0))
    low, high = min(means), max(means)
    return f"{words(low / ratio)}..{words(high * ratio)}", (
        f"average: the average of {RUNS} runs was from {words(low)} to"
        f" {words(high)}")


def _replayed(
    attributes: Mapping[str, str],
    history: History,
    hosts: Sequence[str],
    at: datetime.datetime,
) -> Iterator[Incident]:
    """What a rule would have found, from its first full window on."""
    case = Case(expectation_from_text("-", **attributes))
    for host in hosts or (None,):
        runs = history if host is None else history.on(host)
        first, last = runs[0].date_started, runs[-1].date_started
        since = first + reach(case)
        # The longer a stretch is, the faster it goes, and the more it needs.
        length = max(reach(case), (last - first) * min(
            LEARNED / len(runs), 1) + datetime.timedelta(days=1))
        if since < at:
            for each in replay(case, runs, since, at, length):
                yield each._replace(hostname=host)


def _alerts(incidents: Sequence[Incident]) -> str:
    if not incidents:
        return "replay: no incident on this history"
    said = ", ".join(
        each.question + (f" on {each.hostname}" if each.hostname else "")
        + f" at {when(each.opened.timestamp())}"
        for each in incidents[:LISTED])
    more = len(incidents) - LISTED
    return (
        f"replay: {counted(len(incidents), 'incident')} on this history:"
        f" {said}" + (f" and {more} more" if more > 0 else ""))
