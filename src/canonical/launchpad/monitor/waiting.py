"""Scripts that wait for another, after which they should run.

While a script is late, failing or paused, the scripts that are ``after`` it
wait: it is known why they do nothing, or fail.  So people are notified only of
the first script of a chain.  When that one is well again, the others have all
of their grace to run: until then, they still wait.  The runs that they missed
meanwhile are excused as long as they count.

`Case.after` has the scripts that a script is after.  The changes of answers in
a replay are here too, while a script waits or is silent.
"""

from __future__ import annotations

import dataclasses
import datetime
import heapq
import itertools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import Assessment
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import Change
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.pastattempts import MOMENT


__all__ = [
    "awaited",
    "joined",
    "overlaid",
    "unknown_changes",
    "waiting_changes",
    "waits_of",
    "with_awaited",
    "with_waiting",
]


def with_awaited(cases: Iterable[Case]) -> dict[Key, Case]:
    """Cases, and all that they are after, by script and host."""
    found: dict[Key, Case] = {}
    todo = list(cases)
    while todo:
        case = todo.pop()
        key = case.expectation.name, case.hostname
        if key not in found:
            found[key] = case
            todo += case.after
    return found


def awaited(case: Case, is_fine: Callable[[Case], bool]) -> str | None:
    """The script that a case waits for: the first of the chain.

    :param is_fine: has a script run recently, as it should?
    :return: its name; `None` if the case does not wait.
    """
    for each in case.after:
        first = awaited(each, is_fine)
        if first is None and not is_fine(each):
            first = each.expectation.name
        if first is not None:
            return first
    return None


def with_waiting(
    assessments: Iterable[Assessment],
    waits: Mapping[Key, str],
    graces: Mapping[Key, str],
    excuses: Mapping[Key, str],
) -> list[Assessment]:
    """Assessments, in which scripts that wait for another are waiting.

    :param waits: a sentence about each of them.
    :param graces: a sentence about each that has waited, and whose grace has
        not passed since then.
    :param excuses: why scripts missed runs.
    """
    found = []
    for each in assessments:
        key = each.name, each.hostname
        if key in waits:
            each = _waiting(each, waits[key], STATES)
        if key in excuses and each.often.state in BROKEN:
            each = dataclasses.replace(each, often=each.often._replace(
                state="ok", trouble=None,
                sentence=f"{each.often.sentence}; {excuses[key]}"))
        if key in graces:
            each = _waiting(each, graces[key], BROKEN)
        found.append(each)
    return found


def _waiting(
    assessment: Assessment, sentence: str, states: Sequence[str]
) -> Assessment:
    answers: dict[str, Any] = {
        # A pause has a reason of its own.
        question: answer._replace(state="waiting", sentence=sentence)
        if answer.state != "paused" and answer.state in states else answer
        for question, answer in (
            ("recently", assessment.recently), ("often", assessment.often),
            ("runtime", assessment.runtime))}
    return dataclasses.replace(assessment, **answers)


def waits_of(
    awaited: Sequence[Sequence[Change]], patience: datetime.timedelta
) -> list[tuple[datetime.datetime, bool]]:
    """The moments from which on a script waits, or does not any more.

    :param awaited: of each script of its chain: the changes of the answer
        whether it has run recently.
    :param patience: how much longer it waits after all those are well again.
    """
    covers = [
        [(at, (number, state != "ok")) for at, state in changes]
        for number, changes in enumerate(awaited)]
    changes = overlaid(
        [(min(each[0][0] for each in awaited), "ok")],
        list(heapq.merge(*covers, key=MOMENT)), lambda own: "waiting")
    found: list[tuple[datetime.datetime, bool]] = []
    for at, state in changes:
        if state == "waiting" and found and found[-1][0] >= at:
            # It waits again before that.
            found.pop()
        elif state == "waiting" or not found:
            found.append((at, state == "waiting"))
        else:
            found.append((at + patience, False))
    return found


def waiting_changes(
    pieces: Iterable[Mapping[str, Sequence[Change]]],
    waits: Iterable[tuple[datetime.datetime, bool]],
    graces: Iterable[tuple[datetime.datetime, bool]],
    excuses: Iterable[tuple[datetime.datetime, bool]],
) -> dict[str, list[Change]]:
    """The changes of the answers about a script that is after others.

    :param pieces: its own, as it would be without the others; in order.
    :param waits: see `waits_of`.
    :param graces: the same, with the grace after it.
    :param excuses: when the runs that it missed are excused, or are not.
    """
    covers = [(at, (0, does_wait)) for at, does_wait in waits]
    lasting = [(at, (0, does_wait)) for at, does_wait in graces]
    changes = joined(pieces)
    excused = [(at, (0, is_excused)) for at, is_excused in excuses]
    changes["often"] = overlaid(
        changes["often"], excused,
        lambda own: "ok" if own in BROKEN else own)
    return {
        question: overlaid(
            overlaid(
                its, lasting, lambda own: "waiting" if own in BROKEN else own),
            covers, lambda own: own if own == "paused" else "waiting")
        for question, its in changes.items()}


def unknown_changes(
    pieces: Iterable[Mapping[str, Sequence[Change]]],
    silent: Iterable[tuple[datetime.datetime, bool]],
) -> dict[str, list[Change]]:
    """The changes of the answers about a script that is silent with others.

    :param pieces: its own, as if by itself; in order.
    :param silent: when it was, and when it was not any more.
    """
    covers = [(at, (0, is_silent)) for at, is_silent in silent]
    return {
        question: changes if question == "runtime" else overlaid(
            changes, covers, lambda own: "unknown" if own in BROKEN else own)
        for question, changes in joined(pieces).items()}


def joined(
    pieces: Iterable[Mapping[str, Sequence[Change]]]
) -> dict[str, list[Change]]:
    """The changes of all pieces, by question."""
    found: dict[str, list[Change]] = {}
    for piece in pieces:
        for question, changes in piece.items():
            found.setdefault(question, []).extend(changes)
    return found


def overlaid(
    changes: Iterable[Change],
    covers: Iterable[tuple[Any, Any]],
    covered: Callable[[str], str],
) -> list[Change]:
    """The changes of an answer that something else covers for a while.

    :param covers: in order: a moment, and a number with whether what has that
        number covers the answer from then on.
    :param covered: the state of the answer while anything covers it.
    """
    found: list[Change] = []
    own, covering = "", set()
    events: Iterable[tuple[Any, Any]] = heapq.merge(
        changes, covers, key=MOMENT)
    for at, those in itertools.groupby(events, MOMENT):
        for _, value in those:
            if isinstance(value, str):
                own = value
            elif value[1]:
                covering.add(value[0])
            else:
                covering.discard(value[0])
        state = covered(own) if covering else own
        if own and (not found or found[-1][1] != state):
            found.append((at, state))
    return found
