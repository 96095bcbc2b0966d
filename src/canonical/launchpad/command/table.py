"""Tables that fit a terminal, in colour; for programs, lines with tabs."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

from canonical.launchpad.command.printing import as_text
from canonical.launchpad.command.printing import for_people
from canonical.launchpad.command.printing import in_zone
from canonical.launchpad.command.printing import zone_name
from canonical.launchpad.plaintext import printable


__all__ = [
    "Screen",
    "print_table",
    "wrapped",
]


# What is between columns, and what notes begin with.
GAP = "  "
INDENT = "    "


class Screen(NamedTuple):
    """A table as people see it, where programs get more columns.

    :ivar keys: how many columns, from the first on, say what a row is about.
    :ivar notes: one for each row, with all that has no width of its own; it
        stands beside its row or else below, and is never cut.
    :ivar below: lines below each row, if there are any.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[Any]]
    keys: int
    notes: Sequence[str]
    below: Sequence[Sequence[str]] = ()


def print_table(
    titles: Sequence[str],
    rows: Sequence[Sequence[Any]],
    empty: str,
    style: Callable[[int], str] = lambda row: "",
    screen: Screen | None = None,
) -> None:
    """Print rows: as a table on a terminal, and else a line for each.

    Lines have a tab between values, nothing is cut, and the first line has
    the titles.  A tab or a line break in a value is escaped, as is all that
    is not printable.

    :param empty: what a person reads if there are none.
    :param style: of a row, by its number, as `rich` names styles.
    :param screen: what a person sees instead.
    """
    if not sys.stdout.isatty():
        print("\t".join(titles))
        for row in rows:
            print("\t".join(in_zone(as_text(value)) for value in row))
    elif not rows:
        print(empty)
    else:
        _print_screen(
            screen or Screen(titles, rows, 2, [""] * len(rows)), style)


def _print_screen(screen: Screen, style: Callable[[int], str]) -> None:
    """Print a table, or what it says line by line if it is too wide."""
    # Slow to import, and of no use to a program.
    from rich.console import Console
    console = Console(highlight=False, soft_wrap=True)
    screen = _without_empty_columns(screen)
    cells = [[_cell(value) for value in row] for row in screen.rows]
    titles = [_cell(title) for title in screen.titles]
    notes = [printable(in_zone(note)) for note in screen.notes]
    widths = [
        max(cell.cell_len for cell in column)
        for column in zip(titles, *cells, strict=True)]
    width = sum(widths) + len(GAP) * (len(widths) - 1)
    room = console.width
    beside = any(notes) and width + len(GAP) + max(
        _cell(note).cell_len for note in notes) <= room
    if width <= room:
        console.print(_line(titles, widths), style="bold")
    for number, row in enumerate(cells):
        note = notes[number]
        if width > room:
            lines = _paragraph(screen, row, console)
        else:
            if beside:
                row, note = [*row, _cell(note)], ""
            lines = [_line(row, widths)]
        for line in [*lines, *wrapped([note], INDENT, console)]:
            console.print(line, style=style(number))
        for below in screen.below[number] if screen.below else ():
            for line in wrapped([printable(below)], INDENT, console):
                console.print(line, style="dim")
    if any(isinstance(value, datetime.datetime)
           for row in screen.rows for value in row):
        console.print(f"Times are in {zone_name()}.", style="dim")


def _without_empty_columns(screen: Screen) -> Screen:
    """It, without columns that have no value in any row.

    A column that says what a row is about stays.
    """
    shown = [
        number for number in range(len(screen.titles))
        if number < screen.keys
        or any(row[number] is not None for row in screen.rows)]
    return screen._replace(
        titles=[screen.titles[number] for number in shown],
        rows=[[row[number] for number in shown] for row in screen.rows])


def _cell(value: Any) -> Any:
    from rich.text import Text
    return value if isinstance(value, Text) else Text(for_people(value))


def _line(cells: Sequence[Any], widths: Sequence[int]) -> Any:
    """Cells beside each other; the last may be wider than its column."""
    from rich.text import Text
    line = Text()
    for number, cell in enumerate(cells):
        line.append(cell)
        if number < len(cells) - 1:
            line.append(" " * (widths[number] - cell.cell_len) + GAP)
    line.rstrip()
    return line


def _paragraph(
    screen: Screen, cells: Sequence[Any], console: Any
) -> list[Any]:
    """What a row is about on the first line, and below all else."""
    about = GAP.join(str(cell) for cell in cells[:screen.keys])
    rest = [
        f"{title} {cell}" for title, cell in list(
            zip(screen.titles, cells, strict=True))[screen.keys:]
        if str(cell) != "-"]
    return [
        *wrapped([about], "", console), *wrapped(rest, GAP, console)]


def wrapped(parts: Sequence[str], indent: str, console: Any) -> list[Any]:
    """Lines that fit; a part begins a line if it does not fit in the last.

    A part that is longer than a line goes on in the next.

    :param console: of `rich`, as wide as the terminal.
    :return: a list of `rich.text.Text`.
    """
    from rich.text import Text
    room = max(20, console.width - len(indent))
    lines: list[Any] = []
    for part in filter(None, parts):
        text = Text(part)
        if lines and lines[-1].cell_len + len(", ") + text.cell_len <= room:
            lines[-1].append(", ").append(text)
        else:
            # The space after what just fits is no line.
            lines.extend(
                line for line in text.wrap(console, room) if line.plain.strip()
            )
    for line in lines:
        line.rstrip()
        line.pad_left(len(indent))
    return lines
