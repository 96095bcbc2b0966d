"""Implements `IScriptTransferSet` with COPY: columns, CSV, JSON lines."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from typing import Any

from psycopg2 import sql
from zope.interface import implementer

from canonical.database.connection import cursor_of
from canonical.database.sqlbase import main_store
from canonical.launchpad.database.spread import is_spread
from canonical.launchpad.database.successes import VALID
from canonical.launchpad.database.successes import derived_key
from canonical.launchpad.interfaces import IScriptTransferSet


__all__ = [
    "ScriptTransferSet",
]


TABLES = {"runs": "scriptactivity", "attempts": "scriptattempt"}

COLUMNS = {
    "runs": (
        "name", "hostname", "date_started", "date_completed", "run_key"),
    "attempts": (
        "name", "hostname", "pid", "date_started", "date_ended", "outcome",
        "exit_status", "reason", "run_key", "process", "date_committed",
        "stdout", "stderr"),
}

# No character of JSON has to be escaped with these.
FORMS = {
    "csv": "FORMAT csv, HEADER",
    "jsonl": r"FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02'",
}

IS_VALID = {
    "runs": VALID,
    "attempts": """
        isfinite(date_started) AND isfinite(date_ended)
        AND coalesce(isfinite(date_committed), true)
    """,
}

SELECT = {
    "csv": "SELECT {columns} FROM {table} WHERE {where}",
    "jsonl": "SELECT to_json(row) FROM ("
             "SELECT {columns} FROM {table} WHERE {where}) AS row",
}

STAGED = """
    CREATE TEMP TABLE IF NOT EXISTS {staged} ON COMMIT DROP AS
    SELECT {columns} FROM {table} WHERE false
"""

# The rows of a batch are sorted, so that the indexes are written in order.
ADD = """
    INSERT INTO {table} ({columns})
    SELECT {columns} FROM {staged} AS new
    WHERE {is_new}
    ORDER BY name, hostname, date_started
    ON CONFLICT {key} DO NOTHING
"""

# What each row is compared with, if there is anything to compare with.
NOT_WITHOUT_KEY = (
    "SELECT FROM {table} WHERE run_key IS NULL",
    """
    NOT EXISTS (
        SELECT FROM {table} AS known
        WHERE known.name = new.name AND known.hostname = new.hostname
            AND known.date_started = new.date_started
            AND known.run_key IS NULL{same_outcome})
    """)
NOT_PRUNED = (
    "SELECT FROM scriptday WHERE run_keys IS NOT NULL",
    f"""
    NOT EXISTS (
        SELECT FROM scriptday AS day
        WHERE day.name = new.name AND day.hostname = new.hostname
            AND day.day = (new.date_started AT TIME ZONE 'UTC')::date
            AND ARRAY[new.run_key, {derived_key("new")}] && day.run_keys)
    """)

# By "COPY" in the PostgreSQL manual.
ESCAPES = str.maketrans({
    "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@implementer(IScriptTransferSet)
class ScriptTransferSet:
    """See `IScriptTransferSet`."""

    def getColumns(self, what: str) -> tuple[str, ...]:
        """See `IScriptTransferSet`."""
        return COLUMNS[what]

    def export(
        self,
        what: str,
        form: str,
        since: datetime.datetime | None,
        until: datetime.datetime | None,
        file: Any,
        names: Sequence[str] | None = None,
    ) -> int:
        """See `IScriptTransferSet`."""
        where = [] if what == "runs" else [sql.SQL("date_ended IS NOT NULL")]
        for moment, condition in (
            (since, "date_started >= {}"), (until, "date_started < {}")
        ):
            if moment is not None:
                where.append(sql.SQL(condition).format(sql.Literal(moment)))
        if names is not None:
            where.append(sql.SQL("name = ANY ({}::text[])").format(
                sql.Literal(list(names))))
        is_valid = sql.SQL(IS_VALID[what])
        table = sql.SQL(TABLES[what])
        select = sql.SQL(SELECT[form]).format(
            columns=_listed(COLUMNS[what]), table=table,
            where=sql.SQL(" AND ").join([is_valid, *where]))
        left_out = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
            table, sql.SQL(" AND ").join([
                sql.SQL("({}) IS NOT TRUE").format(is_valid), *where]))
        with cursor_of(main_store()) as cursor:
            cursor.execute(
                "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'")
            if form == "jsonl":
                # To make JSON takes longer than to read and write the rows.
                # So parallel workers make it, and pass the lines on.
                cursor.execute("SET LOCAL parallel_tuple_cost = 0")
            cursor.copy_expert(sql.SQL("COPY ({}) TO STDOUT ({})").format(
                select, sql.SQL(FORMS[form])), file)
            cursor.execute(left_out)
            return int(cursor.fetchone()[0])

    def add(self, what: str, rows: Sequence[Sequence[str | None]]) -> int:
        """See `IScriptTransferSet`."""
        parts = {
            "table": sql.SQL(TABLES[what]),
            "staged": sql.Identifier(f"added_{what}"),
            "columns": _listed(COLUMNS[what]),
            # A table over several servers has no index of its own.
            "key": sql.SQL(
                "" if what == "runs" and is_spread() else "(run_key)"),
            "same_outcome": sql.SQL(
                "" if what == "runs" else " AND known.outcome = new.outcome"),
        }
        with cursor_of(main_store()) as cursor:
            cursor.execute(sql.SQL(STAGED).format(**parts))
            cursor.copy_expert(
                sql.SQL("COPY {staged} ({columns}) FROM STDIN").format(
                    **parts),
                io.BytesIO("".join(map(_line, rows)).encode()), 1 << 16)
            is_new = [sql.SQL("true")]
            for known, condition in NOT_WITHOUT_KEY, NOT_PRUNED:
                cursor.execute(sql.SQL(f"SELECT EXISTS ({known})").format(
                    **parts))
                if cursor.fetchone()[0]:
                    is_new.append(sql.SQL(condition).format(**parts))
            cursor.execute(sql.SQL(ADD).format(
                **parts, is_new=sql.SQL(" AND ").join(is_new)))
            return int(cursor.rowcount)


def _listed(columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _line(row: Sequence[str | None]) -> str:
    """A row in the text format of COPY."""
    return "\t".join([
        "\\N" if value is None
        # Nearly all values; to translate each takes longer than the rest.
        else value if value.isprintable() and "\\" not in value
        else value.translate(ESCAPES)
        for value in row]) + "\n"
