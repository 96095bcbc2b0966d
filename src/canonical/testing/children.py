"""Child processes that import what this process can."""

from __future__ import annotations

import os
import sys


__all__ = [
    "python_path",
]


def python_path() -> str:
    """The PYTHONPATH for a child that is started with `sys.executable`.

    That is the bare interpreter; what ``bin/py`` and ``bin/test`` know beside
    it stands in their `sys.path` alone.
    """
    return os.pathsep.join(filter(None, sys.path))
