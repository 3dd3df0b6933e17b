"""The line that makes a machine a device: what the API and the page that adds devices give out."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

from twisted.web.server import Request

from iotcenter.identity.enrollment import DEFAULT_LIFETIME
from iotcenter.model import EventKind
from iotcenter.texts import _
from iotcenter.web.addresses import Addresses, Place
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.parts import Parts
from iotcenter.wire.token import parse_token


@dataclass(frozen=True)
class Issued:
    """A token that was just given out. ``line`` is what to paste on the device."""

    id: int
    token: str = field(repr=False)
    line: str = field(repr=False)
    expires: float


class Enrolling:
    """Gives out enrollment tokens with the line to paste."""

    def __init__(self, parts: Parts) -> None:
        self._enrollments = parts.enrollments
        self._events = parts.center.events
        self._certificate = parts.web_certificate
        self._addresses = Addresses(parts)

    def place(self, request: Request, door: Door, wanted: str | None = None) -> Place:
        """Where the device finds this server; see ``Addresses.place``."""
        return self._addresses.place(request, door, wanted)

    async def issue(self, place: Place, name: str, lifetime: float | None, actor: str) -> Issued:
        """A token for the device ``name``. Raises ``Refused``."""
        token = await self._enrollments.issue(name, lifetime or DEFAULT_LIFETIME, actor, (place.host, place.port))
        row = await self._enrollments.find(parse_token(token).secret)
        if row is None:
            raise HTTPProblem(409, "withdrawn", _("the token was withdrawn already"))
        self._events.note(
            EventKind.DEVICE_INVITED, actor, name, f"{actor} gave out a token for {name}", expires=row.expires
        )
        return Issued(row.id, token, self.line(place, token), row.expires)

    def line(self, place: Place, token: str) -> str:
        """What to paste on the device; where HTTPS is shut, what to type once the agent is installed."""
        if not place.web:
            return f"iotdevice enroll {token}"
        url = shlex.quote(f"{place.web}/join/{token}")
        return f"curl -fsSk --pinnedpubkey '{self._certificate.pin()}' {url} | sh"
