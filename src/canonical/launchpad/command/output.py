"""The command ``output``, and the end of an output beside a failure."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from zope.component import getUtility

from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import print_json
from canonical.launchpad.command.rules import complain_of_unknown
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.plaintext import printable


__all__ = [
    "end_of_output",
    "output",
]


# How many lines are shown beside a failure.
LINES = 5


def output(args: argparse.Namespace) -> int:
    """Print what was kept of the output of a command."""
    attempt_set = getUtility(IScriptAttemptSet)
    kept = attempt_set.getOutput(args.name, args.run)
    if kept is None and not attempt_set.getSummaries(args.name):
        complain_of_unknown(args.name)
        return 1
    if kept is None and args.run is None:
        complain(f"no output of {args.name!r} is kept")
        return 1
    if kept is None:
        complain(f"run {args.run} of {args.name!r} is not on record")
        return 1
    texts = kept.output
    if args.json:
        print_json([{
            **kept._asdict(), "output": None, "name": args.name,
            "stdout": texts and texts.stdout,
            "stderr": texts and texts.stderr}])
        return 0
    if texts is None:
        complain(f"no output of run {args.run} of {args.name!r} is kept")
        return 1
    for text, stream in (
        (texts.stdout, sys.stdout), (texts.stderr, sys.stderr)
    ):
        print(
            printable(text, keep="\n\t"), file=stream,
            end="\n" if text and not text.endswith("\n") else "", flush=True)
    return 0


def end_of_output(attempt: Any) -> list[str]:
    """The last lines of what a run that failed has printed.

    :param attempt: an `IFailedAttempt`.
    """
    text = (attempt.stderr or "").strip() or (attempt.stdout or "").strip()
    lines = text.splitlines()
    return [f"| {line}" for line in lines[-LINES:]] + (
        [f"  more: scriptactivity output {attempt.name} --run {attempt.id}"]
        if len(lines) > LINES else [])
