"""The command ``scriptactivity flush``: record what is not on record yet."""

from __future__ import annotations

import argparse
import logging
import math

from canonical.config import config
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.printing import log_plainly
from canonical.launchpad.command.printing import say
from canonical.launchpad.scripts.record import record_committed
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
        sent = send_spool(ztm, directory, math.inf, logger)
    finally:
        recorded = record_committed(ztm, math.inf, logger)
    left = len(spooled_paths(directory))
    say(f"{sent + recorded} recorded, {left} left in {directory}")
    return 1 if left else 0
