"""The commands ``scriptactivity export`` and ``scriptactivity import``."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import socket
import sys
import zlib
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transaction
from zope.component import getUtility

from canonical.config.timelimit import without_waiting
from canonical.database.connection import time_limit
from canonical.database.sqlbase import ZopelessTransactionManager
from canonical.launchpad.command import execute
from canonical.launchpad.command.importformats import Defaults
from canonical.launchpad.command.importformats import Record
from canonical.launchpad.command.importformats import converter
from canonical.launchpad.command.importlines import Line
from canonical.launchpad.command.importlines import lines_of
from canonical.launchpad.command.packedfile import PackedFile
from canonical.launchpad.command.packedfile import unpacked
from canonical.launchpad.command.parser import UsageError
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import say
from canonical.launchpad.command.rules import with_tags
from canonical.launchpad.interfaces import IScriptTransferSet
from canonical.launchpad.plaintext import counted


__all__ = [
    "export",
    "import_",
]


# Rows of a transaction: few megabytes, and few enough to do again.
BATCH = 20_000

BUFFER = 1 << 20

# More than all that a document or the output of a run takes.
LONGEST_LINE = 60_000_000


def export(args: argparse.Namespace) -> int:
    """Copy runs or attempts to a file."""
    form = args.form or _form_of(args.file)
    names = [
        each.name for each in with_tags(args.tags)
    ] if args.tags else None
    with _written(args.file) as file:
        left_out = getUtility(IScriptTransferSet).export(
            args.what, form, args.since, args.until, file, names)
    transaction.abort()
    if left_out:
        table = "scriptactivity" if args.what == "runs" else "scriptattempt"
        complain(
            f"left out: {counted(left_out, 'row')} of {table} with an infinite"
            " time, or with an end before the start; they count nowhere")
    return 0


def _form_of(name: str) -> str:
    """CSV or JSON lines, by the name of a file."""
    ending = Path(name.removesuffix(".gz")).suffix
    if name == "-" or ending == ".csv":
        return "csv"
    if ending == ".jsonl":
        return "jsonl"
    raise UsageError(
        f"{name}: expected a name that ends in .csv, .jsonl, .csv.gz or"
        " .jsonl.gz; or add --form", 2)


@contextlib.contextmanager
def _written(name: str) -> Iterator[Any]:
    """A file for bytes, which is there once it is whole."""
    if name == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if os.path.lexists(name) and (
        os.path.islink(name) or not os.path.isfile(name)
    ):
        # To replace a device or a link would destroy it.
        raise UsageError(
            f"{name}: not a regular file; - is standard output", 2)
    unfinished = Path(f"{name}.unfinished")
    try:
        raw: Any = open(unfinished, "wb")  # noqa: SIM115
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror}", 2) from None
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(raw)
            if name.endswith(".gz"):
                raw = PackedFile(raw)
            yield stack.enter_context(io.BufferedWriter(raw, BUFFER))
        os.replace(unfinished, name)
    except OSError as error:
        # A write names no file.
        error.filename = name
        raise
    finally:
        unfinished.unlink(missing_ok=True)


def import_(args: argparse.Namespace) -> int:
    """Add what is not on record yet."""
    defaults = Defaults(args.host or socket.gethostname(), args.name)
    with contextlib.ExitStack() as stack:
        bad = None
        if args.bad_lines is not None:
            _refuse_source(args.bad_lines, args.files)
            try:
                # A buffer would fail again when it is closed.
                bad = stack.enter_context(open(
                    args.bad_lines, "wb", 0, opener=without_waiting))
            except OSError as error:
                raise UsageError(
                    f"{args.bad_lines}: {error.strerror}", 2) from None
        return max(
            [_import(name, defaults, bad) for name in args.files], default=0)


def _refuse_source(bad_lines: str, files: Sequence[str]) -> None:
    """Check that --bad-lines names no file that is imported.

    :raises UsageError: if it does; it would be lost.
    """
    for name in files:
        with contextlib.suppress(OSError):
            if os.path.samefile(name, bad_lines):
                raise UsageError(
                    f"{bad_lines}: it is imported, so it cannot be the file of"
                    " --bad-lines", 2)


def _import(name: str, defaults: Defaults, bad: Any) -> int:
    """Add what is in a file; return the exit status."""
    adding = _Adding()
    status = set_aside = 0
    is_stopped = False
    try:
        with _opened(name) as file:
            for line in lines_of(_lines(file), converter):
                try:
                    adding.add(line, defaults)
                except ValueError as error:
                    complain(f"{name}:{line.number}: {error}")
                    status = 1
                    if bad is None:
                        is_stopped = True
                        break
                    _write(bad, line.text)
                    set_aside += 1
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        complain(f"{name}: {error.strerror}")
        return 1
    except (ValueError, OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        complain(f"{name}: {reason}")
        status = 1
    adding.flush()
    say(f"{name}: added {counted(adding.added['runs'], 'run')} and"
        f" {counted(adding.added['attempts'], 'attempt')}; already on record:"
        f" {adding.known}"
        + (f"; {counted(set_aside, 'line')} set aside" if set_aside else "")
        + ("; stopped at the first wrong line" if is_stopped else ""))
    return status


def _write(bad: Any, text: str) -> None:
    """Put a line into the file of --bad-lines.

    :raises UsageError: if that cannot be written.
    """
    data = text.encode(errors="surrogateescape")
    try:
        while data:
            data = data[bad.write(data):]
    except OSError as error:
        raise UsageError(f"{bad.name}: {error.strerror}", 2) from None


def _lines(file: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file.  Devices have no end, and perhaps no lines.

    :raises ValueError: if one is too long.
    """
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise ValueError(
                f"a line is longer than {LONGEST_LINE // 10**6} MB")
        yield line


@contextlib.contextmanager
def _opened(name: str) -> Iterator[io.TextIOWrapper]:
    """A file, unpacked if it is packed; what is not UTF-8 as surrogates."""
    with contextlib.ExitStack() as stack:
        raw: Any = (
            sys.stdin.buffer if name == "-"
            else stack.enter_context(open(name, "rb")))
        if name.endswith(".gz"):
            raw = stack.enter_context(unpacked(raw))
        text = io.TextIOWrapper(
            raw, encoding="utf-8", errors="surrogateescape", newline="\n")
        yield text
        # Standard input stays open.
        text.detach()


class _Adding:
    """Adds records in batches, each in a transaction.

    :ivar added: the number of added rows, by what they are.
    :ivar known: the number of rows that were on record.
    """

    def __init__(self) -> None:
        self.added = {"runs": 0, "attempts": 0}
        self.known = 0
        self._set = getUtility(IScriptTransferSet)
        self._rows: dict[str, list[tuple[str | None, ...]]] = {
            "runs": [], "attempts": []}
        self._columns: frozenset[str] | None = None
        self._convert: Callable[..., Record | None]

    def add(self, line: Line, defaults: Defaults) -> None:
        """Add what is in a line.

        :raises ValueError: if it is wrong; the text says why.
        """
        if isinstance(line.values, ValueError):
            raise line.values
        if line.values.keys() != self._columns:
            columns = frozenset(line.values)
            self._convert = converter(columns)
            self._columns = columns
        record = self._convert(line.values, defaults)
        if record is None:
            return
        rows = self._rows[record.what]
        rows.append(record.row)
        if len(rows) >= BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        for what, rows in self._rows.items():
            if rows:
                with self._in_time():
                    added = self._set.add(what, rows)
                    transaction.commit()
                self.added[what] += added
                self.known += len(rows) - added
                rows.clear()

    def _in_time(self) -> contextlib.AbstractContextManager[object]:
        """Limits how long a batch waits for the database."""
        ztm = ZopelessTransactionManager._installed
        assert ztm is not None
        return time_limit(ztm.cut, execute.PATIENCE)
