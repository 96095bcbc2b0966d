"""Run the example script twice: it fails, it succeeds.  Show the records.

`make run` calls this.
"""

import os
import subprocess
import sys
from pathlib import Path

from zope.component import getUtility

from canonical.database.sqlbase import initZopeless
from canonical.launchpad.interfaces import IScriptActivitySet
from canonical.launchpad.plaintext import time_text
from canonical.launchpad.zcml import execute_zcml
from canonical.testing.children import python_path


SCRIPT = Path(__file__).with_name("tidy_uploads.py")
ROW = "{:<18}{:<13}{}"


def last_activity(ztm):
    ztm.begin()
    return getUtility(IScriptActivitySet).getLastActivity("tidy-uploads")


def main():
    execute_zcml()
    ztm = initZopeless()
    print()
    print(ROW.format("tidy_uploads.py", "exit status", "on record"))
    before = last_activity(ztm)
    for arguments in ["--fail"], []:
        process = subprocess.run(
            [sys.executable, SCRIPT, *arguments],
            env=dict(os.environ, PYTHONPATH=python_path()),
            capture_output=True, text=True, check=False)
        activity = last_activity(ztm)
        if activity == before:
            said = process.stderr.strip().splitlines()[-1:]
            record = " ".join(["nothing:", *said])
        else:
            took = activity.date_completed - activity.date_started
            record = (
                f"{time_text(activity.date_started)} on"
                f" {activity.hostname}, in {took.total_seconds():.3f} s")
        print(ROW.format(
            " ".join(arguments) or "(no options)", process.returncode, record))
        before = activity
    print()
    print("The three questions: has it run recently, as often as it should,")
    print("and in sensible time?")
    print()


if __name__ == "__main__":
    main()
