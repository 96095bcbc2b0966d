"""Implements `IScriptDaySet`: prunes in batches, and counts runs by day."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.launchpad.database import scriptday_sql as sql
from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import ScriptDay


__all__ = [
    "ScriptDaySet",
]


# A script, a host, and until when its rows are deleted.
Stretch = tuple[str, str, datetime.datetime]


@implementer(IScriptDaySet)
class ScriptDaySet:
    """See `IScriptDaySet`."""

    def pruneRuns(
        self,
        before: datetime.datetime,
        batch: int,
        names: Sequence[str] | None = None,
    ) -> Iterator[int]:
        """See `IScriptDaySet`."""
        old = _rows(
            sql.OLD_RUNS, before=before, batch=batch, names=_listed(names))
        for stretches, is_large in _batches(old, batch):
            if not is_large:
                yield from _prune_runs(stretches)
                continue
            (name, hostname, until), = stretches
            edge = None
            while edge != until:
                (edge,), = _rows(
                    sql.EDGE, name=name, hostname=hostname, until=until,
                    batch=batch)
                if edge is None:
                    break
                yield from _prune_runs([(name, hostname, edge)])

    def pruneAttempts(
        self,
        before: datetime.datetime,
        failures_before: datetime.datetime,
        batch: int,
        names: Sequence[str] | None = None,
    ) -> Iterator[int]:
        """See `IScriptDaySet`."""
        values = {
            "before": before, "failures_before": failures_before,
            "batch": batch}
        for stretches, is_large in _batches(
            _rows(sql.OLD_ATTEMPTS, names=_listed(names), **values), batch
        ):
            while number := _prune(sql.PRUNE_ATTEMPTS, stretches, **values):
                yield number
                if not is_large:
                    break

    def pruneTexts(
        self,
        output_before: datetime.datetime | None,
        reasons_before: datetime.datetime | None,
        batch: int,
        names: Sequence[str] | None = None,
    ) -> Iterator[int]:
        """See `IScriptDaySet`."""
        after: int | None = 0
        while after is not None:
            (after, number), = _rows(
                sql.PRUNE_TEXTS, after=after, batch=batch,
                names=_listed(names),
                output_before=output_before or "-infinity",
                reasons_before=reasons_before or "-infinity")
            yield number

    def recordDue(
        self, rows: Iterable[tuple[str, str, datetime.date, int, int]]
    ) -> None:
        """See `IScriptDaySet`."""
        names, hostnames, days, due, met = (
            map(list, zip(*rows, strict=True)))
        execute(
            sql.RECORD_DUE, names=names, hostnames=hostnames, days=days,
            due=due, met=met)

    def getDays(
        self,
        since: datetime.date | None,
        until: datetime.date | None,
        names: Sequence[str] | None = None,
    ) -> list[ScriptDay]:
        """See `IScriptDaySet`."""
        return [
            ScriptDay(*row)
            for row in _rows(
                sql.DAYS, names=_listed(names), since=since, until=until)]


def _batches(
    old: Iterable[tuple[str, str, datetime.datetime, int]], batch: int
) -> Iterator[tuple[list[Stretch], bool]]:
    """Stretches that are pruned together, and whether they are too large."""
    together: list[Stretch] = []
    total = 0
    for name, hostname, until, count in old:
        if count > batch:
            yield [(name, hostname, until)], True
            continue
        if together and total + count > batch:
            yield together, False
            together, total = [], 0
        together.append((name, hostname, until))
        total += count
    if together:
        yield together, False


def _prune_runs(stretches: Sequence[Stretch]) -> Iterator[int]:
    """Delete and count runs; yield how many, for each transaction."""
    if is_spread():
        _executed(sql.COUNT_RUNS, stretches)
        yield 0
        yield int(_executed(sql.DELETE_COUNTED, stretches).rowcount)
    else:
        yield _prune(sql.PRUNE_RUNS, stretches)


def _prune(
    statement: str, stretches: Sequence[Stretch], **values: Any
) -> int:
    """Delete and count rows; return how many."""
    (number,), = _executed(statement, stretches, **values).get_all()
    return int(number)


def _executed(
    statement: str, stretches: Sequence[Stretch], **values: Any
) -> Any:
    """The result of a statement about stretches."""
    execute(sql.TURN)
    names, hostnames, untils = map(list, zip(*stretches, strict=True))
    return execute(
        statement, names=names, hostnames=hostnames, untils=untils, **values)


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _rows(statement: str, **values: Any) -> list[Any]:
    rows: list[Any] = execute(statement, **values).get_all()
    return rows
