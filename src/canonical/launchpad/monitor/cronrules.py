"""Rules from the entries of crontabs."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence

from canonical.config.durations import duration_text
from canonical.config.durations import parse_duration
from canonical.launchpad.interfaces import IScriptExpectation
from canonical.launchpad.monitor.crontab import Entry
from canonical.launchpad.monitor.crontab import Note
from canonical.launchpad.monitor.disturbedslots import disturbed_slot
from canonical.launchpad.monitor.expectation import expectation_from_text
from canonical.launchpad.monitor.rulesfile import Rule
from canonical.launchpad.monitor.schedule import five_fields
from canonical.launchpad.monitor.scriptname import script_of
from canonical.launchpad.nearest import nearest


__all__ = [
    "rules_of",
]


UNREPORTED = (
    "its runs are recorded only if it is a LaunchpadCronScript, or if"
    " \"scriptactivity run\" runs it")

# Some commands sleep first, so that not all hosts start at once.
SLEEP = re.compile(
    r"[({\s]*(?:/usr)?(?:/bin/)?sleep\s+"
    r"(?:([0-9]{1,5}(?:\.[0-9]+)?)([smhd]?)\s*(?:;|&&)|\S*[$`])", re.ASCII)


def rules_of(
    items: Iterable[Entry | Note],
    at: datetime.datetime,
    names: Sequence[tuple[str, str]] = (),
    on_record: Collection[str] = (),
) -> tuple[list[Rule], list[Note]]:
    """The rules for entries, and notes on lines.

    :param at: from when on they count.
    :param names: see `script_of`.
    :param on_record: names of scripts that have reported their runs.
    :return: the rules in the order of the lines, with a comment for each
        note among them; and the notes.
    """
    rules: list[Rule] = []
    notes: list[Note] = []
    first: dict[str, tuple[int, Entry]] = {}
    for item in items:
        note = item if isinstance(item, Note) else None
        if isinstance(item, Entry):
            try:
                rule = _rule(item, names, on_record)
                name = rule.attributes["name"]
                if name in first:
                    index, _ = first[name]
                    rules[index] = _merged(rules[index], rule)
                else:
                    first[name] = len(rules), item
                    rules.append(rule)
                _remark(rules, notes, first[name][0], item, _clock_remark(
                    item, at))
            except NoSchedule as reason:
                note = _note(item, str(reason), True)
            except ValueError as error:
                note = _note(item, str(error))
        if note is not None:
            notes.append(note)
            rules.append(Rule(comments=(
                f"{note.source}:{note.line}: {note.reason}", note.text)))
    others = set(on_record) - first.keys()
    for name, (index, item) in first.items():
        if name not in on_record and (hint := nearest(name, others)):
            _remark(rules, notes, index, item,
                    f"{name!r} is not on record{hint}")
    return rules, notes


class NoSchedule(Exception):
    """An entry starts at no time that is known; the text says when."""


def _note(entry: Entry, reason: str, understood: bool = False) -> Note:
    return Note(entry.source, entry.line, entry.text, reason, understood)


def _remark(
    rules: list[Rule], notes: list[Note], index: int, entry: Entry,
    text: str,
) -> None:
    """Note something about an entry that has a rule, if there is anything."""
    if text:
        rule = rules[index]
        rules[index] = Rule(rule.attributes, (*rule.comments, text))
        notes.append(_note(entry, text, True))


def _clock_remark(entry: Entry, at: datetime.datetime) -> str:
    """What to know about an entry of which cronie misses a slot."""
    if not entry.cron_tz:
        return ""
    slot = disturbed_slot(entry.schedule, entry.timezone, at)
    if slot is None:
        return ""
    moment, what = slot
    return (
        f"{moment:%H:%M on %Y-%m-%d} {what} in {entry.timezone}, because the"
        " clocks change; with CRON_TZ cronie does not make up for it: choose"
        " another time of day")


def _rule(
    entry: Entry,
    names: Sequence[tuple[str, str]],
    on_record: Collection[str],
) -> Rule:
    """The rule for one entry.

    :raises NoSchedule: if it has none.
    :raises ValueError: if there can be no rule; says why.
    """
    if entry.schedule == "@reboot":
        raise NoSchedule("@reboot has no schedule; it runs when cron starts")
    if "~" in entry.schedule:
        raise ValueError(
            f"cron chooses the time at random: {entry.schedule!r}")
    script = script_of(entry.command, names)
    attributes = {
        "name": script.name,
        "schedule": entry.schedule,
        "timezone": entry.timezone,
    }
    comments = [f"{entry.source}:{entry.line}"]
    delay = entry.delay
    if sleeps := SLEEP.match(entry.command):
        number, unit = sleeps.group(1, 2)
        if number is None:
            comments.append(
                "the command sleeps first, and only the shell knows how long:"
                " allow for it in grace")
        else:
            delay += parse_duration(number + (unit or "s"))
    if delay:
        grace = IScriptExpectation["grace"].default
        attributes["grace"] = duration_text(grace + delay)
    if not script.reports and script.name not in on_record:
        comments.append(UNREPORTED)
    expectation_from_text(**attributes)
    return Rule(attributes, tuple(comments))


def _merged(first: Rule, second: Rule) -> Rule:
    """One rule for two entries of the same script.

    :raises ValueError: if no single schedule fits both.
    """
    schedule = _union(
        first.attributes["schedule"], second.attributes["schedule"])
    attributes = {**first.attributes, "schedule": schedule or ""}
    if schedule is None or attributes != {
        **second.attributes, "schedule": schedule
    }:
        raise ValueError(
            f"{first.attributes['name']} has a rule already, from"
            f" {first.comments[0]}, and no single schedule fits both")
    return Rule(attributes, tuple(dict.fromkeys(
        first.comments + second.comments)))


def _union(one: str, other: str) -> str | None:
    """A schedule that fires when either does, if they differ in one field."""
    if one == other:
        return one
    one, other = five_fields(one), five_fields(other)
    fields = one.split()
    differing = [
        place for place, (each, its) in enumerate(
            zip(fields, other.split(), strict=False)) if each != its]
    if len(differing) != 1:
        return None
    place, = differing
    pair = fields[place], other.split()[place]
    # A star is more than all values: it decides how days combine, and what
    # happens when the clocks change.
    if any(each.startswith("*") for each in pair):
        return None
    fields[place] = ",".join(dict.fromkeys(",".join(pair).split(",")))
    return " ".join(fields)
