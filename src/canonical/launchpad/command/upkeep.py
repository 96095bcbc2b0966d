"""The commands ``scriptactivity init`` and ``flush``."""

from __future__ import annotations

import argparse
import logging
import math

from canonical.config import config
from canonical.database.postgres import apply_schema
from canonical.database.postgres import connection_parameters
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command.output import log_plainly
from canonical.launchpad.command.output import say
from canonical.launchpad.scripts.sending import flush
from canonical.launchpad.scripts.spool import Spool


__all__ = [
    "flush_spool",
    "init",
]


def init(args: argparse.Namespace) -> int:
    """Make the tables, or bring older ones up to date; rows are kept."""
    where = apply_schema(connection_parameters())
    say(f"The tables in {where} are up to date.")
    return 0


def flush_spool(args: argparse.Namespace) -> int:
    """Record what the spool holds."""
    log_plainly()
    logger = logging.getLogger("scriptactivity")
    logger.setLevel(logging.DEBUG)
    spool = Spool(config.directory_for("scripts", "spool_directory"))
    ztm = ZopelessTransactionManager._installed
    assert ztm is not None
    sent = flush(ztm, spool, logger, seconds=math.inf)
    left = len(spool.paths())
    say(f"{sent} recorded, {left} left in {spool.directory}")
    return 1 if left else 0
