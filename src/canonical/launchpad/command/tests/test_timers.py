"""timers, as a process."""

import json
import os

from canonical.launchpad.command.tests.test_crontab import CrontabTestCase


TIMER = "[Timer]\nOnCalendar={}\n"

# What systemd prints of two timers, of which one starts what is not there.
SYSTEMCTL = """\
#!/bin/sh
case "$*" in
"list-timers --all --output=json")
    echo '[{"next":1,"unit":"b.timer","activates":"b.service"},'
    echo ' {"next":2,"unit":"a.timer","activates":"a.service"}]';;
"cat -- a.timer")
    printf '# /etc/systemd/system/a.timer\\n[Timer]\\nOnCalendar=daily\\n';;
"cat -- a.service") printf '[Service]\\nExecStart=/srv/x.py\\n';;
"cat -- b.timer") printf '[Timer]\\nOnCalendar=Mon 12:00\\n';;
*) echo "No files found for b.service." >&2; exit 1;;
esac
"""


class TestTimers(CrontabTestCase):

    def timers(self, *arguments, **environment):
        return self.run_command("timers", *arguments, **environment)

    def systemctl(self, text):
        """A PATH on which systemctl is this script."""
        path = self.write("bin/systemctl", text)
        os.chmod(path, 0o755)
        return f"{os.path.dirname(path)}:/usr/bin:/bin"

    def test_what_is_printed_is_what_check_takes(self):
        path = self.write("backup.timer", TIMER.format("*-*-1..7 02:30"))
        status, out, err = self.timers(path, "--timezone", "Europe/Berlin")
        self.assertEqual((0, ""), (status, err))
        rules = self.write("rules.zcml", out)
        status, out, err = self.run_command(
            "check", "--expectations", rules, "--json", "--at",
            "2007-02-01T12:00Z")
        self.assertEqual((0, ""), (status, err))
        answer, = json.loads(out)
        self.assertEqual("backup", answer["name"])

    def test_the_service_beside_it(self):
        path = self.write("backup.timer", TIMER.format("daily"))
        self.write("backup.service", "[Service]\nExecStart=/srv/x.py\n")
        _, out, _ = self.timers(path)
        self.assertIn('name="x"', out)

    def test_all_timers_of_a_machine(self):
        status, out, err = self.timers(PATH=self.systemctl(SYSTEMCTL))
        self.assertEqual((0, ""), (status, err))
        self.assertIn('name="x" oncalendar="daily"', out)
        self.assertIn('name="b" oncalendar="Mon 12:00"', out)

    def test_a_machine_without_timers(self):
        path = self.systemctl("#!/bin/sh\necho []")
        status, out, err = self.timers(PATH=path)
        self.assertEqual(
            (1, "scriptactivity: systemctl lists no timer\n"), (status, err))

    def test_a_machine_without_systemd(self):
        self.write("empty/file", "")
        for text, words in (
            (None, "systemctl: No such file or directory; name files"),
            ("#!/bin/sh\necho x >&2; echo no bus >&2; exit 1",
             "systemctl: no bus; name files"),
            ("#!/bin/sh\nexit 3", "systemctl: exit status 3; name files"),
            ("#!/bin/sh\necho NEXT LEFT",
             "systemctl list-timers --output=json printed no list of timers"),
        ):
            path = self.systemctl(text) if text else (
                str(self.directory / "empty"))
            status, out, err = self.timers(PATH=path)
            self.assertEqual((2, "", 1), (status, out, err.count("\n")), err)
            self.assertIn(words, err)

    def test_whatever_is_wrong_is_a_line(self):
        binary = self.write("b.timer", b"\x7fELF\0\0\0")
        for arguments, words in (
            (("/no/such.timer",), "/no/such.timer: No such file"),
            (("/etc/passwd",), "/etc/passwd: expected a file such as"),
            ((binary,), "b.timer: not a text file"),
            (("--timezone", "Mars"), "unknown time zone: 'Mars'"),
        ):
            status, out, err = self.timers(*arguments)
            self.assertEqual((2, "", 1), (status, out, err.count("\n")), err)
            self.assertIn(words, err)
        wrong = self.write("c.timer", TIMER.format("never"))
        status, out, err = self.timers(wrong)
        self.assertEqual((1, 1), (status, err.count("\n")))
        self.assertIn("c.timer: not an OnCalendar expression: 'never'", err)
        self.assertNotIn("<lp:script", out)
