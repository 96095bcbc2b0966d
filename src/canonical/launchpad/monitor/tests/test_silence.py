"""Many scripts that are silent at once are one incident, and none is hidden.
"""

import datetime
import unittest

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from canonical.launchpad.interfaces import Run
from canonical.launchpad.monitor.answers import assess
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import BROKEN
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import inquiry
from canonical.launchpad.monitor.silence import first_due
from canonical.launchpad.monitor.silence import with_blind
from canonical.launchpad.monitor.tests.test_replay import at
from canonical.launchpad.monitor.tests.test_replay import figures_by_hand


MINUTE = datetime.timedelta(minutes=1)
NOW = at(12)


def pair(name, last, host=None, every=60, now=NOW, tags="", **figures):
    """A case and its assessment.

    :param last: how many minutes ago its last run started, which took one.
    """
    case = Case(expectation_from_text(
        name, every=f"{every}m", missed=999, grace="5m", tags=tags), host)
    started = now - last * MINUTE
    found = figures_by_hand(
        inquiry(case, now), [Run(host or "a", started, started + MINUTE)], now)
    return case, assess(case, found._replace(**figures), now)


def states(pairs):
    return {
        (each.name, each.hostname): each.state for each in with_blind(pairs)}


class TestBlind(unittest.TestCase):

    def test_a_host_that_is_silent_while_another_is_not(self):
        pairs = [pair(f"x{number}", 70 + number, "loganberry")
                 for number in range(4)]
        found = with_blind([*pairs, pair("y", 5, "gooseberry")])
        self.assertEqual(
            [(ALL, "loganberry", "critical"),
             *((f"x{number}", "loganberry", "unknown")
               for number in range(4)), ("y", "gooseberry", "ok")],
            [(each.name, each.hostname, each.state) for each in found])
        self.assertEqual(
            "loganberry: 4 of 4 scripts are silent since"
            " 2007-02-01 10:51:00 UTC", found[0].recently.sentence)
        self.assertEqual(
            found[0].recently.sentence, found[1].recently.sentence)

    def test_nothing_at_all_is_recorded(self):
        found = with_blind([
            pair("x", 70, "a"), pair("y", 70, "b"), pair("z", 80),
            pair("daily", 90, every=1440)])
        self.assertEqual((ALL, None), (found[0].name, found[0].hostname))
        self.assertEqual(
            "nothing has been recorded since 2007-02-01 10:51:00 UTC: 3 of 4"
            " scripts are silent", found[0].recently.sentence)
        self.assertEqual("ok", found[-1].state)

    def test_what_is_not_blind(self):
        three = [pair(f"x{number}", 70) for number in range(3)]
        self.assertIn((ALL, None), states(three))
        for pairs in (
            three[:2],
            # One has recorded since the others were due.
            [*three, pair("y", 5)],
            # It was due, and has failed.
            [*three, pair("y", 70, failures=1, last_outcome="failure")],
            # It was due, and another run held its lock.
            [*three, pair("y", 70, last_outcome="skipped")],
            # An attempt of another has been recorded since.
            [*three, pair(
                "y", 80, every=600, running_since=NOW - 2 * MINUTE)],
            # One script on three hosts.
            [pair("x", 70, host) for host in "abc"],
            [],
        ):
            self.assertNotIn((ALL, None), states(pairs))

    def test_what_waits_for_another_is_counted_apart(self):
        pairs = [pair(f"x{number}", 70, "a") for number in range(5)]
        waits = {("x3", "a"), ("x4", "a")}
        found, *_ = with_blind([*pairs, pair("y", 5, "b")], waits)
        self.assertEqual(
            "a: 3 of 5 scripts are silent since 2007-02-01 10:51:00 UTC, and"
            " 2 wait for another", found.recently.sentence)
        found, *_ = with_blind(pairs[:4], waits)
        self.assertEqual(
            "a: 3 of 4 scripts are silent since 2007-02-01 10:51:00 UTC, and"
            " 1 waits for another", found.recently.sentence)

    def test_what_waits_for_another_is_not_silent(self):
        pairs = [pair(f"x{number}", 70) for number in range(4)]
        for waits, blind in (
            ({("x0", None)}, True), ({("x0", None), ("x1", None)}, False),
        ):
            found = with_blind(pairs, waits)
            self.assertEqual(blind, (ALL, None) in {
                (each.name, each.hostname) for each in found})
            self.assertEqual("critical", {
                each.name: each.state for each in found}["x0"])
        # If it has failed, the others are not silent either.
        pairs.append(pair("y", 70, failures=1, last_outcome="failure"))
        self.assertEqual(
            {"critical"},
            {each.state for each in with_blind(pairs, {("y", None)})})

    def test_hosts_that_are_silent_together(self):
        found = states([
            pair("x", 70, "a"), pair("y", 70, "a"), pair("z", 70, "b")])
        self.assertEqual("critical", found[ALL, None])
        self.assertNotIn((ALL, "a"), found)

    def test_an_answer_that_is_good_stays_good(self):
        _, first, *_ = with_blind([pair(name, 70) for name in "xyz"])
        self.assertEqual(
            ("unknown", "ok"), (first.recently.state, first.often.state))

    def test_a_run_that_was_early_is_due_again_at_the_slot_after_its_own(self):
        case = Case(expectation_from_text(
            "x", schedule="0 * * * *", early="7m"))
        started = NOW - 7 * MINUTE
        self.assertEqual(
            NOW + 60 * MINUTE, first_due(case, started, started + MINUTE))

    def test_the_end_of_silence_is_known_where_every_rule_names_a_host(self):
        _, assessment = pair("x", 5, "a")
        found = answers_of([assessment])
        for host in None, "a":
            self.assertEqual("ok", found[ALL, host]["recently"].state)

    def test_silence_is_of_the_tags_that_the_silent_scripts_have(self):
        pairs = [
            *(pair(f"x{number}", 70, "a", tags="eu") for number in range(3)),
            pair("y", 80, "a", every=600, tags="us"),
            pair("z", 5, "b", tags="us")]
        silent, fine = with_blind(pairs), with_blind(pairs[3:])
        us = {("y", "a"), ("z", "b"), (ALL, "b"), (ALL, None)}
        eu = {*((f"x{number}", "a") for number in range(3)), (ALL, None)}
        self.assertEqual(us, set(answers_of(silent, ["us"])))
        self.assertEqual(eu | {(ALL, "a")}, set(answers_of(silent, ["eu"])))
        self.assertEqual(us | eu | {(ALL, "a")}, set(
            answers_of(silent, ["eu", "us"])))
        self.assertEqual(us | {(ALL, "a")}, set(answers_of(fine, ["us"])))

    def test_what_was_late_before_stays_late(self):
        found = states([
            *(pair(f"x{number}", 70) for number in range(3)),
            pair("y", 300, failures=3, last_outcome="failure"),
            pair("z", 300)])
        self.assertEqual(
            ("critical", "critical", "critical", "unknown"),
            (found[ALL, None], found["y", None], found["z", None],
             found["x0", None]))


class TestNothingIsHidden(unittest.TestCase):

    def test_what_is_late_is_critical_or_one_for_all_is(self):
        scripts = strategies.lists(strategies.tuples(
            strategies.integers(0, 300), strategies.sampled_from(
                [None, "a", "b"]), strategies.sampled_from([10, 60, 200]),
            strategies.integers(0, 1)), max_size=8)
        settings(max_examples=80, deadline=None)(
            given(scripts=scripts)(self.check))()

    def check(self, scripts):
        pairs = [
            pair(f"x{number}", last + 1, host, every, failures=failures)
            for number, (last, host, every, failures) in enumerate(scripts)]
        found = states(pairs)
        completed = [each.figures.last_completed for _, each in pairs]
        for case, before in pairs:
            after = found[before.name, before.hostname]
            if after == before.state:
                continue
            self.assertIn(before.state, BROKEN)
            self.assertEqual("unknown", after)
            self.assertEqual("critical", found.get(
                (ALL, case.hostname), found.get((ALL, None))))
            # Nothing on its host was recorded since it was due.
            due = before.figures.last_completed + case.expectation.every
            self.assertTrue(all(
                moment < due for moment, (other, _) in zip(
                    completed, pairs, strict=True)
                if other.hostname == case.hostname))
