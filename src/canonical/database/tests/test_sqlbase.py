"""The transaction manager, and the store named main."""

import os
import select
import subprocess
import sys
import unittest
from unittest import mock

import psycopg2
from storm.exceptions import DisconnectionError
from storm.exceptions import IntegrityError
from storm.exceptions import OperationalError
from storm.zope.interfaces import IZStorm
from storm.zope.interfaces import ZStormError
from zope.component import getUtility

from canonical.config import config
from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.database.stormuri import ISOLATION_LEVELS
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import PostgresLayer


def ask(statement):
    return main_store().execute(statement).get_one()[0]


class SQLBaseTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.layer.become("script")
        self.ztm = ZopelessTransactionManager._installed
        self.other = psycopg2.connect(
            **embedded_parameters(LaunchpadZopelessLayer.directory))
        self.other.autocommit = True
        self.addCleanup(self.other.close)

    def from_outside(self, statement):
        with self.other.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def terminate(self, pid):
        self.from_outside(f"SELECT pg_terminate_backend({pid}, 5000)")

    def lose_connection(self):
        self.terminate(ask("SELECT pg_backend_pid()"))

    def install(self, **settings):
        self.ztm.uninstall()
        self.ztm = initZopeless(**settings)


class TestInstalling(SQLBaseTestCase):

    def test_every_isolation_holds_across_commits_and_aborts(self):
        for isolation in ISOLATION_LEVELS:
            if isolation == "autocommit":
                continue
            self.install(isolation=isolation)
            expected = isolation.replace("_", " ")
            for end in self.ztm.commit, self.ztm.abort, self.ztm.begin:
                self.assertEqual(expected, ask("SHOW transaction_isolation"))
                end()
            self.assertEqual(expected, ask("SHOW transaction_isolation"))

    def test_autocommit_needs_no_commit_and_has_no_abort(self):
        self.install(isolation="autocommit")
        for end in self.ztm.abort, self.ztm.commit, self.ztm.begin:
            name = end.__name__
            main_store().execute(f"CREATE TABLE autocommit_{name} ()")
            end()
            self.from_outside(f"DROP TABLE autocommit_{name}")

    def test_the_isolation_holds_after_a_lost_connection(self):
        self.install(isolation="serializable")
        self.lose_connection()
        self.ztm.abort()
        self.assertEqual("serializable", ask("SHOW transaction_isolation"))

    def test_another_isolation_is_refused_with_a_list_of_those_there_are(self):
        with self.assertRaisesRegex(
            ValueError,
            "read_committed, repeatable_read, serializable, autocommit,"
            " not 'snapshot'",
        ):
            initZopeless(isolation="snapshot")

    def test_a_role_is_connected_as_whatever_is_in_its_name(self):
        role = "o'brien \\ =%&?"
        self.from_outside(f'CREATE ROLE "{role}" LOGIN')
        self.addCleanup(self.from_outside, f'DROP ROLE "{role}"')
        self.install(dbuser=role)
        self.addCleanup(self.ztm.uninstall)
        self.assertEqual(role, ask("SELECT current_user"))

    def test_a_second_one_with_other_settings_is_refused(self):
        for settings in {"dbuser": "x"}, {"isolation": "serializable"}:
            with self.assertRaisesRegex(RuntimeError, "installed already"):
                initZopeless(**settings)
            self.assertIs(self.ztm, ZopelessTransactionManager._installed)

    def test_a_second_one_with_the_same_settings_is_the_first(self):
        self.assertIs(self.ztm, initZopeless())

    def test_uninstalling_undoes_it(self):
        main_store().execute("CREATE TABLE never ()")
        self.ztm.uninstall()
        self.assertIsNone(ZopelessTransactionManager._installed)
        with self.assertRaises(ZStormError):
            main_store()
        self.assertEqual(
            [(None,)], self.from_outside("SELECT to_regclass('never')"))

    def test_a_database_out_of_reach_installs_nothing(self):
        self.ztm.uninstall()
        with self.assertRaises(OperationalError):
            initZopeless(dbuser="nobody-of-that-name")
        self.assertIsNone(ZopelessTransactionManager._installed)
        initZopeless()

    def test_an_applications_own_store_is_kept(self):
        self.ztm.uninstall()
        uri = "postgres://postgres@/template1?host={host}".format(
            **embedded_parameters(LaunchpadZopelessLayer.directory))
        zstorm = getUtility(IZStorm)
        zstorm.set_default_uri("main", uri)
        self.addCleanup(zstorm._reset)
        initZopeless(isolation="serializable")
        self.assertEqual("template1", ask("SELECT current_database()"))
        self.assertEqual("serializable", ask("SHOW transaction_isolation"))
        ZopelessTransactionManager._installed.uninstall()
        self.assertEqual({"main": uri}, zstorm.get_default_uris())

    def test_any_value_in_a_uri_reaches_libpq(self):
        parameters = embedded_parameters(LaunchpadZopelessLayer.directory)
        config.push("test", """
            [database]
            uri: postgresql://postgres:p%27w%20%5C%26%25@/postgres?host={host}
            """.format(**parameters).replace(
                "?", "?application_name=it%27s%20me%3D%26%25&"))
        self.addCleanup(config.pop, "test")
        with mock.patch.dict(os.environ):
            del os.environ["LP_DATABASE_URI"]
            self.install()
        self.addCleanup(self.ztm.uninstall)
        self.assertEqual("it's me=&%", ask("SHOW application_name"))


class TestIncluding(unittest.TestCase):
    """An application that includes the package has its own stores."""

    layer = PostgresLayer

    OURS = '<include package="canonical.launchpad" />'
    THEIRS = '<include package="storm.zope" />'

    # The registry of stores of an application.
    REGISTRY = """
        <utility
            factory="storm.zope.zstorm.ZStorm"
            provides="storm.zope.interfaces.IZStorm" />
    """

    PROGRAM = """if True:
        import sys
        from storm.zope.interfaces import IZStorm
        from storm.zope.zstorm import global_zstorm
        from zope.component import getUtility, queryUtility
        from zope.configuration import xmlconfig
        from canonical.database.sqlbase import initZopeless, main_store

        xmlconfig.string(sys.argv[1])
        before = queryUtility(IZStorm)
        initZopeless()
        zstorm = getUtility(IZStorm)
        assert zstorm.get("main") is main_store()
        assert before in (None, zstorm)
        print(before is None, zstorm is global_zstorm)
        """

    def include(self, *directives):
        zcml = "\n".join([
            '<configure xmlns="http://namespaces.zope.org/zope">',
            '<include package="zope.component" file="meta.zcml" />',
            *directives, "</configure>"])
        return subprocess.run(
            [sys.executable, "-c", self.PROGRAM, zcml], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False).stdout

    def test_it_is_enough_to_include_the_package(self):
        self.assertEqual("True True\n", self.include(self.OURS))

    def test_storms_own_zcml_may_come_before_or_after(self):
        for directives in (self.OURS, self.THEIRS), (self.THEIRS, self.OURS):
            self.assertEqual("False True\n", self.include(*directives))

    def test_an_applications_own_registry_is_kept(self):
        for directives in (
            (self.OURS, self.REGISTRY), (self.REGISTRY, self.OURS)
        ):
            self.assertEqual("False False\n", self.include(*directives))


class TestTransactions(SQLBaseTestCase):

    def setUp(self):
        super().setUp()
        self.factory = LaunchpadObjectFactory()
        self.from_outside("""
            CREATE TABLE once
                (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED)""")
        self.from_outside("GRANT INSERT ON once TO script")
        self.addCleanup(self.from_outside, "DROP TABLE once")
        self.addCleanup(self.ztm.abort)

    def on_record(self):
        return self.from_outside("SELECT count(*) FROM scriptactivity")[0][0]

    def record(self):
        self.factory.makeScriptActivity()

    def violate_deferred_constraint(self):
        main_store().execute("INSERT INTO once VALUES (1), (1)")
        with self.assertRaises(IntegrityError):
            self.ztm.commit()

    def lose_connection_and_commit(self):
        self.lose_connection()
        with self.assertRaises(DisconnectionError):
            self.ztm.commit()

    def assert_usable_again(self):
        """The store works, and takes part in transactions."""
        self.record()
        self.ztm.commit()
        self.assertEqual(1, self.on_record())
        self.record()
        self.ztm.abort()
        self.record()
        self.assertEqual(1, self.on_record())

    def test_abort_after_a_deferred_constraint(self):
        self.violate_deferred_constraint()
        self.ztm.abort()
        self.assert_usable_again()

    def test_begin_after_a_deferred_constraint(self):
        self.violate_deferred_constraint()
        self.ztm.begin()
        self.assert_usable_again()

    def test_abort_after_a_lost_connection(self):
        self.lose_connection_and_commit()
        self.ztm.abort()
        self.assert_usable_again()

    def test_begin_after_a_lost_connection(self):
        self.lose_connection_and_commit()
        self.ztm.begin()
        self.assert_usable_again()

    def test_a_record_that_was_pending_when_the_connection_was_lost(self):
        pid = ask("SELECT pg_backend_pid()")
        self.record()
        self.terminate(pid)
        with self.assertRaises(DisconnectionError):
            self.ztm.commit()
        self.ztm.abort()
        self.assertEqual(0, self.on_record())
        self.assert_usable_again()

    def test_two_failures_in_a_row(self):
        self.lose_connection_and_commit()
        self.ztm.abort()
        self.violate_deferred_constraint()
        self.ztm.abort()
        self.lose_connection_and_commit()
        self.ztm.begin()
        self.assert_usable_again()

    def test_a_time_limit_that_ends_just_after_the_commit(self):
        """What comes next gets a new connection."""
        with self.ztm.time_limit(0.05):
            main_store().execute("SELECT 1")
            self.ztm.commit()
            # What is cut is at its end.
            connection = main_store()._connection._raw_connection
            select.select([connection.fileno()], [], [], 60)
        self.assert_usable_again()

    def test_nothing_is_visible_before_the_commit(self):
        self.record()
        main_store().flush()
        self.assertEqual(0, self.on_record())
        self.ztm.commit()
        self.assertEqual(1, self.on_record())

    def test_an_abort_leaves_nothing(self):
        activity = self.factory.makeScriptActivity()
        name = activity.name
        self.ztm.abort()
        self.ztm.commit()
        self.assertIsNone(
            getUtility(IScriptActivitySet).getLastActivity(name))
        self.assertEqual(0, self.on_record())

    def test_begin_drops_what_was_not_committed(self):
        self.record()
        self.ztm.begin()
        self.ztm.commit()
        self.assertEqual(0, self.on_record())
