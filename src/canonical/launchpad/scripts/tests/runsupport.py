"""Commands for tests, run by ``scriptactivity run`` as processes."""

import datetime
import os
import subprocess

from zope.component import getUtility

from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.tests.support import ScriptTestCase
from canonical.testing.children import start_python


EVER = [
    datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)
    for year in (1990, 2990)]

PROGRAM = """
import os, signal, sys
{}
from canonical.launchpad.command.program import scriptactivity
sys.exit(scriptactivity())
"""


class RunTestCase(ScriptTestCase):
    """What is run is a shell's command line."""

    def begin(self, command, *options, name="backup", env=None,
              prepare="", **how):
        """The process of ``run``, which has begun.

        :param prepare: what it finds as it begins, in Python.
        """
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return start_python(
            ["-c", PROGRAM.format(prepare), "run", *options, name, "--",
             "sh", "-c", command],
            {**os.environ, **(env or {})}, **{**pipes, **how})

    def finish(self, process, input=None):
        """Let it end; note what it has printed."""
        out, err = process.communicate(input, timeout=30)
        process.out, process.err = (
            each if each is None else each.decode() for each in (out, err))
        self.ztm.begin()
        return process

    def run_command(self, command, *options, input=None, **how):
        return self.finish(self.begin(command, *options, **how), input)

    def attempt(self, name="backup"):
        """The last attempt."""
        self.ztm.begin()
        return getUtility(IScriptAttemptSet).getAttempts(name, *EVER)[-1]

    def output(self, name="backup"):
        """What is kept of the output of the last one, if anything is."""
        self.ztm.begin()
        kept = getUtility(IScriptAttemptSet).getOutput(name)
        return kept and kept.output
