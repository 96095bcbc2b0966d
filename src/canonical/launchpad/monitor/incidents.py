"""Makes incidents of answers, and finds those that flap (are unstable).

An incident is what is wrong with a script on a host, from the first answer
that turns bad to the last that turns good.  A paused or unknown answer neither
begins nor ends one.

- If an answer turns bad again within the grace of the rule, it is the same
  incident.  So an incident is over for good only after the grace.
- The third incident of a script and host within a day is reported as
  "unstable since".  It is over after a day without a bad answer.
- After many scripts were silent together, the runs that they missed have an
  incident already: that of all.  While these runs count, a bad answer to
  "often" alone begins none.

`followed` decides this, one moment after the other.  ``alert`` asks it at each
of its runs, and `incidents_of` at each moment at which an answer changed.
"""

from __future__ import annotations

import datetime
import operator
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import NamedTuple

from canonical.launchpad.interfaces import FOREVER
from canonical.launchpad.interfaces import BadAnswer
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.monitor.answers import Assessment


__all__ = [
    "ALL",
    "BROKEN",
    "DAY",
    "QUESTIONS",
    "Answer",
    "Answers",
    "Change",
    "Incident",
    "Key",
    "answers_of",
    "followed",
    "incidents_of",
    "worst",
]


QUESTIONS = ("recently", "often", "runtime")

# The name of what is wrong with many scripts at once; see `blind`.
ALL = "all scripts"

BROKEN = ("warning", "critical")

# A script is unstable if so many incidents opened within a day.
DAY = datetime.timedelta(days=1)
UNSTABLE = 3

# A script, and a host; `None` means any.
Key = tuple[str, str | None]

# A moment, and the state that an answer has from that moment on.
Change = tuple[datetime.datetime, str]


class Answer(NamedTuple):
    """The answer to a question, as in `Assessment`.

    :ivar trouble: what is wrong, in a word or two; see `Recently`.
    """

    state: str
    sentence: str = ""
    trouble: str | None = None


# The answers about a script, by question.
Answers = Mapping[str, Answer]


class Incident(NamedTuple):
    """What is or was wrong with a script on a host.

    :ivar question: the question whose answer turned bad first.
    :ivar state: ``warning`` or ``critical``: the worst that it was.
    :ivar opened: when an answer turned bad.
    :ivar closed: since when all answers are good again, or `None`.
    :ivar answers: the answers that are or were bad, the first one first.
    :ivar unstable: since when the script broke again and again, or `None`.
    """

    name: str
    hostname: str | None
    question: str
    state: str
    opened: datetime.datetime
    closed: datetime.datetime | None
    answers: tuple[BadAnswer, ...]
    unstable: datetime.datetime | None = None


def followed(
    incident: Incident | None,
    script: Key,
    answers: Answers,
    at: datetime.datetime,
    grace: datetime.timedelta,
    earlier: Sequence[datetime.datetime],
    excused_until: datetime.datetime | None = None,
) -> tuple[Incident | None, Incident | None]:
    """What becomes of the incident of a script at a moment.

    :param incident: the one that is not over yet, if there is one.
    :param answers: all answers at that moment.
    :param grace: that of the rule.
    :param earlier: when the incidents of the last day opened.
    :param excused_until: until when missed runs count that an incident of all
        scripts has, if it was one.
    :return: the incident that is over now, and the one that is not.
    """
    over = None
    if incident is not None and _is_over(incident, at, grace):
        over, incident = incident, None
    bad = [
        BadAnswer(question, answer.state, answer.sentence)
        for question, answer in answers.items()
        if answer.state in BROKEN]
    if incident is None:
        if excused_until is not None and at < excused_until:
            # It may be in an incident, but begins none.
            bad.sort(key=lambda each: each.question == "often")
            if bad and bad[0].question == "often":
                return over, None
        if bad:
            recent = [each for each in earlier if each > at - DAY]
            incident = Incident(
                *script, bad[0].question, worst(bad), at, None, tuple(bad),
                min(recent) if len(recent) + 1 >= UNSTABLE else None)
        return over, incident
    incident = _updated(incident, bad, answers, at)
    if _is_over(incident, at, grace):
        return incident, None
    return over, incident


def _is_over(
    incident: Incident, at: datetime.datetime, grace: datetime.timedelta
) -> bool:
    patience = max(grace, DAY) if incident.unstable else grace
    return incident.closed is not None and at - incident.closed >= patience


def worst(bad: Iterable[BadAnswer]) -> str:
    """The worst state of answers."""
    return max((each.state for each in bad), key=STATES.index)


def _updated(
    incident: Incident,
    bad: Sequence[BadAnswer],
    answers: Answers,
    at: datetime.datetime,
) -> Incident:
    """An incident with the answers of a moment."""
    known = {each.question: each for each in incident.answers}
    for question, answer in answers.items():
        if question in known and answer.state == "ok" and (
            not known[question].is_over
        ):
            known[question] = known[question]._replace(is_over=True)
    for each in bad:
        before = known.get(each.question, each)
        known[each.question] = before._replace(
            state=each.state, is_over=False, recorded_late=None)
    closed = None
    if all(each.is_over for each in known.values()):
        closed = incident.closed or at
    return incident._replace(
        answers=tuple(known.values()), closed=closed,
        state=worst([*bad, BadAnswer("", incident.state, "")]))


def incidents_of(
    script: Key,
    grace: datetime.timedelta,
    pieces: Iterable[Mapping[str, Sequence[Change]]],
    since: datetime.datetime,
    excuses: Sequence[tuple[datetime.datetime, datetime.datetime]] = (),
) -> list[Incident]:
    """The incidents of a script in a period.

    :param pieces: stretches of time in order; for each question, the state of
        the answer from the start of the stretch on, at each moment it changed.
    :param since: the start of the period.  What was wrong before it opens
        with it.
    :param excuses: when a silence of all scripts was over, and until when the
        runs count that were missed in it; `FOREVER` if that is not over yet.
    :return: in order of time.  ``closed`` is `None` for the last one if an
        answer was bad at the end.
    """
    found: list[Incident] = []
    current = None
    answers: dict[str, Answer] = {}
    moments: dict[datetime.datetime, dict[str, Answer]] = {
        until: {} for _, until in excuses if until < FOREVER}
    for piece in pieces:
        for question in QUESTIONS:
            for at, state in piece[question]:
                moments.setdefault(at, {})[question] = Answer(state)
    for at, changed in sorted(moments.items(), key=operator.itemgetter(0)):
        answers = {**answers, **changed}
        if current is None and not any(
            each.state in BROKEN for each in answers.values()
        ):
            continue
        now = max(at, since)
        over, current = followed(
            current, script, answers, now, grace,
            [each.opened for each in found[1 - UNSTABLE:]]
            + ([current.opened] if current else []),
            max((until for begin, until in excuses if begin <= now),
                default=None))
        if over is not None:
            found.append(over)
    return found if current is None else [*found, current]


def answers_of(
    assessments: Iterable[Assessment], tags: Collection[str] = ()
) -> dict[Key, Answers]:
    """The answers about each script, and about all scripts of each host.

    :param assessments: of all scripts.
    :param tags: if any, only answers about scripts with at least one of these.
        Of a group of scripts that is silent, only if such a script is in it.
    """
    assessments = list(assessments)
    hosts = {each.hostname for each in assessments} | {None}
    found: dict[Key, Answers] = {
        (ALL, host): {"recently": Answer("ok")} for host in hosts}
    found.update({
        (each.name, each.hostname): {
            "recently": Answer(
                each.recently.state, each.recently.sentence,
                each.recently.trouble),
            "often": Answer(
                each.often.state, each.often.sentence,
                each.often.trouble),
            "runtime": Answer(
                each.runtime.state, each.runtime.sentence,
                each.runtime.trouble)}
        for each in assessments})
    if not tags:
        return found
    asked = {
        (each.name, each.hostname): each.recently.sentence
        for each in assessments if not set(tags).isdisjoint(each.tags)}
    hosts = {host for _, host in asked} | {None}
    groups = {
        (ALL, host) for host in hosts
        if found[ALL, host]["recently"].state == "ok"
        or found[ALL, host]["recently"].sentence in asked.values()}
    return {
        key: answers for key, answers in found.items()
        if key in groups or key in asked}
