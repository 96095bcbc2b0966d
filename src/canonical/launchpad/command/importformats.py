"""Runs and attempts in the forms in which ``import`` finds them."""

from __future__ import annotations

import datetime
import functools
import re
import uuid
from collections.abc import Callable
from collections.abc import Mapping
from typing import NamedTuple

from canonical.launchpad.interfaces import OUTCOMES
from canonical.launchpad.interfaces import IScriptActivity
from canonical.launchpad.interfaces import checked_text
from canonical.launchpad.plaintext import single_line


__all__ = [
    "Defaults",
    "Record",
    "converter",
]


# Keys that are derived from what identifies a run are in this namespace.
NAMESPACE = uuid.UUID("3f0c9b53-8f3e-5d0c-9d5f-6c1f5d5a7a10")

UUID = re.compile(
    "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

LONGEST_REASON = 1000

# Of PostgreSQL's integer.
LARGEST = 2**31

Values = Mapping[str, str | None]


class Defaults(NamedTuple):
    """What runs get that do not say it themselves."""

    hostname: str
    name: str | None


class Record(NamedTuple):
    """A row for `IScriptTransferSet.add`.

    :ivar what: ``runs`` or ``attempts``.
    """

    what: str
    row: tuple[str | None, ...]


# It raises `ValueError` for what is no record; the text says why.
Converter = Callable[[Values, Defaults], "Record | None"]


def converter(columns: frozenset[str]) -> Converter:
    """What makes a record of values with these names.

    :return: a function that returns `None` for what is no run, such as a ping
        that only says that a run has started.
    :raises ValueError: if these columns are not known.
    """
    for needed, convert in CONVERTERS.items():
        if columns.issuperset(needed.split()):
            return convert
    what = f"unknown columns: {', '.join(sorted(columns))}" \
        if columns else "no columns"
    raise ValueError(
        f"{what}; expected at least name, hostname, date_started and"
        " date_completed")


def _run(values: Values, defaults: Defaults) -> Record:
    name = _name("name", values["name"])
    hostname = _name("hostname", values["hostname"])
    started = _time("date_started", values["date_started"])
    ended = _time("date_completed", values["date_completed"])
    return _success(name, hostname, started, ended, values.get("run_key"))


def _success(
    name: str,
    hostname: str,
    started: datetime.datetime,
    ended: datetime.datetime,
    key: str | None = None,
) -> Record:
    _check_order(started, ended)
    return Record("runs", (
        name, hostname, started.isoformat(), ended.isoformat(),
        _key(key, name, hostname, started)))


def _attempt(values: Values, defaults: Defaults) -> Record:
    get = values.get
    return _ended(
        _name("name", values["name"]), _name("hostname", values["hostname"]),
        _time("date_started", values["date_started"]),
        _time("date_ended", values["date_ended"]), values["outcome"],
        reason=get("reason"), pid=get("pid"), status=get("exit_status"),
        key=get("run_key"), process=get("process"),
        committed=get("date_committed"), stdout=get("stdout"),
        stderr=get("stderr"))


def _ended(
    name: str,
    hostname: str,
    started: datetime.datetime,
    ended: datetime.datetime,
    outcome: str | None,
    reason: str | None = None,
    pid: str | None = None,
    status: str | None = None,
    key: str | None = None,
    process: str | None = None,
    committed: str | None = None,
    stdout: str | None = None,
    stderr: str | None = None,
) -> Record:
    """An attempt.  The process of another system has the id 0."""
    _check_order(started, ended)
    if outcome not in OUTCOMES:
        raise ValueError(
            f"outcome must be one of {', '.join(OUTCOMES)}, not {outcome!r}")
    if committed and outcome != "success":
        raise ValueError(
            f"date_committed is set, but the outcome is {outcome}")
    return Record("attempts", (
        name, hostname, _number("pid", pid or "0"), started.isoformat(),
        ended.isoformat(), outcome,
        _number("exit_status", status) if status else None,
        single_line(_storable(reason))[:LONGEST_REASON] if reason else None,
        _key(key, name, hostname, started, outcome),
        _storable(process) if process else None,
        _time("date_committed", committed).isoformat() if committed else None,
        None if stdout is None else _storable(stdout),
        None if stderr is None else _storable(stderr)))


def _pg_cron(values: Values, defaults: Defaults) -> Record:
    """A row of ``cron.job_run_details``; it may be joined with ``jobname``."""
    status = values["status"]
    if status not in ("succeeded", "failed"):
        raise ValueError(f"the run has not ended: its status is {status!r}")
    name = values.get("jobname") or f"job-{values['jobid']}"
    started = _time("start_time", values["start_time"])
    ended = _time("end_time", values["end_time"])
    name = _name("jobname", defaults.name or name)
    if status == "succeeded":
        return _success(name, defaults.hostname, started, ended)
    return _ended(
        name, defaults.hostname, started, ended, "failure",
        reason=values.get("return_message"), pid=values.get("job_pid"))


def _ping(values: Values, defaults: Defaults) -> Record | None:
    """A ping as the API of Healthchecks returns it.

    One with a duration says when its run has started.
    """
    kind = values["type"]
    if kind not in ("success", "fail"):
        return None
    name = values.get("name") or defaults.name
    if name is None:
        raise ValueError("a ping does not name its script; add --name")
    name = _name("name", name)
    ended = _time("date", values["date"])
    try:
        duration = datetime.timedelta(
            seconds=float(values.get("duration") or 0))
        started = ended - duration
    except (ValueError, OverflowError):
        raise ValueError(
            f"duration is not a number of seconds: {values['duration']!r}"
        ) from None
    if kind == "success":
        return _success(name, defaults.hostname, started, ended)
    return _ended(name, defaults.hostname, started, ended, "failure")


# By the columns that each needs, the most special first.
CONVERTERS: dict[str, Converter] = {
    "jobid status start_time end_time": _pg_cron,
    "name hostname date_started date_ended outcome": _attempt,
    "name hostname date_started date_completed": _run,
    "type date": _ping,
}


def _name(column: str, value: str | None) -> str:
    if value is None:
        raise ValueError(f"{column} is missing")
    return _checked(column, value)


@functools.lru_cache(10_000)
def _checked(column: str, value: str) -> str:
    try:
        return checked_text(IScriptActivity["name"], value)
    except ValueError as error:
        raise ValueError(str(error).replace("name", column, 1)) from None


def _time(column: str, value: str | None) -> datetime.datetime:
    """A time; one without a zone is in UTC, as in the original's table."""
    if not value:
        raise ValueError(f"{column} is missing")
    try:
        moment = datetime.datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{column} is not a time: {value!r}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    if not datetime.MINYEAR < moment.year < datetime.MAXYEAR:
        raise ValueError(
            f"{column} is not within years 2 and 9998: {value!r}")
    return moment


def _check_order(
    started: datetime.datetime, ended: datetime.datetime
) -> None:
    if ended < started:
        raise ValueError(
            f"the run ends before it starts: {ended} is before {started}")


def _number(column: str, value: str) -> str:
    try:
        if abs(int(value)) < LARGEST:
            return value
    except ValueError:
        pass
    raise ValueError(f"{column} is not a number: {value!r}")


def _storable(value: str) -> str:
    """The text, without what PostgreSQL cannot store."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(
        errors="replace").decode()


def _key(
    key: str | None,
    name: str,
    hostname: str,
    started: datetime.datetime,
    outcome: str = "",
) -> str:
    """The key of a run, or else one that is derived from what it is."""
    if key:
        # What export writes; to parse it takes longer.
        if UUID.fullmatch(key):
            return key
        try:
            return str(uuid.UUID(key))
        except ValueError:
            raise ValueError(f"run_key is not a UUID: {key!r}") from None
    moment = started.astimezone(datetime.UTC).isoformat()
    # A skipped run does not exclude another that starts at the same time.
    parts = [name, hostname, moment, *(
        ["skipped"] if outcome == "skipped" else [])]
    return str(uuid.uuid5(NAMESPACE, "\0".join(parts)))
