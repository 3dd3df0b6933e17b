"""What ``twistd iotdevice`` runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.python import usage

from iotdevice.agent import Agent, Home
from iotdevice.apps import app_file
from iotdevice.clock import Clock, uptime
from iotdevice.config import ConfigError, data_directory, load_settings
from iotdevice.credentials import BadCredentials, load_credentials, load_udp_key
from iotdevice.lock import DataLock, Locked


class Options(usage.Options):
    """The command line behind ``twistd iotdevice``."""

    optParameters = [
        ["data", "d", None, "The data directory. [default: $STATE_DIRECTORY, else ./iotdevice-data]"],
        [
            "app",
            "a",
            None,
            "The application's file. [default: what iotdevice.toml says, else app.py in the data directory]",
        ],
    ]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Take no abbreviations: what one means today may be another option tomorrow."""
        for word in options or ():
            name, _, _ = word.removeprefix("--").partition("=")
            if word.startswith("--") and not {name, f"{name}="} & set(self.longOpt):
                raise usage.UsageError(f"there is no option --{name}")
        super().parseOptions(options)


def makeService(options: Options) -> Agent:
    """The agent; where it cannot run, the process ends with status 1 and one line."""
    try:
        home = _home(options["data"], options["app"])
    except (Locked, ConfigError, BadCredentials) as error:
        raise SystemExit(f"iotdevice: {error}") from None
    except OSError as error:
        raise SystemExit(f"iotdevice: {error.filename}: {error.strerror}") from None
    return Agent(home, *_steady_reactor())


def _home(data: str | None, app: str | None) -> Home:
    directory = data_directory(data)
    credentials = load_credentials(directory)
    if credentials is None:
        raise ConfigError(f"{directory} is not enrolled: run iotdevice enroll TOKEN --data {directory}")
    settings = load_settings(directory)
    udp_key = load_udp_key(directory) if settings.transport == "udp" else None
    return Home(directory, DataLock(directory), settings, credentials, app_file(directory, settings, app), udp_key)


def _steady_reactor() -> tuple[Any, Clock]:
    """Twisted's reactor, its timers on a clock that nobody sets: boards without a battery learn the time when they run
    already."""
    from twisted.internet import reactor

    steady: Any = reactor
    steady.seconds = uptime
    return steady, Clock(steady)
