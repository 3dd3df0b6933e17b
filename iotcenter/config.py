"""What the operator may set: one TOML file, a table for each part and each transport; flags win over it.

Whatever is wrong is said in one line that names the key, what was found and what is allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from iotcenter.listening import OFF, BadAddress, endpoint_string, is_host
from iotcenter.model import LogLevel

KeptDays = Annotated[int, Meta(ge=0, le=36500)]


MAX_FILE = 1024 * 1024
"""Bytes of a configuration, far more than anybody writes: a wrong name may be that of a disk."""


class ConfigError(Exception):
    """A setting is wrong; the text is one line for the operator."""


class WebSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[web]``.

    ``http`` is for this machine, or for a reverse proxy on it; ``https`` for everybody. ``certificate`` and ``key`` are
    the operator's own PEM files; without them the server makes a certificate itself. ``names`` are names by which the
    server is reached beyond those that the machine knows of, such as a DynDNS name: they stand in the certificate, and
    the first is used where an address is shown.
    """

    http: str = "127.0.0.1:8080"
    https: str = "8443"
    certificate: str = ""
    key: str = ""
    names: Annotated[tuple[str, ...], Meta(max_length=32)] = ()


class SshSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[ssh]``: the jump host to devices. ``idle`` is for how many seconds nothing may move in a tunnel,
    ``life`` how many one may be open."""

    listen: str = "8022"
    idle: Annotated[float, Meta(ge=60, le=366 * 86400.0)] = 12 * 3600.0
    life: Annotated[float, Meta(ge=60, le=366 * 86400.0)] = 7 * 86400.0


class LogSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[log]``: the lowest level that is written."""

    level: LogLevel = LogLevel.INFO


class StorageSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[storage]``: for how many days readings are kept, raw and summed up; 0 is for ever. And how many
    seconds of reports are gathered before they are brought to disk and acknowledged: SD cards wear out by the number of
    writes.

    What is coarser is kept at least as long as what is finer. Two years of raw readings let this summer be compared
    with the last one, second by second; minutes take a hundredth of what a reading each second takes, hours next to
    nothing.
    """

    keep_raw: KeptDays = 2 * 365
    keep_minutes: KeptDays = 5 * 365
    keep_hours: KeptDays = 0
    keep_days: KeptDays = 0
    commit_every: Annotated[float, Meta(ge=0, le=60)] = 0.0


class FileSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[files]``: photos and other files that devices send. ``megabytes`` is how large one may be (0: none
    is taken), ``keep`` and ``keep_megabytes`` how much is kept of each device, and ``total_megabytes`` of all: beyond
    it the oldest of whoever has most make way."""

    megabytes: Annotated[float, Meta(ge=0, le=10_000)] = 20.0
    keep: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    keep_megabytes: Annotated[float, Meta(gt=0, le=1e9)] = 500.0
    total_megabytes: Annotated[float, Meta(gt=0, le=1e9)] = 2000.0


class BackupSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The table ``[backup]``: every how many hours one is made by itself (0: never), in which directory, how many are
    kept, and the file whose first line is their passphrase."""

    every: Annotated[float, Meta(ge=0, le=366 * 24)] = 0.0
    directory: str = ""
    keep: Annotated[int, Meta(ge=1, le=1000)] = 7
    passphrase_file: str = ""


class Config(Struct, frozen=True):
    """Everything that can be set, checked. ``transports`` holds each transport's own struct under its name; ``file`` is
    where the settings come from."""

    web: WebSettings
    ssh: SshSettings
    log: LogSettings
    storage: StorageSettings
    transports: dict[str, Struct]
    backup: BackupSettings = BackupSettings()
    files: FileSettings = FileSettings()
    file: Path | None = None


_PARTS: dict[str, type[Struct]] = {
    "web": WebSettings,
    "ssh": SshSettings,
    "log": LogSettings,
    "storage": StorageSettings,
    "backup": BackupSettings,
    "files": FileSettings,
}


def load_config(file: Path | None, flags: Mapping[str, str], transports: Mapping[str, type[Struct]]) -> Config:
    """The configuration from ``file`` and ``flags``.

    ``flags`` maps the name of a listener (a transport, ``ssh``, ``https``, ``web`` for HTTP) to what it shall listen
    on. ``transports`` maps each transport's name to the struct of its table. Raises ``ConfigError``.
    """
    tables = dict(_read(file)) if file is not None else {}
    kinds = {**_PARTS, **transports}
    for name in tables:
        if name not in kinds:
            raise ConfigError(f"{file}: unknown key {name}; allowed: {', '.join(sorted(kinds))}")
    for flag, value in flags.items():
        table, key = {"web": ("web", "http"), "https": ("web", "https")}.get(flag, (flag, "listen"))
        tables[table] = {**_table(tables, table, file), key: value}
    settings = {name: _convert(_table(tables, name, file), kind, name) for name, kind in kinds.items()}
    web, ssh, log, storage, backup, files = (settings.pop(name) for name in _PARTS)
    assert isinstance(web, WebSettings)
    assert isinstance(ssh, SshSettings)
    assert isinstance(log, LogSettings)
    assert isinstance(storage, StorageSettings)
    assert isinstance(backup, BackupSettings)
    assert isinstance(files, FileSettings)
    _check_listeners(web, ssh, settings)
    for name in web.names:
        if not is_host(name):
            raise ConfigError(
                f"web.names: {name!r} is neither a host name (letters, digits, hyphens, dots) nor an address"
            )
    if bool(web.certificate) != bool(web.key):
        raise ConfigError("web.certificate and web.key go together: set both, or neither")
    if backup.every and not backup.directory:
        raise ConfigError("backup.directory is missing: backup.every needs to know where to put them")
    if files.megabytes > min(files.keep_megabytes, files.total_megabytes):
        raise ConfigError(
            "files.megabytes is more than files.keep_megabytes or files.total_megabytes: not one would fit"
        )
    return Config(web, ssh, log, storage, settings, backup, files, file.absolute() if file is not None else None)


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


def _table(tables: Mapping[str, Any], name: str, file: Path | None) -> dict[str, Any]:
    table = tables.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{file}: {name} is {table!r}; it must be a table: [{name}]")
    return table


def _convert(table: dict[str, Any], kind: type[Struct], name: str) -> Struct:
    allowed = [field.name for field in msgspec.structs.fields(kind)]
    for key in table:
        if key not in allowed:
            raise ConfigError(f"unknown key {name}.{key}; allowed: {', '.join(allowed)}")
    for key, value in table.items():
        try:
            msgspec.convert({key: value}, kind)
        except msgspec.ValidationError as error:
            choices = _choices(get_type_hints(kind)[key])
            what = f"allowed: {', '.join(choices)}" if choices else str(error).partition(" - at ")[0]
            raise ConfigError(f"{name}.{key} is {value!r}: {what[:1].lower()}{what[1:]}") from None
    return msgspec.convert(table, kind)


def _choices(declared: Any) -> tuple[str, ...]:
    words = tuple(declared) if isinstance(declared, type) and issubclass(declared, StrEnum) else get_args(declared)
    return words if all(isinstance(word, str) for word in words) else ()


def _check_listeners(web: WebSettings, ssh: SshSettings, transports: Mapping[str, Struct]) -> None:
    listeners = {"web.http": web.http, "web.https": web.https, "ssh.listen": ssh.listen}
    listeners |= {f"{name}.listen": getattr(settings, "listen", OFF) for name, settings in transports.items()}
    for key, value in listeners.items():
        if value == OFF:
            continue
        try:
            endpoint_string(value)
        except BadAddress as error:
            raise ConfigError(f"{key}: {error}") from None
