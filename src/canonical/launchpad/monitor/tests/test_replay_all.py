"""A replay of records finds the same alerts as checks."""

import random
import unittest

from zope.component import getUtility

from canonical.database.sqlbase import main_store
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.firstseen import seen_rule
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import answers_of
from canonical.launchpad.monitor.incidents import followed
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.matching import reach
from canonical.launchpad.monitor.registry import assess_all
from canonical.launchpad.monitor.registry import assess_fleet
from canonical.launchpad.monitor.registry import registered_cases
from canonical.launchpad.monitor.replay import replay_all
from canonical.launchpad.monitor.schedule import INSTANT
from canonical.launchpad.monitor.states import HORIZON
from canonical.launchpad.monitor.tests.test_replay import HOUR
from canonical.launchpad.monitor.tests.test_replay import MINUTE
from canonical.launchpad.monitor.tests.test_replay import at
from canonical.launchpad.monitor.tests.test_replay import incidents_by_hand
from canonical.launchpad.monitor.tests.test_replay import moments_between
from canonical.launchpad.monitor.tests.test_replay import replayed_from
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import Apart
from canonical.testing import First
from canonical.testing import LaunchpadZopelessLayer


class ReplayLayer(Apart, LaunchpadZopelessLayer, First):
    """Replays that are compared with checks at each minute."""


class ReplayAllTestCase(unittest.TestCase):

    layer = ReplayLayer
    # `test_replay` compares single rules, without the database.
    level = 2
    maxDiff = None

    def ran(self, name, host, started, minutes=1):
        LaunchpadObjectFactory().makeScriptActivity(
            name, host, started, minutes * MINUTE)

    def attempted(self, name, host, started, minutes, outcome="success"):
        """An attempt; `None` for minutes if it has not ended."""
        ended = None if minutes is None else started + minutes * MINUTE
        main_store().execute(
            "INSERT INTO scriptattempt (run_key, name, hostname, pid,"
            " date_started, date_committed, date_ended, outcome)"
            " VALUES (gen_random_uuid(), ?, ?, 1, ?, ?, ?, ?)",
            (name, host, started, ended if outcome == "success" else None,
             ended, None if minutes is None else outcome))
        if outcome == "success" and minutes is not None:
            self.ran(name, host, started, minutes)

    def assert_same_fleet(self, expectations, since, until, moments=None):
        """All incidents are what `alert` finds if it runs at each minute."""
        moments = moments or moments_between(since, until)
        graces = {each.name: each.grace for each in expectations}
        cases = registered_cases(expectations, since - HORIZON, until, MINUTE)
        reaches = {
            (case.expectation.name, case.hostname): reach(case)
            for case in cases}
        current, found = {}, {}
        for now in moments:
            answers = answers_of(assess_fleet(expectations, now, MINUTE))
            for script, its in answers.items():
                past = found.setdefault(script, [])
                silences = [
                    each.closed + reaches[script]
                    for group in {(ALL, script[1]), (ALL, None)}
                    for each in [*found.get(group, ()), current.get(group)]
                    if each and each.closed and script in reaches]
                over, current[script] = followed(
                    current.get(script), script, its, now,
                    graces.get(script[0], 0 * MINUTE), [
                        each.opened for each in [*past, current.get(script)]
                        if each], max(silences, default=None))
                past += [over] if over else []
        for script, last in current.items():
            found[script] += [last] if last else []
        replayed = {}
        for _, incidents in replay_all(cases, since, until):
            for each in incidents:
                replayed.setdefault(
                    (each.name, each.hostname), []).append(each)
        for script, checked in found.items():
            self.assertEqual(
                [self.rounded(each) for each in checked],
                [self.rounded(each) for each in replayed.pop(script, [])],
                script)
        self.assertEqual({}, replayed)
        return found

    def rounded(self, incident):
        """As a check at the next full minute sees it."""
        return (
            incident.state,
            {(each.question, each.state) for each in incident.answers},
            *(each and at(0) - (at(0) - each) // MINUTE * MINUTE
              for each in (
                  incident.opened, incident.closed, incident.unstable)))


class TestReplayAll(ReplayAllTestCase):

    def replay(self, expectations, since, until):
        cases = registered_cases(expectations, since - HORIZON, until, MINUTE)
        found = dict(replay_all(cases, since, until))
        return [(cases[number], found[number]) for number in sorted(found)]

    def assert_same(self, case, incidents, since, moments, checks):
        """They are what alert finds if it runs at each of these minutes."""
        which = case.expectation.name, case.hostname
        begin = replayed_from(case, since)
        found = incidents_by_hand(case, since, (
            (now, assessment)
            for now, check in zip(moments, checks, strict=True)
            for assessment in check
            if now >= begin
            and (assessment.name, assessment.hostname) == which))
        self.assertEqual(len(incidents), len(found), which)
        for replayed, checked in zip(incidents, found, strict=True):
            self.assertEqual(
                (replayed.state, set(replayed.answers)),
                (checked.state, set(checked.answers)))
            for exact, seen in (
                (replayed.opened, checked.opened),
                (replayed.closed, checked.closed),
            ):
                self.assertEqual(exact is None, seen is None)
                self.assertTrue(exact is None or seen - exact < MINUTE)

    def test_it_is_what_check_says_at_every_minute(self):
        for host, skipped in ("a", (12, 13)), ("b", (11, 15)):
            for hour in range(20):
                if hour not in skipped:
                    late = 25 if hour in (9, 16) else 1
                    self.ran("garbo", host, at(hour, late), hour % 4)
        for minute in range(0, 600, 25):
            self.ran("mail", "a", at(5) + minute * MINUTE, minute % 7)
        self.ran("mail", "b", at(2), 9 * 60)
        getUtility(IScriptPauseSet).snooze("garbo", at(12, 50), at(13, 30))
        getUtility(IScriptPauseSet).snooze("mail", at(7, 30), at(8, 20))
        expectations = [
            expectation_from_text(
                "garbo", schedule="0 * * * *", hosts="a b", window="3h",
                average="..1m", runs=2),
            expectation_from_text(
                "mail", every="20m", window="2h", grace="3m", extra=0,
                average="1m..", runs=5),
            expectation_from_text("never", schedule="0 17 * * *")]
        getUtility(IScriptRuleSet).recordSeen(
            [seen_rule(Case(expectations[-1]))], at(7))
        since, until = at(8), at(18)
        # A replay that begins in a pause looks at the moment before it.
        moments = moments_between(since - HOUR, until, [at(7, 30)])
        checks = [assess_all(expectations, now, MINUTE) for now in moments]
        for case, incidents in self.replay(expectations, since, until):
            self.assertTrue(incidents)
            self.assert_same(case, incidents, since, moments, checks)

    def test_attempts_fail_and_take_long(self):
        random.seed(2007)
        for host in "a", "b":
            for hour in range(11):
                outcome = random.choice(
                    ["success"] * 4 + ["failure", "killed", "vanished"])
                for repetition in range(1 if outcome == "success" else 3):
                    self.attempted(
                        "garbo", host,
                        at(hour, random.randrange(9) + 20 * repetition),
                        random.choice([1, 1, 2, 5, 17, 40, 90]), outcome)
        self.attempted("garbo", "b", at(11, 8), None)
        for number in range(52):
            # While a run holds the lock, no other starts.
            if number not in (31, 32, 33):
                self.attempted(
                    "mail", "a", at(1) + 9 * number * MINUTE,
                    35 if number == 30 else random.choice([1, 2, 3]))
        expectations = [
            expectation_from_text(
                "garbo", schedule="0 * * * *", hosts="a b", window="3h",
                grace="2h", failures="2", average="..10m", runs=2),
            expectation_from_text(
                "mail", every="40m", average="learned", runs=2, failures="1")]
        since, until = at(5), at(12)
        moments = moments_between(since - HOUR, until)
        checks = [assess_all(expectations, now, MINUTE) for now in moments]
        for case, incidents in self.replay(expectations, since, until):
            self.assertIn("runtime", [
                answer.question for each in incidents
                for answer in each.answers])
            self.assert_same(case, incidents, since, moments, checks)
        self.assertTrue(any(
            "has not reported its end after" in each.runtime.sentence
            for check in checks for each in check))

    def test_what_began_before_the_last_success_counts_no_more(self):
        for hour in 1, 2, 3, 5, 6, 7, 8, 9:
            self.attempted("garbo", "a", at(hour, 1), 2)
        # One hangs, and one fails only after the next success.
        self.attempted("garbo", "a", at(4, 1), None)
        self.attempted("garbo", "a", at(6, 50), 40, "failure")
        expectation = expectation_from_text(
            "garbo", schedule="0 * * * *", window="3h", missed=99,
            failures="1", average="..10m", runs=2)
        since, until = at(3), at(10)
        moments = moments_between(since, until)
        checks = [assess_all([expectation], now, MINUTE) for now in moments]
        (case, incidents), = self.replay([expectation], since, until)
        self.assert_same(case, incidents, since, moments, checks)
        self.assertEqual(
            [(["recently", "runtime"], at(4, 5), at(5, 3)),
             (["runtime"], at(7) + INSTANT, at(7, 3))],
            [([answer.question for answer in each.answers],
              each.opened, each.closed) for each in incidents])

    def test_scripts_wait_for_others(self):
        for hour in range(20):
            if hour not in (9, 10, 16):
                self.ran("import", "a", at(hour, 1))
            if hour not in (8, 9, 13, 17):
                self.ran("report", "a", at(hour, 31))
            if hour not in (7, 10, 14, 18):
                self.ran("mail", "c", at(hour, 44))
            self.ran("import", "b", at(hour, 1))
            if hour not in (9, 15):
                self.ran("report", "b", at(hour, 31))
        getUtility(IScriptPauseSet).snooze("import", at(16, 30), at(17, 50))
        getUtility(IScriptPauseSet).snooze("mail", at(10, 30), at(11, 20))
        expectations = [
            expectation_from_text(
                "mail", every="1h", window="1h", after="report", grace="5m",
                hosts="c"),
            expectation_from_text(
                "report", schedule="30 * * * *", hosts="a b", window="1h",
                after="import"),
            expectation_from_text(
                "import", schedule="0 * * * *", hosts="a b", window="1h")]
        since, until = at(6), at(19)
        moments = moments_between(since - HOUR, until, [at(10, 29)])
        checks = [assess_all(expectations, now, MINUTE) for now in moments]
        found = {}
        for case, incidents in self.replay(expectations, since, until):
            self.assert_same(case, incidents, since, moments, checks)
            found[case.expectation.name, case.hostname] = [
                each.opened.replace(microsecond=0) for each in incidents]
        self.assertEqual({
            ("import", "a"): [at(9, 5), at(16, 5)], ("import", "b"): [],
            # It was late in the ninth hour too, but so was the import.  Its
            # grace counts from 17:50, when the import is not paused any more.
            ("report", "a"): [at(8, 35), at(13, 35), at(17, 55)],
            ("report", "b"): [at(9, 35), at(15, 35)],
            ("mail", "c"): [at(7, 49), at(11, 40), at(14, 50)]}, found)
        sentences = {
            (each.name, each.recently.sentence) for check in checks
            for each in check if each.state == "waiting"}
        self.assertLessEqual({
            ("report", "waiting for import"), ("mail", "waiting for import"),
            ("mail", "waiting for report")}, sentences)
        # A grace that ends later is not over.
        self.assertEqual([], [
            each for _, incidents in self.replay(
                expectations, since, at(17, 52))
            for each in incidents if each.opened > at(17, 52)])

    def test_what_a_script_missed_while_it_waited_is_excused(self):
        for hour in range(13):
            if hour not in (5, 6, 7):
                self.ran("import", "a", at(hour, 1))
                self.ran("report", "a", at(hour, 31))
        self.ran("report", "a", at(8, 3))
        expectations = [
            expectation_from_text(
                "report", schedule="30 * * * *", window="4h",
                after="import"),
            expectation_from_text(
                "import", schedule="0 * * * *", window="4h")]
        found = self.assert_same_fleet(expectations, at(3), at(12))
        self.assertEqual(
            [at(5, 5)], [each.opened for each in found["import", None]])
        self.assertEqual([], found["report", None])
        report = assess_fleet(expectations, at(9), MINUTE)[-1]
        self.assertEqual(
            ("ok", "2 of 4 scheduled runs in the last 4h (0 misses allowed);"
             f" waited for import until {at(8, 2):%F %T} UTC"),
            report.often[:2])

    def test_a_pause_begins_while_a_script_waits(self):
        self.ran("import", "a", at(1, 1))
        self.ran("report", "a", at(1, 31))
        for name in "import", "report":
            getUtility(IScriptPauseSet).snooze(name, at(3, 40), at(5, 20))
        expectations = [
            expectation_from_text(
                "report", schedule="30 * * * *", after="import"),
            expectation_from_text("import", schedule="0 * * * *")]
        self.assertEqual(
            {"import": [at(4)], "report": []},
            {case.expectation.name: [each.opened for each in incidents]
             for case, incidents in self.replay(expectations, at(4), at(5))})

    def test_a_host_and_everything_is_silent(self):
        random.seed(2007)
        expectations = [
            expectation_from_text(
                f"x{number}", schedule=f"{number * 7} * * * *", window="3h",
                grace="6m", hosts="a b" if number % 2 else "a")
            for number in range(5)]
        expectations += [
            expectation_from_text("mail", every="30m", window="2h", hosts="b"),
            expectation_from_text(
                "any", every="45m", window="2h", failures="2"),
            expectation_from_text(
                "report", schedule="30 * * * *", window="1h", after="x1")]
        for hour in range(20):
            # One host is dead at the end of the morning, then all of them.
            for number in range(5):
                for host in expectations[number].hosts:
                    if hour in (7, 8) and host == "a" or hour in (13, 14):
                        continue
                    if random.random() < 0.9:
                        self.ran(
                            f"x{number}", host,
                            at(hour, number * 7 + random.randrange(9)))
            if hour not in (13, 14):
                self.ran("mail", "b", at(hour, random.randrange(5)))
                self.ran("mail", "b", at(hour, 30))
                self.ran("any", "c", at(hour, 12))
                self.ran("any", "c", at(hour, 41))
                self.ran("report", "c", at(hour, 33))
        # What fails or runs is not silent.
        self.attempted("x2", "a", at(8, 40), 3, "failure")
        self.attempted("x1", "b", at(13, 50), 21)
        self.attempted("any", "c", at(14, 20), 6, "killed")
        found = self.assert_same_fleet(expectations, at(4), at(18))
        self.assertEqual(
            {(ALL, "a"), (ALL, None)},
            {script for script, its in found.items()
             if script[0] == ALL and its})

    def test_what_was_missed_in_a_silence_is_no_new_incident(self):
        # The last one has a run without a slot of its own in its grace.
        expectations = [
            expectation_from_text(
                f"x{number}", schedule="*/10 * * * *", window="2h",
                grace=grace, hosts=host)
            for number, (grace, host) in enumerate([
                ("2m", "a"), ("2m", "a"), ("2m", "a"), ("2m", "b"),
                ("25m", "a")])]
        for minute in range(60, 600, 10):
            for each in expectations:
                is_dead = "a" in each.hosts and 240 <= minute < 300
                is_missed = (each.name, minute) in [("x4", 330), ("x0", 400)]
                if not is_dead and not is_missed:
                    self.ran(each.name, each.hosts[0], at(0) + minute * MINUTE)
        found = self.assert_same_fleet(expectations, at(2), at(9, 30))
        self.assertEqual(
            {(ALL, "a"): [(at(4, 2), at(5, 1))],
             ("x0", "a"): [(at(6, 42), at(8, 42))],
             # Its own missed run is left when the others count no more.
             ("x4", "a"): [(at(7, 27), at(7, 55))]},
            {script: [(each.opened, each.closed) for each in its]
             for script, its in found.items() if its})

    def test_what_fails_or_runs_is_not_silent(self):
        for number in range(8):
            self.ran(f"x{number}", "a", at(2, number), 2)
        for name, started, minutes, outcome in (
            ("x0", at(4), 9, "skipped"), ("x1", at(4, 30), 40, "failure"),
            ("x2", at(5, 40), None, "failure"), ("x3", at(6), 2, "success"),
        ):
            self.attempted(name, "a", started, minutes, outcome)
        for number in 1, 2, 5, 6, 7:
            self.ran(f"x{number}", "a", at(7, number), 2)
        expectations = [
            expectation_from_text(
                f"x{number}", every="1h", grace=f"{number}m", missed=99)
            for number in range(8)]
        found = self.assert_same_fleet(expectations, at(2, 30), at(9))
        self.assertLess(1, len(found[ALL, None]))

    def test_what_waits_for_another_is_not_silent(self):
        names = "import", "report", "mail", "tidy"
        for hour in 1, 2, 3, 4:
            for number, name in enumerate(names):
                self.ran(name, "a", at(hour, 7 * number))
        # It is paused, then it runs for long, and then nothing runs.
        getUtility(IScriptPauseSet).snooze("import", at(4, 50), at(8))
        self.attempted("import", "a", at(8), 90)
        self.ran("report", "a", at(9, 40))
        expectations = [
            expectation_from_text(
                name, schedule=f"{7 * number} * * * *", window="1h",
                after=None if name == "import" else "import")
            for number, name in enumerate(names)]
        found = self.assert_same_fleet(expectations, at(3), at(13))
        self.assertEqual([], found[ALL, None])
        self.assertEqual(
            [at(8, 5)], [each.opened for each in found["import", None]])
        expectations = [
            expectation_from_text(
                name, schedule=f"{7 * number} * * * *", window="1h",
                after="report" if name == "import" else None)
            for number, name in enumerate(names)]
        found = self.assert_same_fleet(expectations, at(3), at(13))
        self.assertLess(0, len(found[ALL, None]))

    def test_some_scripts_of_a_fleet(self):
        random.seed(2007)
        expectations = [
            expectation_from_text(
                f"x{number}", every="30m", window="2h", grace=f"{number}m",
                missed=9, hosts="a" if number < 4 else "b")
            for number in range(8)]
        for minute in range(0, 20 * 60, 30):
            for each in expectations:
                host, = each.hosts
                if not (
                    host == "a" and 400 < minute < 500
                    or 700 < minute < 800 or random.random() < .2
                ):
                    self.ran(each.name, host, at(0) + minute * MINUTE)
        cases = registered_cases(expectations, at(0), at(20), MINUTE)

        def incidents(asked, others=()):
            return {
                (each.name, each.opened, each.closed, each.answers)
                for _, found in replay_all(asked, at(2), at(18), others)
                for each in found}

        whole = incidents(cases)
        names = {name for name, *_ in whole}
        self.assertIn(ALL, names)
        differ = 0
        for number, case in enumerate(cases):
            others = cases[:number] + cases[number + 1:]
            some = {each for each in incidents([case], others)
                    if each[0] != ALL}
            self.assertEqual({
                each for each in whole if each[0] == case.expectation.name},
                some)
            differ += some != incidents([case])
        self.assertLess(0, differ)

    def test_runs_count_however_long_ago_they_were(self):
        # The durations of the last two runs, and a run of two days.
        for day in 1, 2, 3:
            self.ran("garbo", "a", at(1, day=day), 10 * day)
        self.ran("garbo", "a", at(2, day=3), 48 * 60)
        expectation = expectation_from_text(
            "garbo", schedule="0 1 1 * *", window="1h", average="..26m",
            runs=2)
        (_, incidents), = self.replay(
            [expectation], at(1, day=5), at(3, day=5))
        self.assertEqual(
            [("runtime", at(2, day=5), None)],
            [(each.question, each.opened, each.closed) for each in incidents])
