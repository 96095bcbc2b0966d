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

zcml.register_recording()
print(registered())
print("zope.configuration" in sys.modules, "xml.sax" in sys.modules)
import canonical.launchpad
from zope.configuration import xmlconfig
getGlobalSiteManager().__init__("again")
assert not registered()
xmlconfig.file("recording.zcml", canonical.launchpad)
print(registered())
"""


class TestRegisterRecording(unittest.TestCase):

    def test_it_registers_what_the_zcml_does_and_imports_less(self):
        registered, imported, by_zcml = subprocess.run(
            [sys.executable, "-c", REGISTERED], check=True, text=True,
            capture_output=True,
            env={**os.environ, "PYTHONPATH": python_path()},
        ).stdout.splitlines()
        self.assertEqual(
            "[('IScriptActivitySet', 'ScriptActivitySet'),"
            " ('IScriptAttemptSet', 'ScriptAttemptSet')]", registered)
        self.assertEqual(registered, by_zcml)
        self.assertEqual("False False", imported)
