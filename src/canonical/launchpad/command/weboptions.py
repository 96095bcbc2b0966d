"""The options of serve, grafana and token."""

from __future__ import annotations

import argparse

from canonical.launchpad.command.arguments import host_and_port
from canonical.launchpad.command.arguments import text
from canonical.launchpad.command.options import add_expectations_option


__all__ = [
    "add_grafana_options",
    "add_serve_options",
    "add_token_options",
]


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``serve`` takes."""
    parser.add_argument(
        "--listen", metavar="HOST:PORT", type=host_and_port,
        help="where to listen; by default what [web] listen says")
    add_expectations_option(parser)


def add_grafana_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``grafana`` takes."""
    parser.add_argument(
        "--rules", action="store_true",
        help="print alert rules for Prometheus instead of the dashboard")


def add_token_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``token`` takes."""
    parser.add_argument(
        "name", metavar="NAME", type=text, help="who will use the token")
