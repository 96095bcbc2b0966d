"""Writing and reading rules files, and messages about mistakes in them."""

import tempfile
import unittest
from pathlib import Path
from xml.dom import minidom

from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from zope.component import getSiteManager
from zope.component import getUtility
from zope.component.testing import PlacelessSetup

from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.monitor.rulesfile import rules_as_zcml
from canonical.launchpad.plaintext import is_printable


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
    @example(name=" ", comment="", heading="")
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
            with self.assertRaisesRegex(ValueError, "XML does not allow"):
                Rule({"name": name})


class TestMistakes(unittest.TestCase):

    START = """<configure xmlns="http://namespaces.zope.org/zope"
      xmlns:lp="http://namespaces.canonical.com/lp">
      <include package="canonical.launchpad" file="meta.zcml" />
    """

    def setUp(self):
        self.directory = Path(self.enterContext(
            tempfile.TemporaryDirectory()))

    def write(self, text, name="rules.zcml"):
        path = self.directory / name
        data = text if isinstance(text, bytes) else text.encode()
        path.write_bytes(data)
        return path

    def problem(self, path):
        """The message about a file.  Nothing of the file is registered."""
        with (
            registered_apart(),
            self.assertRaises(ExpectationError) as raised,
        ):
            load_expectations(path)
        return str(raised.exception)

    def test_each_mistake_is_named_with_file_and_line(self):
        for line, words in (
            ('<lp:script name="x" schedule="" />',
             "attribute 'schedule' of lp:script is empty"),
            ('<lp:script name="x" every="1x" />',
             "every: not a duration: '1x'; expected something like 90s,"
             " 1h30m, 1.5h, 2d or 1w"),
            ('<lp:script name="x" every="1d" window="36525d" />',
             "window must be more than 0s and at most 400d, not 36525d"),
            ('<lp:script every="1d" />',
             "lp:script needs the attribute 'name'"),
            ('<lp:script name="x" schedul="0 * * * *" />',
             "unknown attribute 'schedul' of lp:script; do you mean"
             " 'schedule'?"),
            ('<lp:script name="x" zzz="1" />',
             "unknown attribute 'zzz' of lp:script; expected one of name,"
             " schedule, timezone, every, grace, early, hosts, tags, after,"
             " missed, extra, failures, window, runs, severity, average,"
             " oncalendar"),
            ('<lp:script name="x" every="1d" after="nightly-import" />',
             "after: no rule for 'nightly-import'"),
            ('<lp:script name="x" every="1d" after="x" />',
             "after goes round in a circle: x after x"),
            ('<lp:script name="x" every="1d" after="y" />'
             ' <lp:script name="y" every="1d" after="z" />'
             ' <lp:script name="z" every="1d" after="x" />',
             "after goes round in a circle: x after y after z after x"),
            ('<lp:script name="x" schedule="@daily" oncalendar="daily" />',
             "one of schedule, oncalendar and every is needed, and only one"),
            ('<lp:script name="x" oncalendar="Mon 25:00" />',
             "not an OnCalendar expression: 'Mon 25:00': Bad hour"),
            ('<lp:downtime schedule="@daily" />',
             "lp:downtime needs the attribute 'for'"),
            ('<lp:downtime schedule="@daily" fro="1h" />',
             "unknown attribute 'fro' of lp:downtime; do you mean 'for'?"),
            ('<lp:downtime schedule="@daily" for="0s" />',
             "for must be more than 0s and at most 400d, not 0s"),
            ('<lp:scrpt name="x" />',
             "unknown directive 'lp:scrpt'; do you mean 'lp:script'?"),
            ('<script name="x" />',
             "unknown directive 'script' of http://namespaces.zope.org/zope;"
             " do you mean 'lp:script'?"),
            ('<lp:script name="x" every="1d"><lp:script name="y" />',
             "it is inside a directive, which has to be closed with />"
             " first"),
            ('<include file="nope.zcml" />',
             f"{self.directory}/nope.zcml: No such file or directory"),
            ('<lp:script name="x"', "not XML, or not in UTF-8: not"
             " well-formed (invalid token) at column 1"),
            ('<lp:script name="x" name="y" />',
             "not XML: duplicate attribute at column 21"),
        ):
            path = self.write(f"{self.START}\n{line}\n</configure>")
            number = 6 if words.endswith("column 1") else 5
            self.assertEqual(f"{path}:{number}: {words}", self.problem(path))

    def test_a_mistake_in_a_file_that_is_included(self):
        inner = self.write(f"{self.START}<lp:scrpt /></configure>", "in.zcml")
        path = self.write(
            f'{self.START}<include file="in.zcml" /></configure>')
        self.assertTrue(self.problem(path).startswith(
            f"{inner}:4: unknown directive 'lp:scrpt'"))

    def test_an_included_file_that_is_not_xml(self):
        inner = self.write(f'{self.START}<lp:script name="x"', "in.zcml")
        path = self.write(
            f'{self.START}<include file="in.zcml" /></configure>')
        self.assertEqual(
            f"{inner}:4: not XML, or not in UTF-8: unclosed token at column 5",
            self.problem(path))

    def test_rules_of_included_files_and_under_conditions(self):
        self.write(
            f'{self.START}<lp:script name="inner" every="1d" />'
            '<configure><lp:script name="nested" every="1d" /></configure>'
            '</configure>', "in.zcml")
        path = self.write(
            f'{self.START}<include file="in.zcml" />'
            '<configure xmlns:z="http://namespaces.zope.org/zcml">'
            '<lp:script z:condition="installed os" name="on" every="1d" />'
            '<lp:script z:condition="installed nope" name="off" every="1d" />'
            '</configure></configure>')
        with registered_apart():
            load_expectations(path)
            self.assertEqual(
                ["inner", "nested", "on"],
                [rule.name for rule in registered_expectations()])

    def test_directives_that_are_not_included(self):
        path = self.write(
            '<configure xmlns:lp="http://namespaces.canonical.com/lp">\n'
            '<lp:script name="x" every="1d" /></configure>')
        self.assertEqual(
            f"{path}:2: unknown directive lp:script; put before it: <include"
            ' package="canonical.launchpad" file="meta.zcml" />',
            self.problem(path))

    def test_two_rules_for_a_script(self):
        line = '<lp:script name="x" every="1d" />\n'
        path = self.write(f"{self.START}{line}{line}</configure>")
        self.assertEqual(
            f"{path}:5: 'x' is declared already, at {path}:4",
            self.problem(path))

    def test_a_rule_of_a_script_for_which_code_has_registered_one(self):
        path = self.write(
            f'{self.START}<lp:script name="x" every="1d" /></configure>')
        with (
            registered_apart(),
            self.assertRaises(ExpectationError) as raised,
        ):
            getSiteManager().registerUtility(object(), IScriptExpectation, "x")
            load_expectations(path)
        self.assertEqual(
            f"{path}:4: 'x' is declared already, in no rules file",
            str(raised.exception))

    def test_directives_in_conflict(self):
        path = self.write(
            '<configure xmlns="http://namespaces.zope.org/zope">'
            '<include package="zope.component" file="meta.zcml" />\n'
            + '<utility component="canonical.config.config" provides='
            '"zope.interface.Interface" name="x" />\n' * 2 + "</configure>")
        self.assertEqual(
            f"{path}:3: in conflict with {path}:2", self.problem(path))

    def test_encodings(self):
        text = f'{self.START}<lp:script name="\xe4" every="1x" /></configure>'
        path = self.write(text.encode("latin-1"))
        self.assertTrue(self.problem(path).startswith(
            f"{path}:4: not XML, or not in UTF-8: "))
        for encoding in "latin-1", "utf-16":
            path = self.write(
                f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'
                .encode(encoding))
            self.assertTrue(self.problem(path).startswith(
                f"{path}:5: every: not a duration"), encoding)
            outer = self.write(
                f'{self.START}<include file="rules.zcml" /></configure>',
                "outer.zcml")
            self.assertTrue(self.problem(outer).startswith(
                f"{path}:5: every: not a duration"), encoding)
        path = self.write(
            f'<?xml version="1.0" encoding="klingon"?>\n{text}')
        self.assertEqual(f"{path}: unknown encoding: klingon",
                         self.problem(path))

    def test_what_is_no_file(self):
        for path, words in (
            (self.directory, "Is a directory"),
            (self.directory / "nope", "No such file or directory"),
            (self.write("", "file") / "x", "Not a directory"),
        ):
            self.assertEqual(f"{path}: {words}", self.problem(path))
