"""Implements `IScriptFiguresSet` with three SQL statements."""

from __future__ import annotations

import datetime
import json
import operator
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database import scriptfigures_sql as sql
from canonical.launchpad.database.execute import bind
from canonical.launchpad.database.openattempts import only
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptFiguresSet


__all__ = [
    "ScriptFiguresSet",
]


UTC = datetime.UTC


@implementer(IScriptFiguresSet)
class ScriptFiguresSet:
    """See `IScriptFiguresSet`."""

    def getFigures(
        self, inquiries: Sequence[Inquiry], at: datetime.datetime
    ) -> list[Figures]:
        """See `IScriptFiguresSet`."""
        figures: dict[int, Figures] = {}
        attempts = open_attempts(only(each.name for each in inquiries))
        statements = sql.SPREAD if is_spread() else sql.ALONE
        numbers: dict[bool, list[int]] = {True: [], False: []}
        for number, each in enumerate(inquiries):
            numbers[each.hostname is None].append(number)
        for is_any, those in numbers.items():
            if those:
                found = _ask(
                    statements[is_any],
                    [inquiries[number] for number in those], at, attempts)
                figures.update(zip(those, found, strict=True))
        return [figures[number] for number in range(len(inquiries))]


def _ask(
    statement: str,
    asked: list[Inquiry],
    at: datetime.datetime,
    attempts: dict[str, list[int]],
) -> list[Figures]:
    keys = [_key(each) for each in asked]
    slots = dict(zip(keys, asked, strict=True))
    numbers = {key: number for number, key in enumerate(slots)}
    rows = main_store().execute(*bind(statement, {
        "at": at,
        **attempts,
        "names": _json([each.name for each in asked]),
        "names_asked": [each.name for each in asked],
        "hostnames": _json([each.hostname for each in asked]),
        "slots": "{" + ",".join(str(numbers[key]) for key in keys) + "}",
        "slot_numbers": list(numbers.values()),
        "slot_starts": [
            "{" + ",".join(f'"{start}"' for start in each.slots) + "}"
            for each in slots.values()],
        "slot_ends": [each.until for each in slots.values()],
        "slots_skipped": [
            "{" + ",".join(map(str, each.skipped)) + "}"
            for each in slots.values()],
        "slot_runs": [each.runs for each in slots.values()],
        "first": min(
            (each.slots[0] for each in slots.values() if each.slots),
            default="infinity"),
        "most": max(1, *(each.runs for each in slots.values())),
    })).get_all()
    return [
        Figures(
            started and started.astimezone(UTC),
            completed and completed.astimezone(UTC), met, runs,
            tuple(map(float, durations.split())) if durations else (),
            since and since.astimezone(UTC), is_seen, failures, outcome,
            reason, longest and longest.astimezone(UTC), pid,
            first and first.astimezone(UTC))
        for _, started, completed, met, runs, durations, since, is_seen,
        failures, outcome, reason, longest, pid, first in sorted(
            rows, key=operator.itemgetter(0))]


def _json(texts: list[str | None]) -> str:
    return json.dumps(texts, ensure_ascii=False)


def _key(inquiry: Inquiry) -> tuple[Any, ...]:
    """A key that is equal for inquiries with the same slots and runs.

    Scripts with the same schedule share one tuple of slots.  So the identity
    of the tuple is compared: to compare hundreds of times would take longer
    than to send them twice.
    """
    return id(inquiry.slots), inquiry.until, inquiry.skipped, inquiry.runs
