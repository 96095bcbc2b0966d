"""When strips are made anew."""

from canonical.launchpad.webapp.parameters import RANGES
from canonical.launchpad.webapp.periods import period_until
from canonical.launchpad.webapp.strips import BUCKETS
from canonical.launchpad.webapp.tests.support import AT
from canonical.launchpad.webapp.tests.support import HOUR
from canonical.launchpad.webapp.tests.support import MINUTE
from canonical.launchpad.webapp.tests.support import Statements
from canonical.launchpad.webapp.tests.support import WebTestCase


# A bar of a month stands for 7.5 hours.
LONG = 5 * MINUTE
SHORT = 4 * MINUTE


class TestKeptStrips(WebTestCase):

    def setUp(self):
        super().setUp()
        self.see_at("garbo", None, "0 * * * *", 90 * 24 * HOUR)
        for number in range(1, 100):
            self.run_at("garbo", number * HOUR + 29 * MINUTE)

    def look(self, grace="20h", later=0 * MINUTE):
        """Look at a script that is due at 10:00."""
        self.now = AT + later
        self.write_rules(f'name="garbo" schedule="0 * * * *" grace="{grace}"')
        # Each request gets a new snapshot.
        self.pages = self.application(refresh=0)
        self.assertTrue(self.makes_strips(later))

    def makes_strips(self, later):
        """Does a page that is looked at later read runs for its strips?"""
        self.now = AT + later
        with Statements() as statements:
            self.text = self.get("/?range=month", self.pages).text
        return any("usual.edges" in text for text in statements.texts)

    def test_those_of_the_last_minutes_are_kept(self):
        self.look()
        self.assertFalse(self.makes_strips(MINUTE))

    def test_those_that_are_older_are_made_anew(self):
        self.look()
        self.fail_at("garbo", MINUTE)
        self.commit()
        self.assertFalse(self.makes_strips(SHORT))
        self.assertNotIn("1 failed", self.text)
        self.assertTrue(self.makes_strips(LONG))
        self.assertIn("1 failed", self.text)

    def test_another_state_is_shown_at_once(self):
        self.look(grace="32m")
        self.assertNotIn("1 missed", self.text)
        self.assertTrue(self.makes_strips(SHORT))
        self.assertIn("1 missed", self.text)

    def test_another_rule_is_shown_at_once(self):
        self.look()
        self.write_rules('name="garbo" schedule="0 * * * *" grace="21h"')
        self.assertTrue(self.makes_strips(MINUTE))

    def test_a_later_period_is_shown_at_once(self):
        edge = period_until(AT, RANGES["month"], BUCKETS).until - AT
        self.look(later=edge - MINUTE)
        self.assertTrue(self.makes_strips(edge))
