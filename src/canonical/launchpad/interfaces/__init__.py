"""The contracts, and the reference manual.

A cron script records each success.  After its work is committed, it records
one `IScriptActivity` through `IScriptActivitySet`.  The same utility returns
the last success of a script.

A missing success does not say why it is missing.  So each run is also an
`IScriptAttempt`, which `IScriptAttemptSet` records from its start.  An attempt
may still run, or it has succeeded, failed, been killed, vanished, or been
skipped because another run held its lock.

An `IScriptExpectation` is a rule: what is expected of a script.  An
`IScriptDowntime` says when nothing is expected of any script.
`IScriptPauseSet` records when one script was switched off or snoozed, and
`IScriptRuleSet` when a rule was first seen.
`IScriptFiguresSet` returns what is compared with the rules, for all scripts at
once.  `IScriptHistorySet` returns past runs, for `suggest` and `backtest`.
`IScriptTimelineSet` counts them and pages through them, for what people look
at.  `IScriptAlertSet` records what people were notified of.  `IScriptDaySet`
prunes old runs, and keeps one `ScriptDay` for each day of a script on a host.
`IScriptTransferSet` copies runs out and in.  `IScriptReportSet`
returns what ``report`` says of a month.
"""

import importlib
from typing import TYPE_CHECKING
from typing import Any

from canonical.launchpad.interfaces.names import checked_str
from canonical.launchpad.interfaces.names import checked_text
from canonical.launchpad.interfaces.scriptactivity import FutureActivities
from canonical.launchpad.interfaces.scriptactivity import IScriptActivity
from canonical.launchpad.interfaces.scriptactivity import IScriptActivitySet
from canonical.launchpad.interfaces.scriptattempt import FAILED
from canonical.launchpad.interfaces.scriptattempt import OUTCOMES
from canonical.launchpad.interfaces.scriptattempt import IScriptAttempt
from canonical.launchpad.interfaces.scriptattempt import IScriptAttemptSet
from canonical.launchpad.interfaces.scriptattempt import KeptOutput
from canonical.launchpad.interfaces.scriptattempt import Output
from canonical.launchpad.interfaces.scriptattempt import UnrecordedRun


if TYPE_CHECKING:
    from canonical.launchpad.interfaces.scriptalert import CHANNELS
    from canonical.launchpad.interfaces.scriptalert import CLAIM_MINUTES
    from canonical.launchpad.interfaces.scriptalert import Alert
    from canonical.launchpad.interfaces.scriptalert import BadAnswer
    from canonical.launchpad.interfaces.scriptalert import IScriptAlertSet
    from canonical.launchpad.interfaces.scriptday import IScriptDaySet
    from canonical.launchpad.interfaces.scriptday import ScriptDay
    from canonical.launchpad.interfaces.scriptexpectation import HORIZON
    from canonical.launchpad.interfaces.scriptexpectation import (
        ExpectationError,
    )
    from canonical.launchpad.interfaces.scriptexpectation import (
        IScriptExpectation,
    )
    from canonical.launchpad.interfaces.scriptfigures import Figures
    from canonical.launchpad.interfaces.scriptfigures import Inquiry
    from canonical.launchpad.interfaces.scriptfigures import IScriptFiguresSet
    from canonical.launchpad.interfaces.scripthistory import EndedRun
    from canonical.launchpad.interfaces.scripthistory import IScriptHistorySet
    from canonical.launchpad.interfaces.scripthistory import PastAttempt
    from canonical.launchpad.interfaces.scripthistory import Run
    from canonical.launchpad.interfaces.scriptpause import FOREVER
    from canonical.launchpad.interfaces.scriptpause import IScriptDowntime
    from canonical.launchpad.interfaces.scriptpause import IScriptPauseSet
    from canonical.launchpad.interfaces.scriptpause import Pause
    from canonical.launchpad.interfaces.scriptreport import IScriptReportSet
    from canonical.launchpad.interfaces.scriptreport import ReportFigures
    from canonical.launchpad.interfaces.scriptrule import IScriptRuleSet
    from canonical.launchpad.interfaces.scriptrule import SeenRule
    from canonical.launchpad.interfaces.scriptsummary import IFailedAttempt
    from canonical.launchpad.interfaces.scriptsummary import IRunningAttempt
    from canonical.launchpad.interfaces.scriptsummary import IScriptSummary
    from canonical.launchpad.interfaces.scripttimeline import Beginning
    from canonical.launchpad.interfaces.scripttimeline import Column
    from canonical.launchpad.interfaces.scripttimeline import Counts
    from canonical.launchpad.interfaces.scripttimeline import (
        IScriptTimelineSet,
    )
    from canonical.launchpad.interfaces.scripttimeline import PastRun
    from canonical.launchpad.interfaces.scripttimeline import Track
    from canonical.launchpad.interfaces.scripttransfer import (
        IScriptTransferSet,
    )


__all__ = [
    "Alert",
    "BadAnswer",
    "Beginning",
    "CHANNELS",
    "CLAIM_MINUTES",
    "Column",
    "Counts",
    "EndedRun",
    "ExpectationError",
    "FAILED",
    "FOREVER",
    "Figures",
    "HORIZON",
    "FutureActivities",
    "OUTCOMES",
    "IFailedAttempt",
    "IRunningAttempt",
    "IScriptActivity",
    "IScriptActivitySet",
    "IScriptAlertSet",
    "IScriptAttempt",
    "IScriptAttemptSet",
    "IScriptDaySet",
    "IScriptDowntime",
    "IScriptExpectation",
    "IScriptFiguresSet",
    "IScriptHistorySet",
    "IScriptPauseSet",
    "IScriptReportSet",
    "IScriptRuleSet",
    "IScriptSummary",
    "IScriptTimelineSet",
    "IScriptTransferSet",
    "Inquiry",
    "KeptOutput",
    "Output",
    "PastAttempt",
    "PastRun",
    "Pause",
    "ReportFigures",
    "Run",
    "ScriptDay",
    "SeenRule",
    "Track",
    "UnrecordedRun",
    "checked_str",
    "checked_text",
]


# What only readers of the records use.  A script does not wait for it.
_OF_READERS = (
    "scriptalert",
    "scriptday",
    "scriptexpectation",
    "scriptfigures",
    "scripthistory",
    "scriptpause",
    "scriptreport",
    "scriptrule",
    "scriptsummary",
    "scripttimeline",
    "scripttransfer",
)


def __getattr__(name: str) -> Any:
    """Import what only readers use, at the first use of any of it."""
    if name in __all__:
        for module in _OF_READERS:
            found = importlib.import_module(f"{__name__}.{module}")
            globals().update(
                (each, getattr(found, each)) for each in found.__all__)
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
