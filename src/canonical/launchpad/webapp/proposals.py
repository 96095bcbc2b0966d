"""What `suggest` proposes for scripts without a rule."""

from __future__ import annotations

import datetime

from zope.component import getUtility

from canonical.launchpad.interfaces import IScriptHistorySet
from canonical.launchpad.monitor.history import History
from canonical.launchpad.monitor.inference.proposal import suggest_expectation
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.rulesfile import rules_as_zcml
from canonical.launchpad.webapp.parameters import RANGES


__all__ = [
    "Proposal",
    "proposal_for",
]


class Proposal:
    """A rule that fits the past runs of a script, or why there is none.

    :ivar words: the rule in a few words, or why there is none.
    :ivar zcml: a rules file with the rule alone; empty if there is none.
    """

    def __init__(self, words: str, zcml: str = "") -> None:
        self.words = words
        self.zcml = zcml


def proposal_for(name: str, at: datetime.datetime) -> Proposal:
    """What the last 90 days suggest; one statement."""
    history = History(
        run for run in getUtility(IScriptHistorySet).getRuns(
            name, at - RANGES["quarter"], at)
        if run.date_completed <= at)
    attributes, evidence = suggest_expectation(history, at)
    if not attributes:
        return Proposal(f"suggest proposes none: {'; '.join(evidence)}")
    try:
        zcml = rules_as_zcml([
            Rule({"name": name, **attributes}, (name, *evidence))])
    except ValueError as error:
        return Proposal(str(error))
    words = " ".join(
        f'{key}="{value}"' for key, value in attributes.items())
    return Proposal(f"suggest proposes: {words}", zcml)
