"""The web as one door shows it: every page, the API, the files, behind the same checks."""

from __future__ import annotations

from functools import cache
from typing import Any

from twisted.web.http import Request
from twisted.web.server import Site

from iotcenter.web.api.openapi import OpenAPIHandlers, describe
from iotcenter.web.api.routes import api_handlers
from iotcenter.web.assets import AssetHandlers
from iotcenter.web.channel import BoundedChannel, BoundedRequest
from iotcenter.web.connections import Connections
from iotcenter.web.doors import Door
from iotcenter.web.feeds.handlers import FeedHandlers
from iotcenter.web.hosts import Hosts
from iotcenter.web.join import JoinHandlers
from iotcenter.web.metrics import MetricHandlers
from iotcenter.web.pages.all import error_page, page_handlers
from iotcenter.web.parts import Parts
from iotcenter.web.serving import Serving


class BoundedSite(Site):
    """A site whose connections are bounded, in number and in time. It writes no access log: paths and queries bear
    secrets."""

    protocol = BoundedChannel  # type: ignore[assignment]
    requestFactory = BoundedRequest

    def __init__(self, serving: Serving, door: Door, reactor: Any) -> None:
        super().__init__(serving.klein.resource(), reactor=reactor, parsePOSTFormSubmission=False)
        self.door = door
        self.connections = Connections()

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on (ALPN)."""
        return [b"http/1.1"]

    def stopFactory(self) -> None:
        """The port is shut: whoever is still connected has to go."""
        super().stopFactory()
        for connection in self.connections:
            connection.drop()

    def log(self, request: Request) -> None:
        """Nothing: see above. Refusals and sign-ins have lines of their own."""


def all_handlers(parts: Parts) -> tuple[object, ...]:
    """Everything that is served."""
    described = api_handlers(parts)
    document = cache(lambda: describe(described))  # made when somebody asks: few do, and it takes a megabyte
    others = (OpenAPIHandlers(document), JoinHandlers(parts), MetricHandlers(parts), FeedHandlers(parts))
    return (*described, *others, AssetHandlers(parts.assets), *page_handlers(parts, document))


def make_serving(parts: Parts) -> Serving:
    """What serves everything, at every door."""
    certificate = parts.web_certificate
    hosts = Hosts(parts.names, lambda: certificate.credentials().chain[0], parts.reactor.seconds)
    serving = Serving(parts, hosts, error_page(parts))
    for group in all_handlers(parts):
        serving.mount(group)
    return serving
