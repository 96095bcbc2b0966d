"""From the history of a script, a rule and its evidence, or why there is none.
"""

from __future__ import annotations

import bisect
import datetime
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
from canonical.launchpad.monitor.inference.allowances import LISTED
from canonical.launchpad.monitor.inference.allowances import allowed_by_cron
from canonical.launchpad.monitor.inference.allowances import allowed_by_timer
from canonical.launchpad.monitor.inference.allowances import when
from canonical.launchpad.monitor.inference.allowances import words
from canonical.launchpad.monitor.inference.history import History
from canonical.launchpad.monitor.inference.likelihood import chance_bits
from canonical.launchpad.monitor.inference.likelihood import hosts_bits
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import HOUR
from canonical.launchpad.monitor.inference.model import Cron
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


FEWEST_RUNS = 5

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
    said: list[str] = []
    if len(history) < FEWEST_RUNS:
        return _too_few(history, said)
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
    if found.before is not None:
        days = round((found.changed - history.starts[0]) / DAY)
        said.append(
            f"schedule changed from {found.before} at {when(found.changed)};"
            f" {days}d of earlier runs ignored")
        history = history[bisect.bisect_left(history.starts, found.changed):]
        last = history[-LEARNED:]
        scopes = [last.on(host) for host in hosts] or [last]
        if len(history) < FEWEST_RUNS:
            return _too_few(history, said)
    until = at.timestamp()
    model, count = found.model, len(last)
    regular = found.bits < sum(
        chance_bits(len(scope), scope.starts[-1] - scope.starts[0])
        for scope in scopes) - max(10.0, count / 2)
    attributes: dict[str, str] = {}
    if not regular:
        said.append(
            f"no schedule fits: {counted(count, 'run')} are described hardly"
            f" better by {model} than by chance")
    elif isinstance(model, Cron):
        ended = max(last.ends)
        if last.starts[0] + SHORT > ended and until - ended > max(
                SILENT * model.spacing, HOUR):
            return Suggestion({}, (*said, (
                f"no rule can be inferred: it ran from {when(last.starts[0])}"
                f" to {when(ended)}, and has not since then")))
        attributes, more = allowed_by_cron(model, scopes, until)
        said += more
    if not attributes:
        attributes, more = allowed_by_timer(
            scopes, until, regular and not isinstance(model, Cron))
        said += more
    if not attributes:
        return Suggestion({}, tuple(said))
    if len(names := sorted(set(last.hosts))) > 1:
        said.append("hosts: it ran on each of " + ", ".join(hosts) if hosts
                    else "hosts: any will do; it ran on " + ", ".join(names))
    usual = statistics.median(map(operator.sub, last.ends, last.starts))
    said.append(
        f"average: learned from the runs before; usually {words(usual)}")
    attributes |= {"hosts": " ".join(hosts), "average": "learned"}
    attributes = {name: text for name, text in attributes.items() if text}
    incidents = tuple(sorted(
        _replayed(attributes, history, hosts, at),
        key=lambda each: each.opened))
    return Suggestion(
        attributes, (*said, _alerts(incidents)), history.starts[0],
        incidents)


def _too_few(history: History, said: Sequence[str]) -> Suggestion:
    return Suggestion({}, (*said, (
        f"{counted(len(history), 'run')}: too few to infer a rule from;"
        f" it needs {FEWEST_RUNS}")))


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
        return "replay: no alert on this history"
    said = ", ".join(
        each.question + (f" on {each.hostname}" if each.hostname else "")
        + f" at {when(each.opened.timestamp())}"
        for each in incidents[:LISTED])
    more = len(incidents) - LISTED
    return (
        f"replay: {counted(len(incidents), 'alert')} on this history: {said}"
        + (f" and {more} more" if more > 0 else ""))
