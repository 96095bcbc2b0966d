"""Distinguishes scripts that are late from records that do not arrive.

If a host dies, the database was away or a replica lags, many scripts are late
at once, but each of them may be fine.  That is one incident.

A script is silent if it is late, has succeeded before, and no attempt of it
was kept since then.  A group is blind if both hold:

- At least `SCRIPTS` scripts of it are silent, of different names.  One or two
  may have stopped by themselves.
- Each of these was first due after the last record of any script in the group,
  and no other script that was due after it has an attempt that failed.  So a
  script that was late before stays late.

The groups are the scripts with a rule for one host, and all scripts.  There is
no other bound: the grace of each rule says how long to wait.  A blind group is
critical, and its silent scripts are unknown.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.interfaces import Figures
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.answers import Often
from canonical.launchpad.monitor.answers import Recently
from canonical.launchpad.monitor.answers import Runtime
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.plaintext import time_text


__all__ = [
    "SCRIPTS",
    "with_blind",
]


# How many scripts cannot well stop at once by themselves.
SCRIPTS = 3


class Sign(NamedTuple):
    """What one assessment says about the records.

    :ivar last: when the last record of the script was made.
    :ivar due: when it was due first since its last success, if it is late.
    :ivar is_silent: whether it is late without an attempt.
    """

    assessment: Assessment
    last: datetime.datetime | None
    due: datetime.datetime | None
    is_silent: bool


def with_blind(
    pairs: Iterable[tuple[Case, Assessment]]
) -> list[Assessment]:
    """Assessments, and one more for each group that is blind.

    :param pairs: all cases, and their assessments.
    """
    signs = [_sign(case, assessment) for case, assessment in pairs]
    silent = _silent(signs)
    hosts = {each.assessment.hostname for each in silent}
    if silent and (None in hosts or len(hosts) > 1):
        groups: dict[str | None, tuple[list[Sign], list[Sign]]] = {
            None: (signs, silent)}
    else:
        groups = {}
        for host in {each.assessment.hostname for each in signs} - {None}:
            group = [
                each for each in signs if each.assessment.hostname == host]
            if found := _silent(group):
                groups[host] = group, found
    sentences = {}
    blind = []
    for host, (group, found) in groups.items():
        sentence = _sentence(host, group, found)
        blind.append(_blind(host, sentence))
        for each in found:
            key = each.assessment.name, each.assessment.hostname
            sentences[key] = sentence
    return blind + [
        _unknown(each.assessment, sentences.get(
            (each.assessment.name, each.assessment.hostname)))
        for each in signs]


def _sign(case: Case, assessment: Assessment) -> Sign:
    figures = assessment.figures
    last = max(filter(None, (
        figures.last_completed, figures.running_since)), default=None)
    is_late = assessment.recently.state in BROKEN
    due = None
    if is_late and figures.last_started and figures.last_completed:
        expectation = case.expectation
        due = figures.last_completed + expectation.every if (
            expectation.schedule is None) else next_slot(
                expectation.schedule, expectation.timezone,
                figures.last_started + case.lead)
    return Sign(
        assessment, last, due,
        due is not None and not figures.failures
        and figures.last_outcome is None)


def _silent(group: Sequence[Sign]) -> list[Sign]:
    """The silent scripts of a group that is blind; else none."""
    last = max(
        (each.last for each in group if each.last), default=None)
    if last is None:
        return []
    late = [each for each in group if each.due and each.due > last]
    if not all(each.is_silent for each in late) or (
        len({each.assessment.name for each in late}) < SCRIPTS
    ):
        return []
    return late


def _sentence(
    host: str | None, group: Sequence[Sign], found: Sequence[Sign]
) -> str:
    since = time_text(max(each.last for each in group if each.last))
    count = f"{len(found)} of {len(group)} scripts are silent"
    if host is None:
        return f"nothing has been recorded since {since}: {count}"
    return f"{host}: {count} since {since}"


def _blind(host: str | None, sentence: str) -> Assessment:
    return Assessment(
        ALL, host, Recently("critical", sentence, None, None, "SILENT"),
        Often("ok", "", 0, 0, 0), Runtime("ok", "", 0, None), Figures())


def _unknown(assessment: Assessment, sentence: str | None) -> Assessment:
    """An assessment whose script is silent for the reason of a sentence."""
    if sentence is None:
        return assessment
    often = assessment.often
    if often.state in BROKEN:
        often = often._replace(state="unknown", sentence=sentence)
    return dataclasses.replace(
        assessment, often=often, recently=assessment.recently._replace(
            state="unknown", sentence=sentence))
