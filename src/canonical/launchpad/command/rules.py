"""The rules that a command works with, and what else it reads of [monitor].

If a person names an unknown script or host, the message suggests the nearest
one.
"""

from __future__ import annotations

import argparse
import datetime
import logging
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from pathlib import Path

from zope.component import getUtility

from canonical.config import config
from canonical.config.croncontrol import switches
from canonical.launchpad.command.printing import complain
from canonical.launchpad.command.printing import log_plainly
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.interfaces import IScriptAttemptSet
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.interfaces import IScriptPauseSet
from canonical.launchpad.interfaces import IScriptRuleSet
from canonical.launchpad.interfaces import IScriptSummary
from canonical.launchpad.interfaces import SeenRule
from canonical.launchpad.monitor.firstseen import seen_rule
from canonical.launchpad.monitor.matching import Case
from canonical.launchpad.monitor.registry import registered_expectations
from canonical.launchpad.nearest import nearest


__all__ = [
    "all_expected",
    "check_host",
    "check_name_or_tags",
    "check_names",
    "check_tags",
    "channels",
    "clock_skew",
    "complain_of_unknown",
    "expected",
    "has_tag",
    "known_rules",
    "record_seen_rules",
    "record_switches",
    "repeat",
    "rule_tags",
    "rules_file",
    "tag_filter",
    "unseen_names",
    "with_tags",
]


# Of most commands.
OPTION = ", or with --expectations"


def expected(
    path: Path | None,
    names: Collection[str] = (),
    tags: Collection[str] = (),
    advice: str = OPTION,
) -> list[IScriptExpectation]:
    """The rules of the scripts that are named, or all rules.

    :param path: a file to load; by default the one that is configured.
    :param advice: what else names such a file, for a message.
    :param tags: if any, only rules with at least one of these.
    :raises ExpectationError: if there is none; see `check_names` and
        `check_tags` too.
    """
    expectations = all_expected(path, advice)
    check_names(expectations, names)
    check_tags(expectations, tags)
    found = [
        each for each in expectations
        if (not names or each.name in names)
        and has_tag(each, tags)]
    if not found:
        raise ExpectationError(
            f"no script that is named has the tag {' or '.join(tags)}")
    return found


def with_tags(tags: Collection[str]) -> list[IScriptExpectation]:
    """The rules with some tags, for a command without --expectations."""
    return expected(None, (), tags, "")


def has_tag(
    expectation: IScriptExpectation, tags: Collection[str]
) -> bool:
    """Has a rule one of some tags, if there are any?"""
    return not tags or not set(tags).isdisjoint(expectation.tags)


def tag_filter(tags: Collection[str]) -> Callable[[str], bool]:
    """Does the rule of a script with this name have one of some tags?

    Without tags, each script is wanted, also one without a rule.
    """
    if not tags:
        return lambda name: True
    names = {each.name for each in with_tags(tags)}
    return lambda name: name in names


def rule_tags() -> dict[str, list[str]]:
    """The tags of each script with a rule, for JSON."""
    return {each.name: list(each.tags) for each in known_rules("tags")}


def known_rules(needed: str) -> list[IScriptExpectation]:
    """All rules, if there are any.

    What is on record is printed without rules, too.

    :param needed: what is needed of them, for a line if they are wrong.
    """
    if rules_file() is None and not registered_expectations():
        return []
    try:
        return all_expected(None, "")
    except ExpectationError as error:
        complain(f"no {needed} are known: {error}")
        return []


def all_expected(
    path: Path | None, advice: str = OPTION
) -> list[IScriptExpectation]:
    """All rules; see `expected`."""
    path = path or rules_file()
    if path is not None:
        # Slow to import, and most commands do without rules.
        from canonical.launchpad.monitor.rulesfile import load_expectations
        load_expectations(path)
    expectations = registered_expectations()
    if not expectations and path is not None:
        raise ExpectationError(f"{path}: there is no lp:script in this file")
    if not expectations:
        raise ExpectationError(
            f"no rules: name a rules file in [monitor] expectations{advice}")
    return expectations


def rules_file() -> Path | None:
    """The configured file of rules, if there is one."""
    name = config.monitor.expectations
    return config.directory / Path(name).expanduser() if name else None


def check_names(
    expectations: Iterable[IScriptExpectation], names: Iterable[str]
) -> None:
    """Check that there is a rule for each script.

    :raises ExpectationError: if not; names the scripts without one, and what
        they are perhaps called.
    """
    known = {each.name for each in expectations}
    unknown = sorted(set(names) - known)
    if unknown:
        raise ExpectationError(
            f"no rule for {', '.join(map(repr, unknown))}"
            f"{nearest(unknown[0], known)}")


def check_tags(
    expectations: Iterable[IScriptExpectation], tags: Iterable[str]
) -> None:
    """Check that there is a rule with each tag.

    :raises ExpectationError: if not; names the nearest tag that there is.
    """
    known = {tag for each in expectations for tag in each.tags}
    for tag in tags:
        if tag not in known:
            raise ExpectationError(
                f"no rule has the tag {tag!r}{nearest(tag, known)}")


def check_name_or_tags(args: argparse.Namespace) -> None:
    """Check the arguments of a command that takes NAME, or --tag instead.

    :raises UsageError: if there is neither or both.
    """
    if (args.name is None) != bool(args.tags):
        args.parser.error("expected NAME or --tag TAG")


def check_host(
    hostname: str, expectations: Iterable[IScriptExpectation] = ()
) -> None:
    """Check that a host is on record, or that a rule names it.

    :raises ExpectationError: if not; names the nearest that is.
    """
    known = {host for each in expectations for host in each.hosts}
    if hostname in known:
        return
    known.update(each.hostname for each in _summaries())
    if hostname not in known:
        raise ExpectationError(
            f"unknown host {hostname!r}{nearest(hostname, known)}")


def complain_of_unknown(
    name: str | None,
    hostname: str | None = None,
    others: Iterable[str] = (),
) -> None:
    """Print a line that nothing is on record, with the nearest that is.

    :param others: names that are known beside those on record.
    """
    summaries = _summaries()
    names = {each.name for each in summaries}.union(others)
    hosts = {each.hostname for each in summaries}
    said = f"{name!r} is not on record" if name else (
        "nothing is on record")
    if hostname:
        said += f" on {hostname!r}"
    wanted, known = (name, names) if name and name not in names else (
        hostname, hosts)
    complain(said + nearest(wanted or "", known))


def _summaries() -> list[IScriptSummary]:
    summaries: list[IScriptSummary] = (
        getUtility(IScriptAttemptSet).getSummaries())
    return summaries


def channels() -> list[str]:
    """How people are notified, the quickest first, or else by printing.

    See `canonical.launchpad.interfaces.CHANNELS`.
    """
    configured = [
        name for name, target in (
            ("webhook", config.monitor.webhook_url),
            ("mail", config.monitor.recipients))
        if target.strip(", ")]
    return configured or ["output"]


def clock_skew() -> datetime.timedelta:
    """How much the clocks of hosts may differ."""
    return datetime.timedelta(
        seconds=config.duration_of("monitor", "clock_skew"))


def repeat() -> datetime.timedelta:
    """After how long people are notified again of what is still broken."""
    return datetime.timedelta(seconds=config.duration_of("monitor", "repeat"))


def record_seen_rules(
    expectations: Iterable[IScriptExpectation], at: datetime.datetime
) -> bool:
    """Record when rules were first seen.

    :return: is there anything new?  The caller commits it.
    """
    is_new: bool = getUtility(IScriptRuleSet).recordSeen(
        _to_see(expectations), at)
    return is_new


def unseen_names(expectations: Iterable[IScriptExpectation]) -> list[str]:
    """The scripts with a rule that is not on record as seen, by name."""
    rules = _to_see(expectations)
    seen = getUtility(IScriptRuleSet).getSeen() if rules else {}
    return sorted({each.name for each in rules if each not in seen})


def _to_see(expectations: Iterable[IScriptExpectation]) -> list[SeenRule]:
    return [
        seen_rule(Case(each, host))
        for each in expectations for host in each.hosts or (None,)]


def record_switches(at: datetime.datetime) -> bool:
    """Record what cron control has switched off, and what is on again.

    A script that it does not mention stays as it is on record.

    :return: is there anything new?  The caller commits it.
    """
    names = [each.name for each in registered_expectations()]
    log_plainly()
    known = switches(
        config.scripts.cron_control_url, names, config.directory,
        logging.getLogger("scriptactivity"))
    on = [name for name, is_on in known.items() if is_on]
    off = [name for name, is_on in known.items() if not is_on]
    is_new: bool = getUtility(IScriptPauseSet).recordSwitches(on, off, at)
    return is_new
