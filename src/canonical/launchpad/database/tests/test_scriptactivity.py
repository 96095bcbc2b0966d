"""Successful runs, kept in PostgreSQL."""

import datetime
import json
import socket
import unittest
import uuid
from zoneinfo import ZoneInfo

import pytz
from zope.component import getUtility
from zope.interface.verify import verifyObject

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.database.sqlbase import main_store
from canonical.launchpad.database.scriptactivity import ScriptActivity
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import LaunchpadZopelessLayer
from canonical.testing import by_owner


START = datetime.datetime(2007, 2, 1, 10, 0, tzinfo=datetime.UTC)
END = START + datetime.timedelta(minutes=1)


class ActivityTestCase(unittest.TestCase):

    layer = LaunchpadZopelessLayer

    def setUp(self):
        self.set = getUtility(IScriptActivitySet)
        self.factory = LaunchpadObjectFactory()
        self.ztm = ZopelessTransactionManager._installed

    def read_back(self):
        """The only row, read over another connection."""
        self.ztm.commit()
        self.ztm.begin()
        return main_store().find(ScriptActivity).one()


class TestInterfaces(ActivityTestCase):

    def test_the_record_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(
            IScriptActivity, self.factory.makeScriptActivity()))
        self.assertTrue(verifyObject(
            IScriptActivity, self.set.recordSuccess(
                "garbo", START, END, run_key=uuid.uuid4())))

    def test_the_utility_is_what_its_interface_says(self):
        self.assertTrue(verifyObject(IScriptActivitySet, self.set))

    def test_fields_have_titles_and_descriptions(self):
        for name in IScriptActivity.names():
            self.assertTrue(IScriptActivity[name].title, name)
            self.assertTrue(IScriptActivity[name].description, name)

    def test_what_is_stored_is_within_the_bounds_of_the_interface(self):
        self.factory.makeScriptActivity()
        activity = self.read_back()
        for name in IScriptActivity.names():
            IScriptActivity[name].validate(getattr(activity, name))

    def test_names_have_255_characters_at_most(self):
        self.assertEqual(255, IScriptActivity["name"].max_length)
        self.assertEqual(255, IScriptActivity["hostname"].max_length)


class TestWhatIsStored(ActivityTestCase):

    def test_a_name_is_stored_as_it_is(self):
        for name in (
            "with spaces ", "quote's \"double\"", "größer 日本語 🐛", "100%",
            "%s %(name)s ?", "'; DROP TABLE scriptactivity; --", "back\\slash",
            "$1", "x" * 255, "🐛" * 255,
        ):
            with self.subTest(name):
                self.set.recordSuccess(name, START, END, hostname=name)
                activity = self.read_back()
                self.assertEqual(name, activity.name)
                self.assertEqual(name, activity.hostname)
                self.assertIs(
                    activity, self.set.getLastActivity(name, name))
                main_store().remove(activity)

    def test_any_zone_is_stored_as_the_same_instant_and_read_in_utc(self):
        fixed = datetime.timezone(datetime.timedelta(hours=-9, minutes=-30))
        for aware in (
            pytz.timezone("Europe/London").localize(
                datetime.datetime(2007, 7, 1, 11, 0)),
            datetime.datetime(
                2007, 7, 1, 6, 0, tzinfo=ZoneInfo("America/New_York")),
            datetime.datetime(2007, 7, 1, 0, 30, tzinfo=fixed),
            pytz.utc.localize(datetime.datetime(2007, 7, 1, 10, 0)),
        ):
            with self.subTest(aware):
                activity = self.set.recordSuccess("garbo", aware, aware)
                for each in activity, self.read_back():
                    self.assertEqual(
                        "2007-07-01 10:00:00+00:00", str(each.date_started))
                    self.assertEqual(
                        "2007-07-01 10:00:00+00:00", str(each.date_completed))
                main_store().remove(activity)

    def test_the_repeated_hour_is_two_different_hours(self):
        zone = ZoneInfo("Europe/London")
        first = datetime.datetime(2007, 10, 28, 1, 30, tzinfo=zone)
        self.set.recordSuccess("garbo", first, first.replace(fold=1))
        activity = self.read_back()
        self.assertEqual(
            datetime.timedelta(hours=1),
            activity.date_completed - activity.date_started)

    def test_microseconds_are_kept(self):
        start = START.replace(microsecond=123456)
        self.set.recordSuccess("garbo", start, start)
        self.assertEqual(start, self.read_back().date_started)

    def test_a_run_may_end_at_the_instant_of_its_start(self):
        self.set.recordSuccess("garbo", START, START)
        self.assertEqual(START, self.read_back().date_completed)

    def test_the_host_is_this_one_unless_it_is_named(self):
        self.set.recordSuccess("garbo", START, END)
        self.assertEqual(socket.gethostname(), self.read_back().hostname)


class TestRefusals(ActivityTestCase):

    def refuse(self, error, message, **changes):
        values = dict(
            name="garbo", date_started=START, date_completed=END,
            hostname="host")
        values.update(changes)
        with self.assertRaises(error) as caught:
            self.set.recordSuccess(**values)
        self.assertEqual(message, str(caught.exception))
        self.assertEqual(0, main_store().find(ScriptActivity).count())

    def test_a_naive_datetime(self):
        naive = datetime.datetime(2007, 2, 1, 10, 0)
        for field in "date_started", "date_completed":
            self.refuse(
                ValueError,
                f"{field} must be an aware datetime, and 2007-02-01 10:00:00"
                " has no time zone",
                **{field: naive})

    def test_something_else_than_a_datetime(self):
        self.refuse(
            TypeError, "date_started must be a datetime, not '2007-02-01'",
            date_started="2007-02-01")
        self.refuse(
            TypeError,
            "date_completed must be a datetime, not datetime.date(2007, 2, 1)",
            date_completed=datetime.date(2007, 2, 1))
        self.refuse(
            TypeError, "date_completed must be a datetime, not None",
            date_completed=None)

    def test_a_year_that_another_zone_may_not_have(self):
        for year in 1, 9999:
            date = datetime.datetime(year, 6, 1, tzinfo=datetime.UTC)
            self.refuse(
                ValueError,
                f"date_started is not within years 2 and 9998: {date}",
                date_started=date)

    def test_an_end_before_its_start(self):
        self.refuse(
            ValueError,
            "date_completed must not be before date_started:"
            " 2007-02-01 10:00:00+00:00 is before 2007-02-01 10:01:00+00:00",
            date_started=END, date_completed=START)

    def test_an_end_before_its_start_by_the_instant_and_not_the_clock(self):
        tokyo = ZoneInfo("Asia/Tokyo")
        self.refuse(
            ValueError,
            "date_completed must not be before date_started:"
            " 2007-02-01 12:00:00+09:00 is before 2007-02-01 10:00:00+00:00",
            date_completed=datetime.datetime(2007, 2, 1, 12, 0, tzinfo=tokyo))

    def test_an_empty_name(self):
        self.refuse(ValueError, "name must not be empty: ''", name="")
        self.refuse(ValueError, "hostname must not be empty: ''", hostname="")

    def test_a_name_that_is_too_long(self):
        self.refuse(
            ValueError,
            "name must have at most 255 characters, not 256:"
            " 'xxxxxxxxxxxx...xxxxxxxxxxxxx'",
            name="x" * 256)
        self.refuse(
            ValueError,
            "hostname must have at most 255 characters, not 256:"
            " 'xxxxxxxxxxxx...xxxxxxxxxxxxx'",
            hostname="x" * 256)

    def test_line_breaks_and_control_characters(self):
        for char in "\n", "\r", "\t", "\0", "\x1b", "\x85", "\u2028":
            for field in "name", "hostname":
                with self.subTest(field=field, char=char):
                    self.refuse(
                        ValueError,
                        f"{field} must not have line breaks or control"
                        f" characters: {'a' + char!r}",
                        **{field: "a" + char})

    def test_what_is_not_utf_8(self):
        for field in "name", "hostname":
            self.refuse(
                ValueError, f"{field} must be in UTF-8: 'a\\ud800'",
                **{field: "a\ud800"})

    def test_bytes(self):
        self.refuse(
            TypeError, "name must be a str, not b'garbo'", name=b"garbo")
        self.refuse(
            TypeError, "hostname must be a str, not b'host'", hostname=b"host")

    def test_bytes_in_a_question(self):
        with self.assertRaisesRegex(TypeError, "name must be a str"):
            self.set.getLastActivity(b"garbo")
        with self.assertRaisesRegex(TypeError, "hostname must be a str"):
            self.set.getLastActivity("garbo", b"host")


class TestLastActivity(ActivityTestCase):

    def test_it_is_the_last_to_start_whenever_it_was_recorded_or_ended(self):
        hour = datetime.timedelta(hours=1)
        for start, duration in (1, 1), (3, 1), (2, 5):
            self.factory.makeScriptActivity(
                "garbo", "host", START + start * hour, duration * hour)
        self.assertEqual(
            START + 3 * hour, self.set.getLastActivity("garbo").date_started)

    def test_names_and_hosts_are_matched_as_they_are(self):
        self.factory.makeScriptActivity("garbo", "host")
        for name, hostname in (
            ("Garbo", None), ("garb%", None), ("garbo ", None),
            ("garbo", "Host"), ("garbo", ""), ("", None), ("gar\0bo", None),
            ("gar\ud800bo", None), ("garbo", "\0"),
        ):
            self.assertIsNone(self.set.getLastActivity(name, hostname))

    def plan(self, **arguments):
        """The query plan of PostgreSQL."""
        statements = []

        class Tracer:
            def connection_raw_execute(self, connection, cursor, text, params):
                statements.append((text, params))

        from storm import tracer
        tracer.install_tracer(collector := Tracer())
        try:
            self.set.getLastActivity(**arguments)
        finally:
            tracer.remove_all_tracers()
        del collector
        # The statement before it looks for unrecorded successes.
        _, (text, params) = statements
        text = text.replace("?", "%s")
        cursor = main_store()._connection.build_raw_cursor()
        cursor.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + text,
            tuple(main_store()._connection.to_database(params)))
        plan, = cursor.fetchone()
        if isinstance(plan, str):
            plan = json.loads(plan)
        return plan[0]["Plan"]

    def test_it_reads_one_row_from_an_index(self):
        main_store().execute("""
            INSERT INTO scriptactivity
                (name, hostname, date_started, date_completed)
            SELECT 'script-' || i % 10, 'host-' || i % 3,
                now() - i * interval '1 min', now()
            FROM generate_series(1, 20000) i""")
        by_owner("ANALYZE scriptactivity")
        for arguments, index in (
            ({"name": "script-3"},
             "scriptactivity__name__date_started__all_idx"),
            ({"name": "script-3", "hostname": "host-1"},
             "scriptactivity__name__hostname__date_started__idx"),
        ):
            plan = self.plan(**arguments)
            self.assertEqual("Limit", plan["Node Type"])
            scan, = plan["Plans"]
            self.assertEqual("Index Scan", scan["Node Type"])
            self.assertEqual(index, scan["Index Name"])
            self.assertEqual(1, scan["Actual Rows"])
