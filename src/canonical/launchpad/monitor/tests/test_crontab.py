"""Crontabs, the names in them, and the rules that follow."""

import datetime
import unittest

from canonical.launchpad.monitor.cronrules import rules_of
from canonical.launchpad.monitor.crontab import is_system_crontab
from canonical.launchpad.monitor.crontab import parse_crontab
from canonical.launchpad.monitor.schedule import slots_between
from canonical.launchpad.monitor.scriptname import parse_names
from canonical.launchpad.monitor.scriptname import script_of


AT = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)


def rules(text, system=False, names=(), timezone="UTC"):
    """The attributes of the rules, and the line and reason of each note."""
    found, notes = rules_of(
        parse_crontab(text, "x", timezone, system), AT, names)
    return (
        [dict(rule.attributes) for rule in found if rule.attributes],
        [(note.line, note.reason) for note in notes])


def rule(text, **options):
    """The attributes of the only rule.  There is no note."""
    (found,), notes = rules(text, **options)
    assert not notes, notes
    return found


class TestLines(unittest.TestCase):

    def test_a_schedule_a_zone_and_a_name(self):
        self.assertEqual(
            {"name": "garbo", "schedule": "*/10 8-18 1,15 jan-mar MON",
             "timezone": "Europe/Paris"},
            rule("*/10 8-18 1,15 jan-mar MON /srv/garbo.py",
                 timezone="Europe/Paris"))

    def test_spaces_tabs_line_ends_and_a_byte_order_mark(self):
        for text in (
            "\ufeff0 2 * * * /srv/a.py",
            "\t0\t2  *\t* *\t\t/srv/a.py \t \r\n",
            "# 0 3 * * * /srv/b.py\r\n\r\n  # more\r\n0 2 * * * /srv/a.py",
            "-0 2 * * * /srv/a.py",
        ):
            self.assertEqual("0 2 * * *", rule(text)["schedule"], text)

    def test_a_crontab_with_nothing_in_it(self):
        for text in "", "\n", "# nothing\n", "\ufeff", "MAILTO=me\n":
            self.assertEqual(([], []), rules(text))

    def test_nicknames(self):
        self.assertEqual("@daily", rule("@daily /srv/a.py")["schedule"])
        self.assertEqual(
            "@hourly", rule("@hourly root /a", system=True)["schedule"])

    def test_settings_of_the_environment(self):
        for setting in (
            "MAILTO=", "MAILTO = 'a b'", "PATH=/bin:/usr/bin # not a comment",
            '"SHELL"="/bin/bash"', "\tHOME\t=\t/srv", "CRON_TZ=UTC", "TZ=UTC",
        ):
            self.assertEqual("a", rule(f"{setting}\n@daily a")["name"])

    def test_cron_tz_is_for_the_entries_after_it(self):
        found, notes = rules(
            "0 0 * * * a\nCRON_TZ=Asia/Tokyo\n0 0 * * * b\n"
            "CRON_TZ = ':Europe/Paris' \n0 0 * * * c\n")
        self.assertEqual(
            ["UTC", "Asia/Tokyo", "Europe/Paris"],
            [each["timezone"] for each in found])
        self.assertEqual([], notes)

    def test_what_comes_after_a_wrong_zone_is_not_expected(self):
        found, notes = rules(
            "CRON_TZ=Mars/Olympus\n0 0 * * * a\nCRON_TZ=UTC\n0 0 * * * b\n")
        self.assertEqual(["b"], [each["name"] for each in found])
        self.assertEqual(
            [(1, "unknown time zone: 'Mars/Olympus'"),
             (2, "its time zone, of line 1, is unknown")], notes)

    def test_tz_is_for_the_commands_and_that_is_said(self):
        text = "TZ=Asia/Tokyo\n0 0 * * * a\n"
        (found,), ((line, reason),) = rules(text)
        self.assertEqual(("UTC", 1), (found["timezone"], line))
        self.assertIn("TZ changes the time zone of commands only", reason)
        note, = rules_of(parse_crontab(text, "x", "UTC", False), AT)[1]
        self.assertTrue(note.understood)

    def test_a_random_delay_is_allowed_for(self):
        self.assertEqual("50m", rule("RANDOM_DELAY=45\n@daily a")["grace"])
        self.assertEqual(
            [(1, "not a number of minutes: 'x'")],
            rules("RANDOM_DELAY=x\n@daily a")[1])

    def test_a_rest_that_it_begins_with_is_allowed_for(self):
        for command, grace in (
            ("sleep 30; /srv/a", "5m30s"), ("sleep 2m && /srv/a", "7m"),
            ("(/bin/sleep 0.5h; /srv/a) 2>&1 | logger", "35m"),
            ("/srv/a; sleep 30", None), ("sleeper; sleep 30", None),
        ):
            found = rule(f"0 2 * * * {command}")
            self.assertEqual(grace, found.get("grace"), command)

    def test_a_rest_that_only_the_shell_knows_is_said(self):
        (found,), notes = rules_of(parse_crontab(
            r"0 2 * * * sleep $((RANDOM \% 3600)); /srv/a", "x", "UTC",
            False), AT)
        self.assertEqual("a", found.attributes["name"])
        self.assertNotIn("grace", found.attributes)
        self.assertEqual([], notes)
        self.assertRegex(found.comments[1], "sleeps first, .*: allow for it")

    def test_a_per_cent_sign_ends_the_command(self):
        for line, name in (
            ("@daily cat%x && b", "none"),
            ("@daily a%x && b", "a"),
            (r"@daily a --day \%F", "a"),
            (r"@daily a \\%x && b", "a"),
            (r"@daily '/srv/100\%.py'%x", "100%"),
        ):
            self.assertEqual(
                name, rule(line, names=[("cat", "none")])["name"], line)

    def test_a_reboot_is_understood_and_is_no_rule(self):
        note, = rules_of(parse_crontab("@reboot a", "x", "UTC", False), AT)[1]
        self.assertTrue(note.understood)
        self.assertIn("@reboot has no schedule", note.reason)

    def test_each_line_that_is_not_understood_is_listed(self):
        for line, words in (
            ("what is this", "expected a schedule and a command, or"),
            ("run it at noon every day", "'it' is not as in crontab"),
            ("* * * * *", "no command"),
            ("@daily", "no command"),
            ("* * * * * %x", "no command"),
            ("60 * * * * a", "Bad minute"),
            ("* * * * tues a", "'tues' is not as in crontab"),
            ("*/0 * * * * a", "Bad minute"),
            ("5/15 * * * * a", "a step follows a range"),
            ("0 0 L * * a", "'L' is not as in crontab"),
            ("0 0 * * 5#2 a", "'5#2' is not as in crontab"),
            ("0~30 4 * * * a", "cron chooses the time at random"),
            ("~ 4 * * * a", "cron chooses the time at random"),
            ("0 0 31 2 * a", "Bad day-of-month"),
            ("@every 5m a", "expected five fields"),
            ("@daily " + "a" * 1000, "longer than 1000 characters"),
            ("0\N{NO-BREAK SPACE}0 * * * a b", "not as in crontab"),
        ):
            found, notes = rules(f"# first\n{line}\n@daily z\n")
            self.assertEqual(["z"], [each["name"] for each in found], line)
            (number, reason), = notes
            self.assertEqual(2, number)
            self.assertIn(words, reason)

    def test_a_day_of_either_kind(self):
        found = rule("0 0 1 * 5 a")
        slots = slots_between(
            found["schedule"], found["timezone"],
            datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC),
            datetime.datetime(2007, 2, 10, tzinfo=datetime.UTC))
        self.assertEqual([1, 2, 9], [slot.day for slot in slots])


class TestRemarks(unittest.TestCase):
    """What is noted about a line that has a rule."""

    def remarks(self, text, on_record=()):
        (found,), notes = rules_of(
            parse_crontab(text, "x", "UTC", False), AT, (), on_record)
        self.assertTrue(all(note.understood for note in notes))
        for note in notes:
            self.assertIn(note.reason, found.comments)
        return [note.reason for note in notes]

    def test_an_hour_that_a_change_of_clocks_skips_or_repeats(self):
        for schedule, zone, words in (
            ("30 2 * * *", "Europe/Berlin",
             "02:30 on 2007-03-25 does not come in Europe/Berlin"),
            ("0 2,14 * * *", "America/New_York",
             "02:00 on 2007-03-11 does not come"),
            ("59 1 * 10 0", "America/Sao_Paulo", None),
            ("15 23 * 2 *", "America/Sao_Paulo",
             "23:15 on 2007-02-24 comes twice"),
            ("@daily", "America/Sao_Paulo",
             "00:00 on 2007-10-14 does not come"),
            ("30 2 * * 1-5", "Europe/Berlin", None),
            ("30 3 * * *", "Europe/Berlin", None),
            ("*/30 2 * * *", "Europe/Berlin", None),
            ("30 * * * *", "Europe/Berlin", None),
            ("30 2 * * *", "Asia/Tokyo", None),
        ):
            found = self.remarks(f"CRON_TZ={zone}\n{schedule} a\n")
            self.assertEqual(1 if words else 0, len(found), (schedule, zone))
            if words:
                self.assertIn(words, found[0])
                self.assertIn("cronie does not make up for it", found[0])

    def test_without_cron_tz_cron_makes_up_for_it(self):
        _, notes = rules_of(parse_crontab(
            "30 2 * * * a", "x", "Europe/Berlin", False), AT)
        self.assertEqual([], notes)

    def test_a_name_that_is_on_record_otherwise(self):
        self.assertEqual(
            ["'tidy_uploads' is not on record; do you mean 'tidy-uploads'?"],
            self.remarks("@daily tidy_uploads", ["tidy-uploads", "x"]))
        self.assertEqual(
            [], self.remarks("@daily tidy_uploads", ["tidy_uploads"]))

    def test_the_name_of_another_line_is_not_proposed(self):
        _, notes = rules_of(parse_crontab(
            "@daily backup-a\n@daily backup-b\n", "x", "UTC", False), AT,
            (), ["backup-a"])
        self.assertEqual([], notes)

    def test_what_can_report_only_after_wrapping(self):
        for command, reports in (
            ("/srv/a.py", True), ("bin/py /srv/a", True),
            ("scriptactivity run a -- /usr/bin/a", True),
            ("uv run -m a", True), ("bin/instance run a.py", True),
            ("/usr/bin/pg_dump app", False), ("certbot renew -q", False),
            ("php a.php", False), ("sh a.sh", False), ("a", False),
        ):
            (found,), _ = rules_of(parse_crontab(
                f"@daily {command}", "x", "UTC", False), AT)
            self.assertEqual(
                not reports, "are recorded only if" in str(found.comments),
                command)


class TestTwice(unittest.TestCase):

    def test_one_field_can_say_both(self):
        for one, other, both in (
            ("0 2 * * *", "30 2 * * *", "0,30 2 * * *"),
            ("0 2 * * *", "0 14,2 * * *", "0 2,14 * * *"),
            ("0 2 1 * 5", "0 2 2 * 5", "0 2 1,2 * 5"),
            ("0 2 * * *", "0 2 * * *", "0 2 * * *"),
            ("@daily", "@daily", "@daily"),
            ("@daily", "0 2 * * *", "0 0,2 * * *"),
        ):
            self.assertEqual(
                both, rule(f"{one} a\n{other} a")["schedule"])

    def test_and_if_not_the_later_line_is_listed(self):
        for one, other in (
            ("0 2 * * *", "30 14 * * *"),
            ("0 2 * * *", "0 2 1 * *"),
            ("*/10 * * * *", "5 * * * *"),
            ("@daily", "@hourly"),
            ("0 0 * * *", "CRON_TZ=Asia/Tokyo\n0 0 * * *"),
            ("0 0 * * *", "RANDOM_DELAY=5\n0 0 * * *"),
        ):
            (found,), ((line, reason),) = rules(f"{one} a\n{other} a")
            self.assertEqual(one, found["schedule"])
            self.assertIn("a has a rule already, from x:1, and no", reason)


class TestForms(unittest.TestCase):

    def test_of_a_system(self):
        for text in (
            "* * * * * root a\n",
            "MAILTO=root\n@daily www-data /srv/a.py\n* * * * * root a b\n",
            "0 0 * * * nobody test -x /a && /a\n",
            "what is this\n0 0 * * * app FOO=1 a\n",
            "0 0 * * * app:staff/daemon cd /srv && a\n",
        ):
            self.assertTrue(is_system_crontab(text), text)

    def test_of_a_user(self):
        for text in (
            "", "# * * * * * root a\n", "* * * * * a\n",
            "* * * * * /srv/a.py /srv\n",
            "* * * * * cd /srv && a\n",
            "* * * * * python3 /srv/a.py\n",
            "* * * * * nice /srv/a.py\n",
            "* * * * * FOO=1 /srv/a.py\n",
            "* * * * * garbo daily\n",
            "* * * * * root a\n* * * * * garbo daily\n",
            "* * * * * bin/python ./manage.py clearsessions\n",
            "* * * * * django ./manage.py clearsessions\n",
            "* * * * * poetry run ./manage.py clearsessions\n",
            "* * * * * bundle exec rake backup\n",
            "* * * * * manage.py /srv/x\n",
        ):
            self.assertFalse(is_system_crontab(text), text)

    def test_the_user_is_no_part_of_the_command(self):
        self.assertEqual(
            "a", rule("* * * * * root\t /srv/a.py", system=True)["name"])
        self.assertEqual(
            [(1, "no command")], rules("* * * * * root", system=True)[1])


class TestNames(unittest.TestCase):

    def test_only_a_whole_suffix_is_taken_off(self):
        for command, name in (
            ("/srv/u.pyc", "u"), ("/srv/foo.python", "foo.python"),
            ("/srv/a.b.sh", "a.b"),
        ):
            self.assertEqual(name, rule(f"0 1 * * * {command}")["name"])

    def test_commands_that_tell(self):
        for command, name in (
            ("/srv/app/garbo-daily.py", "garbo-daily"),
            ("/srv/app/garbo.daily", "garbo.daily"),
            ("garbo >> /var/log/garbo 2>&1", "garbo"),
            ("-q /srv/a.sh", "a"),
            ("cd /srv && LPCONFIG=x ./a.py -v", "a"),
            (". /etc/env; umask 022; a.sh &", "a"),
            ("{ cd /srv; ./a.py; } | logger -t a", "a"),
            ("(cd /srv; ./a.py) || echo failed | mail ops", "a"),
            ("(./a.py) 2>&1 | b 2>/dev/null", "a"),
            ("echo y | a", "a"),
            ("a && curl -fs https://example.com >/dev/null", "a"),
            ("test -x /srv/a.py && /srv/a.py", "a"),
            ("if [ -x /srv/a ]; then /srv/a; fi", "a"),
            ("command -v a > /dev/null && a 1 1", "a"),
            ("a --date=$(date -d 'now') `other`", "a"),
            ("a # && b", "a"),
            ("nice -n 10 ionice -c2 -n 7 /srv/a.py", "a"),
            ("nice -19 env -i -u X PATH=/bin a", "a"),
            ("nice --adjustment 5 a; ", "a"),
            ("timeout -k 10 --signal=KILL 5m chronic a", "a"),
            ("flock -nE 0 -w 5 /tmp/lock a -c conf", "a"),
            ("flock -n /tmp/lock -c 'cd /srv && ./a.sh'", "a"),
            ("sudo -Hu app -- a", "a"),
            ("su - app -s /bin/sh -c '/srv/a.sh --x'", "a"),
            ("runuser -u app -- a", "a"),
            ("bash -lc 'source env/bin/activate; python a.py'", "a"),
            ("sh -e -o pipefail /srv/a.sh -c b", "a"),
            ("/usr/bin/python3.11 -uE -W ignore /srv/a.py", "a"),
            ("python3 -m app.scripts.a --b", "a"),
            ("bin/py cronscripts/a.py", "a"),
            ("bin/run a --b", "a"),
            ("bin/instance run a.py", "a"),
            ("/usr/sbin/invoke-rc.d a start >/dev/null", "a"),
            ("nocache nice ionice -c3 /usr/sbin/a -x /etc/b", "a"),
            ("s6-setuidgid app /srv/a", "a"),
            ("envdir /srv/env /srv/a", "a"),
            ("chpst -u app -e /srv/env -vP /srv/a", "a"),
            ("setuser app gosu app su-exec app:app /srv/a", "a"),
            ("systemd-run --unit x -p User=app --wait /srv/a", "a"),
            ("caffeinate -is -t 60 /srv/a", "a"),
            ("cd /srv && bundle exec rake -s -f Rakefile E=x a:b", "a:b"),
            ("poetry -C /srv run ./manage.py a", "a"),
            ("uv run --with x -p 3.12 a.py", "a"),
            ("uv --directory /srv run -m app.a x", "a"),
            ("cronitor --env x exec d3x0 /srv/a", "a"),
            ("runitor -uuid 1 -quiet -- /srv/a", "a"),
            ("/venv/bin/scriptactivity run --ok 0,3 'a b.py' -- /b", "a b.py"),
            ("scriptactivity --config x run --quiet a -- b -- c", "a"),
            ("scriptactivity flush", "scriptactivity"),
            ("/usr/bin/mailman -C x notify", "notify"),
            ("flock -n /run/l /srv/manage.py --settings x runjobs daily",
             "runjobs"),
            ("php artisan schedule:run >> /dev/null 2>&1", "schedule:run"),
            ("python3 manage.py clearsessions", "clearsessions"),
            ("./manage.py", "manage"),
            ("a '$((' \"`b '`'`\" \\$((", "a"),
            ("(a | (b))", "a"),
            ("a 2>&- c", "a"),
            ("'/srv/two words.py' x", "two words"),
        ):
            self.assertEqual(name, script_of(command).name, command)

    def test_commands_that_do_not_tell(self):
        for command, words in (
            ("cd / && run-parts /etc/cron.daily", "runs no script"),
            ("ssh host /srv/a.py", "runs no script"),
            ("python -c 'import a'", "runs no script"),
            ("bash", "runs no script"),
            ("a && b", "more than one script: a, b"),
            ("bash -c 'a; b'", "more than one script: a, b"),
            ("$SCRIPT --x", "only the shell knows"),
            ("/srv/$(hostname).py", "only the shell knows"),
            ("'/srv/a", "a quote is not closed"),
            ("sleep $((RANDOM ", r"\$\(\( is not closed; % ends a command"),
            ("a `b", "a quote is not closed"),
            ("a $(b", r"\$\( is not closed"),
            ("a ${b", r"\${ is not closed"),
            ("rake $TASK", "only the shell knows"),
            ("poetry install", "runs no script"),
            ("command -v a", "runs no script"),
            ("eval a", "runs no script"),
            ("''", "name must not be empty: ''"),
            ("/srv/", "name must not be empty: ''"),
            ("/srv/" + "a" * 256, "name must have at most 255"),
            ("/srv/\udcff.py", "name must be in UTF-8"),
            ("[ $(date +%d) -le 7 ] && a", "decides by the date"),
            ("test `date +%u` = 7 && a", "decides by the date"),
        ):
            with self.assertRaisesRegex(ValueError, words, msg=command):
                script_of(command).name

    def test_the_strangest_commands_take_no_time(self):
        for word in (
            "(", "$(", "`", "\"$(", "${", "test ", "nice ", "bash -c ",
            "su -c ", "uv run ",
        ):
            with self.assertRaises(ValueError, msg=word):
                script_of((word * 1000)[:1000]).name

    def test_the_first_pattern_that_matches(self):
        names = parse_names(
            '# names\n\n"*a.py --hourly*" "a of the hour"  # first\n'
            "a.py one\nb two\n/srv/c.* three\n*cron.daily four\n")
        for command, name in (
            ("/srv/a.py --hourly -q", "a of the hour"),
            ("/srv/a.py -q", "one"),
            ("/srv/b.py", "two"),
            ("nice /srv/c.py", "three"),
            ("run-parts /etc/cron.daily", "four"),
            ("/srv/d.py", "d"),
        ):
            self.assertEqual(name, script_of(command, names).name)

    def test_names_that_are_wrong(self):
        for text, words in (
            ("a b c", "line 1: expected a pattern and a name"),
            ("a b\nc", "line 2: expected a pattern and a name"),
            ("a 'b", "line 1: No closing quotation"),
            ("a ''", "line 1: name must not be empty: ''"),
            ("a \udcff", "line 1: name must be in UTF-8"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                parse_names(text)
