"""Devices that have only a name and a password: the registrar protocol, over TLS and, for its original clients, in
clear text."""

from __future__ import annotations

from msgspec import Struct
from twisted.application.service import IService
from twisted.plugin import IPlugin
from zope.interface import implementer

from iotcenter.interfaces import House, ITransport
from iotcenter.listening import OFF, datagram_address, endpoint_string


class RegistrarSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[registrar]``.

    ``listen`` is for TLS. ``plain_tcp`` and ``plain_udp`` are for the original clients; a port alone is open to this
    machine only. With ``open`` anybody may register; without, devices that the owner added.
    """

    listen: str = OFF
    open: bool = False
    plain_tcp: str = OFF
    plain_udp: str = OFF

    def __post_init__(self) -> None:
        if self.plain_tcp != OFF:
            endpoint_string(self.plain_tcp)
        if self.plain_udp != OFF:
            datagram_address(self.plain_udp)

    @property
    def on(self) -> bool:
        """Whether any port is open."""
        return (self.listen, self.plain_tcp, self.plain_udp) != (OFF, OFF, OFF)


@implementer(ITransport, IPlugin)
class RegistrarTransport:
    """The transport for devices with a name and a password."""

    name = "registrar"
    settings = RegistrarSettings

    def makeService(self, settings: Struct, house: House) -> IService:
        """See ``ITransport``."""
        # Loaded where it is on: most servers have no use for it.
        from iotcenter.transports.registrar_service import RegistrarService

        assert isinstance(settings, RegistrarSettings)
        return RegistrarService(settings, house)
