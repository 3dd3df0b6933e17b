"""By which door a request came in: it decides who may be trusted with what."""

from __future__ import annotations

from enum import Enum
from typing import Any

from twisted.web.server import Request


class Door(Enum):
    """A listener of the web.

    Whoever opens the control socket in the data directory is its owner, and admin; the other two are for everybody.
    """

    HTTPS = "https"
    HTTP = "http"
    CONTROL = "control"

    @property
    def scheme(self) -> str:
        """How a URL through this door begins."""
        return "https" if self is Door.HTTPS else "http"


def door_of(request: Request) -> Door:
    """By which door ``request`` came in."""
    site: Any = request.site
    door: Door = site.door
    return door
