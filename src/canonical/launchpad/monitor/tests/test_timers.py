"""Rules from timers of systemd."""

import textwrap
import unittest

from canonical.launchpad.monitor.timers import Timer
from canonical.launchpad.monitor.timers import rules_of_timers
from canonical.launchpad.monitor.timers import service_of


# Of Debian 12.
APT_DAILY = """\
[Unit]
Description=Daily apt download activities

[Timer]
OnCalendar=*-*-* 6,18:00
RandomizedDelaySec=12h
Persistent=true

[Install]
WantedBy=timers.target
"""

FSTRIM = """\
[Timer]
OnCalendar=weekly
AccuracySec=1h
Persistent=true
RandomizedDelaySec=6000
"""

TMPFILES = """\
#  SPDX-License-Identifier: LGPL-2.1-or-later

[Timer]
OnBootSec=15min
OnUnitActiveSec=1d
"""


def timer(text, service="", unit="a.timer"):
    """A timer; a text without a section is one of [Timer]."""
    if "[" not in text:
        text = f"[Timer]\n{text}\n"
    if service:
        service = f"[Service]\n{service}\n"
    return Timer(unit, unit, textwrap.dedent(text), service)


def rule(text, service="", unit="a.timer", timezone="UTC"):
    """The attributes of the one rule there is."""
    (found,), said = rules_of_timers([timer(text, service, unit)], timezone)
    assert not said, said
    return dict(found.attributes)


class TestSchedules(unittest.TestCase):

    def test_timers_of_debian(self):
        for text, attributes in (
            (APT_DAILY, {"oncalendar": "*-*-* 6,18:00",
                         "timezone": "Europe/Paris", "grace": "12h6m"}),
            (FSTRIM, {"oncalendar": "weekly", "timezone": "Europe/Paris",
                      "grace": "2h45m"}),
            (TMPFILES, {"every": "1d", "grace": "6m"}),
        ):
            self.assertEqual(
                {"name": "a", **attributes},
                rule(text, timezone="Europe/Paris"))

    def test_several_expressions(self):
        self.assertEqual(
            "Mon 12:00; Fri 18:00 UTC",
            rule("OnCalendar=Mon 12:00\nOnCalendar = Fri 18:00 UTC")[
                "oncalendar"])

    def test_what_is_dropped_in_later(self):
        self.assertEqual(
            "Fri 18:00", rule("""\
                # /etc/systemd/system/a.timer
                [Timer]
                OnCalendar=Mon 12:00
                ; a comment
                # /etc/systemd/system/a.timer.d/override.conf
                [Timer]
                OnCalendar=
                OnCalendar=Fri \\
                # within
                    18:00
                [Install]
                OnCalendar=Sun
                """)["oncalendar"].replace("  ", " "))

    def test_how_late_it_may_be(self):
        for text, grace in (
            ("AccuracySec=0", "5m"), ("AccuracySec=1us", "5m"),
            ("AccuracySec=1s", "5m1s"), ("RandomizedDelaySec=90", "7m30s"),
            ("RandomizedDelaySec=1h 30min", "1h36m"),
            ("RandomizedDelaySec=1d2h500ms", "1d2h6m"),
            ("RandomizedDelaySec=1M", "30d10h36m"),
            ("RandomizedDelaySec=5\nRandomizedDelaySec=1 m", "7m"),
            ("RandomizedDelaySec=5\nRandomizedDelaySec=", "6m"),
        ):
            self.assertEqual(
                grace, rule(f"OnCalendar=daily\n{text}")["grace"], text)

    def test_so_long_after_the_last_run(self):
        self.assertEqual(
            "10m", rule("OnUnitInactiveSec=10min\nOnBootSec=1")["every"])

    def test_timers_that_become_no_rule(self):
        for text, words, understood in (
            ("OnBootSec=15min", "it starts once after the boot", True),
            ("Persistent=true", "there is no OnCalendar in it", False),
            ("", "there is no OnCalendar in it", False),
            ("OnCalendar=", "there is no OnCalendar in it", False),
            ("OnCalendar=Mon 25:00", "'Mon 25:00': Bad hour", False),
            ("OnCalendar=2007-02-01", "starts in some years only", False),
            ("OnCalendar=daily\nAccuracySec=1 hou", "not a time span: '1 hou'",
             False),
            ("OnUnitActiveSec=infinity", "not a time span: 'infinity'", False),
            ("OnUnitActiveSec=" + "9" * 400, "not a time span", False),
            ("OnUnitActiveSec=2y", "every must be more than 0s and at most",
             False),
        ):
            (found,), (sentence,) = rules_of_timers([timer(text)], "UTC")
            self.assertEqual(({}, (sentence[0],)),
                             (found.attributes, found.comments))
            self.assertTrue(sentence[0].startswith("a.timer: "))
            self.assertIn(words, sentence[0])
            self.assertIs(understood, sentence[1])


class TestNames(unittest.TestCase):

    def name(self, service, unit="backup.timer"):
        (found,), _ = rules_of_timers(
            [timer("OnCalendar=daily", service, unit)], "UTC")
        return found.attributes["name"], len(found.comments) - 1

    def test_what_reports_itself_has_the_name_that_it_reports(self):
        for service, name in (
            ("ExecStart=/srv/app/cronscripts/garbo.py -q", "garbo"),
            ("ExecStart=-/usr/bin/python3 -m app.garbo", "garbo"),
            ("ExecStart=/bin/scriptactivity run 'pg dump' -- /bin/pg_dump",
             "pg dump"),
        ):
            self.assertEqual((name, 0), self.name(service))

    def test_all_else_has_the_name_of_the_unit(self):
        for service in (
            "", "ExecStart=/usr/lib/apt/apt.systemd.daily update",
            "ExecStart=/bin/sh -c 'a; b'", "ExecStart='",
            "ExecStart=/srv/a.py\nExecStart=/srv/b.py",
        ):
            self.assertEqual(("backup", 1), self.name(service))
        self.assertEqual(
            ("pg_dump@15-main", 1), self.name("", "pg_dump@15-main.timer"))

    def test_a_template_has_none(self):
        _, ((text, understood),) = rules_of_timers(
            [timer("OnCalendar=daily", "", "pg_dump@.timer")], "UTC")
        self.assertIn("it is a template; its instances have names", text)
        self.assertTrue(understood)

    def test_two_of_a_name(self):
        service = "ExecStart=/srv/a.py"
        rules, ((text, understood),) = rules_of_timers(
            [timer("OnCalendar=daily", service, unit)
             for unit in ("one.timer", "two.timer")], "UTC")
        self.assertEqual(
            "two.timer: a has a rule already, from one.timer", text)
        self.assertFalse(understood)
        self.assertEqual(["a"], [
            each.attributes["name"] for each in rules if each.attributes])

    def test_the_unit_that_it_starts(self):
        self.assertEqual("a.service", service_of("a.timer", APT_DAILY))
        self.assertEqual(
            "b.service", service_of("a.timer", "[Timer]\nUnit=b.service\n"))
