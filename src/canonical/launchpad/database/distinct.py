"""SQL that finds the distinct names in a table, each by a look at an index.

PostgreSQL reads the whole index for SELECT DISTINCT.
"""

from __future__ import annotations


__all__ = [
    "names",
    "others",
    "pairs",
]


def names(table: str) -> str:
    """For WITH RECURSIVE: ``TABLE_names``, whose last name is null."""
    return f"""
        {table}_names AS (
            (SELECT name FROM {table} ORDER BY name LIMIT 1)
            UNION
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
            UNION
            SELECT next.name, next.hostname
            FROM {table}_pairs AS pair CROSS JOIN LATERAL (
                SELECT name, hostname FROM {table}
                WHERE (name, hostname) > (pair.name, pair.hostname)
                ORDER BY name, hostname LIMIT 1
            ) AS next
        )
    """


def others(*tables: str) -> str:
    """For WITH RECURSIVE: ``others``, names that are not in ``known``.

    It steps by index through the names between a known name and the next.

    Mostly there is none.  To find that out takes half the time of a step to a
    name, for which PostgreSQL reads the rest of a page of the index.

    :param tables: where the names are.
    """
    last = ", ".join(f"(SELECT max(name) FROM {table})" for table in tables)
    found = " UNION ALL ".join(f"""
        (
            SELECT next.name FROM {table} AS next
            WHERE next.name > before.name AND next.name < before.until
            ORDER BY next.name LIMIT 1
        )
    """ for table in tables)
    return f"""
        others AS (
            SELECT found.name, before.until FROM (
                SELECT name, lead(name, 1, greatest({last}) || 'z')
                    OVER (ORDER BY name) AS until
                FROM known
            ) AS before CROSS JOIN LATERAL ({found}) AS found
            -- A name that two tables have is not stepped from twice.
            UNION
            SELECT found.name, before.until
            FROM others AS before CROSS JOIN LATERAL ({found}) AS found
        )
    """
