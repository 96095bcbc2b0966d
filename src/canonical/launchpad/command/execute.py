"""Executes a command: with a database, and a line about what goes wrong."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import psycopg2
from storm.exceptions import StormError

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.connection import limit_lock_waits
from canonical.database.connection import time_limit
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.signals import DeadlySignals
from canonical.database.sqlbase import initZopeless
from canonical.database.sqlbase import main_store
from canonical.launchpad.command.commands import UNKNOWN
from canonical.launchpad.command.interrupt import raise_when_interrupted
from canonical.launchpad.command.parser import UsageError
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.printing import print_unknown
from canonical.launchpad.command.printing import use_local_zone
from canonical.launchpad.command.streams import OutputError
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "PATIENCE",
    "TROUBLE",
    "execute",
    "fail",
    "with_database",
]


# How many seconds a command waits for the database.  To check ten thousand
# rules takes one.  If the server hangs, somebody should be notified of that.
PATIENCE = 300

# What can go wrong with any database, network or file.
TROUBLE = (EmbeddedClusterError, OSError, StormError, psycopg2.Error)


def execute(args: argparse.Namespace, nagios: bool) -> int:
    """Execute a command.

    :param args: as `canonical.launchpad.command.parser.parse` returns them.
    :param nagios: does Nagios read standard output?
    :return: the exit status.
    :raises OutputError: if standard output cannot be written to.
    """
    trouble = args.command.trouble
    failure = UNKNOWN if trouble == UNKNOWN else 1
    use_local_zone(args.local)
    try:
        if args.config is not None:
            config.setInstance(args.config, "--config")
        status = _run(args)
        sys.stdout.flush()
        return status
    except OutputError as error:
        error.status = failure
        raise
    except (ConfigError, ExpectationError, UsageError) as error:
        return fail(nagios, max(2, trouble), error)
    except TROUBLE as error:
        return fail(nagios, failure, error)
    except Exception as error:
        # Nagios would show no traceback, and take 1 for a warning.
        if not nagios:
            raise
        print_unknown(f"{type(error).__name__}: {in_a_line(error)}")
        return UNKNOWN


def fail(nagios: bool, status: int, error: Exception) -> int:
    """Print a line about an error.

    :param nagios: print it as Nagios reads it.
    :return: the exit status: `status`, or that for Nagios.
    """
    if nagios:
        print_unknown(in_a_line(error))
        return UNKNOWN
    complain(in_a_line(error))
    return status


def _run(args: argparse.Namespace) -> int:
    command = args.command
    module = importlib.import_module(f"{__package__}.{command.module}")
    call = partial(getattr(module, command.function), args)
    if not command.database:
        raise_when_interrupted()
        return int(call())
    return int(with_database(call, command.only_reads, command.limit))


def with_database(
    call: Callable[[], int],
    only_reads: bool = False,
    limit: str = "all",
) -> int:
    """Call a function with a store to work with; return what it returns.

    :param only_reads: the store may be a replica.
    :param limit: what may take `PATIENCE` at most; see `Command`.
    """
    execute_zcml()
    ztm = initZopeless(only_reads=only_reads)
    # A statement that waits does not keep Ctrl-C waiting.
    signals = DeadlySignals()
    signals.cancel = ztm.cancel
    signals.cut = ztm.cut
    try:
        raise_when_interrupted()
        limited = (
            time_limit(ztm.cut, PATIENCE) if limit == "all"
            else nullcontext())
        with signals, signals.blamed(), limited:
            if limit == "locks":
                limit_lock_waits(main_store(), PATIENCE)
            return call()
    finally:
        ztm.uninstall()
