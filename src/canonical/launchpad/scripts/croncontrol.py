"""Switching cron scripts off, by a file that operators edit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from configparser import ConfigParser
from configparser import Error as ParserError
from logging import Logger
from pathlib import Path
from urllib.parse import unquote
from urllib.parse import urlsplit

from canonical.launchpad.scripts.bounded import within


__all__ = [
    "cronscript_enabled",
    "switched_off",
]


# Seconds that all of it may take.
TIMEOUT = 5

# A file of this size is no list of switches.
LARGEST = 1_000_000


class ControlParser(ConfigParser):
    """Reads what people write: comments after values, spaces in brackets."""

    SECTCRE = re.compile(r"\[\s*(?P<header>.+?)\s*\]")

    def __init__(self) -> None:
        super().__init__(
            interpolation=None,
            strict=False,
            inline_comment_prefixes=("#", ";"),
        )


def cronscript_enabled(
    url: str, name: str, directory: Path, logger: Logger
) -> bool:
    """May the script `name` run?  See `switched_off`."""
    return not switched_off(url, [name], directory, logger)


def switched_off(
    url: str, names: Sequence[str], directory: Path, logger: Logger
) -> list[str]:
    """Which of the scripts may not run.

    Whatever is wrong with the file, a script may: a mistake in it should not
    stop every script there is.  Then one ERROR says what it was.

    :param url: ``file:``, ``http:`` or ``https:``, or the name of a file.
        Empty: every script may run.
    :param directory: where the names of files start.
    """
    if not url or not names:
        return []
    ignored = "The cron control file at %s is ignored, and %s: %s"
    try:
        switches = _Switches(within(TIMEOUT, lambda: _fetch(url, directory)))
    except FileNotFoundError:
        logger.debug("There is no cron control file at %s", url)
        return []
    except (OSError, RuntimeError, ValueError, ParserError) as error:
        who = f"{names[0]} runs" if len(names) == 1 else "all scripts run"
        logger.error(ignored, url, who, " ".join(str(error).split()))
        return []
    off = []
    for name in names:
        try:
            if not switches.is_on(name):
                off.append(name)
        except (ValueError, ParserError) as error:
            logger.error(
                ignored, url, f"{name} runs", " ".join(str(error).split()))
    return off


def _fetch(url: str, directory: Path) -> str:
    """The text at `url`.

    :raises FileNotFoundError: if there is none.
    :raises OSError, ValueError: if it cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        content = _download(url)
    elif parts.scheme in ("", "file"):
        if parts.netloc not in ("", "localhost"):
            raise ValueError(
                f"a file: URL has no host, and this one has {parts.netloc!r}")
        path = url if parts.scheme == "" else unquote(parts.path)
        with (directory / Path(path).expanduser()).open("rb") as file:
            content = file.read(LARGEST + 1)
    else:
        raise ValueError(
            f"{parts.scheme}: is none of file:, http: and https:")
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    return str(content, "utf-8-sig")


def _download(url: str) -> bytes:
    # Slow to import, for scripts that are switched by a file.
    import urllib.error
    import urllib.request
    from http.client import HTTPException
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            content: bytes = answer.read(LARGEST + 1)
            if answer.length and len(content) <= LARGEST:
                raise ValueError(
                    f"the answer ends {answer.length} bytes too early")
            return content
    except HTTPException as error:
        raise ValueError(f"{type(error).__name__}: {error}") from None
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (404, 410):
                raise FileNotFoundError(url) from None
            raise


class _Switches:
    """What a file says.

    :raises configparser.Error: if it cannot be read.
    """

    def __init__(self, text: str):
        self._parser = ControlParser()
        self._parser.read_string(text)
        self._words = _words(text)

    def is_on(self, name: str) -> bool:
        """What it says of a script.

        :raises ValueError: if it cannot be made out.
        """
        parser = self._parser
        section = (
            name if parser.has_section(name) else parser.default_section)
        for key in parser[section]:
            if key != "enabled":
                raise ValueError(
                    f"[{section}] {key}: the only key is 'enabled'")
        value = parser.get(section, "enabled", fallback="true")
        if len(self._words.get(section, ())) > 1:
            raise ValueError(
                f"[{section}] is there twice, and does not say the same")
        if value.lower() not in parser.BOOLEAN_STATES:
            raise ValueError(
                f"[{section}] enabled: neither true nor false: {value!r}")
        return parser.BOOLEAN_STATES[value.lower()]


def _words(text: str) -> dict[str, set[str]]:
    """What all the sections of each name say of ``enabled``."""
    words: dict[str, set[str]] = {}
    for part in re.split(r"(?m)^(?=\[)", text):
        parser = ControlParser()
        parser.read_string(part)
        for section in (parser.default_section, *parser.sections()):
            value = parser[section].get("enabled")
            if value is not None:
                words.setdefault(section, set()).add(value.lower())
    return words
