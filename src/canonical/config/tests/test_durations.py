"""Durations as people write them."""

import datetime
import unittest

from canonical.config.durations import duration_text
from canonical.config.durations import parse_band
from canonical.config.durations import parse_duration
from canonical.config.durations import rounded_text


class TestDurations(unittest.TestCase):

    def test_what_people_write(self):
        for text, seconds in (
            ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("0s", 0),
            ("1d2h3m4.5s", 93784.5), (" 5m ", 300), ("36h", 129600),
            ("1w", 604800), ("1w1d", 691200), ("1.5h", 5400),
            ("0.5d30m", 45000),
        ):
            self.assertEqual(
                datetime.timedelta(seconds=seconds), parse_duration(text))

    def test_what_is_none(self):
        for text in (
            "", "5", "m", "5 m", "1m1h", "1h1h", "--5m", "5M", "1.h",
            ".5h", "\N{ARABIC-INDIC DIGIT FIVE}m", "1d1w", "-",
        ):
            with self.assertRaisesRegex(
                ValueError, f"^not a duration: {text!r}; expected"
            ):
                parse_duration(text)

    def test_what_is_negative(self):
        with self.assertRaisesRegex(ValueError, (
            "^a duration cannot be negative: '-1d'; do you mean '1d'\\?$"
        )):
            parse_duration(" -1d")

    def test_what_is_too_long(self):
        with self.assertRaisesRegex(ValueError, "^too long a duration"):
            parse_duration("9" * 20 + "d")

    def test_what_is_written_is_read(self):
        for text in "90s", "1h30m", "2d", "1d1s", "0.25s", "59s", "0s":
            written = duration_text(parse_duration(text))
            self.assertEqual(parse_duration(text), parse_duration(written))
        self.assertEqual("7d", duration_text(parse_duration("1w")))
        self.assertEqual("1m30s", duration_text(parse_duration("90s")))

    def test_at_a_glance_it_has_two_units(self):
        for seconds, text in (
            (0, "0s"), (0.0124, "0.012s"), (2.54, "2.5s"), (59.99, "1m"),
            (60, "1m"), (3599, "59m59s"), (3601, "1h"), (86399, "1d"),
            (86340, "23h59m"), (90000, "1d1h"), (8640100, "100d"),
        ):
            self.assertEqual(
                text, rounded_text(datetime.timedelta(seconds=seconds)))


class TestBands(unittest.TestCase):

    def test_either_end_may_be_open(self):
        two = datetime.timedelta(seconds=2)
        four = datetime.timedelta(minutes=4)
        for text, band in (
            ("2s..4m", (two, four)), ("..4m", (None, four)),
            ("2s..", (two, None)), ("2s .. 2s", (two, two)),
        ):
            self.assertEqual(band, parse_band(text))

    def test_what_is_none(self):
        for text, words in (
            ("..", "not a band"), ("", "not a band"), ("2s", "not a band"),
            ("4m..2s", "upside down"), ("x..2s", "not a duration"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                parse_band(text)
