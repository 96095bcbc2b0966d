"""Crontabs whose commands are run by ``scriptactivity run``."""

import datetime
import subprocess
import tempfile
import unittest
from pathlib import Path

from canonical.launchpad.monitor.cronrules import rules_of
from canonical.launchpad.monitor.crontab import parse_crontab
from canonical.launchpad.monitor.wrap import add_run


AT = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)

PROGRAM = "/venv/bin/scriptactivity"

# Runs a command, and nothing else.
STAND_IN = """\
#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""


SAY = """\
#!/bin/sh
printf '<%s>' "$@"
echo
"""


def wrap(text, system=False, names=(), program=PROGRAM):
    """The crontab that comes out, and line and reason of the notes."""
    items = parse_crontab(text, "x", "UTC", system)
    _, notes = rules_of(items, AT, names)
    wrapped, left = add_run(text, items, notes, names, program)
    return wrapped, [(note.line, note.reason) for note in left]


class TestWhere(unittest.TestCase):

    def test_the_words_come_before_the_command_that_runs_the_script(self):
        # All but the last few are of packages of Debian 12.  The name stands
        # where the words come to stand.
        for line in (
            "10,25,40,55  *  *   *   *    buildd   ^buildd-uploader^"
            "/usr/bin/buildd-uploader",
            "26 22\t\t* * *\t\troot\t^dkim-rotate^chronic dkim-rotate --minor",
            "0 0 * * * root [ -d \"/run/systemd/system\" ] ||"
            " ^atop.daily^/usr/share/atop/atop.daily&",
            "0 * * * * root if [ -x /usr/sbin/backupninja ]; then"
            " ^backupninja^/usr/sbin/backupninja; fi",
            "30 7-23 * * *   root\t[ -x /etc/init.d/anacron ] && if [ ! -d"
            " /run/systemd/system ]; then ^anacron^/usr/sbin/invoke-rc.d"
            " anacron start >/dev/null; fi",
            "*/5 * * * * www-data ^poller^php /usr/share/cacti/site/poller.php"
            " 2>&1 >/dev/null | if [ -f /usr/bin/ts ] ; then ts ; else tee ;"
            " fi >> /var/log/cacti/poller-error.log",
            "0 */12 * * * root test -x /usr/bin/certbot -a \\! -d"
            " /run/systemd/system && perl -e 'sleep int(rand(43200))' &&"
            " ^certbot^certbot -q renew --no-random-sleep-on-renew",
            "42 */6 * * *\troot\t[ ! -f /var/lock/fetch-crl-cron ] || ( [ -f"
            " /etc/default/fetch-crl ] && . /etc/default/fetch-crl ;"
            " ^fetch-crl^/usr/sbin/fetch-crl -q -r 360 $FETCHCRL_OPTIONS )",
            "@hourly            www-data     [ -f /usr/bin/django-admin ] &&"
            " flock -n /var/run/mailman3-web/cron.hourly"
            " ^runjobs^/usr/share/mailman3-web/manage.py runjobs hourly",
            "0 *\t* * *\troot\t[ -x /usr/sbin/update-openssh-known-hosts ] &&"
            " { sleep `od -An -N1 -tu1 /dev/urandom`;"
            " ^update-openssh-known-hosts^"
            "/usr/sbin/update-openssh-known-hosts; }",
            "*/10 * * * * root ^recap^timeout 5m \"${BINDIR}\"/recap",
            "*/15 * * * * root [ -f /etc/sanoid/sanoid.conf ] && if [ ! -d"
            " /run/systemd/system ]; then TZ=UTC ^sanoid^/usr/sbin/sanoid"
            " --cron; fi",
            "5-55/10 * * * * root command -v debian-sa1 > /dev/null &&"
            " ^debian-sa1^debian-sa1 1 1",
            "@weekly       debian-systraq  command -v systraq >/dev/null &&"
            r" ^systraq^systraq | mailx -s `date +\%Y\%m\%d` debian-systraq",
            r"@daily root echo \% 100\% && ^a^/srv/a%input \% ; b",
            "@reboot root [ -x /usr/sbin/gnt-cluster ] &&"
            " ^gnt-cluster^/usr/sbin/gnt-cluster upgrade --resume",
            "@daily root >/dev/null 2>&1 ^a^/srv/a",
            "@daily root ! exec ^a^/srv/a",
            "@daily root [[ -x /srv/a && ( 1 < 2 ) ]] && ^a^/srv/a",
            "0~59 4 * * * root ^a^/srv/a",
            "@daily root -q ^a^/srv/a",
            "@daily root ^a^flock -n /run/lock -c '/srv/a x'",
        ):
            before, name, after = line.split("^")
            self.assertEqual(
                (f"{before}{PROGRAM} run {name} -- {after}", []),
                wrap(before + after, system=True))

    def test_what_the_commands_do_stays_the_same(self):
        commands = [
            "./say a 'b  c' \"$HOME\" ~ *",
            "cd / && /bin/pwd",
            "A=1 sh -c './say $A'; echo \"[$A]\"",
            "B='x  y'; ./say $B \"$B\" `echo q` $(echo '$(r)')",
            "./say one | tr o 0 >&2",
            "./say two 2>/dev/null 1>&2; echo $?",
            "if true; then { (./say in) ; } fi; false || ./say out",
            "! exec ./say not",
            "./say 100% %",
            "sh -c 'exit 3'",
            "flock -n / ./say locked",
            ">/dev/null ./say silent",
            "echo in | ./say `cat`",
            "./say x & wait",
            "nice -n 5 env -i C=2 ./say",
        ]
        with tempfile.TemporaryDirectory() as directory:
            program = Path(directory, "scriptactivity")
            for path, text in (
                (program, STAND_IN),
                (Path(directory, "say"), SAY),
            ):
                path.write_text(text)
                path.chmod(0o755)
            text = "".join(
                f"@daily {each}\n" for each in commands).replace("%", r"\%")
            wrapped, left = wrap(
                text, names=[("*", "a")], program=str(program))
            self.assertEqual([], left)
            self.assertEqual(
                len(commands), wrapped.count(f"{program} run a -- "))
            before, after = (
                subprocess.run(
                    ["/bin/sh", "-c", "".join(
                        f"({entry.command}\n) 2>&1; echo $?; wait\n"
                        for entry in
                        parse_crontab(each, "x", "UTC", False))],
                    capture_output=True, cwd=directory)
                for each in (text, wrapped))
        self.assertIn(b"<100%><%>", before.stdout)
        self.assertEqual(
            (before.stdout, before.stderr), (after.stdout, after.stderr))

    def test_nothing_else_changes(self):
        text = (
            "\ufeff# a comment\t\r\n\n \t\nMAILTO = 'me'\n"
            "\t* * * * *\t /srv/\udcff/a.sh  \udcf6 \t\r\n"
            "# last, without an end of line")
        wrapped, left = wrap(text)
        self.assertEqual([], left)
        self.assertEqual(
            text.replace("/srv", f"{PROGRAM} run a -- /srv"), wrapped)

    def test_the_path_and_the_name_are_quoted(self):
        self.assertEqual(
            r"@daily '/my \%/scriptactivity' run '50\% off' -- /srv/x",
            wrap("@daily /srv/x", names=[("*", "50% off")],
                 program="/my %/scriptactivity")[0])

    def test_once_is_enough_and_the_rules_stay_the_same(self):
        text = (
            "CRON_TZ=Europe/Paris\n0 2 * * * cd /srv && ./a.py\n"
            "5 2 * * * flock -n /lock b.sh\n@reboot c\n0 3 * * * a; b\n"
            "0 4 * * * d --x\n30 14 * * * d --y\n")
        wrapped, left = wrap(text)
        self.assertEqual((wrapped, left), wrap(wrapped))
        self.assertEqual([5, 7], [line for line, _ in left])
        before, after = (
            [rule.attributes for rule in rules_of(
                parse_crontab(each, "x", "UTC", False), AT)[0]]
            for each in (text, wrapped))
        self.assertEqual(before, after)

    def test_what_is_wrapped_by_hand_stays(self):
        text = "@daily nice scriptactivity --config x run --quiet a -- b\n"
        self.assertEqual((text, []), wrap(text))

    def test_a_name_that_is_given_to_what_is_no_script(self):
        # Of Debian's /etc/crontab.
        self.assertEqual(
            ("17 *\t* * *\troot\tcd / && "
             f"{PROGRAM} run hourly -- run-parts --report /etc/cron.hourly",
             []),
            wrap("17 *\t* * *\troot\tcd / && run-parts --report"
                 " /etc/cron.hourly", True, [("*cron.hourly", "hourly")]))


class TestLeft(unittest.TestCase):

    def test_what_cannot_be_wrapped_stays_and_is_listed(self):
        for line, words in (
            ("@daily a; b", "more than one script: a, b"),
            ("@daily find / -delete", "runs no script"),
            ("what is this?", "expected a schedule and a command"),
            ("@daily for x in 1 2; do a $x; done", "any number of times"),
            ("@daily a -x || b; a -y", "only a part of it"),
            ("@daily exec -a x a", "exec has options"),
            ("@daily if a; then case x in x) a;; esac; fi", "number of times"),
            ("@daily while ! a; do sleep 1; done", "any number of times"),
            ("@daily [[ -x /srv/a && -x /srv/b ]]", "runs no script"),
            ("@daily PYTHONPATH=/srv a", "PYTHONPATH would change"),
            ("@daily export LD_PRELOAD=/srv; a", "LD_PRELOAD would change"),
            ("@daily x " + "y" * 980, "longer than 1000 characters"),
        ):
            wrapped, ((number, reason),) = wrap(f"# first\n{line}\n")
            self.assertEqual(f"# first\n{line}\n", wrapped)
            self.assertEqual(2, number)
            self.assertIn(words, reason)

    def test_settings_that_change_the_meaning(self):
        for setting, words in (
            ("SHELL=/usr/bin/fish", "its SHELL is /usr/bin/fish"),
            ("LD_PRELOAD=x.so", "LD_PRELOAD would change"),
        ):
            wrapped, ((number, reason),) = wrap(
                f"@daily b\n{setting}\n@daily a\n")
            self.assertEqual(
                f"@daily {PROGRAM} run b -- b\n{setting}\n@daily a\n",
                wrapped)
            self.assertEqual(3, number)
            self.assertIn(words, reason)

    def test_a_second_script_of_a_name(self):
        # Of packages of Debian 12.
        text = (
            "35 *     * * *   sbws  /usr/bin/sbws generate\n"
            "05 0     * * *   sbws  /usr/bin/sbws cleanup\n"
            "@reboot          sbws  /usr/bin/sbws start\n")
        wrapped, left = wrap(text, True)
        self.assertEqual(
            text.replace("/usr", f"{PROGRAM} run sbws -- /usr", 1), wrapped)
        self.assertEqual([2, 3], [line for line, _ in left])

    def test_a_rule_goes_before_what_has_none(self):
        text = "@reboot a\n0~59 4 * * * a\n@hourly a\n"
        wrapped, left = wrap(text)
        self.assertEqual(
            text.replace("@hourly a", f"@hourly {PROGRAM} run a -- a"),
            wrapped)
        self.assertEqual([1, 2], [line for line, _ in left])

    def test_a_name_does_not_make_a_program(self):
        for command in "eval x", "$A x", "time wait", "exec":
            text = f"@daily {command}\n"
            self.assertEqual(text, wrap(text, names=[("*", "a")])[0])

    def test_names_that_the_command_line_cannot_have(self):
        _, ((_, reason),) = wrap("@daily /srv/a", names=[("*", "-x")])
        self.assertIn("'-x' would be taken for an option", reason)
