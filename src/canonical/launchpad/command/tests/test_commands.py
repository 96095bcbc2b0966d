"""What may be typed, and what is said of everything else."""

import argparse
import contextlib
import io
import shlex
import subprocess
import sys
import unittest
from pathlib import Path

from canonical.launchpad.command import commands
from canonical.launchpad.command.commands import COMMANDS
from canonical.launchpad.command.commands import MONITORS
from canonical.launchpad.command.commands import UNKNOWN
from canonical.launchpad.command.parser import UsageError
from canonical.launchpad.command.parser import main_parser
from canonical.launchpad.command.parser import monitor_parser
from canonical.launchpad.command.parser import parse
from canonical.launchpad.command.run import is_run


# What each argument that has to be there may be.
VALUES = {"NAME": "garbo", "FILE": "crontab", "DURATION": "1h"}


class TestCommandLine(unittest.TestCase):

    def setUp(self):
        choices, = (
            each.choices for each in main_parser()._actions if each.choices)
        self.commands = choices

    def assert_refused(self, argv, *words):
        with self.assertRaises(UsageError, msg=argv) as caught:
            parse(argv)
        text = str(caught.exception)
        self.assertNotIn("\n", text)
        for word in words:
            self.assertIn(word, text)
        return caught.exception

    def required(self, parser, but=None):
        """Arguments that `parser` needs, without those of an action."""
        found = []
        for action in parser._actions:
            if action is but or not action.required:
                continue
            found += [*action.option_strings[:1], VALUES[action.metavar]]
        return found

    def actions(self):
        """Each command, its parser, and an argument with a value."""
        for name, parser in self.commands.items():
            for action in parser._actions:
                if action.nargs != 0:
                    yield name, parser, action

    def test_no_argument_may_be_empty(self):
        for name, parser, action in self.actions():
            argv = [
                name, *self.required(parser, action),
                *action.option_strings[:1], ""]
            where = "/".join(action.option_strings) or action.metavar
            self.assert_refused(argv, f"argument {where}")

    def test_an_argument_that_is_not_utf_8_is_refused_or_is_a_file(self):
        for name, parser, action in self.actions():
            argv = [
                name, *self.required(parser, action),
                *action.option_strings[:1], "\udcff"]
            if action.metavar == "URI":
                # Its password is not printed.
                self.assert_refused(argv, "not printable")
            elif action.dest == "prometheus" or action.metavar not in (
                "FILE", "[LEVEL:]FILE"
            ):
                self.assert_refused(argv, "\\udcff")
            else:
                parse(argv)

    def test_wrong_use_has_the_exit_status_of_its_command(self):
        for name, parser in self.commands.items():
            error = self.assert_refused(
                [name, *self.required(parser), "--such"], "--such")
            self.assertEqual(
                UNKNOWN if name == "check" else 2, error.status)

    def test_each_command_has_two_examples_that_may_be_typed(self):
        for name, command in COMMANDS.items():
            self.assertEqual(2, len(command.examples), name)
            for example in command.examples:
                before, _, arguments = example.partition("scriptactivity ")
                argv = shlex.split(arguments.partition(" > ")[0])
                self.assertEqual(name, argv[0], example)
                if name == "run":
                    self.assertTrue(is_run(argv))
                else:
                    parse(argv)
        for name in MONITORS:
            parser = monitor_parser(name)
            for example in parser.epilog.splitlines()[1::2]:
                program, *argv = shlex.split(example)
                self.assertEqual(name, program)
                parser.parse_args(argv)

    def test_help_is_no_wider_than_a_terminal_and_has_the_examples(self):
        for name, parser in self.commands.items():
            text = parser.format_help()
            for example in COMMANDS[name].examples:
                self.assertIn(example, text)
            for line in text.splitlines():
                self.assertLessEqual(len(line), 79, line)

    def test_the_version(self):
        out = io.StringIO()
        with contextlib.redirect_stdout(out), self.assertRaises(SystemExit):
            parse(["--version"])
        self.assertEqual(
            f"scriptactivity {commands.VERSION}\n", out.getvalue())

    def test_every_option_says_what_it_is_for(self):
        for name, parser in self.commands.items():
            for action in parser._actions:
                self.assertTrue(action.help, (name, action))
                self.assertIsNot(argparse.SUPPRESS, action.help)

    def test_a_build_needs_nothing_that_has_to_be_installed(self):
        """A process of its own, since it is about what is imported."""
        source = Path(commands.__file__).parents[3]
        subprocess.run(
            [sys.executable, "-I", "-S", "-c",
             f"import sys; sys.path.insert(0, {str(source)!r});"
             " from canonical.launchpad.command import parser, program;"
             " parser.main_parser()"],
            check=True)
