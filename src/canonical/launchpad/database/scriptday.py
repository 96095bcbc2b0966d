"""Implements `IScriptDaySet` in PostgreSQL."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.scriptattempt_sql import bind
from canonical.launchpad.database.scriptattempt_sql import pairs
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.interfaces import IScriptDaySet
from canonical.launchpad.interfaces import ScriptDay


__all__ = [
    "ScriptDaySet",
]


# More than any question about the last runs needs: a learned runtime is
# compared with 200 earlier runs.
KEPT = 250

FAILED = "outcome IN ('failure', 'killed', 'vanished')"

IS_OLD_ATTEMPT = f"""
    date_ended IS NOT NULL AND date_started <
        CASE WHEN {FAILED} THEN :failures_before::timestamptz
            ELSE :before::timestamptz END
"""

# For each script and host, until when runs can be deleted, and how many of
# them there are; those that are too many for one batch are not counted.
OLD_RUNS = f"""
    WITH RECURSIVE scriptactivity_pairs AS ({pairs("scriptactivity")})
    SELECT pair.name, pair.hostname, kept.until, old.count
    FROM scriptactivity_pairs AS pair
    CROSS JOIN LATERAL (
        SELECT least(:before, date_trunc('day', date_started, 'UTC')) AS until
        FROM scriptactivity AS run
        WHERE run.name = pair.name AND run.hostname = pair.hostname
        ORDER BY date_started DESC OFFSET {KEPT - 1} LIMIT 1
    ) AS kept
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM scriptactivity AS run
            WHERE run.name = pair.name AND run.hostname = pair.hostname
                AND date_started < kept.until AND {VALID}
            LIMIT :batch + 1
        ) AS counted
    ) AS old
    WHERE old.count > 0
    ORDER BY pair.name, pair.hostname
"""

OLD_ATTEMPTS = f"""
    WITH RECURSIVE scriptattempt_pairs AS ({pairs("scriptattempt")})
    SELECT pair.name, pair.hostname,
        greatest(:before::timestamptz, :failures_before::timestamptz),
        old.count
    FROM scriptattempt_pairs AS pair
    CROSS JOIN LATERAL (
        SELECT count(*) FROM (
            SELECT FROM scriptattempt AS attempt
            WHERE attempt.name = pair.name
                AND attempt.hostname = pair.hostname AND {IS_OLD_ATTEMPT}
            LIMIT :batch + 1
        ) AS counted
    ) AS old
    WHERE old.count > 0
    ORDER BY pair.name, pair.hostname
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

PRUNE_RUNS = f"""
    {GONE.format(table="scriptactivity", condition=VALID)}
    , added AS (
        INSERT INTO scriptday AS known (name, hostname, day, runs, total,
            minimum, maximum, median, run_keys)
        SELECT name, hostname, day, count(*), sum(duration), min(duration),
            max(duration),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY duration),
            array_agg(run_key) FILTER (WHERE run_key IS NOT NULL)
        FROM (
            SELECT name, hostname, day, run_key,
                date_completed - date_started AS duration
            FROM gone LEFT JOIN scriptday USING (name, hostname, day)
            WHERE coalesce(gone.run_key <> ALL (run_keys), true)
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
            AND (date_started < :output_before
                    AND num_nonnulls(stdout, stderr) > 0
                OR date_started < :reasons_before AND reason IS NOT NULL)
        RETURNING 1
    )
    SELECT (SELECT max(id) FROM seen), (SELECT count(*) FROM changed)
"""

FIRST_DAYS = f"""
    SELECT coalesce((
            SELECT max(day) + 1 FROM scriptday AS known
            WHERE known.name = asked.name AND due IS NOT NULL
                AND known.hostname = coalesce(asked.hostname, '')
        ), least((
            SELECT min(day) FROM scriptday AS known
            WHERE known.name = asked.name
                AND (asked.hostname IS NULL OR known.hostname = asked.hostname)
        ), (
            SELECT (min(date_started) AT TIME ZONE 'UTC')::date
            FROM scriptactivity AS run
            WHERE run.name = asked.name AND {VALID}
                AND (asked.hostname IS NULL OR run.hostname = asked.hostname)
        )))
    FROM unnest(:names::text[], :hostnames::text[])
        WITH ORDINALITY AS asked (name, hostname, number)
    ORDER BY number
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

# A script, a host, and until when its rows are deleted.
Stretch = tuple[str, str, datetime.datetime]


@implementer(IScriptDaySet)
class ScriptDaySet:
    """See `IScriptDaySet`."""

    def pruneRuns(
        self, before: datetime.datetime, batch: int
    ) -> Iterator[int]:
        """See `IScriptDaySet`."""
        old = _rows(OLD_RUNS, before=before, batch=batch)
        for stretches, is_large in _batches(old, batch):
            if not is_large:
                yield _prune(PRUNE_RUNS, stretches)
                continue
            (name, hostname, until), = stretches
            edge = None
            while edge != until:
                (edge,), = _rows(
                    EDGE, name=name, hostname=hostname, until=until,
                    batch=batch)
                if edge is None:
                    break
                yield _prune(PRUNE_RUNS, [(name, hostname, edge)])

    def pruneAttempts(
        self,
        before: datetime.datetime,
        failures_before: datetime.datetime,
        batch: int,
    ) -> Iterator[int]:
        """See `IScriptDaySet`."""
        values = {
            "before": before, "failures_before": failures_before,
            "batch": batch}
        for stretches, is_large in _batches(
            _rows(OLD_ATTEMPTS, **values), batch
        ):
            while number := _prune(PRUNE_ATTEMPTS, stretches, **values):
                yield number
                if not is_large:
                    break

    def pruneTexts(
        self,
        output_before: datetime.datetime | None,
        reasons_before: datetime.datetime | None,
        batch: int,
    ) -> Iterator[int]:
        """See `IScriptDaySet`."""
        after: int | None = 0
        while after is not None:
            (after, number), = _rows(
                PRUNE_TEXTS, after=after, batch=batch,
                output_before=output_before or "-infinity",
                reasons_before=reasons_before or "-infinity")
            yield number

    def getFirstDays(
        self, names: Sequence[str], hostnames: Sequence[str | None]
    ) -> list[datetime.date | None]:
        """See `IScriptDaySet`."""
        return [day for day, in _rows(
            FIRST_DAYS, names=list(names), hostnames=list(hostnames))]

    def recordDue(
        self, rows: Iterable[tuple[str, str, datetime.date, int, int]]
    ) -> None:
        """See `IScriptDaySet`."""
        names, hostnames, days, due, met = (
            map(list, zip(*rows, strict=True)))
        text, parameters = bind(RECORD_DUE, {
            "names": names, "hostnames": hostnames, "days": days, "due": due,
            "met": met})
        main_store().execute(text, parameters, noresult=True)

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
                DAYS, names=names and list(names), since=since, until=until)]


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


def _prune(
    statement: str, stretches: Sequence[Stretch], **values: Any
) -> int:
    """Delete and count rows; return how many."""
    main_store().execute(TURN, noresult=True)
    names, hostnames, untils = map(list, zip(*stretches, strict=True))
    (number,), = _rows(
        statement, names=names, hostnames=hostnames, untils=untils, **values)
    return int(number)


def _rows(statement: str, **values: Any) -> list[Any]:
    rows: list[Any] = main_store().execute(
        *bind(statement, values)).get_all()
    return rows
