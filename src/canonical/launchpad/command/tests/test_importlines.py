"""What ``import`` makes of the lines of a file, without a database."""

import csv
import io
import json
import os
import time
import unittest
from unittest import mock

from canonical.launchpad.command.importformats import Defaults
from canonical.launchpad.command.importformats import converter
from canonical.launchpad.command.importlines import BEGIN
from canonical.launchpad.command.importlines import END
from canonical.launchpad.command.importlines import lines_of


DEFAULTS = Defaults("here", None)

BOM = "\N{BYTE ORDER MARK}"

RUN = {
    "name": "x", "hostname": "h", "date_started": "2007-02-01 10:00",
    "date_completed": "2007-02-01 10:01"}

ATTEMPT = {
    "name": "x", "hostname": "h", "date_started": "2007-02-01 10:00",
    "date_ended": "2007-02-01 10:01", "outcome": "failure"}

KEY = "3f0c9b53-8f3e-5d0c-9d5f-6c1f5d5a7a10"

PING = {"type": "success", "date": "2007-02-01T10:00:00+00:00", "name": "x"}

PG_CRON = {
    "jobid": "7", "status": "succeeded", "start_time": "2007-02-01 10:00",
    "end_time": "2007-02-01 10:01"}


def lines(text, check=lambda columns: None):
    """Numbers and values of the lines of a text; of wrong ones, why."""
    return [
        (each.number, str(each.values) if isinstance(each.values, ValueError)
         else each.values)
        for each in lines_of(text.splitlines(keepends=True), check)]


class TestCSV(unittest.TestCase):

    def test_what_other_programs_write_around_it(self):
        expected = {"a": "1", "b": None}
        for text, number in (
            ("a,b\n1,\n", 2), (f"{BOM}a,b\r\n1,\r\n", 2),
            (f'{BOM}"a", b\n1,""\n', 2), ("\n\na,b\n\n1,\n\n", 5),
        ):
            self.assertEqual([(number, expected)], lines(text), text)

    def test_each_wrong_line_has_its_number_and_its_reason(self):
        self.assertEqual(
            [(2, {"a": "1\n2", "b": "3"}), (4, "1 value for 2 columns"),
             (5, {"a": "4", "b": "5"}), (6, "3 values for 2 columns")],
            lines('a,b\n"1\n2",3\nx\n4,5\n1,2,3\n'))
        found = list(lines_of(iter(["a,b\n", "x\ry,z\n", "1,2\n"]), str))
        self.assertEqual(
            "not CSV: new-line character seen in unquoted field",
            str(found[0].values))
        self.assertEqual(
            ["x\ry,z\n", "1,2\n"], [each.text for each in found])

    def test_a_header_that_cannot_be_read(self):
        with self.assertRaisesRegex(ValueError, "^not CSV: "):
            list(lines_of(iter(["a\rb,c\n", "1,2\n"]), str))

    def test_a_long_output_of_a_run_is_read(self):
        output = 1_000_000 * "x"
        self.assertEqual(
            [(2, {"stdout": output})], lines(f"stdout\n{output}\n"))


    def test_a_quoted_value_that_does_not_end(self):
        self.assertEqual(
            [(2, "not CSV: unexpected end of data")], lines('a,b\n1,"2\n'))

    def test_only_what_export_writes_must_end_its_last_line(self):
        self.assertEqual([(2, {"a": "1"})], lines("a\n1"))
        self.assertEqual(
            [(2, "the file is cut off, or its last line has no line break at"
                 " its end; add it if nothing is missing")],
            lines(f"name,run_key\nx,{KEY}"))


class TestCutOff(unittest.TestCase):
    """Within a line, what is left of it is never taken for a record."""

    COLUMNS = (*ATTEMPT, "run_key", "stdout", "stderr")
    ROWS = (
        (*ATTEMPT.values(), KEY, "", "some text"),
        (*ATTEMPT.values(), KEY, 'a "word"\nand more', 'one, "two"\n\n'),
        (*ATTEMPT.values(), KEY, "x", ""))

    def records(self, text):
        """The records of a text, and whether anything is wrong with it."""
        found = []
        try:
            for line in lines_of(text.splitlines(keepends=True), converter):
                if isinstance(line.values, ValueError):
                    return found, True
                found.append(
                    converter(frozenset(line.values))(line.values, DEFAULTS))
        except ValueError:
            return found, True
        return found, False

    def check(self, text, ends, first):
        whole, is_wrong = self.records(text)
        self.assertEqual((3, False), (len(whole), is_wrong))
        for place in range(first, len(text)):
            found, is_wrong = self.records(text[:place])
            self.assertEqual(whole[:len(found)], found, text[:place])
            self.assertEqual(place not in ends, is_wrong, text[:place])

    def test_csv(self):
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        ends = []
        for row in self.COLUMNS, *self.ROWS:
            writer.writerow(row)
            ends.append(file.tell())
        self.check(file.getvalue(), ends, ends[0])

    def test_json_lines(self):
        text, ends = "", []
        for row in self.ROWS:
            text += json.dumps(dict(zip(self.COLUMNS, row, strict=True)))
            ends += [len(text), len(text) + 1]
            text += "\n"
        self.check(text, ends, 1)

    def test_a_dump(self):
        head = f"COPY public.scriptattempt ({', '.join(self.COLUMNS)})" \
            " FROM stdin;\n"
        rows = "".join(
            "\t".join(row).replace("\n", "\\n") + "\n"
            for row in self.ROWS)
        text = f"{head}{rows}\\.\n"
        self.check(text, [len(text) - 1], len(head))
        text = f"{BEGIN}\n{text}--\n{END}\n"
        self.check(text, [len(text) - 1], 1)


class TestJSON(unittest.TestCase):

    def test_lines_and_what_is_wrong_with_them(self):
        nested = "[" * 100_000
        self.assertEqual(
            [(1, {"a": "1", "b": None, "c": "x"}),
             (3, "not JSON: it is not an object"),
             (4, "not JSON: it is nested too deeply"), (6, {"a": "2"})],
            lines(BOM + '{"a": 1, "b": null, "c": "x"}\n\n[]\n'
                  f'{nested}\n\n{{"a": "2"}}\n'))

    def test_a_first_line_that_is_wrong_is_only_a_wrong_line(self):
        (first, why), second = lines('{"a": \n{"a": "2"}\n')
        self.assertEqual((1, (2, {"a": "2"})), (first, second))
        self.assertTrue(why.startswith("not JSON: "))

    def test_a_response_of_healthchecks_on_one_line_or_on_several(self):
        for document in {"pings": [PING, PING]}, {"x": 1, "pings": [PING] * 2}:
            for indent in None, 0, 2:
                self.assertEqual(
                    [(1, PING), (2, PING)],
                    lines(json.dumps(document, indent=indent) + "\n"))


class TestDump(unittest.TestCase):

    def test_whatever_it_begins_with(self):
        copy = "COPY public.scriptactivity (name) FROM stdin;\nx\n\\.\n"
        for start in (
            "", "--\n", "SET statement_timeout = 0;\n", "\\restrict abc\n",
        ):
            ((_, values),) = lines(start + copy)
            self.assertEqual({"name": "x"}, values)

    def test_values_are_as_postgresql_wrote_them(self):
        text = (
            'COPY "public"."scriptattempt" ("name", stdout, stderr, reason)'
            " FROM stdin;\n"
            "x\t\\N\t\\\\N\ta\\tb\\nc\\r\\b\\f\\v\\\\d\n"
            "y\t\t \t\n"
            "z\n"
            "\\.\n"
            "COPY public.other (name) FROM stdin;\nignored\n\\.\n")
        expected = [
            (2, {"name": "x", "stdout": None, "stderr": "\\N",
                 "reason": "a\tb\nc\r\b\f\v\\d"}),
            (3, {"name": "y", "stdout": "", "stderr": " ", "reason": ""}),
            (4, "1 value for 4 columns")]
        self.assertEqual(expected, lines(text))


class TestRecords(unittest.TestCase):

    def record(self, values, defaults=DEFAULTS):
        return converter(frozenset(values))(values, defaults)

    def assert_wrong(self, words, values, **changes):
        with self.assertRaises(ValueError) as caught:
            self.record({**values, **changes})
        self.assertIn(words, str(caught.exception))

    def test_a_time_without_a_zone_is_in_utc_wherever_it_is_imported(self):
        try:
            with mock.patch.dict(os.environ, TZ="Asia/Tokyo"):
                time.tzset()
                _, row = self.record(RUN)
        finally:
            time.tzset()
        self.assertEqual("2007-02-01T10:00:00+00:00", row[2])

    def test_a_run_may_end_as_soon_as_it_starts(self):
        _, row = self.record({**RUN, "date_completed": RUN["date_started"]})
        self.assertEqual(row[2], row[3])

    def test_what_is_wrong_is_named_by_its_column(self):
        for words, values, changes in (
            ("hostname must not have", RUN, {"hostname": "a\0b"}),
            ("name must not have", RUN, {"name": "a\0b"}),
            ("date_started is not within years", RUN,
             {"date_started": "0001-01-01"}),
            ("outcome must be one of", ATTEMPT, {"outcome": "fine"}),
            ("pid is not a number: '2147483648'", ATTEMPT,
             {"pid": str(2**31)}),
            ("date_committed is set, but the outcome is failure", ATTEMPT,
             {"date_committed": "2007-02-01 10:01"}),
            ("duration is not a number of seconds", PING, {"duration": "x"}),
            ("duration is not a number of seconds", PING,
             {"duration": "1e300"}),
        ):
            self.assert_wrong(words, values, **changes)

    def test_what_postgresql_cannot_store_is_replaced(self):
        odd = "a\0b\udcffc"
        _, row = self.record({
            **ATTEMPT, "reason": odd, "process": odd, "stdout": odd,
            "stderr": odd, "pid": str(2**31 - 1)})
        self.assertEqual(str(2**31 - 1), row[2])
        self.assertEqual(
            ["a\N{REPLACEMENT CHARACTER}b?c"] * 4,
            [row[7], row[9], *row[11:]])

    def test_a_long_reason_is_cut_and_the_proof_is_kept(self):
        _, row = self.record({
            **ATTEMPT, "outcome": "success", "reason": 2000 * "x",
            "process": "boot 1", "date_committed": "2007-02-01 10:01"})
        self.assertEqual(
            (1000 * "x", "boot 1", "2007-02-01T10:01:00+00:00"),
            (row[7], row[9], row[10]))

    def test_a_skipped_run_is_another_than_that_which_began_then(self):
        keys = [
            self.record({**ATTEMPT, "outcome": outcome}).row[8]
            for outcome in ("failure", "killed", "skipped")]
        self.assertEqual(keys[0], keys[1])
        self.assertNotEqual(keys[0], keys[2])

    def test_pings_that_end_no_run(self):
        for kind in "start", "log", "ign":
            self.assertIsNone(self.record({**PING, "type": kind}))

    def test_whose_name_counts(self):
        given = Defaults("here", "given")
        unnamed = {key: PING[key] for key in ("type", "date")}
        for values, defaults, name in (
            (PING, DEFAULTS, "x"), (PING, given, "x"),
            (unnamed, given, "given"),
            (PG_CRON, DEFAULTS, "job-7"), (PG_CRON, given, "given"),
            ({**PG_CRON, "jobname": "vacuum"}, DEFAULTS, "vacuum"),
        ):
            self.assertEqual(name, self.record(values, defaults).row[0])
