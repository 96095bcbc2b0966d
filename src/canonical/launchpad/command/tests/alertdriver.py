"""Runs ``scriptactivity alert``, each in a process of its own, and kills it.

A line on standard input is a run: ``moment`` and a number or a label, with _
for a space; or ``seconds`` and how many, of which 0 is never.  A line on
standard output is its exit status, or the signal that it died of as a negative
number, and how many moments it had.  The processes are forked from this one,
which has all modules imported.  They print to the file that PRINTED names.
"""

import os
import signal
import sys
from functools import partial

from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command import alert
from canonical.launchpad.command import smtp
from canonical.launchpad.database.scriptalert import ScriptAlertSet
from canonical.launchpad.scripts.tests.faultdriver import Moments
from canonical.launchpad.scripts.tests.faultdriver import in_a_child
from canonical.launchpad.scripts.tests.faults import kill


CALLS = [
    (alert, "expected"),
    (alert, "assess_fleet"),
    (alert, "notify"),
    (smtp.smtplib.SMTP, "getreply"),
    (smtp.smtplib.SMTP, "quit"),
    (ScriptAlertSet, "lock"),
    (ScriptAlertSet, "getUnsettled"),
    (ScriptAlertSet, "open"),
    (ScriptAlertSet, "update"),
    (ScriptAlertSet, "claim"),
    (ScriptAlertSet, "recordNotified"),
    (ZopelessTransactionManager, "commit"),
    (ZopelessTransactionManager, "disconnect"),
]


def run(what, number, answer):
    # Standard output is a channel.
    os.dup2(os.open(os.environ["PRINTED"], os.O_WRONLY | os.O_APPEND), 1)
    moment = int(number) if number.isdecimal() else number.replace("_", " ")
    moments = Moments(moment if what == "moment" else 0, kill, CALLS)
    if what == "seconds":
        signal.setitimer(signal.ITIMER_REAL, float(number))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        alert.AlertScript(
            "scriptactivity-alert", test_args=["-qqq"]).lock_and_run()
    finally:
        os.write(answer, str(len(moments.labels)).encode())


def main():
    for line in sys.stdin:
        print(*in_a_child(partial(run, *line.split())), flush=True)


if __name__ == "__main__":
    main()
