"""Makes pages from the templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chameleon import PageTemplateLoader
from pyramid.response import Response

from canonical.launchpad.plaintext import printable
from canonical.launchpad.webapp.formatting import ago_words
from canonical.launchpad.webapp.formatting import band_words
from canonical.launchpad.webapp.formatting import marks
from canonical.launchpad.webapp.formatting import seconds_words
from canonical.launchpad.webapp.formatting import short_time
from canonical.launchpad.webapp.formatting import shown_time
from canonical.launchpad.webapp.parameters import RANGE_WORDS
from canonical.launchpad.webapp.strips import bar_path


__all__ = [
    "TEMPLATES",
    "WORDS",
    "compile_templates",
    "page",
]


PLACE = Path(__file__).with_name("templates")

TEMPLATES = PageTemplateLoader(
    str(PLACE), ".pt", auto_reload=False,
    trim_attribute_space=True)

# What every template may call.
WORDS = {
    "ago": ago_words,
    "band": band_words,
    "bar": bar_path,
    "mark": marks,
    "plain": printable,
    "seconds": seconds_words,
    "shown": shown_time,
    "short": short_time,
    "words": RANGE_WORDS,
}


def compile_templates() -> None:
    """Compile all templates, so that nobody waits for that later."""
    for path in sorted(PLACE.glob("*.pt")):
        TEMPLATES[path.stem].cook_check()


def page(request: Any, template: str, **values: Any) -> Response:
    """A page in HTML.

    :param values: what the template uses, beside `WORDS`.
    """
    settings = request.registry.settings
    text = TEMPLATES[template](
        **WORDS,
        layout=TEMPLATES["layout"],
        pictures=TEMPLATES["pictures"],
        root=request.script_name,
        here=request.path_info,
        instance=settings["scriptactivity.instance"],
        **{"refresh": None, "worst": "ok", "trouble": None, "at": None,
           **values})
    # The macro of the layout begins after it.
    return Response(
        f"<!DOCTYPE html>\n{text}", content_type="text/html",
        charset="utf-8")
