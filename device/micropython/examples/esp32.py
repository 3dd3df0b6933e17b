"""An ESP32: it reports its own temperature and the room's, and has a relay. Copy it to the board as main.py.

Wiring: a DS18B20 at pin 4 with 4.7 kOhm to 3.3 V; the relay's input at pin 26.
On the server: iotcenter device add kitchen --udp   prints ID and KEY.
"""

import asyncio

import ds18x20
import esp32
import machine
import network
import onewire

import iotcenter

NETWORK, PASSWORD = "my network", "its password"
SERVER = "192.168.1.20"
ID = "00112233445566778899aabbccddeeff"
KEY = "0000000000000000000000000000000000000000000000000000000000000000"

device = iotcenter.Device(SERVER, ID, KEY)
thermometer = ds18x20.DS18X20(onewire.OneWire(machine.Pin(4)))
switch = machine.Pin(26, machine.Pin.OUT)


@device.sensor(every=30, unit="Cel", label="Room")
async def room():
    """A function that waits is async, so that the others go on."""
    found = thermometer.scan()
    if not found:
        return None
    thermometer.convert_temp()
    await asyncio.sleep_ms(750)
    return thermometer.read_temp(found[0])


@device.sensor(every=60, unit="Cel", label="Chip")
def chip():
    """The temperature of the chip itself."""
    return esp32.mcu_temperature() if hasattr(esp32, "mcu_temperature") else None


@device.command(confirm=True, on=bool, seconds=(int, 0))
async def relay(on, seconds):
    """Switch the relay, for good or for some seconds."""
    if not 0 <= seconds <= 3600:
        raise iotcenter.CommandError("an hour at most")
    switch.value(on)
    if on and seconds:
        await asyncio.sleep(seconds)
        switch.value(False)
    return "on" if switch.value() else "off"


async def main():
    """Join the network, and run; what goes wrong starts the board anew."""
    wlan = network.WLAN(network.STA_IF)
    wlan.active(True)
    wlan.connect(NETWORK, PASSWORD)
    while not wlan.isconnected():
        await asyncio.sleep_ms(200)
    await device.run()


try:
    asyncio.run(main())
finally:
    machine.reset()
