"""The layers, which tests of applications can use too."""

import os
import subprocess
import sys
import unittest

import psycopg2
from zope.component import getUtility

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import PostgresLayer
from canonical.testing.layers import _set_environment


CHILD = """
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.launchpad.zcml import execute_zcml
execute_zcml()
ztm = initZopeless()
LaunchpadObjectFactory().makeScriptActivity(name="by-a-child")
ztm.commit()
"""


class TestLaunchpadZopelessLayer(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def connect(self):
        connection = psycopg2.connect(
            **embedded_parameters(PostgresLayer.directory))
        self.addCleanup(connection.close)
        return connection

    def end_test_and_begin_the_next(self):
        LaunchpadZopelessLayer.testTearDown()
        PostgresLayer.testTearDown()
        PostgresLayer.testSetUp()
        LaunchpadZopelessLayer.testSetUp()

    def last(self, name):
        return getUtility(IScriptActivitySet).getLastActivity(name)

    def test_what_a_child_wrote_is_seen_and_cleaned(self):
        subprocess.run([sys.executable, "-c", CHILD], check=True)
        self.assertEqual("by-a-child", self.last("by-a-child").name)
        self.end_test_and_begin_the_next()
        self.assertIsNone(self.last("by-a-child"))

    def test_what_a_test_committed_is_cleaned(self):
        name = LaunchpadObjectFactory().makeScriptActivity().name
        ZopelessTransactionManager._installed.commit()
        self.end_test_and_begin_the_next()
        self.assertIsNone(self.last(name))

    def test_what_a_test_left_uncommitted_is_rolled_back(self):
        name = LaunchpadObjectFactory().makeScriptActivity().name
        LaunchpadZopelessLayer.testTearDown()
        self.assertIsNone(self.last(name))

    def test_a_session_that_was_forgotten_does_not_block_the_next_test(self):
        forgotten = self.connect()
        forgotten.cursor().execute("LOCK TABLE scriptactivity")
        self.end_test_and_begin_the_next()
        self.assertIsNone(self.last("anything"))

    def test_a_test_may_end_all_sessions(self):
        self.connect().cursor().execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND usename = 'postgres'")
        self.end_test_and_begin_the_next()
        self.assertIsNone(self.last("anything"))

    def test_a_server_that_did_not_come_back_fails_one_test_only(self):
        # So it is if the layer could not connect again.
        PostgresLayer._session.close()
        self.end_test_and_begin_the_next()
        self.assertIsNone(self.last("anything"))

    def test_a_test_may_uninstall_the_transaction_manager(self):
        ZopelessTransactionManager._installed.uninstall()
        self.end_test_and_begin_the_next()
        self.assertIsNone(self.last("anything"))

    def test_what_the_environment_says_is_not_used_and_comes_back(self):
        os.environ["SCRIPTACTIVITY_TEST"] = "before"
        self.addCleanup(os.environ.pop, "SCRIPTACTIVITY_TEST", None)
        previous = _set_environment({"SCRIPTACTIVITY_TEST": "during"})
        self.assertEqual("during", os.environ["SCRIPTACTIVITY_TEST"])
        _set_environment(previous)
        self.assertEqual("before", os.environ["SCRIPTACTIVITY_TEST"])
        _set_environment({"SCRIPTACTIVITY_TEST": None})
        self.assertNotIn("SCRIPTACTIVITY_TEST", os.environ)
