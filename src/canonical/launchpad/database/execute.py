"""Executes SQL statements in which ``:name`` stands for a value."""

from __future__ import annotations

import re
from typing import Any

from canonical.database.sqlbase import main_store


__all__ = [
    "bind",
    "execute",
]


def execute(statement: str, **values: Any) -> Any:
    """Execute a statement in the store ``main``; return what Storm does."""
    return main_store().execute(*bind(statement, values))


def bind(
    statement: str, values: dict[str, Any]
) -> tuple[str, tuple[Any, ...]]:
    """A statement for Storm, and its parameters."""
    parameters = []

    def replace(match: re.Match[str]) -> str:
        parameters.append(values[match[1]])
        return "?"

    return re.sub(r"(?<!:):([a-z_]+)", replace, statement), tuple(parameters)
