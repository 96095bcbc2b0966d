"""Implements `IScriptFiguresSet` with three SQL statements."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.execute import bind
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.successes import successes
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptFiguresSet


__all__ = [
    "ScriptFiguresSet",
]


# The statement walks over an index once for each question and script.
# `width_bucket` finds the slot of a run.  The slots of a schedule are sent
# once, for all scripts with that schedule.
ASKED = """
    WITH asked AS (
        SELECT * FROM unnest(
            :numbers::integer[], :names::text[], :hostnames::text[],
            :slots::integer[], :runs::integer[]
        ) AS asked (number, name, hostname, slots, runs)
    ), slots AS MATERIALIZED (
        -- Materialized, so that each text is parsed once, not for every run.
        SELECT number, starts::timestamptz[] AS starts, until,
            skipped::integer[] AS skipped
        FROM unnest(
            :slot_numbers::integer[], :slot_starts::text[],
            :slot_ends::timestamptz[], :slots_skipped::text[]
        ) AS slots (number, starts, until, skipped)
    )
"""

# An attempt runs until its work is committed.  If it ended after that time, it
# certainly ran then, unless it was found to have vanished.
SINCE_THEN = """
    SELECT date_started, pid, reason, is_open AND NOT is_gone AS runs,
        is_open AND (
            is_seen OR date_committed IS NOT NULL
            OR outcome IS NOT NULL AND outcome <> 'vanished') AS is_seen,
        CASE WHEN is_gone THEN 'vanished' ELSE outcome END AS outcome
    FROM (
        SELECT date_started, pid, date_committed, outcome, reason,
            coalesce(least(date_committed, date_ended) > :at, true)
                AS is_open,
            date_ended IS NULL AND date_committed IS NULL
                AND id = ANY (:gone) AS is_gone,
            date_ended IS NULL AND date_committed IS NULL
                AND id = ANY (:seen) AS is_seen
        FROM scriptattempt AS run
        WHERE {run} AND date_started <= :at
            AND date_started > coalesce(recent.last_started, '-infinity')
    ) AS attempt
"""


def _figures(run: str) -> str:
    """The text of the statement.

    :param run: the condition that ``run`` belongs to a row of ``asked``.
    """
    run_by_then = f"{run} AND date_completed <= :at"
    latest = successes(
        "date_started, date_completed", run_by_then,
        "ORDER BY date_started DESC LIMIT asked.runs")
    completions = successes(
        "date_completed", run_by_then, "ORDER BY date_completed DESC LIMIT 1")
    before = successes(
        "1", f"{run_by_then} AND date_started < slots.starts[1]", "LIMIT 1")
    in_slots = successes(
        "width_bucket(date_started, slots.starts) AS slot, date_started",
        f"{run_by_then} AND date_started >= slots.starts[1]")
    return f"""
        {ASKED}
        SELECT asked.number, recent.last_started, completed.last_completed,
            often.met, often.runs, recent.durations, begun.since,
            begun.is_seen, begun.failures, begun.outcome, begun.reason,
            begun.longest, begun.pid,
            CASE WHEN NOT EXISTS ({before}) THEN often.first_started END
        FROM asked JOIN slots ON slots.number = asked.slots
        LEFT JOIN LATERAL (
            SELECT max(date_started) AS last_started,
                array_agg(
                    date_part('epoch', date_completed - date_started)
                    ORDER BY date_started DESC) AS durations
            FROM (
                SELECT * FROM ({latest}) AS either
                ORDER BY date_started DESC LIMIT asked.runs
            ) AS latest
        ) AS recent ON true
        LEFT JOIN LATERAL (
            SELECT max(date_completed) AS last_completed
            FROM ({completions}) AS either
        ) AS completed ON true
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT slot) FILTER (WHERE counts) AS met,
                count(*) FILTER (WHERE counts) AS runs,
                min(date_started) AS first_started
            FROM (
                SELECT date_started, slot,
                    date_started < slots.until
                        AND slot <> ALL (slots.skipped) AS counts
                FROM ({in_slots}) AS run
            ) AS started
        ) AS often ON true
        LEFT JOIN LATERAL (
            -- An attempt that certainly runs comes before one that may run.
            SELECT coalesce(
                    min(date_started) FILTER (WHERE runs AND is_seen),
                    min(date_started) FILTER (WHERE runs)) AS since,
                coalesce(bool_or(runs AND is_seen), false) AS is_seen,
                count(*) FILTER (WHERE failed) AS failures,
                min(date_started) FILTER (WHERE runs) AS longest,
                (array_agg(pid ORDER BY date_started)
                    FILTER (WHERE runs))[1] AS pid,
                (array_agg(outcome ORDER BY date_started DESC)
                    FILTER (WHERE NOT runs))[1] AS outcome,
                (array_agg(reason ORDER BY date_started DESC)
                    FILTER (WHERE failed))[1] AS reason
            FROM (
                SELECT *, NOT runs AND outcome IN
                    ('failure', 'killed', 'vanished') AS failed
                FROM ({SINCE_THEN.format(run=run)}) AS attempt
            ) AS since_then
        ) AS begun ON true
    """


ON_A_HOST = _figures("run.name = asked.name AND run.hostname = asked.hostname")
ON_ANY_HOST = _figures("run.name = asked.name")


@implementer(IScriptFiguresSet)
class ScriptFiguresSet:
    """See `IScriptFiguresSet`."""

    def getFigures(
        self, inquiries: Sequence[Inquiry], at: datetime.datetime
    ) -> list[Figures]:
        """See `IScriptFiguresSet`."""
        figures: dict[int, Figures] = {}
        attempts = open_attempts()
        numbered = list(enumerate(inquiries))
        for statement, asked in (
            (ON_A_HOST, [
                each for each in numbered if each[1].hostname is not None]),
            (ON_ANY_HOST, [
                each for each in numbered if each[1].hostname is None]),
        ):
            if asked:
                figures.update(_ask(statement, asked, at, attempts))
        return [figures[number] for number, _ in numbered]


def _ask(
    statement: str,
    asked: list[tuple[int, Inquiry]],
    at: datetime.datetime,
    attempts: dict[str, list[int]],
) -> dict[int, Figures]:
    slots: dict[Any, Inquiry] = {}
    for _, each in asked:
        slots.setdefault(_key(each), each)
    numbers = {key: number for number, key in enumerate(slots)}
    rows = main_store().execute(*bind(statement, {
        "at": at,
        **attempts,
        "numbers": [number for number, _ in asked],
        "names": [each.name for _, each in asked],
        "hostnames": [each.hostname for _, each in asked],
        "slots": [numbers[_key(each)] for _, each in asked],
        "runs": [each.runs for _, each in asked],
        "slot_numbers": list(numbers.values()),
        "slot_starts": [
            "{" + ",".join(f'"{start}"' for start in each.slots) + "}"
            for each in slots.values()],
        "slot_ends": [each.until for each in slots.values()],
        "slots_skipped": [
            "{" + ",".join(map(str, each.skipped)) + "}"
            for each in slots.values()],
    })).get_all()
    return {
        number: Figures(
            _utc(started), _utc(completed), met, runs, tuple(durations or ()),
            _utc(since), is_seen, failures, outcome, reason, _utc(longest),
            pid, _utc(first))
        for number, started, completed, met, runs, durations, since, is_seen,
        failures, outcome, reason, longest, pid, first in rows}


def _key(inquiry: Inquiry) -> tuple[Any, ...]:
    """A key that is equal for inquiries with the same slots.

    Scripts with the same schedule share one tuple of slots.  So the identity
    of the tuple is compared: to compare hundreds of times would take longer
    than to send them twice.
    """
    return id(inquiry.slots), inquiry.until, inquiry.skipped


def _utc(moment: datetime.datetime | None) -> datetime.datetime | None:
    return None if moment is None else moment.astimezone(datetime.UTC)
