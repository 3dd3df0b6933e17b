"""The tokens that let new devices in."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.model import DeviceName, Noun, Role
from iotcenter.web.api.taken import Host, Taken, TokenLifetime
from iotcenter.web.doors import Door
from iotcenter.web.enrolling import Enrolling
from iotcenter.web.guard import ID, api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class NewEnrollment(Taken, frozen=True):
    """A token for a new device, or for a known one that is set up again."""

    name: DeviceName
    lifetime: TokenLifetime | None = None
    address: Host | None = None


class Enrollment(Noun, frozen=True, omit_defaults=False):
    """A token that can still be used; nobody can be told its text again."""

    id: int
    name: DeviceName
    actor: str
    created: float
    expires: float


class IssuedEnrollment(Noun, frozen=True, omit_defaults=False):
    """A token, this once. ``line`` is what to paste on the device."""

    id: int
    name: DeviceName
    token: str
    line: str
    expires: float


class EnrollmentHandlers:
    """Gives out enrollment tokens, lists the open ones, and withdraws them."""

    def __init__(self, parts: Parts) -> None:
        self._enrollments = parts.enrollments
        self._enrolling = Enrolling(parts)

    @api("/enrollments", role=Role.ADMIN, method="POST", status=201, failures=(409,))
    async def issue(self, request: Request, principal: Principal, door: Door, body: NewEnrollment) -> IssuedEnrollment:
        """Give out a token for a new device, or for a known one that shall have a new key. It is told this once."""
        place = self._enrolling.place(request, door, body.address)
        issued = await self._enrolling.issue(place, body.name, body.lifetime, principal.actor)
        return IssuedEnrollment(issued.id, body.name, issued.token, issued.line, issued.expires)

    @api("/enrollments", role=Role.ADMIN)
    async def open(self, request: Request, principal: Principal) -> tuple[Enrollment, ...]:
        """The tokens that can still be used, oldest first."""
        rows = await self._enrollments.open()
        return tuple(Enrollment(row.id, row.name, row.actor, row.created, row.expires) for row in rows)

    @api(f"/enrollments/<{ID}:id>", role=Role.ADMIN, method="DELETE", status=204, failures=(404,))
    async def withdraw(self, request: Request, principal: Principal, id: int) -> None:
        """Make a token worthless."""
        await self._enrollments.withdraw(id)
