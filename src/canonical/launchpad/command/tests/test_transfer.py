"""What ``export`` writes and ``import`` reads, and that it is there once."""

import contextlib
import datetime
import gzip
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
import uuid
import zlib
from pathlib import Path

import psycopg2
from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.embedded import embedded_parameters
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.command import transfer
from canonical.launchpad.command.main import main
from canonical.launchpad.command.transfer import BUFFER
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptTransferSet
from canonical.launchpad.interfaces import Output
from canonical.launchpad.monitor.registry import registered_apart
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.plaintext import counted
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import by_owner
from canonical.testing.children import start_python


START = datetime.datetime(2007, 2, 1, 10, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)

DRIVER = str(Path(__file__).with_name("transferdriver.py"))

RUNS = "SELECT name, hostname, date_started, date_completed, run_key" \
    " FROM scriptactivity ORDER BY 1, 2, 3"
ATTEMPTS = "SELECT name, hostname, pid, date_started, date_ended, outcome," \
    " exit_status, reason, run_key, stdout, stderr, process, date_committed" \
    " FROM scriptattempt ORDER BY 1, 2, 4"

DUMP = """\
--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
COPY public.other (id, name) FROM stdin;
1\tgarbo
\\.
COPY public.scriptactivity (id, name, hostname, date_started, \
date_completed) FROM stdin;
1\tgarbo\tloganberry\t2007-02-01 10:00:00\t2007-02-01 10:01:00.5
2\ta\\\\b\tloganberry\t2007-02-01 10:00:00\t2007-02-01 10:01:00
\\.
--
-- PostgreSQL database dump complete
--
"""

PG_CRON = """\
jobid,runid,job_pid,database,username,command,status,return_message,\
start_time,end_time
10,4328,2610,postgres,marco,select process(),succeeded,SELECT 1,\
2023-02-07 09:30:00.098164+01,2023-02-07 09:30:00.130729+01
10,4320,2602,postgres,marco,select process(),failed,"server
restarted",2023-02-07 09:27:00.011833+01,2023-02-07 09:27:00.72121+01
9,4330,2603,postgres,marco,select process(),running,,\
2023-02-07 09:31:00+01,
"""

HEALTHCHECKS = {"pings": [
    {"type": "success", "date": "2020-06-09T14:51:06.113073+00:00", "n": 4,
     "scheme": "http", "remote_addr": "192.0.2.0", "method": "GET",
     "ua": "curl/7.68.0", "rid": "123e4567-e89b-12d3-a456-426614174000",
     "duration": 2.896736},
    {"type": "start", "date": "2020-06-09T14:51:03.216337+00:00", "n": 3,
     "scheme": "http", "remote_addr": "192.0.2.0", "method": "GET",
     "ua": "curl/7.68.0", "rid": "123e4567-e89b-12d3-a456-426614174000"},
    {"type": "fail", "date": "2020-06-09T14:50:59.633577+00:00", "n": 2,
     "scheme": "http", "remote_addr": "192.0.2.0", "method": "GET",
     "ua": "curl/7.68.0", "rid": None},
]}


def record_many(count=50000):
    """Record runs that take several pieces."""
    main_store().execute(
        "INSERT INTO scriptactivity"
        " (name, hostname, date_started, date_completed)"
        " SELECT 'n', gen_random_uuid(), now(), now()"
        " FROM generate_series(1, ?)", (count,), noresult=True)


class TransferTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.ztm = initZopeless()
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def call(self, *argv, expected=0):
        self.ztm.commit()
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([str(each) for each in argv])
        self.ztm = initZopeless()
        self.assertEqual(expected, status, err.getvalue())
        return out.getvalue() + err.getvalue()

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def rows(self, statement=RUNS):
        return list(main_store().execute(statement))

    def empty(self):
        by_owner("TRUNCATE scriptactivity, scriptattempt")

    def records(self):
        """Rows with all that a form could spoil."""
        activities = getUtility(IScriptActivitySet)
        for number, name in enumerate(['"a", b', "é\\t", "{}", "\\N", "x"]):
            activities.recordSuccess(
                name, START + number * MINUTE,
                START + number * MINUTE + datetime.timedelta(microseconds=1),
                "host", uuid.uuid4())
        attempts = getUtility(IScriptAttemptSet)
        for outcome in "failure", "success", "skipped":
            attempts.end(
                attempts.begin("x", uuid.uuid4(), START, outcome), outcome,
                START + MINUTE, 1, "a\t\"reason\", \\ and more",
                Output("out\n\x01\x02\\.\n", "\n"))
        attempts.begin("x", uuid.uuid4(), START, "runs")
        key = uuid.uuid4()
        attempts.markCommitted(key, "x", START, START + MINUTE, "committed")
        attempts.endCommitted(key, START + MINUTE)


class TestBothWays(TransferTestCase):

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(
            IScriptTransferSet, getUtility(IScriptTransferSet)))

    def test_what_is_exported_is_imported_once(self):
        self.records()
        runs = self.rows()
        attempts = [row for row in self.rows(ATTEMPTS) if row[5] is not None]
        for ending in "csv", "jsonl", "csv.gz", "jsonl.gz":
            with self.subTest(ending):
                paths = [self.directory / f"{what}.{ending}"
                         for what in ("runs", "attempts")]
                self.call("export", paths[0])
                self.call("export", "--attempts", paths[1])
                self.assertIn("; already on record: 5",
                              self.call("import", *paths))
                self.empty()
                self.call("import", *paths)
                self.assertEqual(runs, self.rows())
                self.assertEqual(attempts, self.rows(ATTEMPTS))
                self.call("import", *paths)
                self.assertEqual(runs, self.rows())
                self.assertEqual(attempts, self.rows(ATTEMPTS))

    def test_only_scripts_with_a_tag_are_exported(self):
        self.records()
        rules = self.write("rules.zcml", """
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="x" every="1h" tags="eu" />
              <lp:script name="{}" every="1h" tags="eu us" />
              <lp:script name="\\N" every="1h" />
            </configure>
            """)

        def exported(*options):
            with registered_apart():
                load_expectations(rules)
                self.call("export", *options, self.directory / "all.jsonl")
            lines = (self.directory / "all.jsonl").read_text().splitlines()
            return sorted(json.loads(line)["name"] for line in lines)

        self.assertEqual(["x", "{}"], exported("--tag", "eu"))
        self.assertEqual(["{}"], exported("--tag", "us"))
        self.assertEqual([], exported(
            "--tag", "eu", "--since", "2008-01-01T00:00Z"))
        self.assertEqual(["x"] * 4, exported("--tag", "eu", "--attempts"))
        self.assertEqual([], exported("--tag", "us", "--attempts"))
        with registered_apart():
            load_expectations(rules)
            self.assertIn("no rule has the tag 'ue'", self.call(
                "export", "--tag", "ue", self.directory / "none.csv",
                expected=2))
        self.assertFalse((self.directory / "none.csv").exists())

    def test_json_lines_say_what_postgresql_says(self):
        for name in [
            'a"b', "\\", "\\N", '"\\N"', ":\\N,", "\\v", "%s", '\\"', "\\\\v",
            "\v\b\f\x01\x1f", "\x7f\u2028é", "a\tb\nc\rd",
        ]:
            main_store().execute(
                "INSERT INTO scriptactivity"
                " (name, hostname, date_started, date_completed)"
                " VALUES (?, ' +00', '2007-02-01 10:00Z', '9998-12-31Z')",
                (name,))
        main_store().execute(
            "INSERT INTO scriptattempt (name, hostname, pid, date_started,"
            " date_ended, outcome, exit_status, stdout, run_key)"
            " SELECT name, '', -1, '2007-02-01 10:00:00.5Z',"
            "  '2007-02-01 10:01Z', 'failure', nullif(id % 2, 0),"
            "  repeat(name, 100000), gen_random_uuid() FROM scriptactivity")
        path = self.directory / "all.jsonl"
        for options, what, table in (
            ([], "runs", "scriptactivity"),
            (["--attempts"], "attempts", "scriptattempt"),
        ):
            columns = ", ".join(
                getUtility(IScriptTransferSet).getColumns(what))
            main_store().execute("SET LOCAL TimeZone = 'UTC'")
            expected = [json.loads(line) for line, in self.rows(
                "SELECT to_json(row)::text"
                f" FROM (SELECT {columns} FROM {table}) AS row")]
            self.call("export", *options, path)
            with path.open() as lines:
                self.assertEqual(expected, list(map(json.loads, lines)))

    def test_rows_that_count_nowhere_are_left_out_and_reported(self):
        self.records()
        main_store().execute("""
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            VALUES ('x', 'old', '2007-02-01Z', 'infinity'),
                ('x', 'old', '-infinity', '2007-02-01Z'),
                ('x', 'older', '0044-03-15Z BC', '2007-02-01Z')""")
        main_store().execute("""
            INSERT INTO scriptattempt (name, hostname, pid, date_started,
                date_ended, outcome, date_committed, run_key)
            VALUES ('x', 'old', 1, '2007-02-01Z', 'infinity', 'failure', NULL,
                    gen_random_uuid()),
                ('x', 'old', 1, '-infinity', '2007-02-01Z', 'failure', NULL,
                    gen_random_uuid()),
                ('x', 'old', 1, '2007-02-01Z', '2007-02-02Z', 'success',
                    'infinity', gen_random_uuid())""")
        for options, table, since in (
            ([], "scriptactivity", 1), (["--attempts"], "scriptattempt", 2)
        ):
            for form in "csv", "jsonl":
                path = self.directory / f"some.{form}"
                for period, left_out in (
                    ([], 3), (["--since", "2007-01-01T00:00Z"], since),
                    (["--until", "2007-01-01T00:00Z"], 3 - since),
                ):
                    self.assertEqual(
                        f"scriptactivity: left out: {counted(left_out, 'row')}"
                        f" of {table} with an infinite time, or with an end"
                        " before the start; they count nowhere\n",
                        self.call("export", *options, *period, path))
                    self.assertIn(
                        f"{path}: added 0 ", self.call("import", path))

    def test_standard_input_and_output(self):
        self.records()
        self.ztm.commit()
        runs = self.rows()
        self.ztm.commit()
        done = [start_python(
            [DRIVER, "export", "-"], dict(os.environ),
            stdout=subprocess.PIPE)]
        out = done[0].communicate()[0]
        self.empty()
        self.ztm.commit()
        done.append(start_python(
            [DRIVER, "import", "-"], dict(os.environ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        self.assertIn(b"added 5 runs", done[1].communicate(out)[0])
        self.assertEqual([0, 0], [each.returncode for each in done])
        self.assertEqual(runs, self.rows())

    def test_a_period(self):
        self.records()
        path = self.directory / "runs.csv"
        self.call("export", "--since", "2007-02-01T10:01Z",
                  "--until", "2007-02-01T10:03Z", path)
        self.assertEqual(3, len(path.read_text().splitlines()))

    def test_a_name_that_says_no_form_is_refused(self):
        self.assertIn("or add --form", self.call(
            "export", self.directory / "runs.txt", expected=2))

    def test_an_export_that_fails_leaves_no_file(self):
        by_owner("ALTER TABLE scriptactivity RENAME TO gone")
        self.ztm.commit()
        try:
            self.call("export", self.directory / "runs.csv", expected=1)
        finally:
            by_owner("ALTER TABLE gone RENAME TO scriptactivity")
            self.ztm.commit()
        self.assertEqual([], list(self.directory.iterdir()))

    def test_a_file_that_has_no_room_is_named(self):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        for add in self.records, record_many:
            add()
            for ending in "csv", "csv.gz":
                path = self.directory / f"runs.{ending}"
                resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
                try:
                    said = self.call("export", path, expected=1)
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
                self.assertEqual(
                    f"scriptactivity: File too large: {path}\n", said)
        self.assertEqual([], list(self.directory.iterdir()))

    def test_a_packed_file_of_several_pieces_and_of_none(self):
        path = self.directory / "runs.jsonl.gz"
        self.call("export", path)
        subprocess.run(["gzip", "--test", path], check=True)
        self.assertEqual(b"", gzip.decompress(path.read_bytes()))
        record_many()
        plain = self.directory / "runs.jsonl"
        self.call("export", plain)
        self.call("export", path)
        self.assertGreater(plain.stat().st_size, 3 * BUFFER)
        self.assertEqual(
            sorted(plain.read_bytes().splitlines()),
            sorted(subprocess.run(
                ["gzip", "--decompress", "--stdout", path], check=True,
                stdout=subprocess.PIPE).stdout.splitlines()))

    def test_a_row_without_a_key_is_there_once(self):
        getUtility(IScriptActivitySet).recordSuccess(
            "garbo", START, START + MINUTE, "host")
        path = self.write(
            "runs.csv", "name,hostname,date_started,date_completed\n"
            "garbo,host,2007-02-01 10:00:00,2007-02-01T10:01Z\n"
            "garbo,host,2007-02-01 12:00:00+01,2007-02-01 12:01+01\n")
        for _ in range(2):
            self.call("import", path)
            self.assertEqual(
                [(START, True), (START + 60 * MINUTE, False)],
                [(row[2], row[4] is None) for row in self.rows()])

    def test_a_run_is_the_same_in_every_time_zone(self):
        for started, ended, added in (
            ("2007-02-01 10:00Z", "2007-02-01 10:01Z", 1),
            ("2007-02-01 11:00+01:00", "2007-02-01 11:01+01:00", 0),
        ):
            path = self.write(
                "runs.csv", "name,hostname,date_started,date_completed\n"
                f"garbo,host,{started},{ended}\n")
            self.assertIn(f"added {added} run", self.call("import", path))

    def test_what_is_like_a_row_without_a_key_may_be_another_run(self):
        activities = getUtility(IScriptActivitySet)
        later = START + 60 * MINUTE
        activities.recordSuccess("garbo", START, START + MINUTE, "host")
        activities.recordSuccess(
            "garbo", later, later + MINUTE, "host", uuid.uuid4())
        path = self.write(
            "runs.csv", "name,hostname,date_started,date_completed,run_key\n"
            "garbo,elsewhere,2007-02-01 10:00Z,2007-02-01 10:01Z,\n"
            "garbo,host,2007-02-01 11:00Z,2007-02-01 11:01Z,"
            f"{uuid.uuid4()}\n")
        self.assertIn("added 2 runs", self.call("import", path))
        self.assertEqual(
            [("elsewhere", START), ("host", START), ("host", later),
             ("host", later)], [row[1:3] for row in self.rows()])

    def test_a_run_that_was_pruned_is_not_added_again(self):
        key = uuid.uuid4()
        main_store().execute(
            "INSERT INTO scriptday"
            " (name, hostname, day, runs, total, run_keys) VALUES"
            " ('garbo', 'host', '2007-02-01', 1, '1 min', ARRAY[?]::uuid[])",
            (str(key),))
        path = self.write(
            "runs.csv",
            "name,hostname,date_started,date_completed,run_key\n"
            f"garbo,host,2007-02-01 10:00:00,2007-02-01T10:01Z,{key}\n")
        self.assertIn("already on record: 1\n", self.call("import", path))
        self.assertEqual([], self.rows())
        # Another run of that day was not on record when the day was pruned.
        path.write_text(path.read_text().replace(str(key), str(uuid.uuid4())))
        self.assertIn("added 1 run", self.call("import", path))

    def test_an_attempt_without_a_key_is_there_once(self):
        main_store().execute(
            "INSERT INTO scriptattempt (name, hostname, pid, date_started,"
            " date_ended, outcome) VALUES ('x', 'host', 1, ?, ?, 'failure')",
            (START, START + MINUTE))
        path = self.write("attempts.jsonl", "".join(
            json.dumps({
                "name": "x", "hostname": "host", "outcome": outcome,
                "date_started": "2007-02-01 10:00Z",
                "date_ended": "2007-02-01 10:01Z"}) + "\n"
            for outcome in ("failure", "skipped")) + json.dumps({
                "name": "x", "hostname": "host",
                "date_started": "2007-02-01 10:00Z",
                "date_completed": "2007-02-01 10:01Z"}) + "\n")
        self.assertIn(
            "added 1 run and 1 attempt; already on record: 1\n",
            self.call("import", path))


class TestBadFiles(TransferTestCase):

    def test_a_link_is_not_replaced(self):
        target = self.write("target.csv", "precious")
        link = self.directory / "link.csv"
        link.symlink_to(target)
        self.assertEqual(
            f"scriptactivity: {link}: not a regular file; - is standard"
            " output\n", self.call("export", link, expected=2))
        self.assertTrue(link.is_symlink())
        self.assertEqual("precious", target.read_text())

    def test_nor_is_a_pipe(self):
        pipe = self.directory / "pipe.csv"
        os.mkfifo(pipe)
        self.call("export", pipe, expected=2)
        self.assertTrue(pipe.is_fifo())

    def test_a_missing_directory_or_file_is_one_line(self):
        missing = self.directory / "missing" / "runs.csv"
        for command in "export", "import":
            self.assertRegex(
                self.call(command, missing, expected=(
                    2 if command == "export" else 1)),
                f"^scriptactivity: {missing}: No such file or directory\n$")


class TestBadLines(TransferTestCase):

    LINES = """\
name,hostname,date_started,date_completed,run_key
good,host,2007-02-01 10:00:00,2007-02-01 10:01:00,
,host,2007-02-01 10:00:00,2007-02-01 10:01:00,
bad,host,yesterday,2007-02-01 10:01:00,
bad,host,2007-02-01 10:02:00,2007-02-01 10:01:00,
bad,host,2007-02-01 10:00:00,2007-02-01 10:01:00,key
bad,host
"bad
line",host,2007-02-01 10:00:00,2007-02-01 10:01:00,
good,host2,2007-02-01 10:00:00,2007-02-01 10:01:00,
"""

    def test_the_first_stops_everything(self):
        path = self.write("runs.csv", self.LINES)
        text = self.call("import", path, expected=1)
        self.assertIn(f"{path}:3: name is missing", text)
        self.assertIn("stopped at the first wrong line", text)
        self.assertEqual(1, len(self.rows()))

    def test_they_are_set_aside(self):
        path = self.write("runs.csv", self.LINES)
        bad = self.directory / "bad.csv"
        text = self.call("import", "--bad-lines", bad, path, expected=1)
        for number, reason in (
            (3, "name is missing"),
            (4, "date_started is not a time: 'yesterday'"),
            (5, "the run ends before it starts"),
            (6, "run_key is not a UUID: 'key'"),
            (7, "2 values for 5 columns"),
            (8, "name must not have line breaks"),
        ):
            self.assertIn(f"{path}:{number}: {reason}", text)
        self.assertIn("; 6 lines set aside", text)
        self.assertEqual(2, len(self.rows()))
        lines = self.LINES.splitlines(keepends=True)
        self.assertEqual("".join(lines[2:9]), bad.read_text())

    def test_they_never_replace_what_is_imported(self):
        path = self.write("runs.csv", self.LINES)
        self.assertIn("it is imported, so it cannot be", self.call(
            "import", "--bad-lines", path, path, expected=2))
        self.assertEqual(self.LINES, path.read_text())

    def test_what_postgresql_cannot_store_is_a_bad_line(self):
        head = "name,hostname,date_started,date_ended,outcome,pid"
        path = self.write("attempts.csv", f"""\
{head}
x,host,2007-02-01 10:00Z,2007-02-01 10:01Z,failure,9999999999
x,host,2007-02-01 10:00Z,9999-12-31 10:01Z,failure,1
""")
        text = self.call("import", "--bad-lines", self.directory / "bad",
                         path, expected=1)
        self.assertIn(f"{path}:2: pid is not a number: '9999999999'", text)
        self.assertIn(f"{path}:3: date_ended is not within years", text)

    def test_what_no_line_of_can_be_understood(self):
        for name, text, reason in (
            ("a.csv", "a,b\n1,2\n", "unknown columns: a, b"),
            ("a.csv", "\x7fELF,\x02\n", "neither CSV, nor JSON lines, nor a"),
            ("a.json", "{\n\"a\": 1}", "neither JSON lines nor a response"),
            ("a.jsonl", "{\"name\": \"x\"}\n[]\n", "unknown columns"),
            ("a.sql", "-- dump\n", "a dump without COPY"),
            ("a.csv.gz", "no", "Not a gzipped file"),
        ):
            path = self.write(name, text)
            self.assertIn(reason, self.call("import", path, expected=1))
        self.assertEqual("", self.write("a.csv", "").read_text())
        self.assertIn("added 0 runs", self.call(
            "import", self.directory / "a.csv"))

    def test_a_nul_is_refused_in_a_name_and_replaced_in_a_text(self):
        times = "2007-02-01 10:00:00,2007-02-01 10:01:00"
        path = self.write(
            "runs.csv", "name,hostname,date_started,date_completed\n"
            f"a\0b,host,{times}\n")
        self.assertIn(
            f"{path}:2: name must not have line breaks or control characters",
            self.call("import", path, expected=1))
        for name, text in (
            ("attempts.csv",
             "name,hostname,date_started,date_ended,outcome,reason,stdout\n"
             f"csv,host,{times},failure,a\0b,c\0d\n"),
            ("attempts.jsonl", json.dumps({
                "name": "json", "hostname": "host",
                "date_started": "2007-02-01 10:00",
                "date_ended": "2007-02-01 10:01", "outcome": "failure",
                "reason": "a\0b", "stdout": "c\0d"})),
        ):
            self.call("import", self.write(name, text))
        self.assertEqual(
            [("csv", "a\ufffdb", "c\ufffdd"),
             ("json", "a\ufffdb", "c\ufffdd")],
            [(row[0], row[7], row[9]) for row in self.rows(ATTEMPTS)])

    def test_empty_lines_have_numbers(self):
        for name, text in (
            ("runs.csv",
             "\n\nname,hostname,date_started,date_completed\n\na,b\n"),
            ("runs.jsonl", "\n\n" + json.dumps(
                {"date": "2007-02-01", "type": "start"}) + "\n\n{\n"),
        ):
            path = self.write(name, text)
            self.assertIn(
                f"{path}:5: ", self.call("import", path, expected=1))

    def test_columns_that_are_there_twice(self):
        path = self.write(
            "runs.csv", "name,hostname,name,date_started,date_completed\n"
            "a,host,b,2007-02-01,2007-02-01\n")
        self.assertIn(
            f"{path}: there are two columns with the name name",
            self.call("import", path, expected=1))

    def test_a_packed_file_that_is_cut_off(self):
        path = self.directory / "runs.csv.gz"
        path.write_bytes(gzip.compress(
            ("name,hostname,date_started,date_completed\n" + "".join(
                f"n,{uuid.uuid4()},2007-02-01 10:00:00,2007-02-01 10:01:00\n"
                for _ in range(999))).encode())[:-900])
        self.assertIn("ended before", self.call("import", path, expected=1))
        path.write_bytes(gzip.compress(b"name")[:10] + 99 * b"\xff")
        self.assertIn(
            f"scriptactivity: {path}: Error -3 while decompressing data",
            self.call("import", path, expected=1))

    def test_bytes_that_are_no_text_are_set_aside_as_they_are(self):
        path = self.directory / "runs.csv"
        head = b"name,hostname,date_started,date_completed\r\n"
        line = b"gr\xf6\xdfer,host,2007-02-01 10:00,2007-02-01 10:01\r\n"
        path.write_bytes(head + line)
        bad = self.directory / "bad.csv"
        self.call("import", "--bad-lines", bad, path, expected=1)
        self.assertEqual(line, bad.read_bytes())

    def test_a_packed_export_that_is_cut_off_between_two_pieces(self):
        for name, value in ("BUFFER", 1 << 14), ("BATCH", 100):
            self.addCleanup(setattr, transfer, name, getattr(transfer, name))
            setattr(transfer, name, value)
        record_many(500)
        path = self.directory / "runs.jsonl.gz"
        self.call("export", path)
        whole = left = path.read_bytes()
        places = []
        while left:
            places.append(len(whole) - len(left))
            member = zlib.decompressobj(31)
            member.decompress(left)
            left = member.unused_data
        self.assertGreater(len(places), 4)
        for place in places:
            path.write_bytes(whole[:place])
            said = self.call("import", path, expected=1)
            self.assertIn(
                f"scriptactivity: {path}: "
                + ("it is cut off" if place else "an empty file"), said)
            self.assertNotIn("wrong line", said)
        for data in whole, 2 * whole:
            path.write_bytes(data)
            self.call("import", path)


class TestOtherSystems(TransferTestCase):

    def test_a_dump_of_the_original(self):
        path = self.write("dump.sql", DUMP)
        for _ in range(2):
            self.call("import", path)
            self.assertEqual([
                ("a\\b", "loganberry", START, START + MINUTE),
                ("garbo", "loganberry", START,
                 START + MINUTE + datetime.timedelta(seconds=0.5)),
            ], [row[:4] for row in self.rows()])

    def test_what_windows_has_written(self):
        columns = "name", "hostname", "date_started", "date_completed"
        values = "garbo", "host", "2007-02-01 10:00", "2007-02-01 10:01"
        for name, text in (
            ("runs.csv", f"{','.join(columns)}\r\n{','.join(values)}\r\n"),
            ("quoted.csv", "".join(
                ",".join(f'"{each}"' for each in line) + "\r\n"
                for line in (columns, values))),
            ("runs.jsonl", json.dumps(
                dict(zip(columns, values, strict=True))) + "\r\n"),
            ("dump.sql",
             f"--\r\nCOPY scriptactivity ({', '.join(columns)}) FROM stdin;"
             "\r\n" + "\t".join(values) + "\r\n\\.\r\n"),
        ):
            for start in "", "\N{BYTE ORDER MARK}":
                with self.subTest(name=name, start=start):
                    path = self.directory / name
                    path.write_bytes((start + text).encode())
                    self.call("import", path)
                    self.assertEqual(
                        [("garbo", "host", START, START + MINUTE)],
                        [row[:4] for row in self.rows()])
                    self.empty()

    def test_a_run_that_was_skipped_is_none_that_failed_at_the_same_time(self):
        path = self.write(
            "attempts.csv",
            "name,hostname,date_started,date_ended,outcome\n" + "".join(
                f"garbo,host,2007-02-01 10:00,2007-02-01 10:01,{outcome}\n"
                for outcome in ("skipped", "failure", "skipped")))
        self.assertIn("added 2 attempts", self.call("import", path).replace(
            "0 runs and ", ""))
        self.assertIn("already on record: 3", self.call("import", path))

    def test_pg_cron(self):
        path = self.write("cron.csv", PG_CRON)
        text = self.call(
            "import", "--host", "db1", "--bad-lines", self.directory / "bad",
            path, expected=1)
        self.assertIn(
            f"{path}:5: the run has not ended: its status is 'running'", text)
        (*run, _), = self.rows()
        started = datetime.datetime(
            2023, 2, 7, 8, 30, 0, 98164, tzinfo=datetime.UTC)
        self.assertEqual(["job-10", "db1", started], run[:3])
        (name, host, pid, *_, outcome, _, reason, _, _, _, _, _), = self.rows(
            ATTEMPTS)
        self.assertEqual(
            ("job-10", "db1", 2602, "failure", "server restarted"),
            (name, host, pid, outcome, reason))

    def test_healthchecks(self):
        path = self.write("pings.json", json.dumps(HEALTHCHECKS, indent=2))
        self.assertIn(
            f"{path}:1: a ping does not name its script; add --name",
            self.call("import", path, expected=1))
        for _ in range(2):
            self.call("import", "--name", "backup", "--host", "db1", path)
            (name, host, started, ended, _), = self.rows()
            self.assertEqual(
                ("backup", "db1", datetime.timedelta(seconds=2.896736)),
                (name, host, ended - started))
            self.assertEqual(
                ["failure"], [row[5] for row in self.rows(ATTEMPTS)])


class TestInterrupted(TransferTestCase):

    def start(self, *argv):
        return start_python(
            [DRIVER, *map(str, argv)], dict(os.environ),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def kill(self, process, signum):
        process.send_signal(signum)
        self.assertNotIn("Traceback", process.communicate()[1])
        self.assertNotEqual(0, process.returncode)

    def count(self):
        self.ztm.commit()
        return len(self.rows()) + len(self.rows(ATTEMPTS))

    def test_an_import_is_killed_at_random_moments_and_repeated(self):
        # Each second run has failed.
        path = self.write("cron.csv", (
            "jobid,status,start_time,end_time\n" + "".join(
                f"{number},{('succeeded', 'failed')[number % 2]},"
                "2007-02-01 10:00:00,2007-02-01 10:01\n"
                for number in range(9000))))
        randomly = random.Random(16)
        for signum in 2 * [signal.SIGKILL, signal.SIGINT, signal.SIGTERM]:
            process = self.start("import", "--host", "db1", path)
            enough = self.count() + randomly.randrange(600)
            while self.count() < enough:
                self.assertIsNone(process.poll())
            self.kill(process, signum)
        self.assertLess(0, self.count())
        self.call("import", "--host", "db1", path)
        self.assertEqual(
            (4500, 4500), (len(self.rows()), len(self.rows(ATTEMPTS))))

    def test_an_export_that_is_killed_leaves_no_file_of_that_name(self):
        self.records()
        self.ztm.commit()
        path = self.directory / "runs.csv"
        unfinished = self.directory / "runs.csv.unfinished"
        other = psycopg2.connect(**embedded_parameters(
            LaunchpadZopelessLayer.directory))
        other.cursor().execute("LOCK TABLE scriptactivity")
        for signum in signal.SIGKILL, signal.SIGINT, signal.SIGTERM:
            process = self.start("export", path)
            while not unfinished.exists():
                self.assertIsNone(process.poll())
            self.kill(process, signum)
            self.assertFalse(path.exists())
            unfinished.unlink(missing_ok=True)
        other.close()
        unfinished.write_text("of one that was killed" * 999)
        self.call("export", path)
        self.assertEqual(6, len(path.read_text().splitlines()))
        self.assertEqual([path], list(self.directory.iterdir()))
