"""Decides which alerts open, change and close."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from canonical.launchpad.interfaces import Alert
from canonical.launchpad.monitor.incidents import ALL
from canonical.launchpad.monitor.incidents import Answers
from canonical.launchpad.monitor.incidents import Incident
from canonical.launchpad.monitor.incidents import Key
from canonical.launchpad.monitor.incidents import followed
from canonical.launchpad.monitor.incidents import worst


__all__ = [
    "Changes",
    "changes",
]


NO_GRACE = datetime.timedelta()
NONE: Mapping[Any, Any] = {}


@dataclass(frozen=True)
class Changes:
    """The changes that bring the alerts on record up to date.

    :ivar opened: new alerts.
    :ivar updated: alerts on record that have changed or are over.
    """

    opened: list[Alert] = field(default_factory=list)
    updated: list[Alert] = field(default_factory=list)


def changes(
    recorded: Iterable[Alert],
    openings: Mapping[tuple[str, str, str | None], Sequence[
        datetime.datetime]],
    answers: Mapping[Key, Answers],
    graces: Mapping[str, datetime.timedelta],
    channels: Sequence[str],
    at: datetime.datetime,
    silences: Mapping[tuple[str, str | None], datetime.datetime] = NONE,
    reaches: Mapping[str, datetime.timedelta] = NONE,
) -> Changes:
    """The changes of the alerts on record.

    An alert that another process has claimed does not change.  An alert
    without a rule is closed.  Alerts of other channels are left alone:
    another configuration may have these channels.

    :param recorded: the alerts that are not settled.
    :param openings: when the incidents of the last day opened; see
        `IScriptAlertSet`.
    :param graces: the grace of the rule of each script; that of `ALL` is 0.
    :param silences: by channel and host, when the last incident of `ALL` was
        over.
    :param reaches: for how long the missed runs of each script count.
    """
    changed = Changes()
    known = {
        (each.channel, each.name, each.hostname): each for each in recorded
        if each.date_closed is None and each.channel in channels}
    for alert in known.values():
        if not alert.is_claimed and (
            (alert.name, alert.hostname) not in answers
        ):
            changed.updated.append(alert._replace(date_closed=at))
    ended = dict(silences)
    for channel in channels:
        # Those of `ALL` first, since the others depend on them.
        for script, answered in sorted(
            answers.items(), key=lambda each: each[0][0] != ALL
        ):
            known_alert = known.get((channel, *script))
            if known_alert is not None and known_alert.is_claimed:
                continue
            over, current = followed(
                known_alert and _incident(known_alert), script,
                answered, at, graces.get(script[0], NO_GRACE),
                openings.get((channel, *script), ()),
                _excused_until(script, channel, ended, reaches))
            if script[0] == ALL and (each := over or current) and each.closed:
                ended[channel, script[1]] = each.closed
            if known_alert is not None:
                now = over or current
                assert now is not None, "what is on record goes on or is over"
                alert = _brought_to(known_alert, now)
                if over is not None:
                    alert = alert._replace(date_closed=over.closed)
                if alert != known_alert:
                    changed.updated.append(alert)
            if current is not None and (known_alert is None or over):
                changed.opened.append(Alert(
                    None, channel, *script, current.state, current.answers,
                    at, date_unstable=current.unstable))
    return changed


def _excused_until(
    script: Key,
    channel: str,
    ended: Mapping[tuple[str, str | None], datetime.datetime],
    reaches: Mapping[str, datetime.timedelta],
) -> datetime.datetime | None:
    """See `followed`.

    :param ended: as `silences` in `changes`.
    """
    name, host = script
    lasts = [
        ended[channel, each] for each in {host, None}
        if (channel, each) in ended and name in reaches]
    return max(lasts) + reaches[name] if lasts else None


def _incident(alert: Alert) -> Incident:
    return Incident(
        alert.name, alert.hostname, alert.question, alert.state,
        alert.date_opened, alert.date_good, alert.answers,
        alert.date_unstable)


def _brought_to(alert: Alert, incident: Incident) -> Alert:
    """An alert with what has become of its incident.

    If it is critical now and was not, people are to be notified again.
    """
    bad = [each for each in incident.answers if not each.is_over]
    state = worst(bad) if bad else alert.state
    alert = alert._replace(
        answers=incident.answers, date_good=incident.closed)
    if state == alert.state:
        return alert
    if state == "critical":
        return alert._replace(state=state, date_told=None, pending=())
    return alert._replace(state=state)
