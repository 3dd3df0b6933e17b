"""Where ``twistd`` finds the device's agent."""

from twisted.application.service import ServiceMaker

iotdevice = ServiceMaker(
    "IotCenter device agent",
    "iotdevice.service",
    "Run a device's sensors and commands, linked to an IotCenter server",
    "iotdevice",
)
