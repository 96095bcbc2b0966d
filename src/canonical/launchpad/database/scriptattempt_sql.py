"""The statements about attempts.

A value is written ``:name``.  What asks about scripts asks about all of them
at once, however many there are; a null for a name or a host means any.
"""

from __future__ import annotations

import re
from typing import Any


def bind(
    statement: str, values: dict[str, Any]
) -> tuple[str, tuple[Any, ...]]:
    """A statement for Storm, and its parameters."""
    parameters = []

    def replace(match: re.Match[str]) -> str:
        parameters.append(values[match[1]])
        return "?"

    return re.sub(r"(?<!:):([a-z_]+)", replace, statement), tuple(parameters)


BEGIN = """
    INSERT INTO scriptattempt
        (run_key, name, hostname, pid, process, date_started)
    VALUES (:run_key, :name, :hostname, :pid, :process, :date_started)
    ON CONFLICT (run_key) DO NOTHING
"""

# What has been taken for vanished, or been lost by a failover, is there again.
MARK_COMMITTED = """
    INSERT INTO scriptattempt
        (run_key, name, hostname, pid, process, date_started, date_committed)
    VALUES (:run_key, :name, :hostname, :pid, :process, :date_started,
        :date_committed)
    ON CONFLICT (run_key) DO UPDATE
    SET date_committed = excluded.date_committed, date_ended = NULL,
        outcome = NULL, exit_status = NULL, reason = NULL
"""

# An update of nothing, or an insert, either of which waits for a transaction
# that has written the row and is not over.
WAIT_AND_LOOK = """
    INSERT INTO scriptattempt
        (run_key, name, hostname, pid, process, date_started)
    VALUES (:run_key, :name, :hostname, :pid, :process, :date_started)
    ON CONFLICT (run_key) DO UPDATE SET run_key = excluded.run_key
    RETURNING date_committed IS NOT NULL
"""

IS_COMMITTED = """
    SELECT count(*) FROM scriptattempt
    WHERE run_key = :run_key AND date_committed IS NOT NULL
"""

# A run that was taken for vanished may have succeeded after all.
END = """
    UPDATE scriptattempt
    SET outcome = :outcome, exit_status = :exit_status, reason = :reason,
        date_ended = greatest(date_started, :date_ended::timestamptz)
    WHERE run_key = :run_key AND CASE WHEN :outcome = 'success'
        THEN coalesce(outcome, 'vanished') = 'vanished'
        ELSE date_ended IS NULL AND date_committed IS NULL END
"""

# One whose transaction is not over yet is left to the next look.
OPEN = """
    SELECT id, pid, process FROM scriptattempt
    WHERE date_ended IS NULL AND date_committed IS NULL
"""

VANISH = """
    UPDATE scriptattempt
    SET outcome = 'vanished',
        date_ended = greatest(date_started, CURRENT_TIMESTAMP)
    WHERE id IN (
        SELECT id FROM scriptattempt
        WHERE id = ANY(:ids)
            AND date_ended IS NULL AND date_committed IS NULL
        FOR UPDATE SKIP LOCKED
    )
"""

SKIP = """
    INSERT INTO scriptattempt
        (name, hostname, pid, process, date_started, date_ended, outcome,
         exit_status, reason)
    VALUES (:name, :hostname, :pid, :process, :date_started, :date_started,
        'skipped', :exit_status, :reason)
"""

UNRECORDED = """
    SELECT pid, process, run_key, name, hostname, date_started,
        date_committed
    FROM scriptattempt
    WHERE date_committed IS NOT NULL AND date_ended IS NULL
    ORDER BY date_started
    LIMIT 1000
"""

COLUMNS = """
    attempt.id, attempt.name, attempt.hostname, attempt.pid,
    attempt.date_started, attempt.date_ended, attempt.outcome,
    attempt.exit_status, attempt.reason
"""

WHICH = """
    (:name::text IS NULL OR attempt.name = :name)
    AND (:hostname::text IS NULL OR attempt.hostname = :hostname)
"""

RUNNING = f"""
    SELECT {COLUMNS}, (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration)
            FROM (
                SELECT date_completed - date_started AS duration
                FROM scriptactivity
                WHERE name = attempt.name AND hostname = attempt.hostname
                ORDER BY date_started DESC LIMIT 20
            ) AS recent
        ), ARRAY(
            SELECT DISTINCT other.hostname FROM scriptattempt AS other
            WHERE other.name = attempt.name
                AND other.hostname <> attempt.hostname
                AND other.date_ended IS NULL
            ORDER BY 1
        )
    FROM scriptattempt AS attempt
    WHERE {WHICH} AND attempt.date_ended IS NULL
    ORDER BY attempt.date_started, attempt.id
"""

WINDOW = f"""
    SELECT {COLUMNS} FROM scriptattempt AS attempt
    WHERE {WHICH}
        AND attempt.date_started >= :since AND attempt.date_started < :until
    ORDER BY attempt.date_started, attempt.id
"""

FAILURES = f"""
    SELECT {COLUMNS}, (
            SELECT count(*) FROM scriptattempt AS earlier
            WHERE earlier.name = attempt.name
                AND earlier.hostname = attempt.hostname
                AND earlier.outcome IN ('failure', 'killed', 'vanished')
                AND earlier.date_started <= attempt.date_started
                AND earlier.date_started > coalesce((
                    SELECT max(success.date_started)
                    FROM scriptactivity AS success
                    WHERE success.name = attempt.name
                        AND success.hostname = attempt.hostname
                        AND success.date_started < attempt.date_started
                ), '-infinity')
        )
    FROM scriptattempt AS attempt
    WHERE {WHICH} AND attempt.outcome IN ('failure', 'killed', 'vanished')
    ORDER BY attempt.date_started DESC, attempt.id DESC
    LIMIT :limit
"""

COUNT_IN_A_ROW = f"""
    SELECT count(*) FROM scriptattempt AS attempt
    WHERE {WHICH} AND attempt.outcome IN ('failure', 'killed', 'vanished')
        AND attempt.date_started > coalesce((
            SELECT max(success.date_started) FROM scriptactivity AS success
            WHERE success.name = :name
                AND (:hostname::text IS NULL OR success.hostname = :hostname)
        ), '-infinity')
"""


def _pairs(table: str) -> str:
    """All pairs of name and host in a table, from one to the next by index."""
    return f"""
        (SELECT name, hostname FROM {table} ORDER BY name, hostname LIMIT 1)
        UNION ALL
        SELECT next.name, next.hostname
        FROM {table}_pairs AS pair CROSS JOIN LATERAL (
            SELECT name, hostname FROM {table}
            WHERE (name, hostname) > (pair.name, pair.hostname)
            ORDER BY name, hostname LIMIT 1
        ) AS next
    """


SUMMARIES = f"""
    WITH RECURSIVE
        scriptactivity_pairs AS ({_pairs("scriptactivity")}),
        scriptattempt_pairs AS ({_pairs("scriptattempt")})
    SELECT attempt.name, attempt.hostname,
        success.date_started, success.date_completed - success.date_started,
        failure.date_started, failure.reason,
        (
            SELECT count(*) FROM scriptattempt AS each
            WHERE each.name = attempt.name
                AND each.hostname = attempt.hostname
                AND each.outcome IN ('failure', 'killed', 'vanished')
                AND each.date_started
                    > coalesce(success.date_started, '-infinity')
        ), (
            SELECT min(date_started) FROM scriptattempt AS each
            WHERE each.name = attempt.name
                AND each.hostname = attempt.hostname
                AND each.date_ended IS NULL
        )
    FROM (
        SELECT name, hostname FROM scriptactivity_pairs
        UNION SELECT name, hostname FROM scriptattempt_pairs
    ) AS attempt
    LEFT JOIN LATERAL (
        SELECT date_started, date_completed FROM scriptactivity
        WHERE name = attempt.name AND hostname = attempt.hostname
        ORDER BY date_started DESC LIMIT 1
    ) AS success ON true
    LEFT JOIN LATERAL (
        SELECT date_started, coalesce(reason, outcome) AS reason
        FROM scriptattempt
        WHERE name = attempt.name AND hostname = attempt.hostname
            AND outcome IN ('failure', 'killed', 'vanished')
        ORDER BY date_started DESC LIMIT 1
    ) AS failure ON true
    WHERE {WHICH}
    ORDER BY attempt.name, attempt.hostname
"""
