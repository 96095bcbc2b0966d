"""Making text from outside safe, and formatting times."""

import datetime
import unittest

from canonical.launchpad.plaintext import is_printable
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import single_line
from canonical.launchpad.plaintext import time_text


class TestPrintable(unittest.TestCase):

    def test_what_people_write_stays(self):
        for text in (
            "", "garbo", "größer", "日本語", "a\\b", "it's \"so\"", "«\xa0a»",
            "o\N{COMBINING DIAERESIS}", "\N{GRINNING FACE}",
        ):
            self.assertEqual(text, printable(text))
            self.assertTrue(is_printable(text))

    def test_the_rest_is_escaped_as_repr_does(self):
        for text, shown in (
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\0\x07\x1b[31m\x7f", r"\x00\x07\x1b[31m\x7f"),
            ("\x85\x9b31m", r"\x85\x9b31m"),
            ("\u2028\u2029", r"\u2028\u2029"),
            ("\udcff", r"\udcff"),
        ):
            self.assertEqual(shown, printable(text))
            self.assertFalse(is_printable(text))

    def test_what_turns_the_direction_or_cannot_be_seen_is_shown(self):
        for text, shown in (
            ("a\u202eb", r"a\u202eb"), ("\u2066", r"\u2066"),
            ("a\u200bb", r"a\u200bb"), ("\ufeff", r"\ufeff"),
            ("\U000e0041", r"\U000e0041"),
        ):
            self.assertEqual(shown, printable(text))

    def test_what_is_escaped_stays_as_it_is(self):
        self.assertEqual(r"\x1b", printable(printable("\x1b")))

    def test_line_breaks_may_be_kept(self):
        self.assertEqual("a\n\\tb\\r\n", printable("a\n\tb\r\n", keep="\n"))

    def test_a_single_line(self):
        self.assertEqual(r"a b c\x1b", single_line(" a\r\n b\tc\x1b\n"))


class TestTimes(unittest.TestCase):

    def test_a_time_in_utc(self):
        zone = datetime.timezone(datetime.timedelta(hours=1))
        moment = datetime.datetime(2007, 2, 1, 11, 0, 5, 999999, zone)
        self.assertEqual("2007-02-01 10:00:05 UTC", time_text(moment))
        self.assertEqual("2007-02-01 10:00 UTC", time_text(moment, "minutes"))
