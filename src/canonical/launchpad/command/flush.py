"""The command ``scriptactivity flush``: record what is not on record yet."""

from __future__ import annotations

import argparse
import logging
import math

from zope.component import getUtility

from canonical.config import config
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.printing import log_plainly
from canonical.launchpad.command.printing import say
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.scripts.record import SHORTEST_TRY
from canonical.launchpad.scripts.record import record_runs
from canonical.launchpad.scripts.spool import send_spool
from canonical.launchpad.scripts.spool import spooled_paths


__all__ = [
    "flush",
]


def flush(args: argparse.Namespace) -> int:
    """Record what is committed and not recorded, here and in the spool."""
    log_plainly()
    logger = logging.getLogger("scriptactivity")
    logger.setLevel(logging.DEBUG)
    directory = config.directory_for("scripts", "spool_directory")
    ztm = ZopelessTransactionManager._installed
    assert ztm is not None
    sent = recorded = 0
    try:
        sent = send_spool(ztm, directory, logger, math.inf)
    finally:
        with ztm.apart(SHORTEST_TRY):
            runs = getUtility(IScriptAttemptSet).getUnrecorded()
        recorded = record_runs(ztm, runs, logger, math.inf)
    left = len(spooled_paths(directory))
    say(f"{sent + recorded} recorded, {left} left in {directory}")
    return 1 if left else 0
