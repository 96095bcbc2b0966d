"""Reads a configuration file, and reports mistakes with their lines."""

from __future__ import annotations

import configparser
import functools
import os
import re
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from canonical.config.valuechecks import login_mistake
from canonical.config.valuechecks import value_mistake


__all__ = [
    "ConfigError",
    "Setting",
    "Values",
    "check_together",
    "merged",
    "read_file",
    "read_text",
    "schema",
    "without_quotes",
]


SCHEMA = Path(__file__).with_name("schema.conf")

# Nobody extends so many.
DEEPEST = 10

SECTION = re.compile(r"\[(.+)\]")
KEY = re.compile(r"\s*([^:=\s][^:=]*?)\s*[:=]")


class ConfigError(Exception):
    """The configuration cannot be used.

    The text is one line.  It names the instance, file, section or key that
    has to be corrected.
    """


class Setting(NamedTuple):
    """The value of a key, and where the value comes from.

    :ivar source: a file, an environment variable, or ``default``.
    :ivar line: the line in the file; 0 if the source is not a file.
    """

    value: str
    source: str
    line: int = 0


Values = dict[str, dict[str, Setting]]


def read_file(path: Path, extended: tuple[Path, ...] = ()) -> Values:
    """The values of a file, and of the files that it extends.

    :raises ConfigError: if a file cannot be read, or has a mistake.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: {without_quotes(error)}") from None
    values = read_text(text, str(path))
    base = values.get("meta", {}).get("extends")
    if base is None:
        return values
    other = Path(os.path.normpath(path.parent / base.value))
    why = (
        "it is empty" if not base.value
        else "it extends itself" if path in extended
        else f"more than {DEEPEST} files extend each other"
        if len(extended) == DEEPEST
        else "" if other.is_file() else f"there is no file {other}")
    if why:
        raise ConfigError(f"{path}: line {base.line}: [meta] extends: {why}")
    return merged(read_file(other, (*extended, path)), values)


def read_text(text: str, name: str) -> Values:
    """The values of `text`, which has the form of a configuration file.

    :param name: what messages call it.
    :raises ConfigError: if anything in it can be seen to be wrong.
    """
    values = _parse(text, name)
    _refuse(name, [*_unknown(values, text), *_wrong(values)])
    return values


def check_together(values: Values) -> None:
    """Check what can be seen to be wrong only where all values are known.

    :param values: of all keys.
    :raises ConfigError: if something is.
    """
    monitor = values["monitor"]
    mistake = login_mistake(
        {key: setting.value for key, setting in monitor.items()})
    if mistake:
        _, source, line = monitor["smtp_user"]
        _refuse(source, [(line, f"[monitor] smtp_user: {mistake}")])


def merged(below: Values, above: Values) -> Values:
    """The values of both.  Where both have a key, `above` wins."""
    result = {section: dict(keys) for section, keys in below.items()}
    for section, keys in above.items():
        result.setdefault(section, {}).update(keys)
    return result


@functools.cache
def schema() -> Values:
    """All keys, with their defaults."""
    return {
        section: {
            key: Setting(setting.value, "default")
            for key, setting in keys.items()}
        for section, keys in _parse(
            SCHEMA.read_text(encoding="utf-8"), str(SCHEMA)).items()}


def without_quotes(error: BaseException) -> str:
    """The text of an error about a file, on one line.

    The text quotes nothing from the file, which may hold a password.
    """
    if isinstance(error, UnicodeDecodeError):
        line = error.object[:error.start].count(b"\n") + 1
        return f"line {line}: not UTF-8"
    if isinstance(error, OSError):
        about = f": {error.filename}" if error.filename else ""
        return f"{error.strerror}{about}"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno}: a line before the first [section]"
    if isinstance(error, configparser.ParsingError):
        line, _ = error.errors[0]
        return f"line {line}: neither a [section] nor 'key: value'"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: [{error.section}] occurs twice"
    if isinstance(error, configparser.DuplicateOptionError):
        return (f"line {error.lineno}: [{error.section}] {error.option}"
                " occurs twice")
    return " ".join(str(error).split())


def _parse(text: str, name: str) -> Values:
    """The sections of a text, and their keys."""
    parser = configparser.RawConfigParser(default_section="\0")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ConfigError(f"{name}: {without_quotes(error)}") from None
    lines = _lines(text)
    return {
        section: {
            key: Setting(value, name, lines.get((section, key), 0))
            for key, value in parser[section].items()}
        for section in parser.sections()}


def _lines(text: str) -> dict[tuple[str, str], int]:
    """The line of each (section, key); the key of a section is empty."""
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        if match := SECTION.match(line):
            section = match[1]
            lines.setdefault((section, ""), number)
        elif match := KEY.match(line):
            lines.setdefault((section, match[1].lower()), number)
    return lines


def _refuse(name: str, mistakes: Iterable[tuple[int, str]]) -> None:
    """Raise `ConfigError` if there are mistakes; it lists them by line."""
    found = [f"line {line}: {text}" for line, text in sorted(mistakes)]
    if found:
        raise ConfigError(f"{name}: {'; '.join(found)}")


def _unknown(values: Values, text: str) -> Iterator[tuple[int, str]]:
    """The unknown sections and keys: the line of each, and a message."""
    known: dict[str, Iterable[str]] = {"meta": ["extends"], **schema()}
    for section, keys in values.items():
        if section not in known:
            yield (_lines(text).get((section, ""), 0),
                   f"no section [{section}]" + _nearest(section, known))
            continue
        for key, setting in keys.items():
            if key not in known[section]:
                yield (setting.line, f"[{section}] has no key {key}"
                       + _nearest(key, known[section]))


def _wrong(values: Values) -> Iterator[tuple[int, str]]:
    """The wrong values: the line of each, and a message."""
    for section, keys in values.items():
        for key, setting in keys.items():
            mistake = value_mistake(section, key, setting.value)
            if mistake:
                yield setting.line, f"[{section}] {key}: {mistake}"


def _nearest(name: str, names: Iterable[str]) -> str:
    # Slow to import, and most files have no mistake.
    from canonical.launchpad.nearest import nearest
    return nearest(name, names)
