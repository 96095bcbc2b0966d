"""The command ``scriptactivity``: from its arguments to an exit status."""

from __future__ import annotations

import argparse
import gc
import importlib
import sys
from collections.abc import Callable
from collections.abc import Sequence
from functools import partial

import psycopg2
from storm.exceptions import StormError

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.postgres import EmbeddedClusterError
from canonical.database.signals import DeadlySignals
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.commands import UNKNOWN
from canonical.launchpad.command.interrupt import raise_when_interrupted
from canonical.launchpad.command.parser import UsageError
from canonical.launchpad.command.parser import parse
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import in_a_line
from canonical.launchpad.command.printing import print_unknown
from canonical.launchpad.command.printing import use_local_zone
from canonical.launchpad.command.program import is_for_nagios
from canonical.launchpad.command.streams import OutputError
from canonical.launchpad.monitor.rulesfile import ExpectationError
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "TROUBLE",
    "main",
    "with_database",
]


# What can go wrong with any database, network or file.
TROUBLE = (EmbeddedClusterError, OSError, StormError, psycopg2.Error)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    :param argv: its arguments, by default those of the process.
    :return: the exit status: 0, or 1 for a failure, or 2 for wrong use and
        wrong configuration; all but 0 come with a line on standard error, or
        for Nagios on standard output.
    :raises OutputError: if standard output cannot be written to.
    """
    # A command lives for seconds and leaves hardly any cycles, and with ten
    # thousand scripts it would spend a tenth of them on looking.  Nor should
    # it look at its end, and that is what it is to freeze.
    gc.disable()
    argv = sys.argv[1:] if argv is None else list(argv)
    fail = _fail_for_nagios if is_for_nagios(argv) else _fail
    try:
        args = parse(argv)
    except UsageError as error:
        return fail(error.status, error)
    trouble = args.command.trouble
    failure = UNKNOWN if trouble == UNKNOWN else 1
    use_local_zone(args.local)
    try:
        if args.config is not None:
            config.setInstance(args.config, "--config")
        status = _run(args)
        sys.stdout.flush()
        gc.freeze()
        return status
    except OutputError as error:
        error.status = failure
        raise
    except (ConfigError, ExpectationError, UsageError) as error:
        return fail(max(2, trouble), error)
    except TROUBLE as error:
        return fail(failure, error)
    except Exception as error:
        # Nagios would show no traceback, and take 1 for a warning.
        if fail is _fail:
            raise
        print_unknown(f"{type(error).__name__}: {in_a_line(error)}")
        return UNKNOWN


def _run(args: argparse.Namespace) -> int:
    command = args.command
    module = importlib.import_module(f"{__package__}.{command.module}")
    call = partial(getattr(module, command.function), args)
    if not command.database:
        raise_when_interrupted()
        return int(call())
    return int(with_database(call, command.only_reads))


def with_database(call: Callable[[], int], only_reads: bool = False) -> int:
    """Call a function with a store to work with; return what it returns.

    :param only_reads: the store may be a replica.
    """
    execute_zcml()
    ztm = initZopeless(only_reads=only_reads)
    # A statement that waits does not keep Ctrl-C waiting.
    signals = DeadlySignals()
    signals.cancel = ztm.cancel
    signals.cut = ztm.cut
    try:
        raise_when_interrupted()
        with signals, signals.blamed():
            return call()
    finally:
        ztm.uninstall()


def _fail(status: int, error: Exception) -> int:
    complain(in_a_line(error))
    return status


def _fail_for_nagios(status: int, error: Exception) -> int:
    print_unknown(in_a_line(error))
    return UNKNOWN
