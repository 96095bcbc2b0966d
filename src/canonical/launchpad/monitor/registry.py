"""The registered rules, and the assessment of all of them."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence

from zope.component import getGlobalSiteManager
from zope.component import getUtilitiesFor
from zope.component import getUtility
from zope.component import hooks
from zope.component import queryUtility
from zope.interface.registry import Components

from canonical.launchpad.interfaces import HORIZON
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import IScriptDowntime
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptFiguresSet
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.answers import assess
from canonical.launchpad.monitor.directives import place
from canonical.launchpad.monitor.firstseen import counted
from canonical.launchpad.monitor.firstseen import seen_rules
from canonical.launchpad.monitor.firstseen import since_change
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import inquiry
from canonical.launchpad.monitor.pastrecords import waited_until
from canonical.launchpad.monitor.pauses import downtime_pauses
from canonical.launchpad.monitor.pauses import merged
from canonical.launchpad.monitor.silence import with_blind
from canonical.launchpad.monitor.waiting import awaited
from canonical.launchpad.monitor.waiting import with_awaited
from canonical.launchpad.monitor.waiting import with_waiting
from canonical.launchpad.plaintext import time_text


__all__ = [
    "assess_all",
    "assess_fleet",
    "assess_fleet_with_cases",
    "assess_some",
    "place_of",
    "registered_apart",
    "registered_cases",
    "registered_expectations",
]


@contextlib.contextmanager
def registered_apart() -> Iterator[None]:
    """A context whose registrations are dropped at its end.

    Earlier registrations are visible in it.
    """
    hooks.setHooks()
    with hooks.site(_Apart()):
        yield


class _Apart:

    def __init__(self) -> None:
        self._components = Components(bases=(getGlobalSiteManager(),))

    def getSiteManager(self) -> Components:
        """See `zope.component.interfaces.IPossibleSite`."""
        return self._components


def registered_expectations() -> list[IScriptExpectation]:
    """All rules, including those that an application registers, by name."""
    return [
        expectation for _, expectation in sorted(
            getUtilitiesFor(IScriptExpectation), key=lambda each: each[0])]


def place_of(expectation: IScriptExpectation) -> str | None:
    """The file and line that declare a rule, such as ``/etc/rules.zcml:12``.

    :return: `None` if no rules file declares it.
    """
    info = getattr(expectation, "info", None)
    return place(info) if info else None


def registered_cases(
    expectations: Iterable[IScriptExpectation],
    since: datetime.datetime,
    until: datetime.datetime,
    skew: datetime.timedelta,
) -> list[Case]:
    """Each rule on each of its hosts, with its pauses.

    :param since: the start of the period for which pauses are needed.
    :param until: the end of that period.
    :param skew: how far the clocks of hosts may differ.
    """
    downtimes = downtime_pauses(
        [each for _, each in getUtilitiesFor(IScriptDowntime)], since, until)
    recorded = getUtility(IScriptPauseSet).getPauses(since, until)
    everywhere = merged(downtimes)
    pauses = {
        name: merged([*downtimes, *own]) for name, own in recorded.items()}
    rules = {each.name: each for each in expectations}

    def case(expectation: IScriptExpectation, host: str | None) -> Case:
        paused = pauses.get(expectation.name, everywhere)
        if expectation.after is None:
            return Case(expectation, host, paused, skew)
        after = rules.get(expectation.after) or queryUtility(
            IScriptExpectation, expectation.after)
        hosts = (after.hosts or (None,)) if after else ()
        return Case(expectation, host, paused, skew, tuple(
            case(after, each) for each in hosts
            if host not in hosts or each == host))

    return [
        case(expectation, host) for expectation in rules.values()
        for host in expectation.hosts or (None,)]


def assess_all(
    expectations: Iterable[IScriptExpectation],
    at: datetime.datetime,
    skew: datetime.timedelta,
    hostname: str | None = None,
) -> list[Assessment]:
    """The assessments of rules: the worst first, then by name and host.

    Each script is assessed by itself.

    :param skew: how far the clocks of hosts may differ.
    :param hostname: only rules for this host or for any host; `None` for all
        rules.
    """
    pairs, *waits = _assessed(expectations, at, skew, hostname)
    return _sorted(with_waiting((each for _, each in pairs), *waits))


def assess_some(
    expectations: Iterable[IScriptExpectation],
    fleet: Iterable[IScriptExpectation],
    at: datetime.datetime,
    skew: datetime.timedelta,
    hostname: str | None = None,
) -> list[Assessment]:
    """What `assess_fleet` finds for some of the rules.

    The others are looked at only if a script is late: they may be silent too.

    :param fleet: all rules.
    :param expectations, at, skew, hostname: as for `assess_all`.
    """
    alone = assess_all(expectations, at, skew, hostname)
    if not any(each.recently.state in BROKEN for each in alone):
        return alone
    asked = {(each.name, each.hostname) for each in alone}
    found = assess_fleet(fleet, at, skew)
    reasons = {
        each.recently.sentence for each in found
        if (each.name, each.hostname) in asked}
    return [
        each for each in found if (each.name, each.hostname) in asked
        or each.name == ALL and each.recently.sentence in reasons]


def assess_fleet(
    expectations: Iterable[IScriptExpectation],
    at: datetime.datetime,
    skew: datetime.timedelta,
) -> list[Assessment]:
    """As `assess_all`, but scripts that are silent together are one.

    There is one more assessment, named `ALL`, for each group of scripts that
    is blind; see `canonical.launchpad.monitor.silence`.

    :param expectations: all rules.
    :param at, skew: as for `assess_all`.
    """
    return [
        assessment for assessment, _ in assess_fleet_with_cases(
            expectations, at, skew)]


def assess_fleet_with_cases(
    expectations: Iterable[IScriptExpectation],
    at: datetime.datetime,
    skew: datetime.timedelta,
) -> list[tuple[Assessment, Case | None]]:
    """As `assess_fleet`, each with its case, whose slots are those that count.

    The case is `None` for a group of scripts.

    :param expectations, at, skew: as for `assess_fleet`.
    """
    pairs, waits, graces, excuses = _assessed(expectations, at, skew, None)
    cases = {_key(case): case for case, _ in pairs}
    return [
        (each, cases.get((each.name, each.hostname)))
        for each in _sorted(with_waiting(
            with_blind(pairs, {**waits, **graces}), waits, graces, excuses))]


def _assessed(
    expectations: Iterable[IScriptExpectation],
    at: datetime.datetime,
    skew: datetime.timedelta,
    hostname: str | None,
) -> tuple[
    list[tuple[Case, Assessment]], dict[Key, str], dict[Key, str],
    dict[Key, str]
]:
    """Each case with its assessment; and what `with_waiting` needs."""
    cases = [
        case for case in registered_cases(expectations, at - HORIZON, at, skew)
        if hostname is None or case.hostname in (None, hostname)]
    depending = [case for case in cases if case.after]
    others = [each for case in depending for each in case.after]
    pairs = _with_assessments(
        [*cases, *with_awaited(others).values()], at)
    fine = {
        (each.name, each.hostname) for _, each in pairs
        if each.recently.state == "ok"}

    def is_fine(case: Case) -> bool:
        return _key(case) in fine

    waits = {
        _key(case): f"waiting for {first}" for case in depending
        if (first := awaited(case, is_fine)) is not None}
    unwell = [
        case for (_, each), case in zip(pairs, cases, strict=False)
        if case.after and each.state in BROKEN and _key(case) not in waits]
    waited = list(waited_until(unwell, at))
    return pairs[:len(cases)], waits, {
        _key(case): f"{_waited(case, ended)}; late from"
                    f" {time_text(ended + case.expectation.grace)} on"
        for case, ended in waited if ended + case.expectation.grace > at
    }, {_key(case): _waited(case, ended) for case, ended in waited}


def _waited(case: Case, ended: datetime.datetime) -> str:
    return f"waited for {case.expectation.after} until {time_text(ended)}"


def _key(case: Case) -> Key:
    return case.expectation.name, case.hostname


def _sorted(assessments: Iterable[Assessment]) -> list[Assessment]:
    return sorted(assessments, key=lambda each: (
        -STATES.index(each.state), each.name, each.hostname or ""))


def _with_assessments(
    cases: Sequence[Case], at: datetime.datetime
) -> list[tuple[Case, Assessment]]:
    """The cases with the slots that count, and their assessments."""
    seen = seen_rules()
    known = [
        seen.get((case.expectation.name, case.hostname), {})
        for case in cases]
    asked = [
        since_change(case, rules, at)
        for case, rules in zip(cases, known, strict=True)]
    pairs: dict[int, tuple[Case, Assessment]] = {}

    def use(number: int, figures: Figures) -> None:
        case = counted(asked[number], figures, known[number], at)
        pairs[number] = case, assess(case, figures, at)

    getUtility(IScriptFiguresSet).useFigures(
        [inquiry(case, at) for case in asked], at, use)
    return [pairs[number] for number in range(len(cases))]
