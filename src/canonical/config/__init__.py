"""The configuration of this instance.

    from canonical.config import config
    config.database.uri

The keys, their meaning and their defaults are documented in ``schema.conf``
beside this module.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

from canonical.config.configfile import ConfigError
from canonical.config.configfile import Setting
from canonical.config.configfile import Values
from canonical.config.configfile import check_together
from canonical.config.configfile import merged
from canonical.config.configfile import read_file
from canonical.config.configfile import read_text
from canonical.config.configfile import schema
from canonical.config.configfile import without_quotes
from canonical.config.durations import parse_duration
from canonical.config.locations import default_instance
from canonical.config.locations import find_instance
from canonical.config.locations import shipped_instances
from canonical.config.locations import state_home
from canonical.config.locations import user_directory
from canonical.config.valuechecks import parse_size


__all__ = [
    "ConfigError",
    "LaunchpadConfig",
    "config",
    "without_quotes",
]


# The name of the instance where no configuration file is found.
NOTHING = ""


class LaunchpadConfig:
    """The configuration of an instance.

    Sections are attributes, and keys are attributes of sections.  Every value
    is a string.  The file is read at the first use, which raises
    `ConfigError` for every mistake in the file.

    :param instance_name: a name or path, as in LPCONFIG.  By default, the
        value of LPCONFIG at the first use, or what `default_instance`
        returns.
    """

    def __init__(self, instance_name: str | None = None):
        self._instance_name = instance_name
        self._named_by = "LPCONFIG" if instance_name else None
        self._file: Path | None = None
        self._layers: list[tuple[str, Values]] = []

    @property
    def instance_name(self) -> str:
        """The name or path of the instance, as in LPCONFIG."""
        if self._instance_name is None:
            said = os.environ.get("LPCONFIG")
            self._named_by = "LPCONFIG" if said else None
            self._instance_name = said or default_instance() or NOTHING
        return self._instance_name

    @property
    def named_by(self) -> str | None:
        """What names the instance: ``LPCONFIG``, ``--config``, or nothing.

        Then its file was found where such files are looked for, if it was.
        """
        self._load()
        return self._named_by

    @property
    def file(self) -> Path | None:
        """The instance's file; `None` if it has no file."""
        self._load()
        return self._file

    @property
    def directory(self) -> Path:
        """The directory of the instance's file; without a file, the user's."""
        file = self.file
        return user_directory() if file is None else file.parent

    @property
    def state_directory(self) -> Path:
        """The directory for the locks, the spool and the like.

        The environment variable LP_STATE_DIRECTORY names it.  Without that,
        the directory has the instance's name.  It is in ``var/`` of a
        checkout, or, for an installed package, in the user's state directory
        (see the XDG Base Directory Specification).
        """
        said = os.environ.get("LP_STATE_DIRECTORY")
        if said:
            return Path(said).absolute()
        name = self.instance_name
        if name == NOTHING:
            return state_home() / "default"
        if name not in shipped_instances():
            name = quote(str(Path(name).expanduser().absolute()), safe="")
        return state_home() / name

    def directory_for(self, section: str, key: str) -> Path:
        """The directory that a key names.

        A directory in `state_directory`, as a relative path is, is created
        here if it is missing.  Any other must exist.

        :raises ConfigError: if the directory cannot be created.
        """
        directory = self.path_of(section, key)
        if directory.is_relative_to(self.state_directory):
            try:
                directory.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigError(
                    f"[{section}] {key}: cannot make {error.filename}:"
                    f" {error.strerror}") from None
        return directory

    def path_of(self, section: str, key: str) -> Path:
        """The directory that a key names.  It may be missing."""
        value = self._values()[section][key].value
        return self.state_directory / Path(value).expanduser()

    def duration_of(self, section: str, key: str) -> float:
        """The duration that a key gives, in seconds."""
        value = self._values()[section][key].value
        return parse_duration(value).total_seconds()

    def size_of(self, section: str, key: str) -> int:
        """The size that a key gives, in bytes.

        :raises ConfigError: if it is not one.
        """
        try:
            return parse_size(self._values()[section][key].value)
        except ValueError as error:
            raise ConfigError(f"[{section}] {key}: {error}") from None

    def setting(self, section: str, key: str) -> Setting:
        """The value that a key has now, and where the value comes from.

        The environment variable LP_DATABASE_URI overrides ``[database] uri``.
        """
        found = self._values()[section][key]
        said = os.environ.get("LP_DATABASE_URI")
        if said and (section, key) == ("database", "uri"):
            return Setting(said, "LP_DATABASE_URI")
        return found

    def settings(self) -> list[tuple[str, str, Setting]]:
        """All sections, their keys, and the `setting` of each."""
        return [
            (section, key, self.setting(section, key))
            for section, keys in schema().items() for key in keys]

    def setInstance(
        self, instance_name: str, named_by: str = "LPCONFIG"
    ) -> None:
        """Use another instance from now on, and drop all overlays.

        :param named_by: what named the instance; messages quote it.
        """
        self._instance_name = instance_name
        self._named_by = named_by
        self._file = None
        self._layers = []

    def push(self, name: str, data: str) -> None:
        """Add an overlay, whose values override those below it.

        :param name: by which `pop` takes it away again.
        :raises ConfigError: if anything in `data` can be seen to be wrong;
            then nothing has changed.
        """
        layer = read_text(data, name)
        check_together(merged(self._values(), layer))
        self._layers.append((name, layer))

    def pop(self, name: str) -> None:
        """Remove the last overlay `name`, and all overlays pushed after it.

        :raises KeyError: if there is no such overlay.
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
        return SimpleNamespace(**{
            key: setting.value for key, setting in values[section].items()})

    def _values(self) -> Values:
        self._load()
        values: Values = {}
        for _, layer in self._layers:
            values = merged(values, layer)
        return values

    def _load(self) -> None:
        """Read the schema and the instance's file, unless they are read."""
        if self._layers:
            return
        values: Values = {}
        if self.instance_name != NOTHING:
            self._file = find_instance(
                self.instance_name, self._named_by or "LPCONFIG")
            values = read_file(self._file)
        check_together(merged(schema(), values))
        self._layers = [("schema", schema()), ("instance", values)]


config = LaunchpadConfig()
