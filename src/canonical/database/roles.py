"""The privileges that a role of the database needs, and how to grant them."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Iterable

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn


__all__ = [
    "NEEDS",
    "explain",
    "grant",
    "missing_rights",
    "owners_of",
]


# The privileges on each table, by the purpose of the role.  The monitor needs
# those of scripts too: "alert" is itself a cron script, and "flush" records
# successes of scripts.
SCRIPTS = {
    "scriptactivity": ("SELECT", "INSERT"),
    "scriptattempt": ("SELECT", "INSERT", "UPDATE"),
}
NEEDS = {
    "scripts": SCRIPTS,
    "monitor": {
        **SCRIPTS,
        "scriptpause": ("SELECT", "INSERT", "UPDATE", "DELETE"),
        "scriptrule": ("SELECT", "INSERT"),
        "scriptalert": ("SELECT", "INSERT", "UPDATE"),
        "scriptday": ("SELECT",),
    },
    # For "prune".
    "history": {
        "scriptactivity": ("SELECT", "INSERT", "DELETE"),
        "scriptattempt": ("SELECT", "INSERT", "UPDATE", "DELETE"),
        "scriptpause": ("SELECT",),
        "scriptday": ("SELECT", "INSERT", "UPDATE"),
    },
}

# The statements that grant a role the privileges that it lacks.
MISSING = """
    WITH wanted AS (
        SELECT nspname, relname, pg_class.oid AS table_oid, relnamespace,
            number, string_to_array(privileges, ' ') AS privileges
        FROM unnest(%(tables)s::text[], %(privileges)s::text[])
            WITH ORDINALITY AS listed (name, privileges, number)
        JOIN pg_class ON pg_class.oid = to_regclass(name)
        JOIN pg_namespace ON pg_namespace.oid = relnamespace
    )
    SELECT statement FROM (
        SELECT -1 AS number, format('GRANT CONNECT ON DATABASE %%I TO %%I',
            current_database(), %(role)s) AS statement
        WHERE NOT has_database_privilege(
            %(role)s, current_database(), 'CONNECT')
        UNION
        SELECT 0, format('GRANT USAGE ON SCHEMA %%I TO %%I',
            nspname, %(role)s)
        FROM wanted
        WHERE NOT has_schema_privilege(%(role)s, relnamespace, 'USAGE')
        UNION ALL
        SELECT number, format('GRANT %%s ON %%I.%%I TO %%I',
            array_to_string(privileges, ', '), nspname, relname, %(role)s)
        FROM wanted
        WHERE EXISTS (
            SELECT FROM unnest(privileges) AS privilege
            WHERE NOT has_table_privilege(%(role)s, table_oid, privilege))
    ) AS statements
    ORDER BY number
"""

OWNERS = """
    SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ', ') FROM pg_class
    WHERE oid IN (
        SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS name)
"""


def missing_rights(
    connection: Connection, purpose: str, role: str
) -> list[str]:
    """The statements that grant a role the privileges that it lacks.

    :param purpose: a key of `NEEDS`.
    :raises psycopg2.errors.UndefinedObject: if there is no such role.
    """
    needs = NEEDS[purpose]
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))
        # "public" is not a role, but GRANT would accept it.
        if not cursor.rowcount:
            raise psycopg2.errors.UndefinedObject(
                f"there is no role {role!r} in the database; make it with"
                " CREATE ROLE, or name another")
        cursor.execute(MISSING, {
            "tables": list(needs),
            "privileges": [" ".join(each) for each in needs.values()],
            "role": role})
        return [statement for statement, in cursor]


def grant(connection: Connection, purpose: str, role: str) -> list[str]:
    """Grant a role the privileges that it lacks.

    :param purpose: a key of `NEEDS`.
    :return: the statements that were executed; none if it lacks nothing.
    :raises psycopg2.errors.UndefinedObject: if there is no such role.
    :raises psycopg2.errors.InsufficientPrivilege: if the role of the
        connection may not grant them.
    """
    statements = missing_rights(connection, purpose, role)
    try:
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            refused = False
    except psycopg2.errors.InsufficientPrivilege:
        refused = True
    # For a privilege that it may not grant, the server may only warn.
    if refused or missing_rights(connection, purpose, role):
        owners = owners_of(connection, NEEDS[purpose])
        raise psycopg2.errors.InsufficientPrivilege(
            f"{connection.info.user} may not grant {role} the privileges that"
            f" it needs; let {owners}, who owns the tables, run:"
            f" {'; '.join(statements)}")
    return statements


def owners_of(connection: Connection, tables: Iterable[str]) -> str:
    """The roles that own tables; an empty text if there is no such table."""
    with connection, connection.cursor() as cursor:
        cursor.execute(OWNERS, {"tables": list(tables)})
        (owners,) = cursor.fetchone()
    return owners or ""


def explain(error: BaseException) -> str:
    """Advice for an error of the database, or an empty text.

    :return: a text that follows the error in parentheses.
    """
    if isinstance(error, (
        psycopg2.errors.UndefinedColumn, psycopg2.errors.UndefinedTable
    )):
        return "make or upgrade the tables with: scriptactivity init"
    if isinstance(error, psycopg2.errors.ReadOnlySqlTransaction):
        return "is it a standby, or is default_transaction_read_only on?"
    # What is not from the server says already what to do.
    if isinstance(error, psycopg2.errors.LockNotAvailable) and (
        getattr(error.__cause__ or error, "pgcode", None)
    ):
        return (
            "another session holds a lock: see pg_locks; let it finish, or end"
            " it with pg_terminate_backend(pid), then try again")
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return _explain_denied(error)
    return ""


def _explain_denied(error: BaseException) -> str:
    """The role, and the command that grants the privileges that it lacks."""
    # Only the text has the name of the table, in any language.
    first, *_ = str(error).splitlines()
    denied = [table for table in NEEDS["monitor"] if table in first]
    # The errors of Storm have no cursor; their causes, of psycopg2, have one.
    cursor = getattr(error.__cause__ or error, "cursor", None)
    if not denied or cursor is None:
        return ""
    role = shlex.quote(_role_of(cursor.connection))
    command = "the owner of the tables can grant it what it needs with:" \
        " scriptactivity init --grant"
    prunes = f", or history={role} if it prunes" if (
        denied[0] in NEEDS["history"]) else ""
    if denied[0] not in SCRIPTS:
        return f"the role is {role}; {command} monitor={role}{prunes}"
    return (
        f"the role is {role}; {command} scripts={role}, or monitor={role} if"
        f" it checks and alerts{prunes}")


def _role_of(connection: Connection) -> str:
    """The role of a connection, which may be closed by now."""
    return str(
        connection.info.user
        or parse_dsn(connection.dsn).get("user")
        or os.environ.get("PGUSER")
        or pwd.getpwuid(os.geteuid()).pw_name)
