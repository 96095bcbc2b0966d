"""Runs any command, and records it as a cron script is recorded.

The command starts before the database is asked, and nothing that monitoring
meets changes how it runs or ends.  Its success is an exit status of 0: it has
no transaction that could prove more.

The main thread waits for the command, and passes signals on to it.  Other
threads copy what it prints, and one records; see
`canonical.launchpad.scripts.streams` and
`canonical.launchpad.scripts.background`.

Imported before the command starts, so it imports little.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import NamedTuple
from typing import NoReturn

from canonical.config import ConfigError
from canonical.config import config
from canonical.launchpad.scripts.background import BackgroundRecord
from canonical.launchpad.scripts.background import Ending
from canonical.launchpad.scripts.process import CannotStart
from canonical.launchpad.scripts.process import End
from canonical.launchpad.scripts.process import Process
from canonical.launchpad.scripts.process import die_of
from canonical.launchpad.scripts.streams import Copier
from canonical.launchpad.scripts.streams import Spill
from canonical.launchpad.scripts.streams import Stream
from canonical.launchpad.scripts.streams import leave_relay


if TYPE_CHECKING:
    from canonical.launchpad.scripts.lock import LockFile


__all__ = [
    "Order",
    "run",
]


# The exit status of timeout(1).
TIMED_OUT = 124

# Seconds in which what the command has printed is copied before it is
# recorded; whoever reads it may take longer.
COPYING = 1.0


class Order(NamedTuple):
    """What to run, and how.

    :ivar name: of the script; valid.
    :ivar command: at least its name.
    :ivar successes: exit statuses that are a success.
    :ivar timeout: seconds, or `None` for any time.
    :ivar timeout_text: the same as it was given.
    :ivar kill_after: seconds from SIGTERM to SIGKILL.
    :ivar is_quiet: print what it prints only if it fails.
    :ivar has_output: keep the end of what it prints.
    :ivar is_locked: one of the name at a time.
    :ivar is_patient: wait for the lock.
    """

    name: str
    command: Sequence[str]
    successes: frozenset[int]
    timeout: float | None
    timeout_text: str
    kill_after: float
    is_quiet: bool
    has_output: bool
    is_locked: bool
    is_patient: bool


class Settings(NamedTuple):
    """What the configuration says.

    :ivar keep: how many bytes of each stream to keep.
    :ivar secrets: regular expressions.
    :ivar mistake: what is wrong with it, if anything is.
    """

    keep: int = 0
    secrets: Sequence[str] = ()
    cron_control: str = ""
    mistake: str | None = None


def run(order: Order) -> NoReturn:
    """Run a command, and end this process as the command has ended."""
    closed = _open_descriptors()
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    settings = _settings(order)
    if settings.cron_control:
        _leave_if_switched_off(order, settings.cron_control)
    # It lasts as long as this process, unless it is given up before.
    lock = _lock(order) if order.is_locked else None
    record = BackgroundRecord(order.name)
    process = Process()
    streams = _streams(order, settings, closed)
    try:
        process.start(
            order.command, {
                "SCRIPTACTIVITY_NAME": order.name,
                "SCRIPTACTIVITY_RUN_KEY": record.run_key},
            streams, closed)
    except CannotStart as error:
        from canonical.launchpad.plaintext import shortened
        print(
            f"scriptactivity: {shortened(str(error))}", file=sys.stderr,
            flush=True)
        _begin(record, settings)
        _end(record, settings, Ending("failure", error.status, str(error)))
        os._exit(error.status)
    spill = Spill() if order.is_quiet else None
    copiers = [Copier(each, spill) for each in _groups(streams)]
    for each in copiers:
        each.start()
    _begin(record, settings)
    end = process.wait(order.timeout, order.kill_after)
    for each in copiers:
        each.stop()
    for each in copiers:
        each.join(COPYING)
    is_silent = order.is_quiet and _is_success(order, end)
    if spill is not None and not is_silent:
        spill.print()
    try:
        _end(record, settings, _ending(order, end, streams, settings))
    except Exception as error:
        # What is imported late may be gone, where we are upgraded meanwhile.
        print(
            f"scriptactivity: this run is not on record: {error!r}",
            file=sys.stderr, flush=True)
    for each in copiers:
        each.join()
    leave_relay(streams, is_silent)
    if lock is not None:
        lock.release()
    if end.code < 0 and not end.is_timed_out:
        die_of(-end.code)
    os._exit(TIMED_OUT if end.is_timed_out else end.code)


def _open_descriptors() -> list[int]:
    """Have all standard descriptors; return which are closed.

    What this process opens would get their numbers.
    """
    closed = []
    for number in 0, 1, 2:
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            closed.append(number)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    return closed


def _settings(order: Order) -> Settings:
    try:
        keep = config.size_of("run", "keep_output") if order.has_output else 0
        return Settings(
            keep, config.run.redact.split("\n"),
            config.scripts.cron_control_url)
    except Exception as error:
        return Settings(mistake=str(error) or repr(error))


def _streams(
    order: Order, settings: Settings, closed: Sequence[int]
) -> list[Stream]:
    """What the command writes to, where that does not go past us."""
    if not settings.keep and not order.is_quiet:
        return []
    try:
        return [
            Stream(number, settings.keep) for number in (1, 2)
            if number not in closed]
    except OSError:
        # There are no pipes or terminals any more.
        return []


def _leave_if_switched_off(order: Order, url: str) -> None:
    # Slow to import, for those who switch nothing off.
    from canonical.config.croncontrol import cronscript_enabled
    from canonical.launchpad.scripts.logger import log_to_stderr
    logger = log_to_stderr()
    if not cronscript_enabled(url, order.name, config.directory, logger):
        logger.info("%s is switched off", order.name)
        os._exit(0)


def _lock(order: Order) -> LockFile:
    """The lock; if it cannot be had, this process ends."""
    from canonical.launchpad.scripts.lock import LockFile
    from canonical.launchpad.scripts.lock import LockTaken
    from canonical.launchpad.scripts.lock import lock_file_name
    from canonical.launchpad.scripts.logger import log_to_stderr
    try:
        path = config.directory_for(
            "scripts", "lock_directory") / lock_file_name(order.name)
        return LockFile(path, order.is_patient)
    except LockTaken as taken:
        log_to_stderr().info("%s", taken)
        ending = Ending("skipped", 1, str(taken))
    except OSError as error:
        ending = Ending(
            "failure", 1, f"Cannot lock {path}: {error.strerror}")
        log_to_stderr().error("%s", ending.reason)
    except ConfigError as error:
        log_to_stderr().error("%s", error)
        os._exit(2)
    record = BackgroundRecord(order.name)
    _begin(record, Settings())
    _end(record, Settings(), ending)
    os._exit(1)


def _begin(record: BackgroundRecord, settings: Settings) -> None:
    """Begin to record; the command runs already."""
    from canonical.launchpad.scripts.logger import log_to_stderr
    log_to_stderr()
    if settings.mistake is None:
        record.start()


def _end(
    record: BackgroundRecord, settings: Settings, ending: Ending
) -> None:
    """Record the end, and log what is not on record."""
    import logging

    from canonical.launchpad.plaintext import shortened
    warning = record.end(ending) if settings.mistake is None else (
        f"This run is not on record: {settings.mistake}")
    if warning is not None:
        logging.getLogger().warning("%s", shortened(warning))


def _ending(
    order: Order, end: End, streams: Sequence[Stream], settings: Settings
) -> Ending:
    """How the command has ended, and what it has printed."""
    texts = {
        stream.number: stream.tail.text(settings.secrets)
        for stream in streams}
    output = (texts.get(1, ""), texts.get(2, "")) if settings.keep else None
    if end.is_timed_out:
        return Ending(
            "killed", TIMED_OUT, f"timed out after {order.timeout_text}",
            output)
    if end.code < 0:
        try:
            reason = signal.Signals(-end.code).name
        except ValueError:
            reason = f"signal {-end.code}"
        if end.is_forced:
            reason += ", since it did not heed another signal"
        return Ending("killed", None, reason, output)
    if _is_success(order, end):
        return Ending("success", end.code, None, output)
    lines = texts.get(2, "").split()
    return Ending(
        "failure", end.code,
        texts[2].strip().splitlines()[-1].strip() if lines else
        f"exit status {end.code}", output)


def _is_success(order: Order, end: End) -> bool:
    return not end.is_timed_out and end.code in order.successes


def _groups(streams: Sequence[Stream]) -> list[list[Stream]]:
    """Streams that go to the same place are copied together, in order."""
    if len(streams) == 2 and os.path.sameopenfile(1, 2):
        return [list(streams)]
    return [[stream] for stream in streams]
