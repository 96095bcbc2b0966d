"""Runs that are spread over several servers; see ``docs/scaling.rst``."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from contextlib import contextmanager
from typing import Any
from typing import NamedTuple
from weakref import WeakKeyDictionary

from canonical.database.sqlbase import main_store
from canonical.launchpad.database.execute import execute
from canonical.launchpad.database.successes import VALID


__all__ = [
    "HERE",
    "SERVERS_COUNT",
    "Source",
    "fetched",
    "gathered",
    "is_spread",
]


IS_SPREAD = """
    SELECT relkind = 'p' FROM pg_class WHERE oid = 'scriptactivity'::regclass
"""

# Otherwise each server would send all its runs.
SERVERS_COUNT = "SET LOCAL enable_partitionwise_aggregate = on;"


class Source(NamedTuple):
    """Where a statement about many scripts, ``asked``, finds their successes.

    :ivar before: what comes before the statement.
    :ivar ctes: what its WITH clause ends with.
    :ivar join: what ``asked`` is joined with.
    :ivar recorded: what has the successes on record of a row of ``asked``.
    """

    before: str
    ctes: str
    join: str
    recorded: str


HERE = Source("", "", "", "scriptactivity")


def fetched(rows: str) -> Source:
    """All rows are fetched before each script is looked at.

    To look up each script would ask its server for each.  This asks each
    server once.

    :param rows: a query for name, host, start and completion.
    """
    return Source(
        SERVERS_COUNT,
        f"""
            , fetched AS MATERIALIZED (
                SELECT name, array_agg(name) AS names,
                    array_agg(hostname) AS hosts,
                    array_agg(date_started) AS starts,
                    array_agg(date_completed) AS ends
                FROM ({rows}) AS run
                GROUP BY name
            )
        """,
        "LEFT JOIN fetched ON fetched.name = asked.name",
        """
            (
                SELECT * FROM unnest(
                    fetched.names, fetched.hosts, fetched.starts, fetched.ends
                ) AS sent (name, hostname, date_started, date_completed)
            )
        """)


# The runs of a period, and those that have started before it and completed
# after `at`.
GATHER = f"""
    CREATE TEMP TABLE gathered ON COMMIT DROP AS
    SELECT name, hostname, date_started, date_completed, run_key
    FROM scriptactivity AS run
    WHERE name = ANY (:names::text[]) AND {VALID}
        AND date_started >= :since AND date_started < :until
    UNION ALL
    SELECT name, hostname, date_started, date_completed, run_key
    FROM scriptactivity AS run
    WHERE name = ANY (:names::text[]) AND {VALID}
        AND date_started < :since AND date_completed > :at
"""

# Of those before: the last ones, and the one that completed last.
GATHER_EARLIER = f"""
    {SERVERS_COUNT}
    INSERT INTO gathered
    SELECT name, hostname, run.* FROM (
        SELECT name, hostname,
            (array_agg(date_started
                ORDER BY date_started DESC, date_completed DESC, id)
                )[1 : :count] AS starts,
            (array_agg(date_completed
                ORDER BY date_started DESC, date_completed DESC, id)
                )[1 : :count] AS ends,
            (array_agg(run_key
                ORDER BY date_started DESC, date_completed DESC, id)
                )[1 : :count] AS run_keys,
            (array_agg(date_started ORDER BY date_completed DESC, id)
                )[1 : 1] AS last_start,
            (array_agg(date_completed ORDER BY date_completed DESC, id)
                )[1 : 1] AS last_end,
            (array_agg(run_key ORDER BY date_completed DESC, id)
                )[1 : 1] AS last_key
        FROM scriptactivity AS run
        WHERE name = ANY (:names::text[]) AND {VALID}
            AND date_started < :since AND date_completed <= :at
        GROUP BY name, hostname
    ) AS earlier CROSS JOIN LATERAL (
        SELECT * FROM unnest(starts, ends, run_keys)
        UNION ALL
        -- If it is not among those.
        SELECT * FROM unnest(last_start, last_end, last_key)
        WHERE last_start[1] < starts[:count]
    ) AS run (date_started, date_completed, run_key)
"""

# A temporary table comes before others of its name.
COVER = """
    CREATE INDEX ON gathered (name, date_started);
    ANALYZE gathered;
    ALTER TABLE gathered RENAME TO scriptactivity
"""
UNCOVER = "DROP TABLE pg_temp.scriptactivity"

_spread: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()

# A standby has no temporary tables, nor has a role that may not make any.
MAY_GATHER = """
    SELECT current_setting('transaction_read_only') = 'off'
        AND has_database_privilege(current_database(), 'TEMP')
"""


@contextmanager
def gathered(
    names: Sequence[str], count: int, **bounds: Any
) -> Iterator[None]:
    """See `IScriptHistorySet.gathered`."""
    if not is_spread() or not execute(MAY_GATHER).get_one()[0]:
        yield
        return
    execute(GATHER, names=names, **bounds)
    if count:
        execute(GATHER_EARLIER, names=names, count=count, **bounds)
    execute(COVER)
    yield
    # After an error, it goes with the transaction.
    execute(UNCOVER)


def is_spread() -> bool:
    """Are the runs spread over several servers?  Each store asks once."""
    store = main_store()
    if store not in _spread:
        _spread[store] = bool(execute(IS_SPREAD).get_one()[0])
    return _spread[store]
