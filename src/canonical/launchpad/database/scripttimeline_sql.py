"""The SQL statements of `scripttimeline`; ``:name`` stands for a value."""

from __future__ import annotations

import datetime
import functools

from canonical.launchpad.database.distinct import others
from canonical.launchpad.database.scriptattempt_sql import IS_OPEN
from canonical.launchpad.database.spread import HERE
from canonical.launchpad.database.spread import SERVERS_COUNT
from canonical.launchpad.database.spread import Source
from canonical.launchpad.database.spread import fetched
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.database.successes import successes


# Bounds of all runs.
FIRST = datetime.datetime(1, 12, 31, tzinfo=datetime.UTC)
LAST = datetime.datetime(9999, 1, 2, tzinfo=datetime.UTC)


OTHER_NAMES, OTHER_NAMES_SPREAD = (
    f"""
        {before}
        WITH RECURSIVE known AS (
            SELECT '' AS name UNION SELECT json_array_elements_text(:known)
        ), {others(*tables)}
        SELECT name FROM others {more}
    """ for before, tables, more in (
        ("", ("scriptactivity", "scriptattempt"), ""),
        (SERVERS_COUNT, ("scriptattempt",), """
            UNION (SELECT name FROM scriptactivity GROUP BY name
            EXCEPT SELECT name FROM known)
        """)))

ASKED = """
    asked AS (
        SELECT * FROM unnest(
            :numbers::integer[], :names::text[], :hostnames::text[],
            :patience::interval[]
        ) AS asked (number, name, hostname, patience)
    )
"""

# Each part is planned apart, and skipped for a script that it is not for.  So
# each part walks over its own index.
ON_A_HOST = "run.name = asked.name AND run.hostname = asked.hostname"
ON_ANY_HOST = "asked.hostname IS NULL AND run.name = asked.name"


def _either(
    source: Source, text: str, columns: str, tail: str = ""
) -> str:
    """Successes of a row of ``asked``, on its host or on any."""
    return " UNION ALL ".join(
        successes(columns, f"{run} AND {text}", tail, source.recorded)
        for run in (ON_A_HOST, ON_ANY_HOST))


def _failed() -> str:
    """The starts of failed attempts of a row of ``asked``."""
    return " UNION ALL ".join(
        "SELECT run.date_started FROM scriptattempt AS run"
        f" WHERE {which} AND {state}"
        " AND run.date_started >= :since AND run.date_started < :until"
        for which in (ON_A_HOST, ON_ANY_HOST)
        for state in (
            "run.outcome IN ('failure', 'killed', 'vanished')",
            "run.id = ANY (:gone) AND"
            f" {IS_OPEN.replace('attempt.', 'run.')}"))


BUCKET = (
    "floor(date_part('epoch', {} - :since::timestamptz) / :width)::integer")
IN_PERIOD = "date_started >= :since AND date_started < :until"
TOOK = "date_part('epoch', date_completed - date_started)"
IS_UNUSUAL = (
    "(date_completed < date_started + usual.shortest"
    " OR date_completed > date_started + usual.longest) AS is_unusual")

# What the three statements below need from several servers.
SENT = f"""
    SELECT name, hostname, {{}} FROM scriptactivity AS run
    WHERE name = ANY (:names::text[]) AND {VALID}
"""
STARTED = SENT.format("date_started, date_completed") + (
    "AND date_started >= :first AND date_started < :until")
FIRST_STARTED = SENT.format(
    "min(date_started) AS date_started, min(date_started) AS date_completed"
) + "GROUP BY name, hostname"
COMPLETED = (
    SENT.format("date_started, date_completed")
    + "AND date_completed >= :since AND date_completed < :until UNION ALL"
    + SENT.format("max(date_completed), max(date_completed)")
    + "AND date_completed < :since GROUP BY name, hostname")


# As in `scriptfigures`, the slots of a schedule are sent once, and
# `width_bucket` finds the slot of a run.  There are thousands of them in a
# month.  As numbers of seconds since 1970 they are compared fastest.  A page
# may count 50,000 runs: to add to a time is faster than to make seconds of an
# interval, and the sum of integers is faster than that of bigints.
@functools.cache
def counts(is_spread: bool) -> str:
    """The text of the statement of `getCounts`."""
    source = fetched(STARTED) if is_spread else HERE
    return f"""
        {source.before}
        WITH {ASKED} {source.ctes}, usual AS MATERIALIZED (
            SELECT number, slots, skew, shortest, longest,
                edges::float8[] AS edges
            FROM unnest(
                :numbers::integer[], :slots::integer[], :skew::interval[],
                :shortest::interval[], :longest::interval[], :edges::text[]
            ) AS usual (number, slots, skew, shortest, longest, edges)
        ), slots AS MATERIALIZED (
            SELECT number, starts::float8[] AS starts
            FROM unnest(:slot_numbers::integer[], :slot_starts::text[])
                AS slots (number, starts)
        )
        SELECT number, bucket, sum(runs)::integer, sum(met)::integer,
            sum(late)::integer, sum(unusual)::integer, sum(failed)::integer
        FROM (
            SELECT asked.number, counted.bucket, counted.runs, counted.met,
                counted.late, counted.unusual, 0 AS failed
            FROM asked JOIN usual USING (number)
            JOIN slots ON slots.number = usual.slots {source.join}
            CROSS JOIN LATERAL (
                SELECT floor((start - :since_seconds) / :width)::integer
                        AS bucket, sum(runs) AS runs, count(*) FILTER (
                        WHERE width_bucket(start, usual.edges) & 1 = 0
                    ) AS met,
                    count(*) FILTER (
                        WHERE completed > to_timestamp(start) + asked.patience
                    ) AS late,
                    sum(unusual) AS unusual
                FROM (
                    SELECT slots.starts[slot] AS start,
                        count(*)::integer AS runs, min(completed) AS completed,
                        (count(*) FILTER (WHERE is_unusual))::integer
                            AS unusual
                    FROM ({_either(
                        source,
                        "cardinality(slots.starts) > 0"
                        " AND date_started"
                        " >= to_timestamp(slots.starts[1]) - usual.skew"
                        " AND date_started < :until",
                        "width_bucket(date_part('epoch', date_started"
                        " + usual.skew), slots.starts) AS slot,"
                        f" date_completed AS completed, {IS_UNUSUAL}"
                    )}) AS run
                    GROUP BY slot
                    -- So the start of a slot is looked up once.
                    OFFSET 0
                ) AS in_slot
                GROUP BY 1
                UNION ALL
                SELECT {BUCKET.format("date_started")}, count(*), 0, 0,
                    count(*) FILTER (WHERE is_unusual)
                FROM ({_either(
                    source,
                    f"cardinality(slots.starts) = 0 AND {IN_PERIOD}",
                    f"date_started, {IS_UNUSUAL}")}) AS run
                GROUP BY 1
            ) AS counted
            UNION ALL
            SELECT asked.number, failure.bucket, 0, 0, 0, 0, failure.failed
            FROM asked CROSS JOIN LATERAL (
                SELECT {BUCKET.format("date_started")} AS bucket,
                    count(*) AS failed
                FROM ({_failed()}) AS attempt
                GROUP BY 1
            ) AS failure
        ) AS counted
        WHERE bucket >= 0
        GROUP BY number, bucket
    """


@functools.cache
def beginnings(is_spread: bool) -> str:
    """The text of the statement of `getBeginnings`."""
    source = fetched(FIRST_STARTED) if is_spread else HERE
    return f"""
        {source.before}
        WITH {ASKED} {source.ctes}
        SELECT (
                -- Runs may be pruned while there is no rule.  One of the last
                -- day may have met a slot of the next.
                SELECT CASE WHEN pruned > due THEN pruned + 2
                    ELSE coalesce(due + 1, pruned + 2) END
                FROM (SELECT (
                        SELECT max(day) FROM scriptday AS known
                        WHERE known.name = asked.name AND due IS NOT NULL
                            AND known.hostname = coalesce(asked.hostname, '')
                    ) AS due, (
                        SELECT max(day) FROM scriptday AS known
                        WHERE known.name = asked.name AND runs > 0 AND (
                            asked.hostname IS NULL
                            OR known.hostname = asked.hostname)
                    ) AS pruned) AS last
            )::timestamp AT TIME ZONE 'UTC', (
                SELECT min(date_started) FROM ({_either(
                    source, "true", "date_started",
                    "ORDER BY date_started LIMIT 1")}) AS first
            )
        FROM asked {source.join} ORDER BY number
    """


@functools.cache
def gaps(is_spread: bool) -> str:
    """The text of the statement of `getGaps`.

    It reads the last completion before the period, and those in it.
    """
    source = fetched(COMPLETED) if is_spread else HERE
    return f"""
        {source.before}
        WITH {ASKED} {source.ctes}
        SELECT asked.number, gap.begun, gap.ended
        FROM asked {source.join} CROSS JOIN LATERAL (
            SELECT completed AS begun, coalesce(lead(completed) OVER (
                ORDER BY completed), :until) AS ended
            FROM (
                SELECT max(completed) AS completed FROM ({_either(
                    source,
                    "date_completed < :since", "date_completed AS completed",
                    "ORDER BY date_completed DESC LIMIT 1")}) AS last
                UNION ALL
                SELECT completed FROM ({_either(
                    source,
                    "date_completed >= :since AND date_completed < :until",
                    "date_completed AS completed")}) AS later
            ) AS completions
            WHERE completed IS NOT NULL
        ) AS gap
        WHERE gap.ended - gap.begun > asked.patience
        ORDER BY asked.number, gap.begun
    """


@functools.cache
def columns(any_host: bool) -> str:
    """The text of the statement of `getColumns`."""
    where = "run.name = :name" + (
        "" if any_host else " AND run.hostname = :hostname")
    return f"""
        SELECT {BUCKET.format("date_started")} AS bucket,
            count(*)::integer, min(took),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY took), max(took),
            CASE WHEN count(*) <= :few
                THEN array_agg(date_started ORDER BY date_started) END,
            CASE WHEN count(*) <= :few
                THEN array_agg(took ORDER BY date_started) END
        FROM ({successes(
            f"date_started, {TOOK} AS took", f"{where} AND {IN_PERIOD}"
        )}) AS run
        GROUP BY 1 ORDER BY 1
    """


@functools.cache
def page(any_host: bool) -> str:
    """The text of the statement of `getPage`.

    Successes come from the table of successes, and all other runs from that
    of attempts.  Each part stops at the limit.
    """
    where = "run.name = :name" + (
        "" if any_host else " AND run.hostname = :hostname")
    in_period = (
        f"{where} AND {IN_PERIOD} AND date_started <= :before")
    latest = "ORDER BY date_started DESC, id DESC LIMIT :limit"
    attempt = IS_OPEN.replace("attempt.", "run.")
    return f"""
        SELECT * FROM (
            (SELECT date_started, 1 AS place, id, hostname,
                date_completed AS date_ended, 'success' AS outcome,
                NULL AS reason
            FROM scriptactivity AS run
            WHERE {in_period} AND {VALID}
                AND (date_started, 1, id)
                    < (:before, :before_table::integer, :before_id::bigint)
            {latest})
            UNION ALL
            (SELECT date_started, 2, id, hostname, CASE
                    WHEN date_ended IS NOT NULL THEN date_ended
                    WHEN NOT ({attempt})
                    THEN greatest(date_started, date_committed) END,
                CASE WHEN outcome IS NOT NULL THEN outcome
                    WHEN NOT ({attempt}) THEN 'success'
                    WHEN id = ANY (:gone) THEN 'vanished' END,
                reason
            FROM scriptattempt AS run
            WHERE {in_period}
                AND outcome IS DISTINCT FROM 'success'
                AND NOT EXISTS (
                    SELECT FROM scriptactivity AS recorded
                    WHERE recorded.name = run.name
                        AND recorded.run_key = run.run_key)
                AND (date_started, 2, id)
                    < (:before, :before_table::integer, :before_id::bigint)
            {latest})
        ) AS run
        ORDER BY date_started DESC, place DESC, id DESC LIMIT :limit
    """
