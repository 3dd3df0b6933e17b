"""What ``iotdevice.toml`` in the data directory may say."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_type_hints

import msgspec
from msgspec import Meta, Struct

from iotcenter.model import URL_PATH

FILE = "iotdevice.toml"

DEFAULT_PORT = 9998
"""Where IotCenter takes devices in over TLS."""

DEFAULT_UDP_PORT = 9999
"""Likewise over UDP."""


MAX_FILE = 1024 * 1024
"""Bytes of ``iotdevice.toml``, far more than anybody writes: a device has little memory."""


class ConfigError(Exception):
    """A setting is wrong; the text says which, what was found, and what may stand there."""


class SpoolSettings(Struct, frozen=True):
    """``[spool]``: how readings wait on disk until the server has them.

    ``sync`` is how many seconds of readings a power cut may take, at most; ``"always"`` brings each to disk at once.
    """

    sync: Annotated[float, Meta(ge=0.1, le=60)] | Literal["always"] = 1.0
    megabytes: Annotated[int, Meta(ge=1, le=100_000)] = 64
    days: Annotated[float, Meta(gt=0, le=3660)] = 365.0


class SshSettings(Struct, frozen=True):
    """``[ssh]``: which of the device's own ports a tunnel may reach, and where its SSH server's public keys are.

    ``server`` is where tunnels dial to, which is TLS always; without it the server's own address.
    """

    enabled: bool = True
    ports: Annotated[tuple[Annotated[int, Meta(ge=1, le=65535)], ...], Meta(max_length=16)] = (22,)
    host_keys: str = "/etc/ssh"
    server: str = ""


class UploadSettings(Struct, frozen=True):
    """``[uploads]``: how many megabytes of files wait on disk until the server has them; then the oldest make way."""

    megabytes: Annotated[int, Meta(ge=1, le=100_000)] = 100


class VideoSettings(Struct, frozen=True):
    """``[video]``: the port of this machine on which a camera serves Motion JPEG, 0 for none, and at which path."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 0
    path: Annotated[str, Meta(pattern=URL_PATH)] = "/"


class Settings(Struct, frozen=True):
    """All of ``iotdevice.toml``.

    ``heartbeat`` is the longest silence in seconds on the link before one end asks the other; 0 leaves it to the
    server. ``app`` is a path, from the data directory on. With the transport ``udp``, ``server`` has the port for UDP.
    """

    server: str = ""
    transport: Literal["tls", "udp"] = "tls"
    app: str = ""
    heartbeat: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    allow_reboot: bool = False
    spool: SpoolSettings = SpoolSettings()
    ssh: SshSettings = SshSettings()
    video: VideoSettings = VideoSettings()
    uploads: UploadSettings = UploadSettings()

    @property
    def address(self) -> Address:
        """Where the server is. Raises ``ConfigError``."""
        return parse_address(self.server, DEFAULT_UDP_PORT if self.transport == "udp" else DEFAULT_PORT)

    @property
    def tunnels(self) -> Address:
        """Where tunnels dial to. Raises ``ConfigError``."""
        if self.ssh.server:
            return parse_address(self.ssh.server, DEFAULT_PORT)
        return Address(self.address.host, DEFAULT_PORT) if self.transport == "udp" else self.address


class Address(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def data_directory(given: str | None) -> Path:
    """Where everything of the device is: the directory that was named, or systemd's, or one beside the user."""
    return Path(given or os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or "iotdevice-data").absolute()


def load_settings(directory: Path) -> Settings:
    """The settings in ``directory``. Raises ``ConfigError``."""
    given = _read(directory / FILE)
    try:
        _refuse_unknown(given, Settings, "")
        settings = _converted(given)
        _ = settings.address, settings.tunnels
    except ConfigError as error:
        raise ConfigError(f"{directory / FILE}: {error}") from None
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE + 1)
        if len(content) > MAX_FILE:
            raise ConfigError(f"{file}: it is too long for a configuration, which has {MAX_FILE} bytes at most")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: {error}") from None


def parse_address(text: str, default: int = DEFAULT_PORT) -> Address:
    """``HOST``, ``HOST:PORT`` or ``[IPV6]:PORT``. Raises ``ConfigError``."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%\w]+)\]|([\w.-]+))(?::(\d{1,5}))?", text, re.ASCII)
    port = int(match[3] or default) if match else 0
    if match is None or not 1 <= port <= 65535:
        raise ConfigError(f"server: {text!r} is not an address such as center.example:{default}")
    return Address(match[1] or match[2], port)


def with_server(text: str, server: Address) -> str:
    """The file's ``text`` with another server in it, and all else as it was."""
    line = f'server = "{server}"'
    table = re.search(r"(?m)^\s*\[", text)
    head, tables = (text[: table.start()], text[table.start() :]) if table else (text, "")
    changed, count = re.subn(r"(?m)^\s*server\s*=.*$", line, head, count=1)
    return (changed if count else f"{line}\n{head}") + tables


def _refuse_unknown(given: dict[str, Any], known: type[Struct], path: str) -> None:
    hints = get_type_hints(known)
    for key, value in given.items():
        if key not in hints:
            raise ConfigError(f"{path}{key}: there is no such setting; there are {', '.join(hints)}")
        if isinstance(value, dict) and isinstance(hints[key], type) and issubclass(hints[key], Struct):
            _refuse_unknown(value, hints[key], f"{path}{key}.")


def _converted(given: dict[str, Any]) -> Settings:
    try:
        return msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$.")
        keys = [key for key in re.split(r"[.\[\]`]+", path) if key]
        raise ConfigError(f"{'.'.join(keys)}: {problem}, found {_found(given, keys)!r}") from None


def _found(given: Any, keys: list[str]) -> Any:
    for key in keys:
        given = given[int(key)] if isinstance(given, list) else given[key]
    return given
