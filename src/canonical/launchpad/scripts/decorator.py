"""`recorded`: records the calls of a function, or the runs of a block."""

from __future__ import annotations

import functools
import inspect
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any
from typing import TypeVar

from canonical.launchpad.scripts.background import BackgroundRecord
from canonical.launchpad.scripts.background import Ending


__all__ = [
    "recorded",
]


logger = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


class recorded:
    """Record a function, or a block, as the run of a script::

        @recorded("send-newsletter")
        def send():
            ...

        with recorded("send-newsletter"):
            ...

    What returns is a success; what raises is a failure, and the exception
    passes through.  The record is made in a thread of its own, over a
    connection of its own, so no transaction or store of the caller is
    touched.  It delays the caller by a second at most.  What cannot be
    recorded is spooled as by a cron script, or logged as a WARNING; it never
    raises.

    A coroutine function can be decorated too; then the run ends with the
    coroutine.  What is used within itself, or by several threads at once, is
    a run each time.

    :param name: of the script.
    :raises TypeError: if `name` is not a `str`, or a generator function is
        decorated: nobody could say when that ends.
    :raises ValueError: if `name` cannot be recorded; see `IScriptActivity`.
    """

    def __init__(self, name: str):
        self._name = _checked(name)
        self._runs = threading.local()

    def __enter__(self) -> recorded:
        runs = self._runs.__dict__.setdefault("stack", [])
        runs.append(_begun(self._name))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _end(self._runs.stack.pop(), error)

    def __call__(self, function: Function) -> Function:
        """Decorate a function."""
        if inspect.isgeneratorfunction(function) or (
            inspect.isasyncgenfunction(function)
        ):
            raise TypeError(
                f"a generator function cannot be recorded: {function!r}")
        if inspect.iscoroutinefunction(function):
            return _recorded_coroutine(self._name, function)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with recorded(self._name):
                return function(*args, **kwargs)
        return wrapper  # type: ignore[return-value]


def _recorded_coroutine(name: str, function: Function) -> Function:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        import asyncio
        run = _begun(name)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            # What is cancelled does not wait.
            _end(run, error)
            raise
        await asyncio.to_thread(_end, run, None)
        return result
    return wrapper  # type: ignore[return-value]


def _checked(name: str) -> str:
    # Slow to import, for what imports this and may never use it.
    from canonical.launchpad.interfaces import IScriptActivity
    from canonical.launchpad.interfaces import checked_text
    return checked_text(IScriptActivity["name"], name)


def _begun(name: str) -> BackgroundRecord:
    # All imports in this thread: a fork of it while another one imports would
    # leave a child that waits for that import for ever.  If they fail, they do
    # so again where that is logged.
    with suppress(Exception):
        from canonical.launchpad.scripts import clerk
        clerk.register_recording()
    run = BackgroundRecord(name)
    run.start()
    return run


def _end(run: BackgroundRecord, error: BaseException | None) -> None:
    """Record how it has ended."""
    try:
        warning = run.end(_ending(error))
    except Exception:
        logger.warning("This run is not on record", exc_info=True)
    else:
        if warning is not None:
            logger.warning("%s", warning)


def _ending(error: BaseException | None) -> Ending:
    if error is None or isinstance(error, SystemExit) and not error.code:
        return Ending("success", 0, None)
    from canonical.launchpad.scripts.exitstatus import ending_of
    outcome, status, reason = ending_of(error)
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        status = error.code & 0xFF
    return Ending(outcome, status, reason)
