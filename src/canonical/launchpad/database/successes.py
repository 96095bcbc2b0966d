"""Defines in SQL what a success is: a row of one of two tables.

``scriptactivity`` has the successes on record.  A run whose work is committed,
but whose success is not recorded yet, is a success too.  It is in
``scriptattempt``.
"""

from __future__ import annotations


__all__ = [
    "LATEST_START",
    "NOT_AHEAD",
    "UNRECORDED",
    "VALID",
    "derived_key",
    "last_start",
    "successes",
]


# A valid row.  An older table may have invalid rows.  The bounds include
# every time that `recordSuccess` accepts, in any zone.  They exclude every
# time that psycopg2 cannot read, in any zone of the session.
VALID = """
    name IS NOT NULL AND hostname IS NOT NULL
    AND date_started >= '0001-12-31 00:00+00'
    AND date_completed >= date_started
    AND date_completed < '9999-01-02 00:00+00'
"""

# For other rows, the clock of the host was ahead.  A difference of less than
# an hour is common.
LATEST_START = "statement_timestamp() + interval '1 hour'"
NOT_AHEAD = f"date_started <= {LATEST_START}"

# The name says which server to ask, if they are several; see scaling.rst.  The
# end is not before the start, even if the clock was set back meanwhile.
UNRECORDED = """
    (
        SELECT name, hostname, date_started,
            greatest(date_started, date_committed) AS date_completed
        FROM scriptattempt AS attempt
        WHERE date_committed IS NOT NULL AND date_ended IS NULL
            AND NOT EXISTS (
                SELECT FROM scriptactivity AS recorded
                WHERE recorded.name = attempt.name
                    AND recorded.run_key = attempt.run_key
                -- So each is looked up.  They are few, and usually none.
                OFFSET 0)
    )
"""


def derived_key(run: str) -> str:
    """The text of an expression for a key, for a run that has none.

    It is the same each time that the run is recorded.

    :param run: the alias of a table, with a row for each run.
    """
    return f"""
        md5(concat_ws(E'\\n', {run}.name, {run}.hostname, to_char(
            {run}.date_started AT TIME ZONE 'UTC',
            'YYYY-MM-DD HH24:MI:SS.US')))::uuid
    """


def successes(
    columns: str,
    where: str,
    tail: str = "",
    recorded: str = "scriptactivity",
) -> str:
    """The text of a query for successes, with each success once.

    The query has one part for each table.  So each part finds its rows by
    index, and stops at the limit in `tail`.

    :param columns: expressions of the columns ``name``, ``hostname``,
        ``date_started`` and ``date_completed``.
    :param where: a condition.  It calls either table ``run``.
    :param tail: ``ORDER BY`` and ``LIMIT`` for each part.  To order and limit
        the whole, the caller repeats them.
    :param recorded: what has the successes on record.
    """
    return " UNION ALL ".join(
        f"(SELECT {columns} FROM {table} AS run"
        f" WHERE {where} AND {VALID} {tail})"
        for table in (recorded, UNRECORDED))


def last_start(where: str) -> str:
    """The text of an expression for the start of the last success, or null."""
    return "(SELECT max(date_started) FROM ({}) AS success)".format(successes(
        "date_started", where, "ORDER BY date_started DESC LIMIT 1"))
