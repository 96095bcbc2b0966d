"""What is written of expectations is what ZCML reads."""

import tempfile
import unittest
from pathlib import Path
from xml.dom import minidom

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from zope.component import getUtility
from zope.component.testing import PlacelessSetup

from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import is_printable
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.monitor.rulesfile import rules_as_zcml


TEXT = strategies.text(
    strategies.one_of(
        strategies.characters(), strategies.sampled_from("-<>&'\"\\ \t\n")),
    min_size=1, max_size=60)


class TestZCML(PlacelessSetup, unittest.TestCase):

    def read_back(self, text):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "rules.zcml")
            path.write_bytes(text.encode())
            load_expectations(path)

    @settings(max_examples=60, deadline=None)
    @given(name=TEXT, comment=TEXT, heading=TEXT)
    @example(name="o\N{COMBINING DIAERESIS}", comment="", heading="")
    def test_whatever_is_written_is_read_back(self, name, comment, heading):
        self.setUp()
        attributes = {"name": name, "every": "1d"}
        if not is_printable(name):
            attributes = {}
        try:
            one = Rule(attributes, (comment, comment))
        except ValueError:
            self.assertRegex(name, "[\ufffe\uffff]")
            return
        self.read_back(rules_as_zcml([one], [heading]))
        if attributes:
            self.assertEqual(
                name, getUtility(IScriptExpectation, name).name)

    def test_hyphens_and_control_characters_in_a_comment(self):
        text = rules_as_zcml([Rule(comments=("a --b ---> \x1b[1m\0\u202e-",))])
        comment, = [
            node.data for node in
            minidom.parseString(text.encode()).documentElement.childNodes
            if node.nodeType == node.COMMENT_NODE]
        self.assertEqual(
            r" a - -b - - -> \x1b[1m\x00\u202e- ", comment)

    def test_what_is_not_printable_in_a_name_is_a_reference(self):
        text = rules_as_zcml([Rule({"name": "a\u202eb\t", "every": "1d"})])
        self.assertIn('name="a&#8238;b&#9;"', text)

    def test_lines_are_short_where_they_can_be(self):
        attributes = {"name": "x" * 30, "schedule": "1 2 3 4 5" * 4,
                      "timezone": "America/Argentina/ComodRivadavia"}
        text = rules_as_zcml(
            [Rule(attributes, ("word " * 100, "--" * 15 + " x" * 40))])
        self.assertLess(max(map(len, text.splitlines())), 80)
        self.assertEqual(3, text.count("=\"", text.index("<lp:script")))

    def test_an_attribute_that_xml_cannot_have(self):
        for name in "a\uffff", "\udcff", "\0":
            with self.assertRaisesRegex(ValueError, "XML cannot have it"):
                Rule({"name": name})
