"""SQL that finds the distinct names in a table, each by a look at an index.

PostgreSQL reads the whole index for SELECT DISTINCT.
"""

from __future__ import annotations


__all__ = [
    "names",
    "pairs",
]


def names(table: str) -> str:
    """For WITH RECURSIVE: ``TABLE_names``, whose last name is null."""
    return f"""
        {table}_names AS (
            (SELECT name FROM {table} ORDER BY name LIMIT 1)
            UNION ALL
            SELECT (
                SELECT next.name FROM {table} AS next
                WHERE next.name > {table}_names.name
                ORDER BY next.name LIMIT 1
            )
            FROM {table}_names WHERE {table}_names.name IS NOT NULL
        )
    """


def pairs(table: str) -> str:
    """For WITH RECURSIVE: ``TABLE_pairs``, with each name and host."""
    return f"""
        {table}_pairs AS (
            (
                SELECT name, hostname FROM {table}
                ORDER BY name, hostname LIMIT 1
            )
            UNION ALL
            SELECT next.name, next.hostname
            FROM {table}_pairs AS pair CROSS JOIN LATERAL (
                SELECT name, hostname FROM {table}
                WHERE (name, hostname) > (pair.name, pair.hostname)
                ORDER BY name, hostname LIMIT 1
            ) AS next
        )
    """
