"""What a success is, in SQL: a row of one of two tables.

A success is on record in ``scriptactivity``.  A run whose work is committed
and that could not be recorded yet is a success too; ``scriptattempt`` has it.
"""

from __future__ import annotations


__all__ = [
    "NOT_AHEAD",
    "UNRECORDED",
    "VALID",
    "last_start",
    "successes",
]


# A row that makes sense.  An older table may have others.  The bounds hold
# all that `recordSuccess` accepts, in whatever zone, and nothing that
# psycopg2 cannot read, in whatever zone the session is.
VALID = """
    name IS NOT NULL AND hostname IS NOT NULL
    AND date_started >= '0001-12-31 00:00+00'
    AND date_completed >= date_started
    AND date_completed < '9999-01-02 00:00+00'
"""

# Otherwise the clock of its host was ahead.  Clocks that differ by less are
# usual.
NOT_AHEAD = "date_started <= statement_timestamp() + interval '1 hour'"

# A clock may have been set back during the run.
UNRECORDED = """
    (
        SELECT name, hostname, date_started,
            greatest(date_started, date_committed) AS date_completed
        FROM scriptattempt AS attempt
        WHERE date_committed IS NOT NULL AND date_ended IS NULL
            AND NOT EXISTS (
                SELECT FROM scriptactivity AS recorded
                WHERE recorded.run_key = attempt.run_key)
    )
"""


def successes(columns: str, where: str, tail: str = "") -> str:
    """The text of a query for successes, each of them once.

    Both tables are asked by themselves, so that each finds its rows by index
    and stops where `tail` says.

    :param columns: of ``name``, ``hostname``, ``date_started`` and
        ``date_completed``, or what is made of them.
    :param where: a condition on ``run``, as both tables are called in it.
    :param tail: ``ORDER BY`` and ``LIMIT``, for either table; whoever needs
        it of both adds it once more.
    """
    return " UNION ALL ".join(
        f"(SELECT {columns} FROM {table} AS run"
        f" WHERE {where} AND {VALID} {tail})"
        for table in ("scriptactivity", UNRECORDED))


def last_start(where: str) -> str:
    """The text of an expression: when the last success started, or null."""
    return "(SELECT max(date_started) FROM ({}) AS success)".format(successes(
        "date_started", where, "ORDER BY date_started DESC LIMIT 1"))
