"""The SQL statements of `scriptday`; ``:name`` stands for a value."""

from __future__ import annotations

from canonical.launchpad.database.distinct import pairs
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.database.successes import derived_key
from canonical.launchpad.interfaces import ScriptDay


# More than any question about the last runs needs: a learned runtime is
# compared with 200 earlier runs.
KEPT = 250

FAILED = "outcome IN ('failure', 'killed', 'vanished')"

IS_OLD_ATTEMPT = f"""
    date_ended IS NOT NULL AND date_started <
        CASE WHEN {FAILED} THEN :failures_before::timestamptz
            ELSE :before::timestamptz END
"""


def _counted(table: str, condition: str) -> str:
    """The end of a statement about pairs: how many rows of each are old.

    Those that are too many for one batch are not counted.
    """
    return f"""
        CROSS JOIN LATERAL (
            SELECT count(*) FROM (
                SELECT FROM {table} AS run
                WHERE run.name = pair.name AND run.hostname = pair.hostname
                    AND {condition}
                LIMIT :batch + 1
            ) AS counted
        ) AS old
        WHERE old.count > 0
            AND (:names::text[] IS NULL OR pair.name = ANY (:names::text[]))
        ORDER BY pair.name, pair.hostname
    """


# For each script and host, until when runs can be deleted, and how many of
# them there are.
OLD_RUNS = f"""
    WITH RECURSIVE {pairs("scriptactivity")}
    SELECT pair.name, pair.hostname, kept.until, old.count
    FROM scriptactivity_pairs AS pair
    CROSS JOIN LATERAL (
        SELECT least(:before, date_trunc('day', date_started, 'UTC')) AS until
        FROM scriptactivity AS run
        WHERE run.name = pair.name AND run.hostname = pair.hostname
        ORDER BY date_started DESC OFFSET {KEPT - 1} LIMIT 1
    ) AS kept
    {_counted("scriptactivity", f"date_started < kept.until AND {VALID}")}
"""

OLD_ATTEMPTS = f"""
    WITH RECURSIVE {pairs("scriptattempt")}
    SELECT pair.name, pair.hostname,
        greatest(:before::timestamptz, :failures_before::timestamptz),
        old.count
    FROM scriptattempt_pairs AS pair
    {_counted("scriptattempt", IS_OLD_ATTEMPT)}
"""

# The end of the last whole day among the first runs of a script on a host.
# A day that is larger than a batch is a batch too.
EDGE = f"""
    SELECT least(:until, greatest(
        date_trunc('day', max(date_started), 'UTC'),
        date_trunc('day', min(date_started), 'UTC') + interval '24 hours'))
    FROM (
        SELECT date_started FROM scriptactivity
        WHERE name = :name AND hostname = :hostname
            AND date_started < :until AND {VALID}
        ORDER BY date_started LIMIT :batch + 1
    ) AS first
"""

# The index of the primary key finds the rows, whatever the planner thinks of
# the number of them.
GONE = """
    WITH asked AS (
        SELECT * FROM unnest(
            :names::text[], :hostnames::text[], :untils::timestamptz[]
        ) AS asked (name, hostname, until)
    ), gone AS (
        DELETE FROM {table} WHERE id = ANY (ARRAY(
            SELECT old.id FROM asked CROSS JOIN LATERAL (
                SELECT id FROM {table} AS run
                WHERE run.name = asked.name AND run.hostname = asked.hostname
                    AND date_started < asked.until AND {condition}
            ) AS old
        ))
        RETURNING *, (date_started AT TIME ZONE 'UTC')::date AS day
    )
"""

# Two sessions that prune take turns.
TURN = "SELECT pg_advisory_xact_lock(hashtext('scriptactivity prune'))"

ADDED = f"""
    , added AS (
        INSERT INTO scriptday AS known (name, hostname, day, runs, total,
            minimum, maximum, median, run_keys)
        SELECT name, hostname, day, count(*), sum(duration), min(duration),
            max(duration),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY duration),
            array_agg(key)
        FROM (
            SELECT name, hostname, day, key,
                date_completed - date_started AS duration
            FROM gone
            CROSS JOIN LATERAL coalesce(run_key, {derived_key("gone")}) AS key
            LEFT JOIN scriptday USING (name, hostname, day)
            WHERE coalesce(key <> ALL (run_keys), true)
        ) AS new
        GROUP BY name, hostname, day
        ON CONFLICT (name, hostname, day) DO UPDATE SET
            runs = known.runs + excluded.runs,
            total = coalesce(known.total, '0') + excluded.total,
            minimum = least(known.minimum, excluded.minimum),
            maximum = greatest(known.maximum, excluded.maximum),
            median = (coalesce(known.median, '0') * known.runs
                + excluded.median * excluded.runs)
                / (known.runs + excluded.runs),
            run_keys = known.run_keys || excluded.run_keys
    )
    SELECT count(*) FROM gone
"""

PRUNE_RUNS = GONE.format(table="scriptactivity", condition=VALID) + ADDED

# Runs on another server are counted in one transaction, and deleted in the
# next.  Their days have their keys, so that none is counted again if the
# second one fails, and only what is counted is deleted.
COUNTED = f"""
    WITH asked AS (
        SELECT * FROM unnest(
            :names::text[], :hostnames::text[], :untils::timestamptz[]
        ) AS asked (name, hostname, until)
    ), gone AS (
        SELECT run.*, (date_started AT TIME ZONE 'UTC')::date AS day
        FROM asked CROSS JOIN LATERAL (
            SELECT id, name, hostname, date_started, date_completed,
                coalesce(run_key, {derived_key("run")}) AS run_key
            FROM scriptactivity AS run
            WHERE run.name = asked.name AND run.hostname = asked.hostname
                AND date_started < asked.until AND {VALID}
        ) AS run
    )
"""
COUNT_RUNS = COUNTED + ADDED
DELETE_COUNTED = f"""
    {COUNTED}
    DELETE FROM scriptactivity
    WHERE name = ANY (:names::text[]) AND id = ANY (ARRAY(
        SELECT id FROM gone JOIN scriptday USING (name, hostname, day)
        WHERE gone.run_key = ANY (run_keys)))
"""

PRUNE_ATTEMPTS = f"""
    {GONE.format(
        table="scriptattempt", condition=IS_OLD_ATTEMPT
        + " ORDER BY date_started LIMIT :batch")}
    , added AS (
        INSERT INTO scriptday AS known (name, hostname, day, failures)
        SELECT name, hostname, day, count(*) FROM gone WHERE {FAILED}
        GROUP BY name, hostname, day
        ON CONFLICT (name, hostname, day) DO UPDATE
        SET failures = known.failures + excluded.failures
    )
    SELECT count(*) FROM gone
"""

# Walks over the whole table, since no index knows what has a text.
PRUNE_TEXTS = """
    WITH seen AS (
        SELECT id FROM scriptattempt WHERE id > :after ORDER BY id LIMIT :batch
    ), changed AS (
        UPDATE scriptattempt AS attempt SET
            stdout = CASE WHEN date_started < :output_before
                THEN NULL ELSE stdout END,
            stderr = CASE WHEN date_started < :output_before
                THEN NULL ELSE stderr END,
            reason = CASE WHEN date_started < :reasons_before
                THEN NULL ELSE reason END
        FROM seen
        WHERE attempt.id = seen.id AND date_ended IS NOT NULL
            AND (:names::text[] IS NULL OR name = ANY (:names::text[]))
            AND (date_started < :output_before
                    AND num_nonnulls(stdout, stderr) > 0
                OR date_started < :reasons_before AND reason IS NOT NULL)
        RETURNING 1
    )
    SELECT (SELECT max(id) FROM seen), (SELECT count(*) FROM changed)
"""

RECORD_DUE = """
    INSERT INTO scriptday AS known (name, hostname, day, due, met)
    SELECT * FROM unnest(:names::text[], :hostnames::text[], :days::date[],
        :due::integer[], :met::integer[])
    ON CONFLICT (name, hostname, day) DO UPDATE
    SET due = excluded.due, met = excluded.met
    WHERE known.due IS NULL
"""

DAYS = f"""
    SELECT {", ".join(ScriptDay._fields)} FROM scriptday
    WHERE (:names::text[] IS NULL OR name = ANY (:names::text[]))
        AND (:since::date IS NULL OR day >= :since)
        AND (:until::date IS NULL OR day < :until)
    ORDER BY name, hostname, day
"""
