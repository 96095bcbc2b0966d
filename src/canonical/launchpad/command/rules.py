"""The rules that a command works with, and what else it reads of [monitor]."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Collection
from collections.abc import Iterable
from pathlib import Path

import transaction
from zope.component import getUtility

from canonical.config import config
from canonical.launchpad.command.output import log_plainly
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.monitor.rulesfile import ExpectationError
from canonical.launchpad.monitor.rulesfile import load_expectations
from canonical.launchpad.scripts.croncontrol import switches


__all__ = [
    "all_expected",
    "check_names",
    "clock_skew",
    "configured_channels",
    "expected",
    "notice_switches",
]


def expected(
    path: Path | None, names: Collection[str] = ()
) -> list[IScriptExpectation]:
    """What is expected of scripts; of those that are named, or of all.

    :param path: a file to load; by default the one that is configured.
    :raises ExpectationError: if nothing is.
    """
    expectations = all_expected(path)
    check_names(expectations, names)
    return [each for each in expectations if not names or each.name in names]


def all_expected(path: Path | None) -> list[IScriptExpectation]:
    """What is expected of all scripts; see `expected`."""
    configured = config.monitor.expectations
    if path is None and configured:
        path = config.directory / Path(configured).expanduser()
    if path is not None:
        load_expectations(path)
    expectations = registered_expectations()
    if not expectations:
        raise ExpectationError(
            "nothing is expected: name a file in [monitor] expectations, or"
            " with --expectations")
    return expectations


def check_names(
    expectations: Iterable[IScriptExpectation], names: Iterable[str]
) -> None:
    """Check that something is expected of each.

    :raises ExpectationError: if not; names those of which nothing is.
    """
    unknown = set(names).difference(each.name for each in expectations)
    if unknown:
        raise ExpectationError(
            "nothing is expected of " + ", ".join(map(repr, sorted(unknown))))


def configured_channels() -> list[str]:
    """How people are told; see `canonical.launchpad.interfaces.CHANNELS`."""
    return [
        name for name, target in (
            ("mail", config.monitor.recipients),
            ("webhook", config.monitor.webhook_url))
        if target.strip(", ")]


def clock_skew() -> datetime.timedelta:
    """By how much the clocks of hosts may differ."""
    return datetime.timedelta(
        seconds=config.duration_of("monitor", "clock_skew"))


def notice_switches(at: datetime.datetime) -> None:
    """Remember what cron control has switched off, and what is on again.

    What it does not say is left as it is on record.
    """
    names = [each.name for each in registered_expectations()]
    log_plainly()
    known = switches(
        config.scripts.cron_control_url, names, config.directory,
        logging.getLogger("scriptactivity"))
    on = [name for name, is_on in known.items() if is_on]
    off = [name for name, is_on in known.items() if not is_on]
    if getUtility(IScriptPauseSet).noticeSwitches(on, off, at):
        transaction.commit()
