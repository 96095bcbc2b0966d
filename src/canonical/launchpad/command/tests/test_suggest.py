"""suggest, as a process."""

import datetime
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.tests.test_main import RUN
from canonical.launchpad.command.tests.test_main import CommandTestCase
from canonical.launchpad.scripts.tests.support import take_interrupts
from canonical.launchpad.testing import LaunchpadObjectFactory
from canonical.testing import PostgresLayer
from canonical.testing.children import python_path


START = datetime.datetime(2007, 2, 1, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
AT = "2007-02-02T12:30Z"

# It waits before it reads the runs of the fourth script.
WAITING = f"""
import sys
from canonical.launchpad.command import suggest
read = suggest._runs
def waiting(name, *period):
    if name == "script-03":
        print("reading", name, flush=True)
        sys.stdin.read()
    return read(name, *period)
suggest._runs = waiting
{RUN}
"""


class TestSuggest(CommandTestCase):

    def setUp(self):
        self.factory = LaunchpadObjectFactory()

    def ran(self, name, count=37):
        for number in range(count):
            self.factory.makeScriptActivity(
                name, "host", START + number * HOUR)
        ZopelessTransactionManager._installed.commit()

    def suggest(self, *arguments):
        return self.run_command("suggest", "--at", AT, *arguments)

    def test_a_check_reads_what_it_prints(self):
        for name in 'a <"b"> & -- c', "it's", "-->", "Straße":
            self.ran(name)
        self.ran("rare", 2)
        status, out, err = self.suggest()
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(4, len(xml.etree.ElementTree.fromstring(out)) - 1)
        self.assertIn("2 runs: too few to infer a rule from; it needs 5", out)
        PostgresLayer.state_directory.mkdir()
        path = PostgresLayer.state_directory / "suggested.zcml"
        path.write_text(out)
        status, out, err = self.run_command(
            "check", "--at", AT, "--expectations", str(path))
        self.assertEqual((0, ""), (status, err), out)
        self.assertEqual(4, out.count("ok\t"))

    def test_many_scripts_are_inferred_on_all_cores(self):
        for number in range(20):
            self.ran(f"script-{number:02}")
        status, out, err = self.suggest()
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(20, out.count('schedule="0 * * * *"'))
        self.assertLess(out.index("script-03"), out.index("script-04"))

    def test_an_interrupt_ends_all_processes(self):
        for number in range(20):
            self.ran(f"script-{number:02}", 5)
        process = subprocess.Popen(
            [sys.executable, "-c", WAITING, "suggest", "--at", AT],
            env=dict(os.environ, PYTHONPATH=python_path()),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
            preexec_fn=take_interrupts)
        self.assertEqual("reading script-03\n", process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate()
        self.assertEqual(
            (130, "", "scriptactivity: interrupted by SIGINT\n"),
            (process.returncode, out, err))

    def test_an_unknown_time_zone_is_named(self):
        status, _, err = self.suggest("--timezone", "Mars/Olympus")
        self.assertEqual(2, status)
        self.assertIn("unknown time zone: 'Mars/Olympus'", err)

    def test_what_xml_cannot_hold_is_said(self):
        self.ran("odd\ufffe")
        status, out, err = self.suggest()
        self.assertEqual((0, ""), (status, err))
        self.assertIn(r"XML does not allow this name: 'odd\ufffe'", out)
        self.assertEqual(1, len(xml.etree.ElementTree.fromstring(out)))

    def test_scripts_with_a_tag(self):
        for name in "abc":
            self.ran(name)
        PostgresLayer.state_directory.mkdir()
        (PostgresLayer.state_directory / "rules.zcml").write_text("""
            <configure xmlns:lp="http://namespaces.canonical.com/lp">
              <include package="canonical.launchpad" file="meta.zcml" />
              <lp:script name="a" every="1h" tags="eu us" />
              <lp:script name="b" every="1h" />
              <lp:script name="new" every="1h" tags="eu" />
            </configure>
            """)
        conf = PostgresLayer.state_directory / "test.conf"
        conf.write_text("[monitor]\nexpectations: rules.zcml\n")
        for arguments, status, words in (
            (["--tag", "eu"], 0, 'tags="eu us"'),
            (["a", "--tag", "eu"], 0, 'name="a"'),
            (["b", "--tag", "eu"], 2, "no script that is named has the tag"),
            (["--tag", "ue"], 2, "no rule has the tag 'ue'"),
        ):
            found, out, err = self.run_command(
                "suggest", "--at", AT, *arguments, LPCONFIG=str(conf))
            self.assertEqual(status, found)
            self.assertIn(words, out + err)
            for name in "bc":
                self.assertNotIn(f'name="{name}"', out)

    def test_only_what_is_named_and_known(self):
        self.ran("a")
        self.ran("b")
        self.assertNotIn('name="b"', self.suggest("a", "a")[1])
        status, out, err = self.suggest("a", "c")
        self.assertEqual((1, ""), (status, out))
        self.assertEqual(
            "scriptactivity: no success of 'c' is on record in the 30d before"
            " 2007-02-02 12:30 UTC\n", err)

    def test_a_time_that_is_none(self):
        for since, words in (
            ("soon", "not a duration: 'soon'"),
            ("9999999d", "too long a duration: '9999999d'"),
        ):
            status, _, err = self.suggest("--since", since)
            self.assertEqual(2, status)
            self.assertIn(words, err)

    def test_nothing_on_record_is_an_empty_file(self):
        status, out, err = self.suggest()
        self.assertEqual((0, ""), (status, err))
        self.assertEqual(1, len(xml.etree.ElementTree.fromstring(out)))
