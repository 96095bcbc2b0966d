"""The lines of a file that ``import`` reads, as named values."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from canonical.launchpad.plaintext import counted


__all__ = [
    "Line",
    "lines_of",
]


# The tables of a dump that are read.
TABLES = {"scriptactivity", "scriptattempt", "job_run_details"}

COPY = re.compile(r'COPY (?:"?\w+"?\.)?"?(\w+)"? \((.*)\) FROM stdin;\s*')

# By "COPY" in the PostgreSQL manual.
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPED = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}

# The first and the last words of pg_dump.
BEGIN = "-- PostgreSQL database dump"
END = f"{BEGIN} complete"

# Large enough for every response of an API, and no burden to any machine; also
# for the output of a run.
LARGEST_DOCUMENT = 50_000_000

# What may be before the first value, for example as Windows writes it.
BLANK = "\N{BYTE ORDER MARK} \t\r\n"


class Line(NamedTuple):
    """A line, or several if a value has line breaks.

    :ivar number: of the first line, from 1 on.
    :ivar text: the line as it is in the file.
    :ivar values: by their names; an exception if it cannot be read.
    """

    number: int
    text: str
    values: dict[str, str | None] | ValueError


def lines_of(
    file: Iterable[str], check: Callable[[frozenset[str]], object]
) -> Iterator[Line]:
    """The lines with values in CSV, JSON, or a dump.

    :param check: is called with the columns that the first line of a CSV file
        names; it raises `ValueError` if they are not known.
    :raises ValueError: if nothing in the file can be understood.
    """
    lines = iter(file)
    number, first = next(
        ((number, line) for number, line in enumerate(lines, 1)
         if line.strip(BLANK)), (0, ""))
    first = first.lstrip(BLANK)
    whole = itertools.chain([first], lines)
    if not first:
        return iter(())
    if first.startswith("{"):
        if _is_object(first):
            return _json_lines(whole, number)
        return _document(whole)
    if first.startswith(("--", "SET ", "COPY ", "\\restrict")):
        return _dump(whole, number)
    return _csv(whole, number, check)


def _is_object(line: str) -> bool:
    """Is a line an object of its own, rather than part of a document?"""
    try:
        return "pings" not in _loaded(line)
    except ValueError:
        return not line.rstrip().endswith(("{", "["))


def _loaded(text: str) -> Any:
    """What JSON stands for.

    :raises ValueError: if it is not JSON.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _json_lines(lines: Iterable[str], first: int) -> Iterator[Line]:
    """The objects in lines.

    :param first: the number of the first line, as in the next functions.
    """
    for number, text in enumerate(lines, first):
        if not text.strip():
            continue
        try:
            found = _loaded(text)
            if not isinstance(found, dict):
                raise ValueError("it is not an object")
        except ValueError as error:
            yield Line(number, text, ValueError(f"not JSON: {error}"))
            continue
        yield Line(number, text, _texts(found))


def _document(lines: Iterable[str]) -> Iterator[Line]:
    """The pings in a response of the API of Healthchecks."""
    text = ""
    for line in lines:
        text += line
        if len(text) > LARGEST_DOCUMENT:
            raise ValueError(
                "a JSON document that is larger than"
                f" {LARGEST_DOCUMENT // 10**6} MB")
    try:
        pings = _loaded(text)["pings"]
        objects = [dict(ping) for ping in pings]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            "neither JSON lines nor a response of Healthchecks with"
            " \"pings\"") from None
    for number, ping in enumerate(objects, 1):
        yield Line(number, json.dumps(ping) + "\n", _texts(ping))


def _texts(found: dict[str, Any]) -> dict[str, str | None]:
    return {
        name: value if value is None or isinstance(value, str)
        else json.dumps(value)
        for name, value in found.items()}


class _Remembering:
    """Lines, and those that were taken since it was asked last."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self.taken: list[str] = []

    def __iter__(self) -> _Remembering:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken.append(line)
        return line


def _csv(
    lines: Iterable[str],
    first: int,
    check: Callable[[frozenset[str]], object],
) -> Iterator[Line]:
    source = _Remembering(lines)
    csv.field_size_limit(LARGEST_DOCUMENT)
    # So a quoted value that does not end is an error.
    reader = csv.reader(source, strict=True)
    columns: list[str] | None = None
    number = first
    while True:
        try:
            row = next(reader)
            wrong = None
        except StopIteration:
            return
        except csv.Error as error:
            # After a hyphen it has advice for programmers.
            wrong = ValueError(f"not CSV: {str(error).partition(' - ')[0]}")
        text = "".join(source.taken)
        source.taken.clear()
        if columns is None:
            if wrong:
                raise wrong
            columns = _columns(row)
            check(frozenset(columns))
        elif wrong:
            yield Line(number, text, wrong)
        elif "run_key" in columns and not text.endswith("\n"):
            # Only "export" writes these columns, and it ends each line.  Other
            # programs need not.
            yield Line(number, text, ValueError(
                "the file is cut off, or its last line has no line break at"
                " its end; add it if nothing is missing"))
        elif len(row) == len(columns):
            yield Line(number, text, {
                name: value or None
                for name, value in zip(columns, row, strict=True)})
        elif row:
            yield Line(number, text, _wrong_count(row, columns))
        number = first + reader.line_num


def _columns(row: Iterable[str]) -> list[str]:
    """The names of columns, as the first line of CSV has them."""
    columns = [each.strip(BLANK) for each in row]
    if not all(map(str.isprintable, columns)):
        raise ValueError("neither CSV, nor JSON lines, nor a dump of pg_dump")
    for number, name in enumerate(columns):
        if name and name in columns[:number]:
            raise ValueError(f"there are two columns with the name {name}")
    return columns


def _wrong_count(row: Sequence[str], columns: Sequence[str]) -> ValueError:
    return ValueError(
        f"{counted(len(row), 'value')} for {counted(len(columns), 'column')}")


def _dump(lines: Iterable[str], first: int) -> Iterator[Line]:
    """The rows of the tables in a dump of pg_dump."""
    columns: list[str] | None = None
    is_wanted = found = is_cut_off = False
    for number, text in enumerate(lines, first):
        if columns is None:
            match = COPY.fullmatch(text)
            is_cut_off = (is_cut_off or text.startswith(BEGIN)) and (
                not text.startswith(END))
            if match:
                is_wanted = match[1] in TABLES
                found = found or is_wanted
                columns = [
                    each.strip(' "') for each in match[2].split(",")]
        elif text.rstrip("\r\n") == "\\.":
            columns = None
        elif not text.endswith("\n"):
            # What is left of a value is no value.
            break
        elif is_wanted:
            row = text.rstrip("\r\n").split("\t")
            if len(row) != len(columns):
                yield Line(number, text, _wrong_count(row, columns))
                continue
            yield Line(number, text, {
                name: None if value == "\\N" else _unescaped(value)
                for name, value in zip(columns, row, strict=True)})
    if is_cut_off or columns is not None:
        raise ValueError("the dump is cut off: its end is missing")
    if not found:
        raise ValueError(
            "a dump without COPY of a table that is known:"
            f" {', '.join(sorted(TABLES))}; pg_dump must not be called with"
            " --inserts")


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return ESCAPE.sub(lambda match: ESCAPED.get(match[1], match[1]), value)
