"""A description of what is for programs, as OpenAPI 3.1."""

from __future__ import annotations

import json
from typing import Any

from pyramid.response import Response

from canonical.launchpad.command.commands import VERSION
from canonical.launchpad.interfaces import OUTCOMES
from canonical.launchpad.monitor.answers import STATES
from canonical.launchpad.webapp.api import DEFAULT_LIMIT
from canonical.launchpad.webapp.api import MOST
from canonical.launchpad.webapp.parameters import LONGEST
from canonical.launchpad.webapp.snapshot import Snapshot


__all__ = [
    "DESCRIPTION",
    "description",
]


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties,
        "required": list(properties)}


def _array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


TEXT = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}
TIME = {"type": "string", "format": "date-time"}
STATE = {"type": "string", "enum": list(STATES)}
MAYBE_TEXT, MAYBE_TIME, MAYBE_NUMBER = map(_nullable, (TEXT, TIME, NUMBER))

QUESTIONS = _object(
    recently=_object(
        state=STATE, sentence=TEXT, last_success=MAYBE_TIME,
        next_due=MAYBE_TIME, trouble=MAYBE_TEXT),
    often=_object(state=STATE, sentence=TEXT, due=WHOLE, met=WHOLE,
                  extra=WHOLE, trouble=MAYBE_TEXT),
    runtime=_object(
        state=STATE, sentence=TEXT, runs=WHOLE,
        average_seconds=MAYBE_NUMBER, trouble=MAYBE_TEXT))
SCRIPT = {
    "name": TEXT, "state": STATE, "rule": MAYBE_TEXT, "tags": _array(TEXT),
    "hosts": _array(_object(
        hostname=MAYBE_TEXT, state=STATE, last_success=MAYBE_TIME,
        last_duration=MAYBE_NUMBER, running_since=MAYBE_TIME, failures=WHOLE,
        questions=_nullable(QUESTIONS)))}
RUN = _object(
    key=TEXT, hostname=TEXT, started=TIME, ended=MAYBE_TIME,
    outcome={"type": "string", "enum": [*OUTCOMES, "running"]},
    reason=MAYBE_TEXT)
INCIDENT = _object(
    id=WHOLE, name=TEXT, hostname=MAYBE_TEXT, state=STATE, sentence=TEXT,
    opened=TIME, closed=MAYBE_TIME, channel=TEXT, told=MAYBE_TIME)
ERROR = _object(error=TEXT)


def _parameter(name: str, words: str, schema: Any) -> dict[str, Any]:
    return {
        "name": name, "in": "query", "description": words, "schema": schema}


def _text(name: str, words: str) -> dict[str, Any]:
    # Without line breaks and control characters.
    return _parameter(name, words, {
        "type": "string", "maxLength": LONGEST,
        "pattern": r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"})


LIMIT = _parameter("limit", "The greatest number of entries.", {
    "type": "integer", "minimum": 1, "maximum": MOST,
    "default": DEFAULT_LIMIT})
NAME = {
    "name": "name", "in": "path", "required": True,
    "description": "The name of a script: not . or .., and without a slash.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST}}
ANY_NAME = {**_text("name", "The name of a script."), "required": True}
ANY_NAME["schema"]["minLength"] = 1
OF_RUNS = (
    LIMIT,
    _parameter(
        "before", "The key of a run; only runs before it.",
        {"type": "string", "pattern":
         "^20[0-9][0-9]-0[1-9]-1[0-9]T1[0-9]:[0-5][0-9]:[0-5][0-9]"
         "Z-[12]-[1-9][0-9]{0,8}$"}),
    _parameter("since", "Only runs that started then or later.", TIME),
    _parameter("until", "Only runs that started earlier.", TIME),
    _text("host", "Only runs on this host."))
RUNS = _object(runs=_array(RUN), next=MAYBE_TEXT)


def _path(
    words: str, schema: dict[str, Any], *parameters: dict[str, Any]
) -> dict[str, Any]:
    def response(words: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "description": words,
            "content": {"application/json": {"schema": schema}}}
    responses = {
        "200": response(words, schema),
        "304": {"description": "It has not changed."},
        "400": response("A parameter is wrong.", ERROR),
        "401": response("A token is needed.", ERROR),
        "403": response("Only the machine itself may look.", ERROR),
        "503": response("The database cannot be reached.", ERROR)}
    if NAME in parameters or ANY_NAME in parameters:
        responses["404"] = response("There is no such script.", ERROR)
    return {"get": {
        "summary": words, "parameters": list(parameters),
        "responses": responses}}


DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "scriptactivity", "version": VERSION,
        "description": "The state and the past runs of scripts.  Times are in"
                       " UTC, durations in seconds.  A script named . or ..,"
                       " or with a slash in its name, has no safe path.  Ask"
                       " /api/script and /api/runs for it; they take any"
                       " name."},
    "components": {"securitySchemes": {
        "token": {"type": "http", "scheme": "bearer"}}},
    "security": [{"token": []}, {}],
    "paths": {
        "/api/scripts": _path(
            "Scripts by name.",
            _object(at=TIME, scripts=_array(_object(**SCRIPT)),
                    next=MAYBE_TEXT),
            LIMIT, _text("after", "Only scripts after this name."),
            _text("search", "A part of the name or the host."),
            _text("host", "A host that a rule names."),
            _text("tag", "A tag of a rule."),
            _parameter("state", "A state.", STATE)),
        "/api/scripts/{name}": _path(
            "One script.", _object(at=TIME, **SCRIPT), NAME),
        "/api/scripts/{name}/runs": _path(
            "Runs of a script, the latest first.", RUNS, NAME, *OF_RUNS),
        "/api/script": _path(
            "One script.", _object(at=TIME, **SCRIPT), ANY_NAME),
        "/api/runs": _path(
            "Runs of a script, the latest first.", RUNS, ANY_NAME, *OF_RUNS),
        "/api/incidents": _path(
            "Incidents, the latest first.",
            _object(at=TIME, incidents=_array(INCIDENT)), LIMIT),
    },
}


def description(request: Any, snapshot: Snapshot) -> Response:
    """The description."""
    return Response(
        json.dumps({
            **DESCRIPTION, "servers": [{"url": request.application_url}]}),
        content_type="application/json", charset="utf-8")
