"""Another grace or average, tried on the past runs of a script."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any
from typing import NamedTuple

from zope.schema import getFieldNames

from canonical.config.durations import parse_band
from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.expectation import ScriptExpectation
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.webapp.parameters import DAY
from canonical.launchpad.webapp.parameters import BadParameter
from canonical.launchpad.webapp.parameters import sentence
from canonical.launchpad.webapp.parameters import text
from canonical.launchpad.webapp.rows import Row


__all__ = [
    "Trial",
    "trial",
]


# How far back the rule is tried.
PERIOD = 30 * DAY


class Trial(NamedTuple):
    """What the rule would have raised, as it is and as it might be."""

    grace: str
    average: str
    now: list[Incident]
    then: list[Incident]


def trial(request: Any, row: Row, at: datetime.datetime) -> Trial | None:
    """What another rule would have raised; `None` if nobody has asked."""
    grace, average = text(request, "grace"), text(request, "average")
    if row.case is None or not (grace or average):
        return None
    rule = row.case.expectation
    values = {
        name: getattr(rule, name) for name in getFieldNames(IScriptExpectation)
        if name != "name"}
    try:
        if grace:
            values["grace"] = parse_duration(grace)
        if average == "learned":
            values.update(learned=True, average_min=None, average_max=None)
        elif average:
            low, high = parse_band(average)
            values.update(learned=False, average_min=low, average_max=high)
        changed = ScriptExpectation(rule.name, **values)
    except ValueError as error:
        raise BadParameter(sentence(str(error))) from None
    cases = [row.case, replace(row.case, expectation=changed)]
    found = dict(replay_all(cases, at - PERIOD, at))
    return Trial(grace, average, found[0], found[1])
