"""Implements `IScriptFiguresSet` with three SQL statements."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial
from typing import Any

from zope.interface import implementer

from canonical.database.connection import stream
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

# See "Text Format" of COPY.
NULL = r"\N"
ESCAPED = re.compile(r"\\(.)")
ESCAPES = {
    "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@implementer(IScriptFiguresSet)
class ScriptFiguresSet:
    """See `IScriptFiguresSet`."""

    def getFigures(
        self, inquiries: Sequence[Inquiry], at: datetime.datetime
    ) -> list[Figures]:
        """See `IScriptFiguresSet`."""
        figures: dict[int, Figures] = {}
        self.useFigures(inquiries, at, figures.__setitem__)
        return [figures[number] for number in range(len(inquiries))]

    def useFigures(
        self,
        inquiries: Sequence[Inquiry],
        at: datetime.datetime,
        use: Callable[[int, Figures], None],
    ) -> None:
        """See `IScriptFiguresSet`."""
        attempts = open_attempts(only(each.name for each in inquiries))
        statements = sql.SPREAD if is_spread() else sql.ALONE
        numbers: dict[bool, list[int]] = {True: [], False: []}
        for number, each in enumerate(inquiries):
            numbers[each.hostname is None].append(number)
        for is_any, those in numbers.items():
            if those:
                _ask(
                    statements[is_any],
                    [inquiries[number] for number in those], at, attempts,
                    partial(_use_line, those, use))


def _ask(
    statement: str,
    asked: list[Inquiry],
    at: datetime.datetime,
    attempts: dict[str, list[int]],
    use: Callable[[str], None],
) -> None:
    keys = [_key(each) for each in asked]
    slots = dict(zip(keys, asked, strict=True))
    numbers = {key: number for number, key in enumerate(slots)}
    stream(main_store(), *bind(statement, {
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
    }), use)


def _use_line(
    numbers: list[int], use: Callable[[int, Figures], None], line: str
) -> None:
    """Use the figures that are in a line of COPY.

    :param numbers: of the inquiries that are asked for.
    """
    (number, started, completed, met, runs, durations, since, is_seen,
     failures, outcome, reason, longest, pid, first) = line[:-1].split("\t")
    use(numbers[int(number) - 1], Figures(
        _moment(started), _moment(completed), int(met), int(runs),
        () if durations in ("", NULL) else (
            tuple(map(float, durations.split()))),
        _moment(since), is_seen == "t", int(failures), _text(outcome),
        _text(reason), _moment(longest), None if pid == NULL else int(pid),
        _moment(first)))


def _moment(text: str) -> datetime.datetime | None:
    return None if text == NULL else (
        datetime.datetime.fromisoformat(text).astimezone(UTC))


def _text(text: str) -> str | None:
    if text == NULL:
        return None
    return ESCAPED.sub(lambda match: ESCAPES.get(match[1], match[1]), text)


def _json(texts: list[str | None]) -> str:
    return json.dumps(texts, ensure_ascii=False)


def _key(inquiry: Inquiry) -> tuple[Any, ...]:
    """A key that is equal for inquiries with the same slots and runs.

    Scripts with the same schedule share one tuple of slots.  So the identity
    of the tuple is compared: to compare hundreds of times would take longer
    than to send them twice.
    """
    return id(inquiry.slots), inquiry.until, inquiry.skipped, inquiry.runs
