"""Completion for bash, zsh and fish, and man pages.

The build makes them, when little else is installed.
"""

from __future__ import annotations

import argparse

from canonical.launchpad.command.commands import COMMANDS
from canonical.launchpad.command.commands import MONITORS
from canonical.launchpad.command.commands import VERSION
from canonical.launchpad.command.parser import main_parser
from canonical.launchpad.command.parser import monitor_parser


__all__ = [
    "files",
]


# Where each shell looks for the completion of a program.
COMPLETIONS = {
    "bash": "share/bash-completion/completions/{}",
    "zsh": "share/zsh/site-functions/_{}",
    "fish": "share/fish/vendor_completions.d/{}.fish",
}


def files() -> dict[str, str]:
    """The texts of all files, by where they are to be installed."""
    # Only what makes a package has it.
    import shtab
    texts = {}
    for program in [main_parser(), *map(monitor_parser, MONITORS)]:
        for each in [program, *_subparsers(program)]:
            for action in each._actions:
                if action.metavar == "FILE":
                    action.complete = shtab.FILE  # type: ignore[attr-defined]
        for shell, place in COMPLETIONS.items():
            texts[place.format(program.prog)] = shtab.complete(program, shell)
        texts[f"share/man/man1/{program.prog}.1"] = _man_page(program)
    return texts


def _subparsers(
    program: argparse.ArgumentParser
) -> list[argparse.ArgumentParser]:
    """The parsers of the commands that a program has."""
    return [
        parser for action in program._actions
        if isinstance(action.choices, dict)
        for parser in action.choices.values()]


def _man_page(program: argparse.ArgumentParser) -> str:
    from argparse_manpage.manpage import Manpage
    page = Manpage(program)
    page.source = f"scriptactivity {VERSION}"
    page.manual = "scriptactivity"
    page.description = (program.description or "").split(". ")[0].strip(". \n")
    return str(page) + _examples(program.prog)


def _examples(name: str) -> str:
    """A section of a man page; the others are the parser's."""
    if name != "scriptactivity":
        return ""
    lines = [
        f".TP\n.B {command}\n{purpose}"
        for each in COMMANDS.values()
        for command, purpose in each.examples.items()]
    text = "\n".join([".SH EXAMPLES", *lines, ""])
    return text.replace("\\", "\\e").replace("-", "\\-")
