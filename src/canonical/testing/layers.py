"""Layers of zope.testrunner: they set up a database for tests.

A test case says ``layer = LaunchpadZopelessLayer``, as does a suite of
doctests.  Neither root nor a prepared server is needed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from typing import ClassVar

import psycopg2
import transaction
from psycopg2.extensions import make_dsn

from canonical.config import config
from canonical.database.embedded import discard_embedded
from canonical.database.embedded import embedded_parameters
from canonical.database.postgres import apply_schema
from canonical.database.roles import grant
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.zcml import execute_zcml
from canonical.testing.children import python_path


__all__ = [
    "LaunchpadZopelessLayer",
    "PostgresLayer",
    "Short",
    "by_owner",
    "in_layer",
]


# Sessions of a previous test.  A session that it did not close, or a child
# that still runs, could hold locks, or commit rows later.
END_OTHER_TRANSACTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database()
        AND pid <> pg_backend_pid()
        AND xact_start IS NOT NULL
"""

# To truncate a table takes milliseconds, and most tests write to one or two.
EMPTY_TABLES = """
    DO $$
    DECLARE
        each record;
        has_rows boolean;
    BEGIN
        FOR each IN SELECT format('%I.%I', schemaname, tablename) AS name
            FROM pg_tables WHERE schemaname = 'public'
        LOOP
            EXECUTE 'SELECT EXISTS (SELECT FROM ' || each.name || ')'
                INTO has_rows;
            IF has_rows THEN
                EXECUTE 'TRUNCATE ' || each.name || ' CASCADE';
            END IF;
        END LOOP;
        PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass,
                start_value, false)
            FROM pg_sequences
            WHERE schemaname = 'public' AND last_value IS NOT NULL;
    END
    $$
"""

# The roles of the tests, and what each is granted; see `roles.NEEDS`.
ROLES = {
    "script": ("scripts",),
    "monitor": ("monitor", "history"),
}


class PostgresLayer:
    """A private PostgreSQL with our tables, which is removed after the run.

    Every test starts with empty tables.  This process and its children use
    this database as its owner, and the instance ``testrunner``, whatever the
    environment was before.  Children that are started with `sys.executable`
    can import the same modules as this process.

    :cvar directory: the directory of the cluster; see
        `canonical.database.embedded`.
    :cvar state_directory: the state directory of scripts, with their locks
        and spool.  Each test starts without it.
    """

    directory: ClassVar[Path]
    state_directory: ClassVar[Path]
    _temporary: ClassVar[str]
    _environment: ClassVar[dict[str, str | None]]
    # All tests share it: a new session takes longer than what it executes.
    _session: ClassVar[Any]

    @classmethod
    def setUp(cls) -> None:
        cls._temporary = tempfile.mkdtemp(prefix="scriptactivity-test-")
        # An interrupted run does not tear down its layers.
        atexit.register(cls._throw_away)
        cls.directory = Path(cls._temporary) / "postgresql"
        cls.state_directory = Path(cls._temporary) / "state"
        cls._environment = _set_environment({
            "LPCONFIG": "testrunner",
            "LP_DATABASE_URI": f"embedded:{cls.directory}",
            "LP_STATE_DIRECTORY": str(cls.state_directory),
            "PYTHONPATH": python_path(),
        })
        config.setInstance("testrunner")
        cls._connect()
        cls._execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        apply_schema(embedded_parameters(cls.directory))
        cls._make_roles()

    @classmethod
    def tearDown(cls) -> None:
        atexit.unregister(cls._throw_away)
        cls._throw_away()
        _set_environment(cls._environment)

    @classmethod
    def testSetUp(cls) -> None:
        shutil.rmtree(cls.state_directory, ignore_errors=True)
        try:
            cls._execute(END_OTHER_TRANSACTIONS, EMPTY_TABLES)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            # The previous test stopped the server, or ended all sessions.
            cls._connect()
            cls._execute(END_OTHER_TRANSACTIONS, EMPTY_TABLES)

    @classmethod
    def testTearDown(cls) -> None:
        pass

    @classmethod
    def uri(cls, role: str) -> str:
        """The URI with which a role connects: a key of `ROLES`, or another."""
        return str(make_dsn(
            **{**embedded_parameters(cls.directory), "user": role}))

    @classmethod
    def _make_roles(cls) -> None:
        connection = psycopg2.connect(**embedded_parameters(cls.directory))
        for role, purposes in ROLES.items():
            with connection, connection.cursor() as cursor:
                # For `by_owner`.  It inherits no privilege of the owner.
                cursor.execute(
                    f"CREATE ROLE {role} LOGIN NOINHERIT;"
                    f" GRANT postgres TO {role}")
            for purpose in purposes:
                grant(connection, purpose, role)
        with connection, connection.cursor() as cursor:
            # For tables of its own.
            cursor.execute("GRANT CREATE ON SCHEMA public TO script")
        connection.close()

    @classmethod
    def _throw_away(cls) -> None:
        discard_embedded(cls.directory)
        shutil.rmtree(cls._temporary)

    @classmethod
    def _connect(cls) -> None:
        cls._session = psycopg2.connect(**embedded_parameters(cls.directory))
        cls._session.autocommit = True

    @classmethod
    def _execute(cls, *statements: str) -> None:
        with cls._session.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


class Short:
    """For a layer that does not take long: it is run last; see `First`."""


class LaunchpadZopelessLayer(PostgresLayer):
    """`PostgresLayer` with the ZCML executed and a transaction manager.

    A test begins in a new transaction.  Uncommitted changes are rolled back
    after it.  A test may install another transaction manager, or uninstall it.

    This process and its children connect as a role that has what ``init
    --grant`` grants, and no more.  What only the owner of the tables may do is
    done `by_owner`.

    :cvar role: a key of `ROLES`.
    """

    role: ClassVar[str] = "monitor"
    _ztm: ClassVar[ZopelessTransactionManager]

    @classmethod
    def setUp(cls) -> None:
        execute_zcml()
        initZopeless()

    @classmethod
    def tearDown(cls) -> None:
        cls._uninstall()
        os.environ["LP_DATABASE_URI"] = f"embedded:{cls.directory}"

    @classmethod
    def testSetUp(cls) -> None:
        execute_zcml()
        cls.become(cls.role)

    @classmethod
    def testTearDown(cls) -> None:
        transaction.abort()
        if ZopelessTransactionManager._installed is not cls._ztm:
            cls._uninstall()

    @classmethod
    def become(cls, role: str) -> None:
        """Connect as a role, in this process and in those that it starts."""
        uri = cls.uri(role)
        if os.environ["LP_DATABASE_URI"] != uri:
            cls._uninstall()
            os.environ["LP_DATABASE_URI"] = uri
        LaunchpadZopelessLayer._ztm = initZopeless()
        LaunchpadZopelessLayer._ztm.begin()

    @classmethod
    def _uninstall(cls) -> None:
        installed = ZopelessTransactionManager._installed
        if installed is not None:
            installed.uninstall()


def by_owner(statement: str, parameters: tuple[Any, ...] = ()) -> Any:
    """Let the owner of the tables execute a statement.

    It is part of the transaction of the store ``main``.
    """
    main_store().execute("SET LOCAL ROLE postgres")
    result = main_store().execute(statement, parameters)
    main_store().execute("SET LOCAL ROLE none")
    return result


def in_layer(program: Callable[[], None]) -> None:
    """Call a program as a test in `LaunchpadZopelessLayer` is called.

    The program is the owner of the tables.
    """
    LaunchpadZopelessLayer.role = "postgres"
    PostgresLayer.setUp()
    LaunchpadZopelessLayer.setUp()
    PostgresLayer.testSetUp()
    LaunchpadZopelessLayer.testSetUp()
    try:
        program()
    finally:
        LaunchpadZopelessLayer.testTearDown()
        PostgresLayer.testTearDown()
        LaunchpadZopelessLayer.tearDown()
        PostgresLayer.tearDown()


def _set_environment(
    values: dict[str, str | None]
) -> dict[str, str | None]:
    """Change environment variables; return their previous values."""
    previous = {name: os.environ.get(name) for name in values}
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return previous
