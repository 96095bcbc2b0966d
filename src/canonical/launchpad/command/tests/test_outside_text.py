"""Text that SQL put on record, wherever it is printed or mailed."""

import json
import re

from canonical.database.sqlbase import main_store
from canonical.launchpad.command.tests.test_alert import AlertTestCase
from canonical.launchpad.plaintext import printable


# What a terminal, a table of lines and a mail could be misled by.
FORGED = "a\nBROKEN\n* x\ty\x1b[2J\x9b2J\u2028\u202e"
SHOWN = r"a\nBROKEN\n* x\ty\x1b[2J\x9b2J\u2028\u202e"

FAILED = """
    INSERT INTO scriptattempt
        (name, hostname, pid, date_started, date_ended, outcome, exit_status,
         reason)
    VALUES (?, ?, 1, now(), now(), 'failure', 1, ?)
"""

SUCCEEDED = """
    INSERT INTO scriptactivity
        (name, hostname, date_started, date_completed)
    VALUES (?, ?, now(), now())
"""


class TestTextFromOutside(AlertTestCase):

    def setUp(self):
        super().setUp()
        main_store().execute(FAILED, ("garbo", FORGED, FORGED))
        main_store().execute(FAILED, (FORGED, FORGED, FORGED))
        main_store().execute(SUCCEEDED, (FORGED, FORGED))
        self.ztm.commit()

    def assert_shown(self, text):
        self.assertIn(SHOWN, text)
        self.assertEqual(text, printable(text, keep="\n\t"))

    def test_lines(self):
        for command in "list", "failures", "last":
            status, out, err = self.command(command)
            self.assertEqual((0, ""), (status, err))
            self.assert_shown(out)
            self.assertEqual(
                1, len({line.count("\t") for line in out.splitlines()}))

    def test_a_table_on_a_terminal(self):
        for command in "list", "failures":
            out = self.on_terminal(command, columns=500)
            self.assertIn(SHOWN, out)
            self.assertNotIn("\x1b[2J", out)
            self.assertNotIn("\u202e", out)

    def test_a_picture(self):
        self.write("expectations.zcml", """
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="a&#x202e;b" every="1h" />
            </configure>""")
        out = self.on_terminal(
            "backtest", LPCONFIG=str(self.configuration))
        self.assertIn("\na\\u202eb\n▁", re.sub(r"\x1b\[[0-9;]*m", "", out))
        self.assertNotIn("\u202e", out)

    def test_names_that_are_wider_than_a_terminal(self):
        wide = "漢" * 30
        main_store().execute(SUCCEEDED, (wide, wide))
        self.ztm.commit()
        self.assertIn(
            f"{wide}\n{wide}\n  last success",
            self.on_terminal("list", columns=60))
        self.assertIn(
            f"{wide}\n  runs 1, failed 0,",
            self.on_terminal("report", columns=60))

    def test_json_is_ascii_and_means_the_same(self):
        for environment in {}, {"PYTHONIOENCODING": "ascii"}:
            status, out, err = self.run_command(
                "failures", FORGED, "--json", **environment)
            self.assertEqual((0, ""), (status, err))
            self.assertTrue(out.isascii())
            self.assertEqual(out, printable(out, keep="\n"))
            self.assertEqual(FORGED, json.loads(out)[0]["reason"])

    def test_check(self):
        for option in [], ["--nagios"]:
            status, out, err = self.command("check", *option)
            self.assertEqual((2, ""), (status, err))
            self.assert_shown(out)
        self.assertEqual(1, out.count("\n"))

    def test_a_mail(self):
        self.alert()
        text, = self.mail.texts()
        self.assert_shown(text)
        self.assertEqual(1, text.count("\nBROKEN\n"))

    def test_what_is_printed_if_nobody_is_to_be_mailed(self):
        self.configure(recipients="")
        status, out, err = self.command("alert")
        self.assertEqual((0, ""), (status, err[:0]))
        self.assert_shown(out)
        status, out, err = self.command("alerts")
        self.assertEqual((0, ""), (status, err))
        self.assert_shown(out)

    def test_zcml_refers_to_what_is_not_printable(self):
        status, out, err = self.command("suggest")
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(out, printable(out, keep="\n"))

    def test_a_name_that_is_asked_for(self):
        for command in "last", "failures", "suggest", "snooze --for 1h", "no":
            name, *options = command.split()
            status, out, err = self.command(
                name, *options, b"x\n\x1b[2J\xff")
            self.assertNotIn(status, (0, None))
            self.assertNotIn("Traceback", err)
            self.assertEqual(("", err), (out, printable(err, keep="\n")))
