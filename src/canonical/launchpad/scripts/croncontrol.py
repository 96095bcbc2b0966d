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

from canonical.config import without_quotes
from canonical.config.timelimit import within
from canonical.config.weburl import WebError
from canonical.config.weburl import is_web_url
from canonical.config.weburl import site_of
from canonical.config.weburl import without_secrets
from canonical.launchpad.plaintext import single_line


__all__ = [
    "cronscript_enabled",
    "switches",
]


# Seconds that all of it may take.
TIMEOUT = 5

# The hosts that a file: URL may have.
LOCAL = ("", "localhost")

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

    Whatever is wrong with the file, it may: a mistake there should not stop
    every script there is.  See `switches`.
    """
    return switches(url, [name], directory, logger).get(name, True)


def switches(
    url: str, names: Sequence[str], directory: Path, logger: Logger
) -> dict[str, bool]:
    """Whether scripts are switched on.

    One ERROR says what is wrong with the file, or with what it says of a
    script.

    :param url: ``file:``, ``http:`` or ``https:``, or the name of a file.
        Empty, and if there is no such file: all are on.
    :param directory: where the names of files start.
    :return: by the names.  What could not be made out is not there: the
        script may be on or off.
    """
    all_on = dict.fromkeys(names, True)
    if not url or not names:
        return all_on
    ignored = "The cron control file%s is ignored, and %s: %s"
    where = _where(url)
    try:
        found = _Switches(within(TIMEOUT, lambda: _fetch(url, directory)))
    except FileNotFoundError:
        logger.debug("There is no cron control file%s", where)
        return all_on
    except (OSError, RuntimeError, ValueError, ParserError) as error:
        who = f"{names[0]} runs" if len(names) == 1 else "all scripts run"
        logger.error(ignored, where, single_line(who), _what(error))
        return {}
    known = {}
    for name in names:
        try:
            known[name] = found.is_on(name)
        except (ValueError, ParserError) as error:
            logger.error(
                ignored, where, single_line(f"{name} runs"), _what(error))
    return known


def _where(url: str) -> str:
    """Where the file is, in words, without what may be a password."""
    if is_web_url(url):
        return f" at {site_of(url)}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # One in quotes, or without its scheme, looks like the name of a file.
    is_file = parts.scheme == "file" and parts.netloc in LOCAL or (
        parts.scheme == "" and "//" not in url and ":" not in url)
    return f" at {single_line(url)}" if is_file and "@" not in url else ""


def _what(error: Exception) -> str:
    """What is wrong, on one line."""
    if isinstance(error, ParserError):
        # A page that is no such file may have the password of its URL in it.
        return without_quotes(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return single_line(str(error))


def _fetch(url: str, directory: Path) -> str:
    """The text at `url`.

    :raises FileNotFoundError: if there is none.
    :raises OSError, ValueError: if it cannot be read.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme in ("http", "https"):
        content = _download(url)
    elif parts.scheme in ("", "file"):
        if parts.netloc not in LOCAL:
            raise ValueError("a file: URL has no host, and this one has")
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
    import urllib.request
    if not is_web_url(url):
        raise ValueError(
            "[scripts] cron_control_url: not an http: or https: URL, or one"
            " with a user in it")
    try:
        with without_secrets(), urllib.request.urlopen(
            url, timeout=TIMEOUT
        ) as answer:
            content: bytes = answer.read(LARGEST + 1)
    except WebError as error:
        if error.status in (404, 410):
            raise FileNotFoundError from None
        raise
    if answer.length and len(content) <= LARGEST:
        raise ValueError(f"the answer ends {answer.length} bytes too early")
    return content


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
