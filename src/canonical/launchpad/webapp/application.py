"""The WSGI application: which address leads to which page."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from storm.zope.interfaces import IZStorm
from zope.component import queryUtility

from canonical.config import ConfigError
from canonical.config import config
from canonical.database.sqlbase import initZopeless
from canonical.launchpad.command.notify import instance_name
from canonical.launchpad.command.rules import clock_skew
from canonical.launchpad.command.rules import rules_file
from canonical.launchpad.nearest import nearest
from canonical.launchpad.webapp.access import Access
from canonical.launchpad.webapp.access import TokenFile
from canonical.launchpad.webapp.keeper import Keeper
from canonical.launchpad.webapp.templating import compile_templates
from canonical.launchpad.zcml import execute_zcml


__all__ = [
    "app_factory",
    "configured_access",
    "make_application",
]


ROUTES = [
    ("fleet", "/", "fleetpage.fleet"),
    ("wall", "/wall", "fleetpage.wall"),
    ("script", "/scripts/{name:.+}", "scriptpage.script"),
    ("any_script", "/script", "scriptpage.script"),
    ("incidents", "/incidents", "incidentspage.incidents"),
    ("feed", "/feed", "incidentspage.feed"),
    ("api_scripts", "/api/scripts", "api.scripts"),
    ("api_runs", "/api/scripts/{name:.+}/runs", "api.runs"),
    ("api_script", "/api/scripts/{name:.+}", "api.script"),
    ("api_any_runs", "/api/runs", "api.runs"),
    ("api_any_script", "/api/script", "api.script"),
    ("api_incidents", "/api/incidents", "api.incidents"),
    ("openapi", "/api/openapi.json", "openapi.description"),
    ("metrics", "/metrics", "probes.metrics"),
    ("badge", "/badge/{name:.+}.svg", "probes.badge"),
    ("health", "/health", "probes.health"),
    ("ready", "/ready", "probes.ready"),
]

# What everybody may see, because it says nothing about a script.
PUBLIC = ("health", "ready")

# Of the application, for PasteDeploy.
SETTINGS = ("expectations", "refresh")

# For how long a browser does not ask again for what hardly changes.
STATIC_SECONDS = 3600


def app_factory(global_config: dict[str, str], **settings: str) -> Any:
    """The WSGI application, for PasteDeploy.

    It uses the store ``main`` of the application around it, if there is one,
    and else the configured database.

    :param settings: ``expectations``, a rules file instead of the configured
        one, and ``refresh``, in seconds, instead of the configured one.
    :raises ConfigError: if they are wrong.
    """
    for name in settings:
        if name not in SETTINGS:
            raise ConfigError(
                f"there is no setting {name!r}{nearest(name, SETTINGS)}")
    refresh = _refresh(settings.get("refresh"))
    execute_zcml()
    zstorm = queryUtility(IZStorm)
    if zstorm is None or "main" not in zstorm.get_default_uris():
        initZopeless()
    compile_templates()
    rules = settings.get("expectations")
    return make_application(
        Path(rules) if rules else rules_file(), configured_access(), refresh)


def _refresh(text: str | None) -> float:
    """How many seconds an assessment is used, as a text or as configured."""
    if text is None:
        return config.duration_of("web", "refresh")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    # As in the configuration.
    if not 1 <= seconds <= 3600:
        raise ConfigError(
            "refresh must be a number of seconds from 1 to 3600, not"
            f" {text!r}")
    return seconds


def configured_access() -> Access:
    """Who may look, as the configuration says."""
    name = config.web.token_file
    tokens = TokenFile(
        config.directory / Path(name).expanduser()) if name else None
    return Access(tokens, config.web.trusted_proxy)


def make_application(
    rules: Path | None,
    access: Access,
    refresh: float,
    now: Callable[[], datetime.datetime] | None = None,
) -> Any:
    """The WSGI application; its ``registry.keeper`` is to be closed.

    :param rules: the rules file, or `None`.
    :param refresh: how many seconds an assessment is used.
    :param now: the clock; by default that of the system.
    """
    settings = {"scriptactivity.instance": instance_name()}
    with Configurator(settings=settings) as configurator:
        keeper = Keeper(rules, clock_skew(), refresh, now)
        configurator.add_request_method(
            lambda request: keeper, "keeper", property=True)
        configurator.add_request_method(
            lambda request: access, "access", property=True)
        configurator.add_tween(f"{__package__}.responses.guard")
        configurator.add_static_view(
            "static", f"{__package__}:static", cache_max_age=STATIC_SECONDS)
        for name, pattern, view in ROUTES:
            configurator.add_route(name, pattern, request_method="GET")
            configurator.add_view(
                f"{__package__}.{view}", route_name=name,
                decorator=f"{__package__}.responses.of_snapshot"
                if name not in PUBLIC else None)
        configurator.registry.keeper = keeper
        return configurator.make_wsgi_app()
