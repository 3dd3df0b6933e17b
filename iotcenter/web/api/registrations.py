"""Registrations that come from elsewhere, each with its password."""

from __future__ import annotations

from twisted.web.server import Request

from iotcenter.model import Noun, Port, Role
from iotcenter.web.api.taken import Password, Taken, Word
from iotcenter.web.guard import api
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.wire.registrar.packets import Register


class NewRegistration(Taken, frozen=True):
    """A device that another registrar knew, as REGISTER would have it."""

    device_id: Word
    password: Password
    mac: Word
    ip: Word
    port: Port


class Registered(Noun, frozen=True, omit_defaults=False):
    """Whether a device was registered now, or was before."""

    device_id: str
    added: bool


class RegistrationHandlers:
    """Takes in devices that another registrar knew."""

    def __init__(self, parts: Parts) -> None:
        self._registrations = parts.registrations

    @api("/registrations", role=Role.ADMIN, method="POST", status=201, failures=(409,))
    async def bring(self, request: Request, principal: Principal, body: NewRegistration) -> Registered:
        """Register a device-id with its password, of which a hash is kept. One that is registered stays as it is."""
        packet = Register(body.device_id, body.password, body.mac, body.ip, body.port)
        return Registered(body.device_id, await self._registrations.bring(packet))
