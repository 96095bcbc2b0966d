"""Which instance is this, and how is it configured?

    from canonical.config import config
    config.database.uri

The keys, their meaning and their defaults are documented in ``schema.conf``
beside this module.
"""

from __future__ import annotations

import configparser
import contextlib
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import platformdirs
from lazr.config import ConfigSchema
from lazr.config import as_timedelta
from lazr.config.interfaces import ConfigErrors


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

# Of durations, in seconds: a hundred years, which every clock can count.
LONGEST = 36525 * 86400


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
    if isinstance(error, ConfigErrors):
        return "; ".join(without_quotes(each) for each in error.errors)
    if isinstance(error, UnicodeError):
        start: int = error.start  # type: ignore[attr-defined]
        line = error.object[:start].count("\n") + 1  # type: ignore[attr-defined]
        return f"line {line}: only ASCII characters are allowed"
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}"
    if isinstance(error, RecursionError):
        return "it extends itself"
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f"line {error.lineno}: no [section] comes before it"
    if isinstance(error, configparser.ParsingError):
        line, _ = error.errors[0]
        return f"line {line}: neither a [section] nor 'key: value'"
    return " ".join(str(error).split())


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
        self._config: Any = None

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
        value = Path(getattr(self._load(), section)[key]).expanduser()
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
        value = getattr(self._load(), section)[key]
        try:
            seconds = float(as_timedelta(value).total_seconds())
        except (OverflowError, ValueError):
            raise ConfigError(
                f"[{section}] {key}: not a duration: {value!r};"
                " expected something like 90s or 1m30s") from None
        if seconds > LONGEST:
            raise ConfigError(
                f"[{section}] {key}: too long a duration: {value!r};"
                " expected at most 36525d")
        return seconds

    def setInstance(self, instance_name: str) -> None:
        """Use another instance from now on, without what was pushed."""
        self._instance_name = instance_name
        self._file = None
        self._config = None

    def push(self, name: str, data: str) -> None:
        """Lay `data`, in the form of a configuration file, over the rest.

        :param name: by which `pop` takes it away again.
        :raises ConfigError: if `data` has an unknown section or key; then
            nothing has changed.
        """
        self._push(self._load(), name, data)

    def pop(self, name: str) -> None:
        """Take away the overlay `name`, and all that were pushed after it.

        :raises lazr.config.interfaces.NoConfigError: if there is none.
        """
        self._load().pop(Path(name).name)

    def __getattr__(self, section: str) -> Any:
        if section.startswith("_"):
            raise AttributeError(section)
        return getattr(self._load(), section)

    def _load(self) -> Any:
        if self._config is None:
            file = find_instance(self.instance_name)
            try:
                data = file.read_text(encoding="utf-8-sig", errors="replace")
            except OSError as error:
                raise ConfigError(
                    f"LPCONFIG={self.instance_name}: {without_quotes(error)}"
                ) from None
            loaded = ConfigSchema(str(SCHEMA)).load(str(SCHEMA))
            self._push(loaded, str(file), data)
            self._file = file
            self._config = loaded
        return self._config

    def _push(self, loaded: Any, name: str, data: str) -> None:
        try:
            loaded.push(name, data)
        except (configparser.Error, OSError, RecursionError) as error:
            raise ConfigError(f"{name}: {without_quotes(error)}") from None
        try:
            loaded.validate()
        except ConfigErrors as error:
            loaded.pop(Path(name).name)
            raise ConfigError(f"{name}: {without_quotes(error)}") from None


config = LaunchpadConfig()
