"""This machine's own sensors, and a few commands. Copy it, and make it yours: every sensor is one function, and so is
every command."""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil

from iotdevice import App, CommandError, Limits, Series, Upload

app = App()

THERMOMETER = next(
    (name for name in ("cpu_thermal", "coretemp", "k10temp") if name in psutil.sensors_temperatures()), ""
)

if THERMOMETER:

    @app.sensor(every=10, unit="Cel", label="CPU temperature", decimals=1)
    def cpu_temperature() -> float:
        return psutil.sensors_temperatures()[THERMOMETER][0].current


@app.sensor(every=10, unit="%", label="CPU", decimals=0)
def cpu() -> float:
    return psutil.cpu_percent(interval=1)


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
    return time.clock_gettime(time.CLOCK_BOOTTIME)


NETWORK = [
    Series("network_in", label="Network in", unit="B/s", decimals=0),
    Series("network_out", label="Network out", unit="B/s", decimals=0),
]


@app.sensor(every=10, series=NETWORK)
def network() -> dict[str, float]:
    """One function may measure several things: it returns them by their names."""
    before = psutil.net_io_counters()
    time.sleep(1)
    now = psutil.net_io_counters()
    return {"network_in": now.bytes_recv - before.bytes_recv, "network_out": now.bytes_sent - before.bytes_sent}


@app.command(label="Identify")
def identify(seconds: Annotated[int, Limits(minimum=1, maximum=60, unit="s")] = 5) -> str:
    """Say which machine this is, and blink its light, where it has one.

    seconds: how long to blink
    """
    app.log(f"Here I am: {socket.gethostname()}")
    blink(Path("/sys/class/leds/ACT/trigger"), seconds)
    return f"Here I am: {socket.gethostname()}"


def blink(light: Path, seconds: int) -> None:
    if os.access(light, os.W_OK):
        usual = re.findall(r"\[(.+)\]", light.read_text())[0]
        light.write_text("timer")
        time.sleep(seconds)
        light.write_text(usual)


@app.command(label="Set interval")
def set_interval(seconds: Annotated[float, Limits(minimum=2, maximum=3600, unit="s")]) -> str:
    """Measure more often, or less, until the agent starts again.

    seconds: from one reading to the next
    """
    app.interval(seconds)
    return f"Measuring every {seconds:g} s"


# The programs that take a photo, and what they want to hear before the name of the file.
CAMERAS = {"rpicam-still": ["-n", "-o"], "libcamera-still": ["-n", "-o"], "fswebcam": ["-q"]}
CAMERA = next((program for program in CAMERAS if shutil.which(program)), "")

if CAMERA:

    @app.command(label="Take a photo")
    def photo() -> Upload:
        """Take a photo with this machine's camera."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "photo.jpg"
            subprocess.run([CAMERA, *CAMERAS[CAMERA], path], check=True, timeout=30)
            return app.upload(path.read_bytes(), "image/jpeg")


@app.command(label="Reboot", confirm=True)
def reboot() -> str:
    """Start this machine anew."""
    if not app.settings.allow_reboot:
        raise CommandError("this device does not allow it: its iotdevice.toml must say allow_reboot = true")
    subprocess.run(["systemctl", "reboot"], check=True, timeout=10)
    return "Rebooting"
