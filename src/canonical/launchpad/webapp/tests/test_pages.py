"""The pages, as a WSGI server sees them."""

import datetime
import re
import threading
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from html import unescape
from html.parser import HTMLParser
from types import SimpleNamespace
from urllib.parse import quote

from pyramid.request import Request
from pyramid.response import Response
from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import Alert
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.interfaces import IScriptAlertSet
from canonical.launchpad.webapp.keeper import Keeper
from canonical.launchpad.webapp.parameters import DAY
from canonical.launchpad.webapp.responses import of_snapshot
from canonical.launchpad.webapp.rows import COLUMNS
from canonical.launchpad.webapp.snapshot import Snapshot
from canonical.launchpad.webapp.tests.support import AT
from canonical.launchpad.webapp.tests.support import HOUR
from canonical.launchpad.webapp.tests.support import MINUTE
from canonical.launchpad.webapp.tests.support import Statements
from canonical.launchpad.webapp.tests.support import WebTestCase
from canonical.testing import by_owner


def scripts_of(response):
    """The names of the scripts on the fleet page, in order."""
    return [unescape(name) for name in re.findall(
        r'<th scope="row" class="script"><a [^>]*>([^<]*)', response.text)]


class TestFleet(WebTestCase):

    def setUp(self):
        super().setUp()
        self.write_rules(
            'name="fine" schedule="0 * * * *" window="1h"',
            'name="late" schedule="0 * * * *" window="1h" hosts="a b"',
            'name="slow" schedule="0 * * * *" window="1h" average="..10s"'
            ' severity="warning" tags="night"')
        for name in "fine", "slow":
            self.run_at(name, 30 * MINUTE)
        self.run_at("late", 30 * MINUTE, hostname="a")
        self.see_at("late", "b", "0 * * * *")
        self.run_at("other", 2 * HOUR)

    def test_the_worst_come_first_and_each_state_is_counted(self):
        response = self.get("/")
        self.assertEqual(
            ["late", "slow", "other", "fine", "late"], scripts_of(response))
        self.assertEqual(
            [("1", "critical"), ("1", "warning"), ("1", "unknown"),
             ("2", "ok")],
            re.findall(r"<b>(\d+)</b> (\w{2,8})</a>", response.text))
        self.assertIn("<title>✕ 1 critical", response.text)

    def test_filters(self):
        application = self.application()
        for query, names in (
            ("search=LATE", ["late", "late"]), ("search=late+b", ["late"]),
            ("host=a", ["late"]), ("state=ok", ["fine", "late"]),
            ("search=nope", []), ("tag=night", ["slow"]), ("tag=day", []),
            ("state=unknown", ["other"]), ("search=night", ["slow"]),
        ):
            self.assertEqual(
                names, scripts_of(self.get(f"/?{query}", application)), query)

    def test_to_clear_the_filters_keeps_the_order_and_the_range(self):
        page = self.get("/?search=e&tag=night&sort=-last&range=week").text
        self.assertIn(
            'class="clear" href="/?sort=-last&amp;range=week"', page)

    def test_every_column_sorts_both_ways(self):
        self.run_at("slow", 20 * MINUTE, 3 * MINUTE)
        application = self.application()
        for column, there, back in (
            ("state", "late slow other fine late",
             "fine late other slow late"),
            ("script", "fine late late other slow",
             "slow other late late fine"),
            ("host", "fine other slow late late",
             "late late fine other slow"),
            ("last", "other fine late slow late",
             "late slow fine late other"),
            ("due", "fine late late slow other",
             "other fine late late slow"),
            ("runs", "late fine late slow other",
             "other fine late slow late"),
            ("duration", "slow fine late other late",
             "late fine late other slow"),
        ):
            self.assertEqual([there.split(), back.split()], [
                scripts_of(self.get(f"/?sort={sign}{column}", application))
                for sign in ("", "-")], column)

    def test_strips_have_a_title_a_description_and_a_table(self):
        self.run_at("fine", 150 * MINUTE)
        page = self.get("/").text
        self.assertIn(
            "<title>Of 96 bars: 1 missed, 2 met.</title>"
            "<desc>missed, 1 Feb 09:00 to 1 Feb 09:15</desc>", page)
        (numbers,) = re.findall(
            r"<td>fine</td><td>–</td>(.*?)</tr>", page, re.DOTALL)
        self.assertEqual(list("010020"), re.findall(r">(\d+)<", numbers))

    def test_the_tab_of_the_browser_shows_the_worst_state(self):
        page = self.get("/").text
        self.assertIn("/static/critical.svg", page)
        self.assertIn("<title>✕ 1 critical, 1 warning – testrunner", page)
        self.write_rules('name="fine" schedule="0 * * * *" window="1h"')
        page = self.get("/").text
        self.assertIn("/static/ok.svg", page)
        self.assertIn("<title>✓ no critical, no warning", page)

    def test_what_was_due_before_the_first_run_is_not_missed(self):
        page = self.get("/?search=fine&range=month").text
        self.assertIn("Of 96 bars: 1 met.", page)

    def test_bars_link_to_their_time(self):
        self.run_at("fine", 150 * MINUTE)
        page = self.get("/?search=fine").text
        (path,) = re.findall(r'<a href="([^"]*&amp;at=[^"]*)"', page)
        self.assertEqual(
            "/scripts/fine?range=day&at=2007-02-01T09:00Z", unescape(path))
        page = self.get(unescape(path)).text
        self.assertIn('<rect class="at"', page)

    def test_lines_at_midnight_and_where_clocks_change_cross_all_strips(self):
        self.now = datetime.datetime(
            2007, 3, 25, 12, 7, tzinfo=datetime.UTC)
        self.write_rules(
            'name="fine" schedule="0 * * * *" timezone="Europe/London"',
            'name="slow" schedule="0 * * * *"')
        page = self.get("/").text
        # A bar is a quarter of an hour, and the last ends at 12:15.
        self.assertIn('<path class="midnight" d="M47 0v10"', page)
        self.assertIn('<path class="clocks" d="M51 0v10"', page)
        self.assertIn(
            "the clocks change in Europe/London, 25 Mar 01:00", page)
        self.assertEqual(4, page.count('<use href="#lines" />'))

    def test_pages_of_fifty(self):
        for number in range(60):
            self.run_at(f"script-{number:02}", 3 * HOUR)
        application = self.application()
        first = self.get("/?sort=script&search=script", application)
        second = self.get("/?sort=script&search=script&page=2", application)
        self.assertEqual(50, len(scripts_of(first)))
        self.assertEqual("script-50", scripts_of(second)[0])
        self.assertIn("1–50 of 60", first.text)
        self.assertIn("page=2", first.text)
        self.get("/?page=3&search=script", application, 400)

    def test_each_script_is_on_one_page_by_whatever_the_pages_are_sorted(self):
        self.write_rules()
        by_owner("TRUNCATE scriptactivity")
        self.get("/?sort=due", self.application())
        names = [f"script-{number:02}" for number in range(51)]
        for before, number in ((0, 1), (1, 49), (49, 50), (50, 51)):
            for name in names[before:number]:
                # In all columns but one they are equal.
                self.run_at(name, 3 * HOUR)
            application = self.application()
            for column in COLUMNS:
                for sign in "", "-":
                    found = []
                    for page in range(1, 2 + number // 51):
                        found += scripts_of(self.get(
                            f"/?sort={sign}{column}&page={page}", application))
                    self.assertEqual(names[:number], sorted(found))
            self.get(f"/?page={page + 1}", application, 400)

    def test_a_search_takes_each_letter_for_itself(self):
        for name in "100%", "a_b", "a\\b", "it's", 'so "it" is', "a.b":
            self.run_at(name, HOUR)
        application = self.application()
        for text, names in (
            ("%", ["100%"]), ("_", ["a_b"]), ("\\", ["a\\b"]),
            ("'", ["it's"]), ('"', ['so "it" is']), (".", ["a.b"]),
            ("a*b", []), ("%%", []), ("[a]", []),
        ):
            self.assertEqual(names, scripts_of(
                self.get(f"/?search={quote(text)}", application)), text)

    def test_a_script_without_a_rule_is_shown_with_what_suggest_proposes(self):
        for number in range(40):
            self.run_at("other", (number + 1) * HOUR - 30 * MINUTE)
        application = self.application()
        page = self.get("/scripts/other", application).text
        self.assertIn("suggest proposes:".capitalize(), page)
        self.assertIn('&lt;lp:script name="other"', page)
        # What may be cut off is in the title too.
        page = self.get("/?search=other", application).text
        self.assertEqual(
            2, page.count("no rule; suggest proposes: schedule="))

    def test_wrong_parameters_are_named(self):
        application = self.application()
        for query, words in (
            ("sort=size", "sort must be one of"),
            ("page=0", "page must be a number"), ("page=x", "page must be"),
            ("range=decade", "range must be one of day, week, month"),
            ("state=bad", "state must be one of"),
            ("sate=ok", "do you mean &#39;state&#39;?</p>"),
            ("x=ok", "there are search, host, tag, state, sort, page, range."),
            ("state=ok&state=ok", "given twice"),
            ("search=%00", "search must be printable"),
            ("search=" + 300 * "x", "255 letters"),
        ):
            page = self.get(f"/?{query}", application, 400).text
            self.assertIn(words, page.replace("&#x27;", "&#39;").replace(
                "'", "&#39;"), query)

    def test_empty_parameters_as_a_form_sends_them(self):
        application = self.application()
        for path in (
            "/?search=&host=&tag=&state=&sort=&page=&range=",
            "/scripts/fine?host=&range=&at=&before=&grace=&average=",
            "/incidents?limit=",
        ):
            self.get(path, application)

    def test_an_empty_database_greets_a_newcomer(self):
        self.write_rules()
        by_owner("TRUNCATE scriptactivity")
        page = self.get("/").text
        self.assertIn("Nothing is on record yet", page)
        self.assertIn("scriptactivity run", page)

    def test_the_wall_shows_only_what_is_not_well(self):
        page = self.get("/wall").text
        self.assertIn("late", page)
        # No column says when.
        self.assertRegex(
            page, "last succeeded at 2.* UTC:|has never succeeded")
        self.assertNotIn("fine", page)
        self.run_at("other", 30 * MINUTE)
        self.write_rules(
            'name="fine" schedule="0 * * * *" window="1h"',
            'name="other" schedule="0 * * * *" window="1h"')
        self.assertIn("all 2 scripts are well", self.get("/wall").text)

    def test_who_asks_while_a_page_is_made_gets_that_page(self):
        snapshot = Snapshot(1, AT, (), None)
        both, made = threading.Barrier(2), []

        def view(request, snapshot):
            made.append(request)
            # Both would meet here.
            with suppress(threading.BrokenBarrierError):
                both.wait(0.5)
            return Response("the page")

        def ask(_):
            request = Request.blank("/")
            request.viewer = SimpleNamespace(sees_output=True)
            request.keeper = SimpleNamespace(
                boot="boot", current=lambda: snapshot)
            return of_snapshot(view)(None, request).text

        with ThreadPoolExecutor(2) as pool:
            self.assertEqual(
                ["the page"] * 2, list(pool.map(ask, range(2))))
        self.assertEqual(1, len(made))

    def test_the_number_of_statements_does_not_depend_on_the_scripts(self):
        self.write_rules(*(
            f'name="{name}" schedule="0 * * * *"'
            for name in ["other", "fine", "slow", "late"]))
        # The first page also asks whether there are several servers.
        self.get("/", self.application())
        application = self.application()
        with Statements() as few:
            self.get("/", application)
        with Statements() as strips:
            self.get("/?range=month", application)
        names = [f"script-{number}" for number in range(60)]
        for name in names:
            self.run_at(name, 3 * HOUR)
        self.write_rules(*(
            f'name="{name}" schedule="*/20 * * * *"'
            for name in [*names, "other", "fine", "slow", "late"]))
        application = self.application()
        with Statements() as many:
            self.get("/?sort=-script", application)
        self.assertEqual(few.texts, many.texts)
        self.assertLessEqual(len(many.texts), 18)
        with Statements() as more_strips:
            self.get("/?range=month&page=2", application)
        self.assertEqual(strips.texts, more_strips.texts)
        self.assertEqual(6, len(strips.texts))

    def test_metrics_take_no_statement_beside_those_of_the_assessment(self):
        application = self.application()
        self.get("/", application)
        with Statements() as statements:
            self.get("/metrics", application)
            self.get("/wall", application)
            self.get("/api/scripts", application)
        self.assertEqual([], statements.texts)


class TestScript(WebTestCase):

    def setUp(self):
        super().setUp()
        self.write_rules(
            'name="garbo" schedule="0 * * * *" window="1h" average="..30s"')
        for hour in range(30):
            self.run_at("garbo", hour * HOUR + 30 * MINUTE)
        self.fail_at("garbo", 10 * MINUTE, "disk full", "no space left")

    def test_answers_plot_failures_and_history(self):
        page = self.get("/scripts/garbo").text
        self.assertIn("average runtime 1m over 20 runs", page)
        self.assertIn("disk full", page)
        plot = page.partition('class="plot')[2].partition("</svg>")[0]
        self.assertEqual(24, len(re.findall('class="dot out"', plot)))
        self.assertEqual(1, len(re.findall('class="cross"', plot)))
        self.assertIn("Try another rule", page)

    def test_failures_of_long_ago_are_drawn_behind_many_new_ones(self):
        for first, number in (AT - 20 * DAY, 3), (AT - 6 * HOUR, 320):
            main_store().execute("""
                INSERT INTO scriptattempt (name, hostname, pid, date_started,
                    date_ended, outcome)
                SELECT 'garbo', 'host', 1, start, start, 'failure'
                FROM generate_series(?::timestamptz,
                    ?::timestamptz + ? * interval '1 minute',
                    interval '1 minute') AS start
                """, (first, first, number - 1))
        page = self.get("/scripts/garbo?range=month").text
        self.assertIn(", 324 failures, 0 missed.</desc>", page)
        self.assertRegex(page, r'class="cross"[^>]*><title>3 failed, 12 Jan')

    def test_each_range(self):
        application = self.application()
        for length in "day", "week", "month", "quarter", "year":
            page = self.get(f"/scripts/garbo?range={length}", application).text
            self.assertIn('class="plot marks"', page)

    def test_history_is_paged_by_key(self):
        application = self.application()
        first = self.get("/scripts/garbo", application).text
        (path,) = re.findall(r'rel="next" href="([^"]*)"', first)
        second = self.get(unescape(path), application).text
        times = [re.findall(
            r'<td><time datetime="([^"]*)"', page) for page in (first, second)]
        self.assertEqual([25, 6], [len(each) for each in times])
        self.assertGreater(times[0][-1], times[1][0])

    def test_the_table_of_the_plot_leads_to_each_time(self):
        page = self.get("/scripts/garbo?range=week").text
        table = page.partition("The same as a table")[2]
        path, *_ = re.findall(
            r'<td><a href="([^"]*)">\d+ Jan [^<]*</a>', table)
        self.assertIn('<rect class="at"', self.get(unescape(path)).text)

    def test_at_leads_to_the_runs_of_that_time(self):
        page = self.get("/scripts/garbo?at=2007-01-31T12:00Z").text
        (first, *_) = re.findall(r'<td><time datetime="([^"]*)"', page)
        self.assertEqual("2007-01-31T12:00:00+00:00", first)

    def days(self, page):
        """What the table of the calendar says of each day."""
        return {
            day: [words, *map(int, re.findall(r">(\d+)<", numbers))]
            for day, words, numbers in re.findall(
                r">(\d{4}-\d\d-\d\d)</a></td><td>([^<]*)</td>(.*?)</tr>",
                page)}

    def test_the_calendar_has_a_description_and_a_table(self):
        page = self.get("/scripts/garbo").text
        self.assertIn(
            '<desc id="calendar-desc">88 without anything due, 1 unusual'
            " duration, 1 failed.</desc>", page)
        days = self.days(page)
        self.assertEqual(90, len(days))
        self.assertEqual(["failed", 11, 0, 0, 1], days["2007-02-01"])
        self.assertEqual(["unusual duration", 19, 0, 0, 0], days["2007-01-31"])
        self.assertEqual(["nothing was due", 0, 0, 0, 0], days["2007-01-30"])

    def test_a_slot_that_does_not_count_hides_none_that_was_missed(self):
        self.write_rules('name="fine" schedule="0 * * * *" grace="45m"')
        self.run_at("fine", 150 * MINUTE)
        # That of 9:00 was missed.  The grace of 10:00 has not passed.
        self.run_at("fine", 25 * MINUTE)
        days = self.days(self.get("/scripts/fine").text)
        self.assertEqual(["missed", 2, 1, 0, 0], days["2007-02-01"])
        # Nothing was due at 8:00 either.
        self.run_at("fine", 4 * HOUR)
        main_store().execute(
            "INSERT INTO scriptpause (name, cause, date_started, date_ended)"
            " VALUES ('fine', 'snoozed', ?, ?)",
            (AT - 3 * HOUR, AT - 2 * HOUR))
        days = self.days(self.get("/scripts/fine").text)
        self.assertEqual(["missed", 3, 2, 0, 0], days["2007-02-01"])

    def test_days_that_have_been_pruned_are_drawn_from_what_is_left(self):
        for day, host, runs, failures, due, met in (
            ("2006-12-20", "host", 24, 1, None, None),
            ("2006-12-20", "", 0, 0, 24, 24),
            ("2006-12-21", "host", 20, 0, None, None),
            ("2006-12-21", "", 0, 0, 24, 20),
            ("2006-12-22", "host", 24, 0, None, None),
            ("2006-12-22", "", 0, 0, 24, 24),
        ):
            minute = MINUTE if runs else None
            main_store().execute("""
                INSERT INTO scriptday (name, hostname, day, runs, failures,
                    total, minimum, maximum, median, due, met)
                VALUES ('garbo', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """, (
                    host, day, runs, failures, minute and runs * minute,
                    minute, minute and 5 * minute, minute and 2 * minute,
                    due, met))
        application = self.application()
        days = self.days(self.get("/scripts/garbo", application).text)
        self.assertEqual(["nothing was due", 0, 0, 0, 0], days["2006-12-19"])
        self.assertEqual(["failed", 24, 0, 0, 1], days["2006-12-20"])
        self.assertEqual(["missed", 20, 4, 0, 0], days["2006-12-21"])
        self.assertEqual(["met", 24, 0, 0, 0], days["2006-12-22"])
        # The runs of the next day would be on record.
        self.assertEqual(["missed", 0, 24, 0, 0], days["2006-12-23"])
        page = self.get("/scripts/garbo?range=year", application).text
        self.assertIn("68 of these runs have been pruned", page)
        self.assertIn("1m, 2m and 5m", page)

    def test_another_rule_is_tried(self):
        page = self.get("/scripts/garbo?average=..2m&grace=10m").text
        self.assertRegex(
            page, r"would have alerted <b>\d+</b> times?; the rule as it is")

    def test_wrong_parameters_and_unknown_scripts(self):
        application = self.application()
        for query in (
            "at=yesterday", "before=1", "range=1", "grace=soon",
            "average=9m..2m", "nope=1", "at=2007-01-01", "host=%00",
        ):
            self.get(f"/scripts/garbo?{query}", application, 400)
        page = self.get("/scripts/gabro", application, 404).text
        self.assertIn("do you mean &#39;garbo&#39;?</p>", page.replace(
            "'", "&#39;"))

    def test_the_number_of_statements_does_not_depend_on_the_runs(self):
        application = self.application()
        self.get("/", application)
        with Statements() as few:
            self.get("/scripts/garbo", application)
        for minute in range(100):
            self.run_at("garbo", minute * MINUTE)
        application = self.application()
        self.get("/", application)
        with Statements() as many:
            self.get("/scripts/garbo?range=year", application)
        self.assertEqual(len(few.texts), len(many.texts))
        self.assertEqual(20, len(few.texts))


class TestIncidents(WebTestCase):

    def setUp(self):
        super().setUp()
        getUtility(IScriptAlertSet).open([Alert(
            None, "mail", "garbo", "host", "critical", (BadAnswer(
                "recently", "critical", "was due & <did> not run"),),
            AT - HOUR)])

    def test_open_ones_and_what_happened(self):
        page = self.get("/incidents").text
        self.assertIn("was due &amp; &lt;did&gt; not run", page)
        self.assertIn("1 open incident", page)
        self.assertIn("nobody yet", page)

    def test_open_ones_are_listed_however_many_came_later(self):
        alerts = getUtility(IScriptAlertSet)
        for number in range(101):
            alerts.open([Alert(
                None, "mail", "flaps", "host", "critical", (BadAnswer(
                    "recently", "critical", "did not run"),),
                AT - MINUTE + datetime.timedelta(seconds=number / 2))])
            main_store().execute(
                "UPDATE scriptalert SET date_closed = ?, date_settled = ?"
                " WHERE name = 'flaps' AND date_closed IS NULL", (AT, AT))
        page = self.get("/incidents").text
        self.assertIn("1 open incident", page)
        self.assertIn("was due &amp; &lt;did&gt; not run", page)

    def test_the_feed_is_atom(self):
        response = self.get("/feed")
        feed = xml.etree.ElementTree.fromstring(response.body)
        entry = feed.find("{*}entry")
        self.assertEqual(
            "critical: garbo on host", entry.find("{*}title").text)
        self.assertEqual("application/atom+xml", response.content_type)


class Reader(HTMLParser):
    """Finds elements and attributes that only a name can have brought."""

    def __init__(self):
        super().__init__()
        self.bad = set()

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        if (tag == "script" and "src" not in names) or any(
            name.startswith("on") or name == "style" for name in names
        ):
            self.bad.add(tag)


class TestNames(WebTestCase):

    NAMES = (
        "<script>alert(1)</script>", "'; DROP TABLE scriptactivity; --",
        "a\u202eb", 'x" onload="y', "né/../%2e%2e?&#", 255 * "n", "${1/0}",
        "C:\\temp")

    def assert_harmless(self, text):
        self.assertNotIn("\u202e", text)
        reader = Reader()
        reader.feed(text)
        self.assertEqual(set(), reader.bad)

    def test_names_are_shown_harmlessly(self):
        for name in self.NAMES:
            self.run_at(name, HOUR)
            self.fail_at(name, HOUR, reason=f"{name}: {name}")
        getUtility(IScriptAlertSet).open([
            Alert(None, "mail", name, None, "critical", (
                BadAnswer("recently", "critical", name),), AT)
            for name in self.NAMES])
        self.write_rules('name="C:\\temp" every="5m" hosts="&lt;b&gt;"')
        application = self.application()
        for path in "/", "/incidents", "/wall", "/feed":
            text = self.get(path, application).text
            self.assert_harmless(text)
        for name in self.NAMES:
            quoted = quote(name, safe="")
            text = self.get(f"/scripts/{quoted}", application).text
            self.assert_harmless(text)
            badge = self.get(f"/badge/{quoted}.svg", application)
            xml.etree.ElementTree.fromstring(badge.body)
            self.get(f"/api/scripts/{quoted}", application)
            self.get(f"/api/scripts/{quoted}/runs", application)
        self.get("/metrics", application)


class TestSnapshots(WebTestCase):

    def setUp(self):
        super().setUp()
        self.write_rules('name="garbo" every="1h" window="1h"')
        self.run_at("garbo", 10 * MINUTE)

    def test_a_hundred_viewers_cost_what_one_costs(self):
        application = self.application()
        with Statements() as one:
            self.get("/", application)
        application = self.application()
        with Statements() as all_of_them:
            viewers = [
                threading.Thread(target=self.get, args=("/", application))
                for _ in range(100)]
            self.get("/", application)
            for viewer in viewers:
                viewer.start()
            for viewer in viewers:
                viewer.join()
        self.assertEqual(len(one.texts), len(all_of_them.texts))

    def test_who_comes_during_the_first_assessment_does_not_cause_another(
        self
    ):
        self.commit()
        begun, free = threading.Event(), threading.Event()

        def now():
            begun.set()
            free.wait(60)
            return AT

        keeper = Keeper(self.rules, MINUTE, 3600, now)
        self.addCleanup(keeper.close)
        keeper.prepare()
        self.assertTrue(begun.wait(60))
        keeper.prepare()
        free.set()
        self.assertEqual(1, keeper.current().number)
        with keeper._changed:
            self.assertEqual(
                (1, False), (keeper._started, keeper._wanted))

    def test_what_has_not_changed_is_not_sent_again(self):
        application = self.application()
        for path in "/", "/scripts/garbo", "/api/scripts", "/metrics":
            tag = self.get(path, application).headers["ETag"]
            response = self.get(
                path, application, 304, {"If-None-Match": tag})
            self.assertEqual(b"", response.body)

    def test_rules_are_read_again_when_their_file_changes(self):
        application = self.application(refresh=0)
        self.assertIn("1</b> ok", self.get("/", application).text)
        self.write_rules('name="garbo" every="1m" grace="0s"')
        self.assertIn("1</b> critical", self.get("/", application).text)
        self.rules.write_text("<configure>")
        page = self.get("/", application).text
        self.assertIn("1</b> critical", page)
        self.assertIn("The rules could not be read again", page)

    def test_the_clock_goes_on(self):
        application = self.application(refresh=0)
        self.assertIn("1</b> ok", self.get("/", application).text)
        self.now = AT + datetime.timedelta(hours=5)
        self.assertIn("1</b> critical", self.get("/", application).text)
