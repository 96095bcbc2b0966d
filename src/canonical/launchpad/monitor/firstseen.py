"""From when on runs are due: nothing was missed before a script was there.

Slots count from the first success of a script on.  If the script has never
succeeded, they count from when its rule was first seen.  A rule that is not on
record is seen only now, so nothing was due.  If its schedule has changed, they
count from when the new one was first seen.

A schedule that comes back counts from when it was seen first of all.  If each
return were on record, one check of other rules would make the rules in force
look new, and hide what is late.
"""

from __future__ import annotations

import bisect
import dataclasses
import datetime
from collections.abc import Mapping

from zope.component import getUtility

from canonical.config.durations import duration_text
from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.interfaces import Pause
from canonical.launchpad.interfaces import SeenRule
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import slots_at
from canonical.launchpad.monitor.pauses import merged
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.schedule import latest_slot


__all__ = [
    "NEW",
    "Seen",
    "counted",
    "seen_rule",
    "seen_rules",
    "since_change",
]


# The reason of the pause before a script was there.
NEW = "new"

# When each rule of a script on a host was first seen.
Seen = Mapping[SeenRule, datetime.datetime]


def seen_rule(case: Case) -> SeenRule:
    """What is on record of the rule, on its host, when it was first seen."""
    rule = case.expectation
    return SeenRule(
        rule.name, case.hostname,
        f"every {duration_text(rule.every)}" if rule.schedule is None
        else f"{rule.schedule} {rule.timezone}")


def seen_rules() -> dict[tuple[str, str | None], Seen]:
    """What is on record, by the script and host of a rule."""
    seen: dict[tuple[str, str | None], dict[SeenRule, datetime.datetime]] = {}
    for rule, since in getUtility(IScriptRuleSet).getSeen().items():
        seen.setdefault((rule.name, rule.hostname), {})[rule] = since
    return dict(seen)


def since_change(case: Case, seen: Seen, at: datetime.datetime) -> Case:
    """The case without slots from before its schedule has changed.

    :param seen: of the script on that host.
    """
    # With one schedule on record, nothing has changed before this one.
    if len(seen) < 2:
        return case
    since = seen.get(seen_rule(case))
    if since is None or since > at:
        return case
    is_changed = any(before < since for before in seen.values())
    return _from(case, since) if is_changed else case


def counted(
    case: Case, figures: Figures, seen: Seen, at: datetime.datetime
) -> Case:
    """The case without slots from before the script was there.

    Its figures are the same, since these slots have no runs.

    :param figures: of the case, at the time `at`.
    :param seen: as in `since_change`.
    """
    started = figures.first_started
    if started is not None:
        # Most first runs have a slot in the window, whose slots are known.
        slots = slots_at(case, at)
        number = bisect.bisect_right(slots.starts, started)
        if case.expectation.schedule and number and started < slots.until:
            return _from(case, slots.starts[number - 1] + case.lead)
        return _counted_from_run(case, started)
    if figures.last_started is not None:
        return case
    since = seen.get(seen_rule(case))
    if since is None or since > at:
        # Not even a slot at this moment was due.
        since = at + INSTANT
    return _from(case, since)


def _counted_from_run(case: Case, started: datetime.datetime) -> Case:
    """The case without slots from before its first success.

    :param started: the start of that success.
    """
    rule = case.expectation
    if rule.schedule is None:
        # The run itself meets the first interval.
        return _from(case, started - rule.every)
    return _from(case, latest_slot(
        rule.schedule, rule.timezone, started + case.lead))


def _from(case: Case, since: datetime.datetime) -> Case:
    """The case as if it had been paused until then."""
    before = Pause(since - 2 * HORIZON, since, NEW, forgives=True)
    return dataclasses.replace(
        case, pauses=merged([*case.pauses, before]), since=since)
