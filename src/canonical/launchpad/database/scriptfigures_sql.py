"""The SQL statements of `scriptfigures`; ``:name`` stands for a value."""

from __future__ import annotations

from canonical.launchpad.database.spread import HERE
from canonical.launchpad.database.spread import Source
from canonical.launchpad.database.spread import fetched
from canonical.launchpad.database.successes import UNRECORDED
from canonical.launchpad.database.successes import VALID


# The statement walks over an index once for the runs in the slots of a script,
# and once for those before them.  `width_bucket` finds the slot of a run.  The
# slots of a schedule are sent once, for all scripts with that schedule.  Names
# are sent as JSON, and numbers as text, since psycopg2 would quote each.
#
# For thousands of scripts, a PostgreSQL that can would compile the statement.
# That takes longer than it saves.
ASKED = """
    WITH asked AS (
        -- To look for what is not recorded yet of each script would take a
        -- tenth of the time.  Few scripts can have such runs.
        SELECT *, name IN (
                SELECT name FROM scriptattempt
                WHERE date_committed IS NOT NULL AND date_ended IS NULL
            ) AS has_unrecorded
        FROM ROWS FROM (
            json_array_elements_text(:names),
            json_array_elements_text(:hostnames), unnest(:slots::integer[])
        ) WITH ORDINALITY AS asked (name, hostname, slots, number)
    ), slots AS MATERIALIZED (
        -- Materialized, so that each text is parsed once, not for every run.
        -- Without slots, each run is before them.  Most scripts skip none,
        -- and null is compared faster than an empty array.
        SELECT number, starts::timestamptz[] AS starts, until,
            nullif(skipped, '{}')::integer[] AS skipped, runs,
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


def _figures(run: str, source: Source) -> str:
    """The text of the statement.

    :param run: the condition that ``run`` belongs to a row of ``asked``.
    """
    recorded = f"""
        SELECT name, hostname, date_started, date_completed
        FROM {source.recorded} AS known
    """
    parts = " UNION ALL ".join((
        # An index answers, which costs less than to merge two answers.
        _part(run, f"({recorded})", source)
        + " WHERE NOT asked.has_unrecorded",
        _part(run, f"""
            ({recorded} UNION ALL SELECT * FROM {UNRECORDED} AS run)
        """, source) + " WHERE asked.has_unrecorded"))
    return f"""
        {source.before}
        SET LOCAL jit = off;
        COPY ({ASKED} {source.ctes} {parts}) TO STDOUT
    """


def _part(run: str, successes: str, source: Source) -> str:
    """The text of a part of the statement.

    :param run, source: as for `_figures`.
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
        {source.join}
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

# From each of several servers, for each script and host: the runs since the
# earliest slot of all, as many as any script needs of those before, and the
# run that completed last.  For that a server reads all runs of these scripts.
NEEDED = f"""
    SELECT name, hostname, run.* FROM (
        SELECT name, hostname,
            array_agg(date_started
                ORDER BY date_started DESC, date_completed DESC)
                FILTER (WHERE date_started >= :first) AS starts,
            array_agg(date_completed
                ORDER BY date_started DESC, date_completed DESC)
                FILTER (WHERE date_started >= :first) AS ends,
            (array_agg(date_started
                ORDER BY date_started DESC, date_completed DESC)
                FILTER (WHERE date_started < :first))[1 : :most]
                AS earlier_starts,
            (array_agg(date_completed
                ORDER BY date_started DESC, date_completed DESC)
                FILTER (WHERE date_started < :first))[1 : :most]
                AS earlier_ends,
            (array_agg(date_started
                ORDER BY date_completed DESC, date_started DESC))[1 : 1]
                AS last_start,
            (array_agg(date_completed
                ORDER BY date_completed DESC, date_started DESC))[1 : 1]
                AS last_end
        FROM scriptactivity AS run
        WHERE name = ANY (:names_asked::text[])
            AND date_completed <= :at AND {VALID}
        GROUP BY name, hostname
    ) AS sent CROSS JOIN LATERAL (
        SELECT * FROM unnest(starts, ends)
        UNION ALL
        SELECT * FROM unnest(earlier_starts, earlier_ends)
        UNION ALL
        -- If it is not among those.
        SELECT * FROM unnest(last_start, last_end)
        WHERE last_start[1] <= earlier_starts[:most]
    ) AS run (date_started, date_completed)
"""

# For scripts on one host, and on any.
ALONE, SPREAD = (
    [_figures(run, source) for run in (ON_A_HOST, ON_ANY_HOST)]
    for source in (HERE, fetched(NEEDED)))
