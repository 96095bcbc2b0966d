"""The SQL statement of the summaries of all scripts."""

from __future__ import annotations

from canonical.launchpad.database.distinct import pairs
from canonical.launchpad.database.scriptattempt_sql import IS_OPEN
from canonical.launchpad.database.scriptattempt_sql import SAME
from canonical.launchpad.database.scriptattempt_sql import WHICH
from canonical.launchpad.database.scriptattempt_sql import failed
from canonical.launchpad.database.spread import SERVERS_COUNT
from canonical.launchpad.database.successes import LATEST_START
from canonical.launchpad.database.successes import NOT_AHEAD
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.database.successes import successes


def _summaries(with_pairs: str, recorded: str, join: str = "") -> str:
    """The text of the query for the summaries.

    :param with_pairs: defines ``scriptactivity_pairs``.
    :param recorded: what has the last success on record of a ``script``.
    :param join: what is joined to it for that.
    """
    return f"""
        WITH RECURSIVE {with_pairs}, {pairs("scriptattempt")}
        SELECT script.name, script.hostname,
            success.date_started,
            success.date_completed - success.date_started,
            failure.date_started, failure.reason,
            (
                SELECT count(*) FROM ({failed(
                    "id", SAME.format("attempt", "script")
                    + " AND date_started"
                      " > coalesce(success.date_started, '-infinity')"
                )}) AS failed
            ), running.since, coalesce(running.is_seen, false)
        FROM (
            SELECT name, hostname FROM scriptactivity_pairs
            UNION SELECT name, hostname FROM scriptattempt_pairs
        ) AS script {join}
        LEFT JOIN LATERAL (
            SELECT * FROM ({successes(
                "date_started, date_completed",
                f"{SAME.format('run', 'script')} AND {NOT_AHEAD}",
                "ORDER BY date_started DESC LIMIT 1", recorded)}) AS either
            ORDER BY date_started DESC LIMIT 1
        ) AS success ON true
        LEFT JOIN LATERAL (
            SELECT * FROM ({failed(
                "date_started,"
                " coalesce(reason, outcome, 'vanished') AS reason",
                SAME.format("attempt", "script"),
                "ORDER BY date_started DESC LIMIT 1")}) AS either
            ORDER BY date_started DESC LIMIT 1
        ) AS failure ON true
        LEFT JOIN LATERAL (
            -- An attempt whose process was seen comes first: it certainly
            -- runs.
            SELECT bool_or(id = ANY (:seen)) AS is_seen, coalesce(
                min(date_started) FILTER (WHERE id = ANY (:seen)),
                min(date_started)) AS since
            FROM scriptattempt AS attempt
            WHERE {SAME.format("attempt", "script")}
                AND {IS_OPEN} AND id <> ALL (:gone)
        ) AS running ON true
        WHERE {WHICH.replace("attempt", "script")}
            AND (success.date_started IS NOT NULL OR EXISTS (
                SELECT FROM scriptattempt AS attempt
                WHERE {SAME.format("attempt", "script")}))
        ORDER BY script.name, script.hostname
    """


ALONE = _summaries(pairs("scriptactivity"), "scriptactivity")

# Each of several servers is asked once.
SPREAD = SERVERS_COUNT + _summaries(
    f"""
        scriptactivity_pairs AS MATERIALIZED (
            SELECT name, hostname, max(date_started) AS date_started,
                (array_agg(date_completed ORDER BY date_started DESC))[1]
                    AS date_completed
            FROM scriptactivity AS run
            WHERE {WHICH.replace("attempt", "run")} AND {VALID}
                AND date_started <= (SELECT {LATEST_START})
            GROUP BY name, hostname
        )
    """,
    "(SELECT recorded.*)",
    "LEFT JOIN scriptactivity_pairs AS recorded USING (name, hostname)")
