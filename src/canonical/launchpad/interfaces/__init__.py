"""The contracts, and the reference manual.

A cron job that fails in silence is found out by what it left undone.  Here a
script says so when it has succeeded: after its work is committed, one
`IScriptActivity` is recorded through `IScriptActivitySet`.  Whoever wants to
know how a script fares asks the same utility.
"""

from canonical.launchpad.interfaces.scriptactivity import IScriptActivity
from canonical.launchpad.interfaces.scriptactivity import IScriptActivitySet


__all__ = [
    "IScriptActivity",
    "IScriptActivitySet",
]
