"""Cron control: a file in which operators switch cron scripts off."""

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


# How many seconds the file may take to be read.
TIMEOUT = 5

# The hosts that a file: URL may name.
LOCAL = ("", "localhost")

# In bytes.  A larger file is not a cron control file.
LARGEST = 1_000_000


class ControlParser(ConfigParser):
    """Accepts comments after values, and spaces within brackets."""

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
    """Is the script `name` switched on?

    If the file is wrong, the script is on: a mistake in one file should not
    stop all scripts.  See `switches`.
    """
    return switches(url, [name], directory, logger).get(name, True)


def switches(
    url: str, names: Sequence[str], directory: Path, logger: Logger
) -> dict[str, bool]:
    """Which scripts are switched on.

    If the file, or its entry for a script, is wrong, one ERROR is logged.

    :param url: a ``file:``, ``http:`` or ``https:`` URL, or the name of a
        file.  If it is empty, or if there is no such file, all scripts are on.
    :param directory: the directory that the names of files are relative to.
    :return: a dict from names to whether the script is on.  A script is left
        out if its entry cannot be read; it may be on or off.
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
    """The place of the file, for messages, without any password."""
    if is_web_url(url):
        return f" at {site_of(url)}"
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    # A URL in quotes, or one without a scheme, looks like a file name.
    is_file = parts.scheme == "file" and parts.netloc in LOCAL or (
        parts.scheme == "" and "//" not in url and ":" not in url)
    return f" at {single_line(url)}" if is_file and "@" not in url else ""


def _what(error: Exception) -> str:
    """The text of an error on one line."""
    if isinstance(error, ParserError):
        # A web page that is not such a file may quote the password of its URL.
        return without_quotes(error)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return single_line(str(error))


def _fetch(url: str, directory: Path) -> str:
    """The text at `url`.

    :raises FileNotFoundError: if there is no file.
    :raises OSError, ValueError: if the file cannot be read.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ValueError("it is not a URL") from None
    if parts.scheme in ("http", "https"):
        content = _download(url)
    elif parts.scheme in ("", "file"):
        if parts.netloc not in LOCAL:
            raise ValueError("a file: URL must not name a host")
        path = url if parts.scheme == "" else unquote(parts.path)
        with (directory / Path(path).expanduser()).open("rb") as file:
            content = file.read(LARGEST + 1)
    else:
        raise ValueError(
            f"expected a file:, http: or https: URL, not {parts.scheme}:")
    if len(content) > LARGEST:
        raise ValueError(f"it has more than {LARGEST} bytes")
    return str(content, "utf-8-sig")


def _download(url: str) -> bytes:
    # urllib is slow to import, and local files do not need it.
    import urllib.request
    if not is_web_url(url):
        raise ValueError(
            "[scripts] cron_control_url: not an http: or https: URL without a"
            " user")
    try:
        with without_secrets(), urllib.request.urlopen(
            url, timeout=TIMEOUT
        ) as response:
            content: bytes = response.read(LARGEST + 1)
    except WebError as error:
        if error.status in (404, 410):
            raise FileNotFoundError from None
        raise
    if response.length and len(content) <= LARGEST:
        raise ValueError(
            f"the response ends {response.length} bytes too early")
    return content


class _Switches:
    """The content of a cron control file.

    :raises configparser.Error: if the text cannot be parsed.
    """

    def __init__(self, text: str):
        self._parser = ControlParser()
        self._parser.read_string(text)
        self._words = _words(text)

    def is_on(self, name: str) -> bool:
        """Is a script switched on?

        :raises ValueError: if its entry is wrong or ambiguous.
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
                f"[{section}] occurs twice, with different values")
        if value.lower() not in parser.BOOLEAN_STATES:
            raise ValueError(
                f"[{section}] enabled: neither true nor false: {value!r}")
        return parser.BOOLEAN_STATES[value.lower()]


def _words(text: str) -> dict[str, set[str]]:
    """All values of ``enabled``, by the name of the section.

    A name may have several sections.
    """
    words: dict[str, set[str]] = {}
    for part in re.split(r"(?m)^(?=\[)", text):
        parser = ControlParser()
        parser.read_string(part)
        for section in (parser.default_section, *parser.sections()):
            value = parser[section].get("enabled")
            if value is not None:
                words.setdefault(section, set()).add(value.lower())
    return words
