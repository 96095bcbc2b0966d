"""The SQL statements about attempts.

``:name`` stands for a value; see `execute`.  A query returns the rows of all
scripts at once.  A null for a name or a host means any.
"""

from __future__ import annotations

from canonical.launchpad.database.successes import NOT_AHEAD
from canonical.launchpad.database.successes import last_start
from canonical.launchpad.database.successes import successes


# If the run is on record, this changes nothing.  But it waits for an open
# transaction that has written the row, and it fails for a role without UPDATE,
# which could not record the end of the run.
BEGIN = """
    INSERT INTO scriptattempt
        (run_key, name, hostname, pid, process, date_started)
    VALUES (:run_key, :name, :hostname, :pid, :process, :date_started)
    ON CONFLICT (run_key) DO UPDATE SET run_key = excluded.run_key
    RETURNING date_committed IS NOT NULL
"""

# The attempt may have been taken for vanished, or been lost in a failover.
# This restores it.
MARK_COMMITTED = """
    INSERT INTO scriptattempt
        (run_key, name, hostname, pid, process, date_started, date_committed)
    VALUES (:run_key, :name, :hostname, :pid, :process, :date_started,
        :date_committed)
    ON CONFLICT (run_key) DO UPDATE
    SET date_committed = excluded.date_committed, date_ended = NULL,
        outcome = NULL, exit_status = NULL, reason = NULL
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

END_WITH_OUTPUT = END.replace(
    "SET ", "SET stdout = :stdout, stderr = :stderr, ", 1)

OUTPUT = """
    SELECT id, hostname, date_started, outcome, stdout, stderr
    FROM scriptattempt
    WHERE name = :name AND CASE WHEN :id::bigint IS NULL
        THEN stdout IS NOT NULL ELSE id = :id END
    ORDER BY date_started DESC, id DESC
    LIMIT 1
"""

# A committed run is a success.  If another session has recorded its end, that
# end stays.
END_COMMITTED = """
    UPDATE scriptattempt
    SET outcome = 'success', exit_status = 0,
        date_ended = coalesce(
            date_ended, greatest(date_started, :date_ended::timestamptz))
    WHERE run_key = :run_key AND date_committed IS NOT NULL
"""

UNENDED = """
    SELECT id, pid, process FROM scriptattempt
    WHERE date_ended IS NULL AND date_committed IS NULL
"""

# A row that an open transaction has locked is left for the next call.
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

COMMITTED_UNENDED = """
    SELECT pid, process, run_key, name, hostname, date_started,
        greatest(date_started, date_committed)
    FROM scriptattempt
    WHERE date_committed IS NOT NULL AND date_ended IS NULL
    ORDER BY date_started
    LIMIT 1000
"""

# When the work was committed, from the attempt or from the record of the
# success.  The end of such an attempt may still be missing.
COMMITTED = """
    coalesce(attempt.date_committed, (
        SELECT date_completed FROM scriptactivity AS recorded
        WHERE recorded.name = attempt.name
            AND recorded.run_key = attempt.run_key))
"""

IS_OPEN = f"attempt.date_ended IS NULL AND {COMMITTED} IS NULL"

# A process that is gone could not record its end, and a query that reads may
# not write it.  So this computes the end and the outcome.
COLUMNS = f"""
    attempt.id, attempt.name, attempt.hostname, attempt.pid,
    attempt.date_started,
    CASE
        WHEN attempt.date_ended IS NOT NULL THEN attempt.date_ended
        WHEN {COMMITTED} IS NOT NULL
        THEN greatest(attempt.date_started, {COMMITTED})
    END AS date_ended,
    CASE
        WHEN attempt.date_ended IS NOT NULL THEN attempt.outcome
        WHEN {COMMITTED} IS NOT NULL THEN 'success'
        WHEN attempt.id = ANY (:gone) THEN 'vanished'
    END AS outcome,
    attempt.exit_status, attempt.reason
"""

WHICH = """
    (:name::text IS NULL OR attempt.name = :name)
    AND (:hostname::text IS NULL OR attempt.hostname = :hostname)
"""

SAME = "{0}.name = {1}.name AND {0}.hostname = {1}.hostname"


def failed(columns: str, where: str, tail: str = "") -> str:
    """The text of a query for failed attempts.

    It has two parts, for failures on record and for attempts whose process is
    gone.  Each part uses an index; see
    `canonical.launchpad.database.successes.successes`.
    """
    return " UNION ALL ".join(
        f"(SELECT {columns} FROM scriptattempt AS attempt"
        f" WHERE {condition} AND {where} {tail})"
        for condition in (
            "attempt.outcome IN ('failure', 'killed', 'vanished')",
            f"attempt.id = ANY (:gone) AND {IS_OPEN}"))


RUNNING = f"""
    SELECT {COLUMNS}, (
            SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration)
            FROM (
                SELECT duration FROM ({successes(
                    "date_started, date_completed - date_started AS duration",
                    f"{SAME.format('run', 'attempt')} AND {NOT_AHEAD}",
                    "ORDER BY date_started DESC LIMIT 20")}) AS success
                ORDER BY date_started DESC LIMIT 20
            ) AS recent
        ), attempt.id = ANY (:seen), ARRAY(
            SELECT DISTINCT other.hostname FROM scriptattempt AS other
            WHERE other.name = attempt.name
                AND other.hostname <> attempt.hostname
                AND {IS_OPEN.replace("attempt.", "other.")}
                AND other.id <> ALL (:gone)
            ORDER BY 1
        )
    FROM scriptattempt AS attempt
    WHERE {WHICH} AND {IS_OPEN} AND attempt.id <> ALL (:gone)
    ORDER BY attempt.date_started, attempt.id
"""

WINDOW = f"""
    SELECT {COLUMNS} FROM scriptattempt AS attempt
    WHERE {WHICH}
        AND attempt.date_started >= :since AND attempt.date_started < :until
    ORDER BY attempt.date_started, attempt.id
"""

# When the last success before a failure started.
BEFORE = f"""
    SELECT coalesce({last_start(
        SAME.format("run", "{0}")
        + " AND date_started < {0}.date_started")}, '-infinity') AS success
"""

NOT_BEFORE = "(:since::timestamptz IS NULL OR date_started >= :since)"

LATEST_FIRST = "ORDER BY date_started DESC, id DESC LIMIT :limit"

# For each script and host, this reads the failures once, from the earliest
# success that matters on, and counts them.
FAILURES = f"""
    WITH shown AS (
        SELECT * FROM ({failed(
            COLUMNS, f"{WHICH} AND {NOT_BEFORE}", LATEST_FIRST)}) AS attempt
        CROSS JOIN LATERAL ({BEFORE.format("attempt")}) AS before
        {LATEST_FIRST}
    ), earliest AS (
        SELECT name, hostname, min(success) AS success
        FROM shown GROUP BY name, hostname
    ), counted AS (
        SELECT failed.id, count(*) OVER (
            PARTITION BY failed.name, failed.hostname, before.success
            ORDER BY failed.date_started) AS in_a_row
        FROM earliest CROSS JOIN LATERAL ({failed(
            "id, name, hostname, date_started",
            SAME.format("attempt", "earliest")
            + " AND date_started > earliest.success")}) AS failed
        CROSS JOIN LATERAL ({BEFORE.format("failed")}) AS before
    )
    SELECT {", ".join(
        f"shown.{column}" for column in (
            "id", "name", "hostname", "pid", "date_started", "date_ended",
            "outcome", "exit_status", "reason"))}, counted.in_a_row,
        whole.stdout, whole.stderr
    FROM shown JOIN counted USING (id)
    JOIN scriptattempt AS whole USING (id)
    ORDER BY shown.date_started DESC, shown.id DESC
"""

LAST = last_start(f"{WHICH.replace('attempt', 'run')} AND {NOT_AHEAD}")

COUNT_IN_A_ROW = "SELECT count(*) FROM ({}) AS failed".format(failed(
    "id", f"{WHICH} AND date_started > coalesce({LAST}, '-infinity')"))
