"""A Raspberry Pi Pico W on battery: every ten minutes it wakes, reports, takes what commands wait, and sleeps.

Copy it to the board as main.py. It keeps its memory in light sleep, so that readings which the server did not hear are
sent the next time, and are never counted twice.

Wiring: none. It reports the voltage at VSYS and its own temperature.
On the server: iotcenter device add garden --udp   prints ID and KEY.
"""

import asyncio

import machine
import network

import iotcenter

NETWORK, PASSWORD = "my network", "its password"
SERVER = "192.168.1.20"
ID = "00112233445566778899aabbccddeeff"
KEY = "0000000000000000000000000000000000000000000000000000000000000000"

EVERY = 600

device = iotcenter.Device(SERVER, ID, KEY, sleepy=True)
wlan = network.WLAN(network.STA_IF)
led = machine.Pin("LED", machine.Pin.OUT)


@device.sensor(every=EVERY, unit="Cel")
def temperature():
    """The chip's own temperature."""
    volts = machine.ADC(4).read_u16() * 3.3 / 65535
    return 27 - (volts - 0.706) / 0.001721


@device.command
def identify():
    """Light the LED for as long as the board is awake."""
    led.on()
    return "the LED is on"


async def report():
    """Join the network and report. False where either does not work out in time."""
    wlan.active(True)
    wlan.connect(NETWORK, PASSWORD)
    for _ in range(100):
        if wlan.isconnected():
            return await device.once(seconds=20)
        await asyncio.sleep_ms(200)
    return False


while True:
    asyncio.run(report())
    wlan.disconnect()
    wlan.active(False)
    led.off()
    machine.lightsleep(EVERY * 1000)
