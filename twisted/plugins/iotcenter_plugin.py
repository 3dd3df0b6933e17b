"""Doors of the server: ``twistd iotcenter``, and the transports that come with it."""

from twisted.application.service import ServiceMaker

from iotcenter.transports.registrar import RegistrarTransport
from iotcenter.transports.tls import TLSTransport
from iotcenter.transports.udp import UdpTransport

iotcenter = ServiceMaker("IotCenter", "iotcenter.service", "The server that makers run for their devices.", "iotcenter")
tls = TLSTransport()
registrar = RegistrarTransport()
udp = UdpTransport()
