"""Runs that are spread over several servers; see ``docs/scaling.rst``."""

from __future__ import annotations

from canonical.database.sqlbase import main_store


__all__ = [
    "EACH_FETCHED",
    "FETCHED",
    "JOIN_FETCHED",
    "SERVERS_COUNT",
    "is_spread",
]


IS_SPREAD = """
    SELECT relkind = 'p' FROM pg_class WHERE oid = 'scriptactivity'::regclass
"""

# Otherwise each server would send all its runs.
SERVERS_COUNT = "SET LOCAL enable_partitionwise_aggregate = on;"

# For a check, to be read before its rows are looked up.  To look up each
# script would ask its server several times.  This asks each server once.
#
# A server sends, for each script and host, the runs since the earliest slot of
# all, as many as any script needs of those before, and the run that completed
# last.  For that it reads all runs of these scripts.
FETCHED = """
    sent AS MATERIALIZED (
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
        WHERE name = ANY (ARRAY(SELECT name FROM asked))
            AND date_completed <= :at AND {valid}
        GROUP BY name, hostname
    ), fetched AS MATERIALIZED (
        SELECT name, array_agg(name) AS names, array_agg(hostname) AS hosts,
            array_agg(date_started) AS starts,
            array_agg(date_completed) AS ends
        FROM sent CROSS JOIN LATERAL (
            SELECT * FROM unnest(starts, ends)
            UNION ALL
            SELECT * FROM unnest(earlier_starts, earlier_ends)
            UNION ALL
            -- If it is not among those.
            SELECT * FROM unnest(last_start, last_end)
            WHERE last_start[1] <= earlier_starts[:most]
        ) AS run (date_started, date_completed)
        GROUP BY name
    )
"""

JOIN_FETCHED = "LEFT JOIN fetched ON fetched.name = asked.name"

EACH_FETCHED = """
    unnest(fetched.names, fetched.hosts, fetched.starts, fetched.ends)
        AS known (name, hostname, date_started, date_completed)
"""


def is_spread() -> bool:
    """Are the runs spread over several servers?"""
    (answer,) = main_store().execute(IS_SPREAD).get_one()
    return bool(answer)
