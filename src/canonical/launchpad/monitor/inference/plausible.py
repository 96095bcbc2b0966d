"""Is a schedule to be believed?"""

from __future__ import annotations

from collections.abc import Sequence

from canonical.launchpad.monitor.inference.evidence import count_text
from canonical.launchpad.monitor.inference.guessing import Guess
from canonical.launchpad.monitor.inference.intervals import is_steadier
from canonical.launchpad.monitor.inference.matching import Match
from canonical.launchpad.monitor.inference.matching import Times


__all__ = [
    "FEWEST_RUNS",
    "why_not",
]


FEWEST_RUNS = 5

# A schedule fits if there is no more than this part of a stretch without runs
# for each slot that has one, and no more than this part of the runs is beside
# it.
STRETCHES = 0.2
EXTRA = 0.2

# And this part of the slots has to have a run, even where much is missing.
MET = 0.6

# It has to say more than a list of the runs would, which takes so many bits
# for each.
BITS = 10.0

# It is no outage that recurs on so many days, if this part of the slots of an
# hour or of a day of the week has no run.
SEVERAL = 4
MOST = 0.6

HOUR = 3600.0
DAY = 86400.0


def why_not(guess: Guess, runs: Sequence[Times]) -> str:
    """Why a guess does not fit, if it does not."""
    matched = guess.matched
    slots = len(matched.slots)
    stretches = len(matched.stretches())
    met = slots - len(matched.gaps)
    extra = len(matched.extra)
    if extra > EXTRA * len(runs):
        return f"{extra} of {len(runs)} runs have no slot"
    if stretches > STRETCHES * len(matched.lateness) or met < MET * slots:
        return f"{len(matched.gaps)} of {slots} slots have no run"
    if (recurs := _recurs(matched)) is not None:
        return f"most slots {recurs} have no run"
    if len(matched.lateness) < FEWEST_RUNS:
        return f"only {len(matched.lateness)} slots have a run"
    if guess.cost > BITS * len(runs):
        return f"{count_text(len(runs), 'run')} are too few to believe it"
    if is_steadier(guess, runs):
        return "starts drift all over the time between slots"
    return ""


def _recurs(matched: Match) -> str | None:
    """When is most of it missing, on several days, but not at other times?

    An outage is once; what is missing again and again is not due.
    """
    missing = {matched.slots[number] for number in matched.gaps}
    for when, number in (
        ("of an hour", lambda slot: int(slot % DAY // HOUR)),
        ("of a weekday", lambda slot: int(slot // DAY) % 7),
        ("of an hour of the week", lambda slot: int(slot // HOUR) % 168),
    ):
        slots: dict[int, list[float]] = {}
        for slot in matched.slots:
            slots.setdefault(number(slot), []).append(slot)
        for each in slots.values():
            gone = [slot for slot in each if slot in missing]
            days = {int(slot // DAY) for slot in gone}
            if len(gone) > MOST * len(each) and len(days) >= SEVERAL:
                return when
    return None
