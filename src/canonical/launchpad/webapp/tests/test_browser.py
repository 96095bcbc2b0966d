"""The pages in a real browser, over the demonstration."""

import datetime
import unittest

import psycopg2

from canonical.database.embedded import embedded_parameters
from canonical.database.embedded import stop_embedded
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.testing.demonstration import END
from canonical.launchpad.testing.demonstration import fill
from canonical.launchpad.testing.demonstration import write_rules
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.application import make_application
from canonical.launchpad.webapp.tests.browsing import AXE
from canonical.launchpad.webapp.tests.browsing import CHROMIUM
from canonical.launchpad.webapp.tests.browsing import MISSING
from canonical.launchpad.webapp.tests.browsing import PagesLayer
from canonical.launchpad.webapp.tests.browsing import Server
from canonical.testing import PostgresLayer


# So many days of the demonstration have a bad deploy and a change of clocks.
DAYS = 7
PHONE = {"width": 380, "height": 740}
SCREEN = {"width": 1360, "height": 900}

# Of two rows of a table with the same classes, the second one has the same
# colours.  To compute the colours takes most of the time.
AXE_FAULTS = """
    async isAboutColours => {
        const colours = ["color-contrast", "link-in-text-block"];
        const seen = new Set();
        const rows = [...document.querySelectorAll("tbody tr")];
        const twins = rows.filter(row => {
            const kind = [row.closest("table"), row,
                ...row.querySelectorAll("*")].map(each =>
                `${each.localName} ${each.getAttribute("class")}`).join();
            return seen.has(kind) || !seen.add(kind);
        });
        const {violations} = await axe.run(
            {exclude: isAboutColours ? twins : []}, {
            resultTypes: ["violations"],
            ...isAboutColours ? {runOnly: colours} : {rules:
                Object.fromEntries(colours.map(
                    each => [each, {enabled: false}]))}});
        return violations.map(each =>
            `${each.id}: ${each.nodes.slice(0, 3).map(
                node => node.html.slice(0, 200)).join(" | ")}`);
    }
"""
UNFOLD = """
    () => document.querySelectorAll("details").forEach(
        each => { each.open = true; })
"""
OVERFLOW = """
    () => document.documentElement.scrollWidth - window.innerWidth
"""
CUT_OFF = """
    () => [...document.querySelectorAll(".scroll")].filter(
        each => each.checkVisibility() && each.scrollWidth > each.clientWidth
    ).length
"""
# How high the letters of a picture are on the screen.
LETTERS = """
    texts => texts.map(each =>
        parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a)
"""


@unittest.skipIf(MISSING, f"it needs {MISSING}")
class BrowserTestCase(unittest.TestCase):

    layer = PagesLayer
    level = 2
    refresh = 3600

    def setUp(self):
        from playwright.sync_api import sync_playwright
        self.directory = PostgresLayer.state_directory
        self.directory.mkdir()
        self.fill()
        self.server = Server(make_application(
            self.rules, Access(None), self.refresh, self.now))
        self.addCleanup(self.server.close)
        playwright = sync_playwright().start()
        self.addCleanup(playwright.stop)
        self.browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"])
        self.addCleanup(self.browser.close)
        self.page = self.new_page()

    def fill(self):
        self.rules = self.directory / "rules.zcml"
        write_rules(self.rules)
        connection = psycopg2.connect(
            **embedded_parameters(PostgresLayer.directory))
        fill(connection, DAYS)
        connection.close()

    def now(self):
        return END

    def new_page(self, **options):
        """A page; whatever its console says is a fault."""
        context = self.browser.new_context(
            viewport=options.pop("viewport", SCREEN), bypass_csp=False,
            **options)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.said = []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: self.assertTrue(
            request.url.startswith(self.server.url), request.url))
        return page

    def go(self, path, page=None):
        page = page or self.page
        page.goto(self.server.url + path)
        self.assertEqual([], page.said)
        self.assertEqual("CSS1Compat", page.evaluate("document.compatMode"))
        return page

    def names(self, page=None):
        return (page or self.page).locator(
            "tbody th.script a").all_inner_texts()

    def assert_accessible(self, path, **options):
        page = self.go(path, self.new_page(**options))
        page.evaluate(UNFOLD)
        # It is put into the page from outside, so no policy forbids it.
        page.evaluate(AXE.read_text())
        self.assertEqual([], page.evaluate(AXE_FAULTS, False), path)
        for scheme in "light", "dark":
            # Colours that still change would be wrong.
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.assertEqual(
                [], page.evaluate(AXE_FAULTS, True), f"{path} {scheme}")
        page.context.close()


class TestPages(BrowserTestCase):

    def test_a_walk_through_the_pages(self):
        page = self.go("/")
        self.assertIn("critical", page.title())
        self.assertIn("/static/critical.svg", page.locator(
            "link[rel=icon]").get_attribute("href"))
        for state in "critical", "warning", "unknown", "paused", "ok":
            self.assertTrue(page.locator(f"a.count.{state}").is_visible())
        self.assertEqual(43, page.locator("td.past").count())
        for trouble in (
            "never started", "not started since then", "has not reported",
            "expected at most", "expected at least", "missed", "no rule",
        ):
            self.assertIn(trouble, page.locator(
                "table.fleet tbody").inner_text())

        with self.subTest("strips"):
            self.go("/?range=week")
            for state in "failed", "missed", "late", "met", "slow":
                self.assertGreater(page.locator(
                    f"svg.strip path.{state}").count(), 0, state)
            self.assertIn(
                "Europe/London", page.locator("ul.legend").inner_text())
            page.locator("svg.links a").first.click()
            self.assertIn("at=2025-10-", page.url)
            self.assertIn("/scripts/", page.url)

        with self.subTest("a click on a strip leads to that time"):
            self.go("/?range=day&search=send-mails")
            box = page.locator("a.whole").bounding_box()
            page.mouse.click(
                box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.wait_for_url("**/scripts/send-mails?**at=2025-10-27T21**")

        with self.subTest("search, filter and sort"):
            self.go("/")
            page.fill("#search", "branch")
            page.keyboard.press("Enter")
            page.wait_for_url("**search=branch**")
            self.assertEqual(["branch-scanner"] * 3, self.names())
            page.select_option("#host", "gooseberry")
            page.click("text=Show")
            page.wait_for_url("**host=gooseberry**")
            self.assertEqual(["branch-scanner"], self.names())
            # All scripts of the host that has died.
            self.go("/?host=gooseberry")
            self.assertEqual(6, len(self.names()))
            page.click("text=Clear")
            page.click("thead th.script a")
            names = self.names()
            self.assertEqual(sorted(names), names)
            self.assertEqual("ascending", page.locator(
                "thead th.script").get_attribute("aria-sort"))
            page.click("a.count.paused")
            self.assertEqual(["update-stacking"], self.names())

        with self.subTest("a script"):
            self.go("/scripts/update-search-index")
            for length in "1 week", "1 month", "3 months", "1 year", "1 day":
                page.click(f".ranges >> text={length}")
                self.assertTrue(page.locator("svg.plot").is_visible())
            self.assertIn("ImportError", page.content())
            page.click("text=Earlier runs")
            self.assertIn("before=", page.url)
            page.fill("input[name=average]", "..20m")
            page.click("button:text('Try')")
            self.assertIn("It would have alerted", page.content())

        with self.subTest("each mark of the plot"):
            for name, mark in (
                ("update-remote-bugs", "cross"), ("poppy-upload", "missed"),
                ("parse-ppa-logs", "vanished"), ("merge-proposals", "running"),
            ):
                self.go(f"/scripts/{name}")
                self.assertGreater(
                    page.locator(f"svg.plot .{mark}").count(), 0, mark)

        with self.subTest("the wall and incidents"):
            self.go("/wall")
            self.assertTrue(page.locator("li.critical").first.is_visible())
            self.go("/incidents")

        with self.subTest("without a fault of accessibility"):
            for path in (
                "/", "/?range=week", "/scripts/update-search-index",
                "/scripts/update-search-index?average=..1m",
                "/scripts/rotate-keys", "/wall", "/incidents",
            ):
                self.assert_accessible(path)
                self.assert_accessible(path, viewport=PHONE)

        with self.subTest("by the keyboard"):
            self.go("/?search=send-mails")
            for _ in range(40):
                page.keyboard.press("Tab")
                if page.evaluate(
                    "document.activeElement.textContent") == "send-mails":
                    break
            page.keyboard.press("Enter")
            page.wait_for_url("**/scripts/send-mails**")

        with self.subTest("on a phone"):
            phone = self.new_page(viewport=PHONE)
            for path in (
                "/", "/scripts/update-search-index", "/wall", "/incidents"
            ):
                self.go(path, phone)
                self.assertLessEqual(phone.evaluate(OVERFLOW), 0, path)
                # Nothing is cut off but the plot and what is folded.
                self.assertEqual(0, phone.evaluate(CUT_OFF), path)
            self.go("/", phone)
            for title in phone.locator("thead a").all():
                self.assertTrue(title.is_visible(), title.inner_text())
            for length in "day", "year":
                self.go(f"/scripts/update-search-index?range={length}", phone)
                sizes = phone.locator("svg.plot text").evaluate_all(LETTERS)
                self.assertTrue(
                    phone.locator("svg.plot .near").first.is_visible())
                self.assertGreater(min(sizes), 10)
            # The last runs are in sight.
            box = phone.locator("svg.plot").bounding_box()
            self.assertLess(box["x"] + box["width"], PHONE["width"])
            phone.context.close()

        with self.subTest("at widths between a phone and a screen"):
            for width in 600, 761, 900, 1001, 1100, 1201:
                page.set_viewport_size({"width": width, "height": 900})
                for path in "/", "/incidents", "/wall":
                    self.go(path)
                    self.assertLessEqual(
                        page.evaluate(OVERFLOW), 0, (path, width))
            page.set_viewport_size(SCREEN)

        with self.subTest("dark"):
            dark = self.new_page(color_scheme="dark")
            self.go("/", dark)
            self.assertEqual("rgb(21, 24, 28)", dark.evaluate(
                "getComputedStyle(document.body).backgroundColor"))
            dark.emulate_media(media="print")
            self.assertEqual("rgb(29, 33, 38)", dark.evaluate(
                "getComputedStyle(document.body).color"))
            dark.context.close()

        with self.subTest("without JavaScript"):
            plain = self.new_page(java_script_enabled=False)
            self.go("/", plain)
            plain.fill("#search", "garbo")
            plain.click("text=Show")
            self.assertEqual(3, len(self.names(plain)))
            plain.click("th.last a")
            self.assertIn("sort=last", plain.url)
            plain.click("tbody th.script a:text('garbo-daily')")
            self.assertTrue(plain.locator("svg.plot").is_visible())
            plain.context.close()


class TestRefresh(BrowserTestCase):

    refresh = 1

    def now(self):
        moment = END + self.passed
        self.passed += datetime.timedelta(seconds=7)
        return moment

    passed = datetime.timedelta()

    def test_it_refreshes_itself_without_losing_its_place(self):
        page = self.go("/?search=e")
        page.locator("tbody th.script a").nth(20).focus()
        name = page.evaluate("document.activeElement.textContent")
        place = page.evaluate("window.scrollY")
        self.assertGreater(place, 0)
        before = page.locator("#as-of").inner_text()
        page.wait_for_function(
            "before => document.getElementById('as-of').textContent != before",
            arg=before)
        self.assertEqual(
            name, page.evaluate("document.activeElement.textContent"))
        self.assertEqual(place, page.evaluate("window.scrollY"))

    def test_the_database_is_stopped_and_started(self):
        page = self.go("/")
        # Of this thread, which would commit on a lost connection.
        ZopelessTransactionManager._installed.disconnect()
        stop_embedded(PostgresLayer.directory)
        page.wait_for_selector("text=The database cannot be reached")
        self.assertNotIn("Traceback", page.content())
        embedded_parameters(PostgresLayer.directory)
        page.wait_for_selector("table.fleet")


class TestNewcomer(BrowserTestCase):

    def fill(self):
        self.rules = None

    def test_an_empty_database_greets_a_newcomer(self):
        page = self.go("/")
        self.assertTrue(page.locator(
            "text=Nothing is on record yet").is_visible())
        self.go("/wall")
        for path in "/", "/wall", "/incidents":
            self.assert_accessible(path)
