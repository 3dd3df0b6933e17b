"""This machine's own sensors. Copy it, and make it yours: a sensor is one function, a command another."""

import socket
import subprocess
import time
from pathlib import Path
from typing import Annotated

import psutil

from iotdevice import App, CommandError, Limits, Series

app = App()

LED = Path("/sys/class/leds/ACT")


@app.sensor(every=10, unit="Cel", label="CPU temperature", decimals=1)
def cpu_temperature() -> float | None:
    for chip in ("cpu_thermal", "coretemp", "k10temp", "acpitz"):
        for sensor in psutil.sensors_temperatures().get(chip, []):
            return sensor.current
    return None


@app.sensor(every=10, unit="%", label="CPU", decimals=0)
def cpu() -> float:
    return psutil.cpu_percent()


@app.sensor(every=10, label="Load", decimals=2)
def load() -> float:
    return psutil.getloadavg()[0]


@app.sensor(every=10, unit="%", label="Memory", decimals=0)
def memory() -> float:
    return psutil.virtual_memory().percent


@app.sensor(every=60, unit="%", label="Disk", decimals=0)
def disk() -> float:
    return psutil.disk_usage("/").percent


@app.sensor(every=60, unit="s", label="Uptime", decimals=0)
def uptime() -> float:
    return time.time() - psutil.boot_time()


@app.sensor(
    every=10,
    series=[
        Series("network_in", label="Network in", unit="B/s", decimals=0),
        Series("network_out", label="Network out", unit="B/s", decimals=0),
    ],
)
def network() -> dict[str, float]:
    return rates.since_last_time()


class Rates:
    """Turns the network's counters, which only grow, into bytes per second."""

    def __init__(self) -> None:
        self.last = self.counters()

    def counters(self) -> tuple[float, int, int]:
        totals = psutil.net_io_counters()
        return time.monotonic(), totals.bytes_recv, totals.bytes_sent

    def since_last_time(self) -> dict[str, float]:
        (then, received, sent), self.last = self.last, self.counters()
        seconds = max(self.last[0] - then, 0.001)
        return {"network_in": (self.last[1] - received) / seconds, "network_out": (self.last[2] - sent) / seconds}


rates = Rates()


@app.command(label="Identify")
def identify(seconds: Annotated[int, Limits(minimum=1, maximum=60, unit="s")] = 5) -> str:
    """Blink this machine's light, where it has one, and say which machine it is.

    seconds: how long to blink
    """
    app.log(f"Here I am: {socket.gethostname()}")
    if (LED / "trigger").exists():
        blink(seconds)
    return f"Here I am: {socket.gethostname()}"


def blink(seconds: int) -> None:
    (LED / "trigger").write_text("timer")
    time.sleep(seconds)
    (LED / "trigger").write_text("mmc0")


@app.command(label="Set interval")
def set_interval(seconds: Annotated[float, Limits(minimum=1, maximum=3600, unit="s")]) -> str:
    """Measure more or less often, until the agent starts again.

    seconds: from one reading to the next
    """
    app.interval(seconds)
    return f"Measuring every {seconds:g} s"


@app.command(label="Reboot", confirm=True)
def reboot() -> str:
    """Start this machine anew."""
    if not app.settings.allow_reboot:
        raise CommandError("this device does not allow it: its iotdevice.toml must say allow_reboot = true")
    subprocess.run(["systemctl", "reboot"], check=True, timeout=10)
    return "Rebooting"
