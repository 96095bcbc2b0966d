"""Registering the utilities of the package, with ZCML and without."""

import os
import subprocess
import sys
import unittest

from canonical.testing.children import python_path


# What is registered, and then what reading it has imported.
REGISTERED = """
import sys
from zope.component import getGlobalSiteManager
from canonical.launchpad import zcml

def registered():
    return sorted(
        (each.provided.__name__, type(each.component).__name__)
        for each in getGlobalSiteManager().registeredUtilities()
        if each.provided.__module__.startswith("canonical."))

zcml.{register}()
print(registered())
print("zope.configuration" in sys.modules, "xml.sax" in sys.modules)
import canonical.launchpad
from zope.configuration import xmlconfig
getGlobalSiteManager().__init__("again")
assert not registered()
xmlconfig.file("{file}", canonical.launchpad)
print(registered())
"""


class TestZCML(unittest.TestCase):

    def registered(self, register, file):
        """What is registered, which is the same as by `zope.configuration`."""
        registered, imported, by_zcml = subprocess.run(
            [sys.executable, "-c",
             REGISTERED.format(register=register, file=file)],
            check=True, text=True, capture_output=True,
            env={**os.environ, "PYTHONPATH": python_path()},
        ).stdout.splitlines()
        self.assertEqual(registered, by_zcml)
        self.assertEqual("False False", imported)
        return registered

    def test_what_a_script_needs(self):
        self.assertEqual(
            "[('IScriptActivitySet', 'ScriptActivitySet'),"
            " ('IScriptAttemptSet', 'ScriptAttemptSet')]",
            self.registered("register_recording", "recording.zcml"))

    def test_all(self):
        self.assertIn(
            "('IScriptHistorySet', 'ScriptHistorySet')",
            self.registered("execute_zcml", "configure.zcml"))
