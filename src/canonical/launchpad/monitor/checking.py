"""Assessing all that is expected, with what the utilities know."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path

from zope.component import getUtilitiesFor
from zope.component import getUtility
from zope.configuration import xmlconfig
from zope.configuration.exceptions import ConfigurationError

from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.monitor.assessment import STATES
from canonical.launchpad.monitor.assessment import Assessment
from canonical.launchpad.monitor.assessment import assess
from canonical.launchpad.monitor.assessment import inquiry


__all__ = [
    "ExpectationError",
    "assess_all",
    "load_expectations",
    "registered_expectations",
]


class ExpectationError(Exception):
    """A file of expectations is wrong; the text names the file and line."""


def load_expectations(path: Path) -> None:
    """Register what a ZCML file declares.

    :raises ExpectationError: if there is anything wrong with it.
    """
    try:
        xmlconfig.file(str(path.absolute()))
    except (ConfigurationError, OSError, ValueError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise ExpectationError(text) from None


def registered_expectations() -> list[IScriptExpectation]:
    """All that are registered, an application's own too, by name."""
    return [
        expectation for _, expectation in sorted(
            getUtilitiesFor(IScriptExpectation), key=lambda each: each[0])]


def assess_all(
    expectations: Iterable[IScriptExpectation],
    at: datetime.datetime,
    hostname: str | None = None,
) -> list[Assessment]:
    """How all of them do, the worst first, and then by name and host.

    :param hostname: leave out what is expected on other hosts.
    """
    cases = [
        (expectation, host)
        for expectation in expectations
        for host in expectation.hosts or (None,)
        if hostname is None or host in (None, hostname)]
    figures = getUtility(IScriptFiguresSet).getFigures(
        [inquiry(expectation, host, at) for expectation, host in cases], at)
    assessments = [
        assess(expectation, host, each, at)
        for (expectation, host), each in zip(cases, figures, strict=True)]
    return sorted(assessments, key=lambda each: (
        -STATES.index(each.state), each.name, each.hostname or ""))
