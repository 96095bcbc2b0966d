"""What a cron script is made of; see `canonical.launchpad.scripts.base`.

What is no such class is run by `canonical.launchpad.scripts.run`, or is
`recorded`.
"""

from __future__ import annotations


TYPE_CHECKING = False
if TYPE_CHECKING:
    from canonical.launchpad.scripts.decorator import recorded


__all__ = [
    "recorded",
]


def __getattr__(name: str) -> object:
    # Slow to import, for all that need other modules of this package.
    if name == "recorded":
        from canonical.launchpad.scripts.decorator import recorded
        return recorded
    raise AttributeError(name)
