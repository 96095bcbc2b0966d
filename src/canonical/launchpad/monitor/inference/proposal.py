"""From the history of a script, a rule and its evidence, or why there is none.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence

from canonical.launchpad.monitor import evidence
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.inference.allowances import Allowed
from canonical.launchpad.monitor.inference.allowances import allowed_by_cron
from canonical.launchpad.monitor.inference.allowances import allowed_by_timer
from canonical.launchpad.monitor.inference.allowances import average_allowed
from canonical.launchpad.monitor.inference.model import DAY
from canonical.launchpad.monitor.inference.model import Cron
from canonical.launchpad.monitor.inference.model import by_chance
from canonical.launchpad.monitor.inference.model import hosts_bits
from canonical.launchpad.monitor.inference.search import FEWEST
from canonical.launchpad.monitor.inference.search import Found
from canonical.launchpad.monitor.inference.search import best
from canonical.launchpad.monitor.inference.search import explained
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.replay import replay


__all__ = [
    "suggest_expectation",
]


# A schedule is looked for in the last runs only, for the sake of time.
LEARNED = 20_000

# A host counts that still ran in the last part of the history, after this one.
END = 0.9

# In so short a history, a silence of two slots at its end may be a rest.
SHORT = 7 * DAY


def suggest_expectation(
    history: History, at: datetime.datetime, timezone: str = "UTC"
) -> Allowed:
    """What to expect of a script, so that a check would have been right.

    :param at: an aware datetime, up to which the history is complete.
    :param timezone: where the history does not show the zone.
    :return: attributes of the directive ``script``, but for the name, or none
        if nothing can be inferred; and sentences of evidence for each.
    """
    if len(history) < FEWEST:
        return {}, [evidence.too_few(len(history), FEWEST)]
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
        said.append(evidence.changed_from(
            found.before, history.starts[0], found.changed))
        history = history.between(found.changed)
        last = history[-LEARNED:]
        scopes = [last.on(host) for host in hosts] or [last]
    attributes, why = _allowed(found, last, scopes, at.timestamp())
    said += why
    if not attributes:
        return {}, said
    average, why = average_allowed(scopes)
    attributes |= {"hosts": " ".join(hosts)} | average
    attributes = {name: text for name, text in attributes.items() if text}
    return attributes, [
        *said, *evidence.where_it_ran(sorted(set(last.hosts)), hosts), *why,
        evidence.replayed(_replayed(attributes, history, hosts, at))]


def _allowed(
    found: Found, last: History, scopes: Sequence[History], until: float
) -> Allowed:
    """What the model, or else the time between completions, asks for."""
    said = []
    model, count = found.model, len(last)
    regular = found.bits < by_chance(scopes) - max(10.0, count / 2)
    if not regular:
        said = [evidence.hardly_better(count, model)]
    elif isinstance(model, Cron):
        first, ended = last.starts[0], max(last.ends)
        if ended - first < SHORT and until - ended > 2 * model.spacing:
            return {}, [evidence.ended(first, ended)]
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
    late = history.between(first + END * (last - first)).hosts
    found = sorted(host for host in set(late) if counts[host] > 1)
    # A rule cannot list names with spaces.
    return found if 1 < len(found) == len(" ".join(found).split()) else []


def _replayed(
    attributes: Mapping[str, str], history: History, hosts: Sequence[str],
    at: datetime.datetime,
) -> list[Incident]:
    """What a rule would have found, from its first full window on."""
    case = Case(expectation_from_text("-", **attributes))
    return sorted((
        each._replace(hostname=host) for host in hosts or (None,)
        for runs in [history.on(host) if host else history]
        for each in replay(
            case, runs, min(runs[0].date_started + reach(case), at), at)),
        key=lambda each: each.opened)
