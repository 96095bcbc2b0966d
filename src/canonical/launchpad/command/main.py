"""The command ``scriptactivity``: from its arguments to an exit status."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from canonical.launchpad.command.parser import UsageError
from canonical.launchpad.command.parser import parse
from canonical.launchpad.command.program import is_for_nagios


__all__ = [
    "main",
]


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
    nagios = is_for_nagios(argv)
    # What executes a command is slow to import, and --help does without.
    try:
        args = parse(argv)
    except UsageError as error:
        from canonical.launchpad.command.execute import fail
        return fail(nagios, error.status, error)
    from canonical.launchpad.command.execute import execute
    status = execute(args, nagios)
    gc.freeze()
    return status
