"""Who looks at a page, and how they came."""

from __future__ import annotations

from typing import NamedTuple

from twisted.web.server import Request

from iotcenter.web.doors import Door
from iotcenter.web.principal import Principal


class Visit(NamedTuple):
    """One request for a page: what is shown of the server's own addresses goes by where it was found."""

    request: Request
    principal: Principal
    door: Door
