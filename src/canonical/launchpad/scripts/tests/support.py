"""Scripts for tests, run as processes."""

import os
import signal
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

import psycopg2
from zope.component import getUtility

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.testing import Apart
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing.children import start_python


TEMPLATE = """
import sys
{prepare}
from canonical.database.sqlbase import main_store
from canonical.launchpad.scripts.base import *

def note(text):
    main_store().execute("INSERT INTO work VALUES (?)", (text,))

class Tidy(LaunchpadCronScript):
{body}

Tidy({arguments}).{call}
"""

SUCCEED = """
def main(self):
    note("done")
"""


def take_interrupts():
    """Let SIGINT end this process, even if it was started in the background.

    A shell makes background processes, and thus their children, ignore it.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ScriptsLayer(Apart, LaunchpadZopelessLayer):
    """The tests of scripts, with the role of scripts."""

    @classmethod
    def setUp(cls):
        """See `LaunchpadZopelessLayer`, which is set up before."""
        LaunchpadZopelessLayer.role = "script"

    @classmethod
    def tearDown(cls):
        LaunchpadZopelessLayer.role = "monitor"


class ScriptTestCase(unittest.TestCase):
    """Each test has a table ``work`` that its scripts write to."""

    layer = ScriptsLayer

    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.path = self.directory / "tidy.py"
        self.spool = LaunchpadZopelessLayer.state_directory / "spool"
        self.locks = LaunchpadZopelessLayer.state_directory / "locks"
        self.parameters = embedded_parameters(LaunchpadZopelessLayer.directory)
        self.ztm = ZopelessTransactionManager._installed
        self.execute(
            "CREATE TABLE work (text text);"
            " GRANT SELECT, INSERT ON work TO script")
        self.addCleanup(self.execute, "DROP TABLE work")
        self.addCleanup(self.ztm.abort)

    def execute(self, statement):
        # A transaction of this process would block the statement.
        self.ztm.abort()
        connection = psycopg2.connect(
            **self.parameters, options="-c lock_timeout=20s")
        connection.autocommit = True
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def write_script(
        self, body=SUCCEED, arguments="", prepare="", call="run()"
    ):
        body = textwrap.indent(textwrap.dedent(body), "    ")
        self.path.write_text(TEMPLATE.format(
            body=body, arguments=arguments, prepare=textwrap.dedent(prepare),
            call=call))

    def start(self, *options, **environment):
        """The process of a script that was written."""
        return start_python(
            [self.path, *options], dict(os.environ, **environment),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            preexec_fn=take_interrupts)

    def run_script(self, body=SUCCEED, *options, arguments="", prepare="",
                   call="run()", **environment):
        """The ended process of a script, with its output."""
        self.write_script(body, arguments, prepare, call)
        process = self.start(*options, **environment)
        process.out, process.err = process.communicate(timeout=60)
        self.ztm.begin()
        return process

    def configure(self, text):
        """Make an instance; return the environment that names it."""
        path = self.directory / "test.conf"
        path.write_text(textwrap.dedent(text))
        return {"LPCONFIG": str(path)}

    def last(self, name="tidy"):
        self.ztm.begin()
        return getUtility(IScriptActivitySet).getLastActivity(name)

    def work(self):
        self.ztm.begin()
        return [text for text, in main_store().execute("TABLE work")]

    def log(self, process):
        """The log, without the dates."""
        return [line[20:] for line in process.err.splitlines()]

    def assert_recorded(self, process):
        self.assertEqual((0, ""), (process.returncode, process.err))
        self.assertEqual(["done"], self.work())
        self.assertEqual("tidy", self.last().name)

    def assert_nothing_left(self):
        """There is no work and no record, no lock and no spooled file."""
        self.assertEqual([], self.work())
        self.assertIsNone(self.last())
        for directory in self.spool, self.locks:
            if directory.exists():
                self.assertEqual([], sorted(directory.iterdir()))

    def assert_failed(self, process, words):
        self.assertEqual(1, process.returncode, process.err)
        self.assertIn("Traceback (most recent call last)", process.err)
        self.assertIn(words, process.err)
        self.assertEqual("", process.out)
        self.assert_nothing_left()
