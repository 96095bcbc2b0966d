"""Implements `IScriptFiguresSet` with four SQL statements."""

from __future__ import annotations

import datetime
import json
import operator
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.execute import bind
from canonical.launchpad.database.openattempts import open_attempts
from canonical.launchpad.database.spread import EACH_FETCHED
from canonical.launchpad.database.spread import FETCHED
from canonical.launchpad.database.spread import JOIN_FETCHED
from canonical.launchpad.database.spread import SERVERS_COUNT
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.database.successes import UNRECORDED
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.interfaces import Figures
from canonical.launchpad.interfaces import Inquiry
from canonical.launchpad.interfaces import IScriptFiguresSet


__all__ = [
    "ScriptFiguresSet",
]


UTC = datetime.UTC

# The statement walks over an index once for the runs in the slots of a script,
# and once for those before them.  `width_bucket` finds the slot of a run.  The
# slots of a schedule are sent once, for all scripts with that schedule.  Names
# are sent as JSON, and numbers as text, since psycopg2 would quote each.
#
# For thousands of scripts, a PostgreSQL that can would compile the statement.
# That takes longer than it saves.
ASKED = f"""
    SET LOCAL jit = off;
    WITH asked AS (
        -- To look for what is not recorded yet of each script would take a
        -- tenth of the time.  Few scripts have such runs.
        SELECT *, name IN (SELECT name FROM {UNRECORDED} AS run)
            AS has_unrecorded
        FROM ROWS FROM (
            json_array_elements_text(:names),
            json_array_elements_text(:hostnames), unnest(:slots::integer[])
        ) WITH ORDINALITY AS asked (name, hostname, slots, number)
    ), slots AS MATERIALIZED (
        -- Materialized, so that each text is parsed once, not for every run.
        -- Without slots, each run is before them.  Most scripts skip none,
        -- and null is compared faster than an empty array.
        SELECT number, starts::timestamptz[] AS starts, until,
            nullif(skipped, '{{}}')::integer[] AS skipped, runs,
            coalesce((starts::timestamptz[])[1], 'infinity') AS since
        FROM unnest(
            :slot_numbers::integer[], :slot_starts::text[],
            :slot_ends::timestamptz[], :slots_skipped::text[],
            :slot_runs::integer[]
        ) AS slots (number, starts, until, skipped, runs)
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
            AND date_started > coalesce(
                often.last_started, earlier.last_started, '-infinity')
    ) AS attempt
"""


def _figures(run: str, recorded: str = "scriptactivity") -> str:
    """The text of the statement, after that of ``asked`` and ``slots``.

    :param run: the condition that ``run`` belongs to a row of ``asked``.
    :param recorded: what has the successes on record.
    """
    columns = "SELECT name, hostname, date_started, date_completed"
    return " UNION ALL ".join((
        # An index answers, which costs less than to merge two answers.
        _part(run, f"({columns} FROM {recorded})", recorded)
        + " WHERE NOT asked.has_unrecorded",
        _part(run, f"""
            ({columns} FROM {recorded}
            UNION ALL SELECT * FROM {UNRECORDED} AS run)
        """, recorded) + " WHERE asked.has_unrecorded"))


def _part(run: str, successes: str, recorded: str) -> str:
    """The text of a part of the statement.

    :param run, recorded: as for `_figures`.
    :param successes: what has all successes.
    """
    by_then = f"{successes} AS run WHERE {run}" \
        f" AND date_completed <= :at AND {VALID}"
    durations = """
        array_agg(
            date_part('epoch', date_completed - date_started)
            ORDER BY date_started DESC) AS durations
    """
    return f"""
        SELECT asked.number,
            coalesce(often.last_started, earlier.last_started),
            completed.date_completed, often.met, often.runs,
            array_to_string(
                (often.durations || earlier.durations)[1 : slots.runs], ' '),
            begun.since, begun.is_seen, begun.failures, begun.outcome,
            begun.reason, begun.longest, begun.pids[cardinality(begun.pids)],
            CASE WHEN earlier.last_started IS NULL THEN often.first_started END
        FROM asked JOIN slots ON slots.number = asked.slots
        {"" if recorded == "scriptactivity" else JOIN_FETCHED}
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT slot) FILTER (WHERE counts) AS met,
                count(*) FILTER (WHERE counts) AS runs, count(*) AS started,
                min(date_started) AS first_started,
                max(date_started) AS last_started, {durations}
            FROM (
                SELECT *, date_started < slots.until AND (
                    slots.skipped IS NULL OR slot <> ALL (slots.skipped)
                ) AS counts
                FROM (
                    SELECT date_started, date_completed,
                        width_bucket(date_started, slots.starts) AS slot
                    FROM {by_then} AND date_started >= slots.since
                ) AS run
            ) AS run
        ) AS often ON true
        LEFT JOIN LATERAL (
            SELECT max(date_started) AS last_started, {durations}
            FROM (
                SELECT date_started, date_completed
                FROM {by_then} AND date_started < slots.since
                ORDER BY date_started DESC
                LIMIT greatest(slots.runs - often.started, 1)
            ) AS run
        ) AS earlier ON true
        LEFT JOIN LATERAL (
            -- The bound says no more than the index does, but keeps the scan
            -- from reading a whole page of it.
            SELECT date_completed FROM {by_then}
                AND date_completed >= coalesce(
                    often.last_started, earlier.last_started, '-infinity')
            ORDER BY date_completed DESC LIMIT 1
        ) AS completed ON true
        LEFT JOIN LATERAL (
            -- An attempt that certainly runs comes before one that may run.
            -- All arrays have one order, since a sort costs more than they do.
            SELECT coalesce(
                    min(date_started) FILTER (WHERE runs AND is_seen),
                    min(date_started) FILTER (WHERE runs)) AS since,
                coalesce(bool_or(runs AND is_seen), false) AS is_seen,
                count(*) FILTER (WHERE failed) AS failures,
                min(date_started) FILTER (WHERE runs) AS longest,
                array_agg(pid ORDER BY date_started DESC)
                    FILTER (WHERE runs) AS pids,
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


ON_A_HOST = "run.name = asked.name AND run.hostname = asked.hostname"
ON_ANY_HOST = "run.name = asked.name"

HERE = {
    run: ASKED + _figures(run) for run in (ON_A_HOST, ON_ANY_HOST)}
SPREAD = {
    run: f"{SERVERS_COUNT} {ASKED}, {FETCHED.format(valid=VALID)}"
        f" {_figures(run, EACH_FETCHED)}"
    for run in (ON_A_HOST, ON_ANY_HOST)}


@implementer(IScriptFiguresSet)
class ScriptFiguresSet:
    """See `IScriptFiguresSet`."""

    def getFigures(
        self, inquiries: Sequence[Inquiry], at: datetime.datetime
    ) -> list[Figures]:
        """See `IScriptFiguresSet`."""
        figures: dict[int, Figures] = {}
        attempts = open_attempts()
        statements = SPREAD if is_spread() else HERE
        numbers: dict[bool, list[int]] = {True: [], False: []}
        for number, each in enumerate(inquiries):
            numbers[each.hostname is None].append(number)
        for is_any, those in numbers.items():
            if those:
                found = _ask(
                    statements[ON_ANY_HOST if is_any else ON_A_HOST],
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
