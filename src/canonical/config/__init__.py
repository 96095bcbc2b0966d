"""Which instance is this, and how is it configured?

    from canonical.config import config
    config.database.uri

The keys, their meaning and their defaults are documented in ``schema.conf``
beside this module.
"""

from __future__ import annotations

import configparser
import contextlib
import functools
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from canonical.config.durations import parse_duration


__all__ = [
    "ConfigError",
    "LaunchpadConfig",
    "config",
    "without_quotes",
]


HERE = Path(__file__).resolve().parent
INSTANCES = HERE / "instances"
SCHEMA = HERE / "schema.conf"
FILE_NAME = "scriptactivity.conf"
DEFAULT_INSTANCE = "development"

Values = dict[str, dict[str, str]]


class ConfigError(Exception):
    """The configuration cannot be used.

    Its text is one line for the person who has to put it right: which
    instance, file, section or key, and what was looked at.
    """


def shipped_instances() -> list[str]:
    """The names that LPCONFIG may have without being a path."""
    return sorted(entry.name for entry in INSTANCES.iterdir())


def find_instance(name: str) -> Path:
    """The configuration file that an LPCONFIG of `name` stands for.

    :raises ConfigError: if there is none.
    """
    if name in shipped_instances():
        return INSTANCES / name / FILE_NAME
    try:
        path = Path(name).expanduser().absolute()
        if path.is_dir() and (path / FILE_NAME).exists():
            return path / FILE_NAME
        if path.is_file():
            return path
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"LPCONFIG: no instance {name!r}: {without_quotes(error)}"
        ) from None
    raise ConfigError(
        f"LPCONFIG: no instance {name!r}: it is neither shipped"
        f" ({', '.join(shipped_instances())}), nor a file {str(path)!r},"
        f" nor a directory with a {FILE_NAME} in it"
    )


def without_quotes(error: BaseException) -> str:
    """What is wrong with a file of ours, on one line.

    What is in it is not quoted: it may be a password.
    """
    if isinstance(error, UnicodeDecodeError):
        line = error.object[:error.start].count(b"\n") + 1
        return f"line {line}: not UTF-8"
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno}: no [section] comes before it"
    if isinstance(error, configparser.ParsingError):
        line, _ = error.errors[0]
        return f"line {line}: neither a [section] nor 'key: value'"
    if isinstance(error, configparser.DuplicateSectionError):
        return f"line {error.lineno}: [{error.section}] is there twice"
    if isinstance(error, configparser.DuplicateOptionError):
        return (f"line {error.lineno}: [{error.section}] {error.option} is"
                " there twice")
    return " ".join(str(error).split())


def _parse(text: str) -> Values:
    """The sections of a configuration file, and their keys.

    :raises configparser.Error: if it is none.
    """
    parser = configparser.RawConfigParser(default_section="\0")
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections()}


@functools.cache
def _schema() -> Values:
    """All keys, with their defaults."""
    return _parse(SCHEMA.read_text(encoding="utf-8"))


def _read(path: Path, extended: tuple[Path, ...] = ()) -> Values:
    """What a file says, and those that it extends.

    :raises ConfigError: if one of them cannot be read, or has a section or a
        key that there is not.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
        values = _parse(text)
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise ConfigError(without_quotes(error)) from None
    base = values.get("meta", {}).get("extends")
    if base is None:
        below = {}
    elif path in extended:
        raise ConfigError("it extends itself")
    else:
        below = _read(
            Path(os.path.normpath(path.parent / base)), (*extended, path))
    _refuse_unknown(values, text)
    return _merged(below, values)


def _refuse_unknown(values: Values, text: str) -> None:
    """Check that all sections and keys are those of the schema."""
    schema = {"meta": {"extends": ""}, **_schema()}
    mistakes = []
    for section, keys in values.items():
        if section not in schema:
            mistakes.append(
                _line_of(text, rf"\[\s*{re.escape(section)}")
                + f"no section [{section}]" + _nearest(section, schema))
        else:
            mistakes += [
                _line_of(text, rf"{re.escape(key)}\s*[:=]")
                + f"[{section}] has no key {key}"
                + _nearest(key, schema[section])
                for key in keys if key not in schema[section]]
    if mistakes:
        raise ConfigError("; ".join(mistakes))


def _line_of(text: str, pattern: str) -> str:
    """Where `pattern` is at the beginning of a line."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(pattern, line, re.IGNORECASE):
            return f"line {number}: "
    return ""


def _nearest(name: str, names: dict[str, Any]) -> str:
    import difflib
    found = difflib.get_close_matches(name, names, 1)
    return f"; do you mean {found[0]}?" if found else ""


def _merged(below: Values, above: Values) -> Values:
    """The values of both; those of `above` count."""
    merged = {section: dict(keys) for section, keys in below.items()}
    for section, keys in above.items():
        merged.setdefault(section, {}).update(keys)
    return merged


class LaunchpadConfig:
    """The configuration of an instance, read when it is first asked for.

    Sections are attributes, and keys are attributes of sections; every value
    is a string.  All errors in the instance's file are raised as
    `ConfigError` by whatever asks first.

    :param instance_name: as LPCONFIG; by default what LPCONFIG says at the
        first use, or else ``development``.
    """

    def __init__(self, instance_name: str | None = None):
        self._instance_name = instance_name
        self._file: Path | None = None
        self._layers: list[tuple[str, Values]] = []

    @property
    def instance_name(self) -> str:
        """What LPCONFIG names."""
        if self._instance_name is None:
            self._instance_name = (
                os.environ.get("LPCONFIG") or DEFAULT_INSTANCE)
        return self._instance_name

    @property
    def directory(self) -> Path:
        """The directory of the instance's file."""
        self._load()
        assert self._file is not None
        return self._file.parent

    @property
    def state_directory(self) -> Path:
        """Where this instance keeps files of its own.

        A directory of the instance's name in ``var/`` of a checkout, or in
        the user's state directory (by the XDG Base Directory Specification)
        where the package is installed; or what LP_STATE_DIRECTORY says.
        """
        said = os.environ.get("LP_STATE_DIRECTORY")
        if said:
            return Path(said).absolute()
        checkout = HERE.parents[2]
        if (checkout / "buildout.cfg").exists():
            state = checkout / "var"
        else:
            # Slow to import.
            import platformdirs
            state = platformdirs.user_state_path(
                "scriptactivity", appauthor=False)
        name = self.instance_name
        if name not in shipped_instances():
            name = quote(str(Path(name).expanduser().absolute()), safe="")
        return state / name

    def directory_for(self, section: str, key: str) -> Path:
        """The directory that a key names.

        A relative one is below `state_directory`, and is made when it is
        first asked for; an absolute one has to be there.
        """
        value = Path(self._values()[section][key]).expanduser()
        if value.is_absolute():
            return value
        directory = self.state_directory / value
        with contextlib.suppress(OSError):
            directory.mkdir(parents=True, exist_ok=True)
        return directory

    def duration_of(self, section: str, key: str) -> float:
        """The duration that a key gives, in seconds.

        :raises ConfigError: if it is not one.
        """
        try:
            duration = parse_duration(self._values()[section][key])
        except ValueError as error:
            raise ConfigError(f"[{section}] {key}: {error}") from None
        return duration.total_seconds()

    def setInstance(self, instance_name: str) -> None:
        """Use another instance from now on, without what was pushed."""
        self._instance_name = instance_name
        self._file = None
        self._layers = []

    def push(self, name: str, data: str) -> None:
        """Lay `data`, in the form of a configuration file, over the rest.

        :param name: by which `pop` takes it away again.
        :raises ConfigError: if `data` has an unknown section or key; then
            nothing has changed.
        """
        self._load()
        try:
            values = _parse(data)
            _refuse_unknown(values, data)
        except (ConfigError, configparser.Error) as error:
            raise ConfigError(f"{name}: {without_quotes(error)}") from None
        self._layers.append((name, values))

    def pop(self, name: str) -> None:
        """Take away the last overlay `name`, and all pushed after it.

        :raises KeyError: if there is none.
        """
        for index in range(len(self._layers) - 1, 1, -1):
            if self._layers[index][0] == name:
                del self._layers[index:]
                return
        raise KeyError(name)

    def __getattr__(self, section: str) -> Any:
        if section.startswith("_"):
            raise AttributeError(section)
        values = self._values()
        if section not in values:
            raise AttributeError(section)
        return SimpleNamespace(**values[section])

    def _values(self) -> Values:
        self._load()
        values: Values = {}
        for _, layer in self._layers:
            values = _merged(values, layer)
        return values

    def _load(self) -> None:
        """Read the schema and the instance's file, if that is not done."""
        if self._layers:
            return
        file = find_instance(self.instance_name)
        try:
            values = _read(file)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        self._file = file
        self._layers = [
            ("schema", _schema()),
            ("instance", values),
        ]


config = LaunchpadConfig()
