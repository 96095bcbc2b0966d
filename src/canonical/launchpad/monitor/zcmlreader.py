"""Executes a ZCML file as `zope.configuration` does, with less work a rule.

It saves what ten thousand rules do not need, which is half of the time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.expatreader import ExpatParser
from xml.sax.handler import feature_namespaces
from xml.sax.xmlreader import AttributesNSImpl
from xml.sax.xmlreader import InputSource

from zope.configuration.config import ConfigurationMachine
from zope.configuration.config import GroupingContextDecorator
from zope.configuration.config import SimpleStackItem
from zope.configuration.xmlconfig import ConfigurationHandler
from zope.configuration.xmlconfig import registerCommonDirectives

from canonical.config.timelimit import without_waiting
from canonical.launchpad.interfaces import ExpectationError
from canonical.launchpad.monitor.directives import IDirective
from canonical.launchpad.plaintext import printable
from canonical.launchpad.plaintext import shortened


__all__ = [
    "execute_file",
]


def execute_file(path: Path) -> None:
    """Execute a file as `xmlconfig.file` does, in the encoding it names.

    :param path: an absolute path.
    """
    context = _Machine()
    registerCommonDirectives(context)
    context.basepath = str(path.parent)
    context.processFile(str(path))
    parser = _Parser()
    parser.setContentHandler(_Handler(context))
    parser.setFeature(feature_namespaces, True)
    with open(path, "rb", opener=without_waiting) as file:
        source = InputSource(str(path))
        source.setByteStream(file)
        parser.parse(source)
    context.execute_actions()


class _Parser(ExpatParser):
    """Splits each name once, and does not remember prefixes."""

    def start_element_ns(self, name: str, attrs: Mapping[str, str]) -> None:
        """See `ExpatParser`."""
        self.getContentHandler().startElementNS(
            _pair(name), None, AttributesNSImpl(
                {_pair(each): value for each, value in attrs.items()}, {}))

    def end_element_ns(self, name: str) -> None:
        """See `ExpatParser`."""
        self.getContentHandler().endElementNS(_pair(name), None)


@functools.lru_cache(100)
def _pair(name: str) -> tuple[str | None, str]:
    """The namespace and the name.

    :param name: of expat: both, and perhaps the prefix, with spaces between.
    """
    first, *others = name.split()
    return (first, others[0]) if others else (None, first)


class _Handler(ConfigurationHandler):
    """Refuses text, which is a directive that lost its ``<`` perhaps.

    `zope.configuration` ignores text, and nobody would miss the rule.
    """

    def characters(self, text: str) -> None:
        """See `xml.sax.handler.ContentHandler`."""
        if not text.isspace():
            raise ExpectationError(
                f"{printable(self.locator.getSystemId())}:"
                f"{self.locator.getLineNumber()}: text outside all directives:"
                f" {shortened(text.strip())!r}")


class _Machine(ConfigurationMachine):

    def document(
        self,
        name: Any,
        schema: Any,
        usedIn: Any,
        handler: Callable[..., None],
        *others: Any,
    ) -> None:
        """See `ConfigurationAdapterRegistry`: a directive has been defined."""
        super().document(name, schema, usedIn, handler, *others)
        if schema is IDirective:
            self.register(usedIn, name, functools.partial(_Directive, handler))


class _Directive(SimpleStackItem):
    """A directive with any attributes: it does not look at its schema."""

    def __init__(
        self,
        handler: Callable[..., None],
        context: Any,
        data: dict[str, str],
        info: Any,
    ) -> None:
        self.context = GroupingContextDecorator(
            context, info=info, actions=context.actions,
            includepath=context.includepath)
        self.handler, self.argdata = handler, data

    def finish(self) -> None:
        """See `IStackItem`."""
        self.handler(self.context, **self.argdata)
