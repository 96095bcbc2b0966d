"""The contracts, and the reference manual.

A cron job that fails in silence is found out by what it left undone.  Here a
script says so when it has succeeded: after its work is committed, one
`IScriptActivity` is recorded through `IScriptActivitySet`.  Whoever wants to
know how a script fares asks the same utility.

That something is missing is not yet why.  So each run that begins is an
`IScriptAttempt` as well, which `IScriptAttemptSet` keeps: one that still
runs, has failed, was killed, vanished without a word, or was skipped since
its predecessor was not done.

What should be, an `IScriptExpectation` says, script by script, and an
`IScriptDowntime` says when nothing should.  `IScriptFiguresSet` answers what
has to be known to compare it with what was, for all scripts at once, and
`IScriptPauseSet` when one was switched off or snoozed.  `IScriptAlertSet`
keeps what people have been told.  `IScriptHistorySet` tells all that was, run
by run, for those who look back.
"""

from canonical.launchpad.interfaces.plaintext import is_printable
from canonical.launchpad.interfaces.plaintext import printable
from canonical.launchpad.interfaces.plaintext import single_line
from canonical.launchpad.interfaces.scriptactivity import FutureActivities
from canonical.launchpad.interfaces.scriptactivity import IScriptActivity
from canonical.launchpad.interfaces.scriptactivity import IScriptActivitySet
from canonical.launchpad.interfaces.scriptalert import CHANNELS
from canonical.launchpad.interfaces.scriptalert import Alert
from canonical.launchpad.interfaces.scriptalert import IScriptAlertSet
from canonical.launchpad.interfaces.scriptattempt import FAILED
from canonical.launchpad.interfaces.scriptattempt import OUTCOMES
from canonical.launchpad.interfaces.scriptattempt import IFailedAttempt
from canonical.launchpad.interfaces.scriptattempt import IRunningAttempt
from canonical.launchpad.interfaces.scriptattempt import IScriptAttempt
from canonical.launchpad.interfaces.scriptattempt import IScriptAttemptSet
from canonical.launchpad.interfaces.scriptattempt import IScriptSummary
from canonical.launchpad.interfaces.scriptattempt import UnrecordedRun
from canonical.launchpad.interfaces.scriptexpectation import IScriptExpectation
from canonical.launchpad.interfaces.scriptfigures import Figures
from canonical.launchpad.interfaces.scriptfigures import Inquiry
from canonical.launchpad.interfaces.scriptfigures import IScriptFiguresSet
from canonical.launchpad.interfaces.scripthistory import EndedRun
from canonical.launchpad.interfaces.scripthistory import IScriptHistorySet
from canonical.launchpad.interfaces.scripthistory import Run
from canonical.launchpad.interfaces.scriptpause import FOREVER
from canonical.launchpad.interfaces.scriptpause import IScriptDowntime
from canonical.launchpad.interfaces.scriptpause import IScriptPauseSet
from canonical.launchpad.interfaces.scriptpause import Pause


__all__ = [
    "Alert",
    "CHANNELS",
    "EndedRun",
    "FAILED",
    "FOREVER",
    "Figures",
    "FutureActivities",
    "OUTCOMES",
    "IFailedAttempt",
    "IRunningAttempt",
    "IScriptActivity",
    "IScriptActivitySet",
    "IScriptAlertSet",
    "IScriptAttempt",
    "IScriptAttemptSet",
    "IScriptDowntime",
    "IScriptExpectation",
    "IScriptFiguresSet",
    "IScriptHistorySet",
    "IScriptPauseSet",
    "IScriptSummary",
    "Inquiry",
    "Pause",
    "Run",
    "UnrecordedRun",
    "is_printable",
    "printable",
    "single_line",
]
