"""Distinguishes scripts that are late from hosts or databases that are silent.

If a host dies, the database was away or a replica lags, many scripts are late
at once, but each of them may be fine.  That is one incident.

A script is silent if it is late, has succeeded before, no attempt of it was
recorded since then, and it does not wait for another.  A group is blind if
both hold:

- At least `SCRIPTS` scripts of it are silent, of different names.  One or two
  may have stopped by themselves.
- Each of these was first due after the last record of any script in the group,
  and no other script that was due after it has an attempt that failed.  So a
  script that was late before stays late.

The groups are the scripts with a rule for one host, and all scripts.  There is
no other bound: the grace of each rule says how long to wait.  A blind group is
critical, and its silent scripts are unknown.  A replay knows it too; see
`canonical.launchpad.monitor.pastsilence`.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Container
from collections.abc import Iterable
from collections.abc import Mapping
from typing import NamedTuple

from canonical.launchpad.interfaces import Figures
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.answers import Often
from canonical.launchpad.monitor.answers import Recently
from canonical.launchpad.monitor.answers import Runtime
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.schedule import next_slot
from canonical.launchpad.plaintext import counted
from canonical.launchpad.plaintext import time_text


__all__ = [
    "SCRIPTS",
    "Sign",
    "blind_groups",
    "first_due",
    "with_blind",
]


# How many scripts cannot well stop at once by themselves.
SCRIPTS = 3


class Sign(NamedTuple):
    """A script that is late.

    :ivar due: when it was due first since its last success.
    :ivar is_silent: whether no attempt of it was recorded since then.
    :ivar waits: whether it waits for another; see `waiting`.
    """

    name: str
    hostname: str | None
    due: datetime.datetime
    is_silent: bool
    waits: bool = False


def blind_groups(
    late: Iterable[Sign], lasts: Mapping[str | None, datetime.datetime]
) -> dict[str | None, list[Sign]]:
    """The silent scripts of each group that is blind, by host.

    :param late: all scripts that are late.
    :param lasts: when the last record of a script with a rule for a host was
        made; `None` for all scripts.
    """
    late = list(late)
    silent = _silent(late, lasts.get(None))
    hosts = {each.hostname for each in silent}
    if silent and (None in hosts or len(hosts) > 1):
        return {None: silent}
    groups = {
        host: _silent(
            [each for each in late if each.hostname == host], lasts.get(host))
        for host in {each.hostname for each in late} - {None}}
    return {host: found for host, found in groups.items() if found}


def _silent(
    late: Iterable[Sign], last: datetime.datetime | None
) -> list[Sign]:
    """The silent scripts of a group that is blind; else none."""
    if last is None:
        return []
    found = [each for each in late if each.due > last]
    if not all(each.is_silent for each in found):
        return []
    # Of a script that waits, it is known why it does nothing.
    found = [each for each in found if not each.waits]
    return found if len({each.name for each in found}) >= SCRIPTS else []


def first_due(
    case: Case, started: datetime.datetime, completed: datetime.datetime
) -> datetime.datetime:
    """When a script is due first after its last success."""
    rule = case.expectation
    if rule.schedule is None:
        return completed + rule.every  # type: ignore[no-any-return]
    return next_slot(rule.schedule, rule.timezone, started + case.lead)


def with_blind(
    pairs: Iterable[tuple[Case, Assessment]], waits: Container[Key] = ()
) -> list[Assessment]:
    """Assessments, and one more for each group that is blind.

    :param pairs: all cases, and their assessments.
    :param waits: the scripts that wait for another.
    """
    pairs = list(pairs)
    moments: dict[str | None, list[datetime.datetime]] = {}
    for _, each in pairs:
        moments.setdefault(each.hostname, []).extend(filter(None, (
            each.figures.last_completed, each.figures.running_since)))
    lasts = {host: max(those) for host, those in moments.items() if those}
    if lasts:
        lasts[None] = max(lasts.values())
    groups = blind_groups([
        Sign(
            each.name, each.hostname, first_due(
                case, each.figures.last_started, each.figures.last_completed),
            not each.figures.failures and each.figures.last_outcome is None,
            (each.name, each.hostname) in waits)
        for case, each in pairs
        if each.recently.state in BROKEN and each.figures.last_started
        and each.figures.last_completed], lasts)
    sentences = {}
    blind = []
    for host, silent in groups.items():
        total = sum(host in (None, each.hostname) for _, each in pairs)
        waiting = sum(
            host in (None, each.hostname)
            and (each.name, each.hostname) in waits for _, each in pairs)
        sentence = _sentence(host, lasts[host], len(silent), total, waiting)
        blind.append(_blind(host, sentence))
        for sign in silent:
            sentences[sign.name, sign.hostname] = sentence
    return blind + [
        _unknown(each, sentences[key])
        if (key := (each.name, each.hostname)) in sentences else each
        for _, each in pairs]


def _sentence(
    host: str | None,
    last: datetime.datetime,
    silent: int,
    total: int,
    waiting: int,
) -> str:
    since = time_text(last)
    count = f"{silent} of {total} scripts are silent"
    others = "" if not waiting else (
        f", and {counted(waiting, 'waits', 'wait')} for another")
    if host is None:
        return f"nothing has been recorded since {since}: {count}{others}"
    return f"{host}: {count} since {since}{others}"


def _blind(host: str | None, sentence: str) -> Assessment:
    return Assessment(
        ALL, host,
        Recently("critical", sentence, None, None, "SILENT"),
        Often("ok", "", 0, 0, 0), Runtime("ok", "", 0, None), Figures())


def _unknown(assessment: Assessment, sentence: str) -> Assessment:
    """An assessment whose script is silent for the reason of a sentence."""
    often = assessment.often
    if often.state in BROKEN:
        often = often._replace(state="unknown", sentence=sentence)
    return dataclasses.replace(
        assessment, often=often, recently=assessment.recently._replace(
            state="unknown", sentence=sentence))
