"""Switching cron scripts off."""

from canonical.launchpad.scripts.tests.support import SUCCEED
from canonical.launchpad.scripts.tests.support import ScriptTestCase


class TestScripts(ScriptTestCase):

    def switch_off(self):
        (self.directory / "cron.ini").write_text("[tidy]\nenabled = no\n")
        return self.configure("[scripts]\ncron_control_url: cron.ini\n")

    def test_one_that_is_off_touches_nothing(self):
        for call in "run()", "lock_and_run()":
            process = self.run_script(
                SUCCEED, call=call,
                **dict(self.switch_off(),
                       LP_DATABASE_URI="postgresql://nowhere.invalid/app"))
            self.assertEqual((0, ""), (process.returncode, process.out))
            self.assertEqual(["INFO    tidy is switched off"],
                             self.log(process))
            self.assert_nothing_left()

    def test_one_that_ignores_it_runs(self):
        process = self.run_script(
            SUCCEED, arguments="ignore_cron_control=True",
            **self.switch_off())
        self.assert_recorded(process)

    def test_one_that_is_no_cron_script_is_not_asked(self):
        environment = self.switch_off()
        self.write_script()
        self.path.write_text(self.path.read_text().replace(
            "class Tidy(LaunchpadCronScript)", "class Tidy(LaunchpadScript)"))
        process = self.start(**environment)
        _, err = process.communicate()
        self.assertEqual((0, ""), (process.returncode, err))
        self.assertEqual(["done"], self.work())
