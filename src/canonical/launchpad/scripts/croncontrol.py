"""Switching cron scripts off, by a file that operators edit."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from configparser import ConfigParser
from configparser import Error as ParserError
from http.client import HTTPException
from logging import Logger
from pathlib import Path
from urllib.parse import unquote
from urllib.parse import urlsplit

from canonical.launchpad.scripts.bounded import within


__all__ = [
    "cronscript_enabled",
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
    """May the script `name` run?

    Whatever is wrong with the file, the answer is yes: a mistake in it should
    not stop every script there is.  Then one ERROR says what it was.

    :param url: ``file:``, ``http:`` or ``https:``, or the name of a file.
        Empty: every script may run.
    :param directory: where the names of files start.
    """
    if not url:
        return True
    try:
        text = within(TIMEOUT, lambda: _fetch(url, directory))
        return _is_enabled(text, name)
    except FileNotFoundError:
        logger.debug("There is no cron control file at %s", url)
    except (OSError, RuntimeError, ValueError, ParserError) as error:
        logger.error(
            "The cron control file at %s is ignored, and %s runs: %s",
            url, name, " ".join(str(error).split()))
    return True


def _fetch(url: str, directory: Path) -> str:
    """The text at `url`.

    :raises FileNotFoundError: if there is none.
    :raises OSError, ValueError: if it cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme in ("http", "https"):
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                content = answer.read(LARGEST + 1)
                if answer.length and len(content) <= LARGEST:
                    raise ValueError(
                        f"the answer ends {answer.length} bytes too early")
        except HTTPException as error:
            raise ValueError(f"{type(error).__name__}: {error}") from None
        except urllib.error.HTTPError as error:
            with error:
                if error.code in (404, 410):
                    raise FileNotFoundError(url) from None
                raise
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


def _is_enabled(text: str, name: str) -> bool:
    """What the file says of a script.

    :raises ValueError, configparser.Error: if it cannot be made out.
    """
    parser = ControlParser()
    parser.read_string(text)
    section = name if parser.has_section(name) else parser.default_section
    for key in parser[section]:
        if key != "enabled":
            raise ValueError(f"[{section}] {key}: the only key is 'enabled'")
    value = parser.get(section, "enabled", fallback="true")
    if len(_words(text, section)) > 1:
        raise ValueError(
            f"[{section}] is there twice, and does not say the same")
    if value.lower() not in parser.BOOLEAN_STATES:
        raise ValueError(
            f"[{section}] enabled: neither true nor false: {value!r}")
    return parser.BOOLEAN_STATES[value.lower()]


def _words(text: str, section: str) -> set[str]:
    """What all the sections of a name say of ``enabled``."""
    words = set()
    for part in re.split(r"(?m)^(?=\[)", text):
        parser = ControlParser()
        parser.read_string(part)
        said = parser.defaults() if section == parser.default_section else (
            dict(parser[section]) if parser.has_section(section) else {})
        if "enabled" in said:
            words.add(said["enabled"].lower())
    return words
