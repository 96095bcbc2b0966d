"""Implements `IScriptReportSet` with one SQL statement."""

from __future__ import annotations

import datetime

from zope.interface import implementer

from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.database.successes import derived_key
from canonical.launchpad.interfaces import IScriptReportSet
from canonical.launchpad.interfaces import ReportFigures


__all__ = [
    "ScriptReportSet",
]


# The days of the period that are pruned.  They are few.
PRUNED = """
    SELECT * FROM scriptday
    WHERE day >= (:since::timestamptz AT TIME ZONE 'UTC')::date
        AND day < (:until::timestamptz AT TIME ZONE 'UTC')::date
"""

# A success that was pruned, and has been recorded again since, counts once.
# All successes of a pruned day have its median here.
FIGURES = f"""
    WITH pruned AS ({PRUNED}), success AS (
        SELECT run.name, date_completed - date_started AS duration,
            1 AS runs, false AS is_pruned
        FROM scriptactivity AS run LEFT JOIN pruned
            ON pruned.name = run.name AND pruned.hostname = run.hostname
                AND pruned.day = (date_started AT TIME ZONE 'UTC')::date
        WHERE date_started >= :since AND date_started < :until
            AND {VALID.replace(" name", " run.name").replace(
                " hostname", " run.hostname")}
            AND coalesce(
                coalesce(run_key, {derived_key("run")}) <> ALL (run_keys),
                true)
        UNION ALL
        SELECT name, median, runs, true FROM pruned WHERE runs > 0
    ), runs AS (
        SELECT name, max(total) AS runs,
            min(duration) FILTER (WHERE up_to >= total * 0.5) AS median,
            CASE WHEN NOT bool_or(is_pruned) THEN
                min(duration) FILTER (WHERE up_to >= total * 0.95)
            END AS percentile_95
        FROM (
            SELECT *, sum(runs) OVER (PARTITION BY name) AS total, sum(runs)
                OVER (PARTITION BY name ORDER BY duration) AS up_to
            FROM success
        ) AS ordered
        GROUP BY name
    ), failures AS (
        SELECT name, sum(failures) AS failures FROM (
            SELECT name, count(*) AS failures FROM scriptattempt
            WHERE outcome IN ('failure', 'killed', 'vanished')
                AND date_started >= :since AND date_started < :until
            GROUP BY name
            UNION ALL SELECT name, failures FROM pruned WHERE failures > 0
        ) AS either
        GROUP BY name
    ), slots AS (
        SELECT name, sum(due) AS due, sum(met) AS met FROM pruned
        WHERE due IS NOT NULL GROUP BY name
    ), incidents AS (
        -- Each channel has a row for the incident.
        SELECT name, count(*) AS incidents,
            percentile_cont(0.5) WITHIN GROUP (ORDER BY closed - date_opened)
                AS recovery
        FROM (
            SELECT name, date_opened, max(date_closed) AS closed
            FROM scriptalert
            WHERE date_opened >= :since AND date_opened < :until
            GROUP BY name, hostname, date_opened
        ) AS incident
        GROUP BY name
    )
    SELECT name, coalesce(runs, 0)::bigint, coalesce(failures, 0)::bigint,
        median, percentile_95, coalesce(due, 0)::bigint,
        coalesce(met, 0)::bigint, coalesce(incidents, 0), recovery
    FROM runs FULL JOIN failures USING (name) FULL JOIN slots USING (name)
    FULL JOIN incidents USING (name)
    ORDER BY name
"""


@implementer(IScriptReportSet)
class ScriptReportSet:
    """See `IScriptReportSet`."""

    def getFigures(
        self, since: datetime.datetime, until: datetime.datetime
    ) -> list[ReportFigures]:
        """See `IScriptReportSet`."""
        return [
            ReportFigures(*row)
            for row in execute(FIGURES, since=since, until=until)]
