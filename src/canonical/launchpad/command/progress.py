"""A progress bar for what takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator
from typing import TypeVar


__all__ = [
    "with_progress",
]


T = TypeVar("T")

# Seconds that a person waits without wondering.
PATIENCE = 2.0


def with_progress(
    items: Iterable[T], total: int, text: str
) -> Iterator[T]:
    """The same items, and a bar on a terminal once it has taken a while.

    It is on standard error, and goes away at the end.

    :param total: how many items there are.
    :param text: what is done with them.
    """
    if not sys.stderr.isatty():
        yield from items
        return
    start = time.monotonic()
    done = 0
    walk = iter(items)
    for item in walk:
        yield item
        done += 1
        if time.monotonic() - start > PATIENCE:
            break
    else:
        return
    # Slow to import.
    from rich.console import Console
    from rich.progress import Progress
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(text, total=total, completed=done)
        for item in walk:
            yield item
            progress.advance(task)
