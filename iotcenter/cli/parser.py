"""What can be typed: every command of ``iotcenter``, its arguments, and the function that carries it out."""

from __future__ import annotations

import re
from argparse import REMAINDER, SUPPRESS, ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path

from iotcenter import __version__
from iotcenter.cli import backups, completion, devices, display, importing, keys, server, talking, tunnels, udp, users
from iotcenter.cli.api import Api
from iotcenter.cli.output import Answer

Run = Callable[[Api, Namespace], Answer]

ROLES = ("viewer", "operator", "admin")
LEVELS = ("debug", "info", "warning", "error")

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
"""How long a unit of a duration is."""

WHAT_IS_KEPT = {
    "raw": "readings as they came (0: for ever)",
    "minutes": "their minutes",
    "hours": "their hours",
    "days": "their days",
}

EPILOG = """\
examples:
  iotcenter enroll kitchen-pi                         a line to paste on a new device
  iotcenter command kitchen-pi relay on=true          tell it something
  iotcenter readings kitchen-pi temperature --from now-6h --csv
"""


def duration(text: str) -> float:
    """Seconds, or a number with s, m, h or d behind it."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)([smhd]?)", text)
    if found is None:
        raise ArgumentTypeError(f"{text!r} is not a duration such as 90, 30m, 12h or 7d")
    return float(found[1]) * SECONDS[found[2]]


def step(text: str) -> float | str:
    """A duration, or ``auto``."""
    return text if text == "auto" else duration(text)


def make_parser() -> ArgumentParser:
    """The parser of it all. It gives ``run``, ``data`` and ``json`` besides a command's own arguments."""
    top = ArgumentParser(
        prog="iotcenter",
        description="The administrator's way into an IotCenter server that runs on this machine.",
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"IotCenter {__version__}")
    top.add_argument("--data", type=Path, metavar="DIR", help="the server's data directory (default: ./iotcenter-data)")
    group = _Group(top)
    _add_server(group)
    _add_devices(group)
    _add_talking(group)
    _add_udp(group.group("udp", "encrypted UDP"))
    _add_users(group.group("user", "people who may sign in"))
    _add_tunnels(group)
    _add_keys(group.group("key", "the SSH keys by which users reach devices"))
    _add_backups(group)
    _add_tokens(group.group("token", "what other programs come in with"))
    group.command("completion", completion.completion_of(make_parser)).add_argument("shell", choices=completion.SHELLS)
    return top


class _Group:
    """Commands that stand beside each other."""

    def __init__(self, parser: ArgumentParser) -> None:
        self._commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def group(self, name: str, about: str) -> _Group:
        """Commands behind another word."""
        return _Group(self._add_parser(name, about, f"{about[:1].upper()}{about[1:]}."))

    def command(self, name: str, run: Run, *arguments: str) -> ArgumentParser:
        """A command, whose help is the docstring of the function that carries it out, with its positional arguments."""
        about = run.__doc__ or ""
        help_line = about.partition(". ")[0].rstrip(".")
        parser = self._add_parser(name, f"{help_line[:1].lower()}{help_line[1:]}", about)
        for argument in arguments:
            parser.add_argument(argument, metavar=argument.upper())
        parser.add_argument("--json", action="store_true", help="print what the API answers")
        parser.add_argument("--data", type=Path, default=SUPPRESS, help=SUPPRESS)
        parser.set_defaults(run=run)
        return parser

    def _add_parser(self, name: str, help: str, description: str) -> ArgumentParser:
        return self._commands.add_parser(name, help=help, description=description, allow_abbrev=False)


def _add_server(group: _Group) -> None:
    status = group.command("status", server.status)
    status.add_argument("--wait", type=duration, default=0.0, metavar="TIME", help="how long it may take to come up")
    group.command("setup-link", server.setup_link)


def _add_devices(top: _Group) -> None:
    group = top.group("device", "the devices")
    group.command("list", devices.list_all)
    group.command("show", devices.show, "name")
    add = group.command("add", devices.add, "name")
    for parser in (add, top.command("enroll", devices.enroll, "name")):
        _can_expire(parser, "how long the token works (default: 30m)")
        parser.add_argument("--address", metavar="HOST", help="where the device shall find this server")
        if parser is add:
            kinds = parser.add_mutually_exclusive_group()
            kinds.add_argument("--udp", action="store_true", help="a microcontroller: print its id and its key")
            kinds.add_argument("--udp-v1", action="store_true", help="likewise, for a sketch of IotCenter 1")
            kinds.add_argument("--registrar", action="store_true", help="one that registers with a password of its own")
    retention = group.command("retention", devices.retention, "name")
    retention.add_argument("series", nargs="?", metavar="SERIES", help="the series to set; without it all are shown")
    for what in ("raw", "minutes", "hours", "days"):
        retention.add_argument(f"--{what}", type=int, metavar="DAYS", help=f"how long {WHAT_IS_KEPT[what]} are kept")
    group.command("rename", devices.rename, "name", "new")
    _can_confirm(group.command("revoke", devices.revoke, "name"))
    _can_confirm(group.command("remove", devices.remove, "name"))
    _can_confirm(group.command("new-key", udp.new_key, "name"))
    group.command("reset-counter", udp.reset_counter, "name")
    group.command("allow-v1", udp.allow_version1, "name")


def _add_udp(group: _Group) -> None:
    master = group.command("master-key", udp.master_key)
    master.add_argument("file", nargs="?", metavar="FILE", help="a file with its hexadecimal digits, or - for input")
    master.add_argument("--remove", action="store_true", help="take no more devices in by it")


def _add_talking(group: _Group) -> None:
    command = group.command("command", talking.command, "device", "command")
    command.add_argument("arguments", nargs="*", metavar="KEY=VALUE")
    command.add_argument(
        "--timeout", type=duration, default=30.0, metavar="TIME", help="how long to wait for the result (default: 30s)"
    )
    _can_expire(command, "how long the command may wait for a device that is offline (default: not at all)")
    group.command("display", display.display).add_argument("keys", nargs="*", metavar="DEVICE.SERIES")
    readings = group.command("readings", talking.readings, "device", "series")
    readings.add_argument(
        "--from", dest="start", default="now-1h", metavar="TIME", help="Unix seconds, ISO 8601 or now-6h"
    )
    readings.add_argument("--to", dest="end", default="now", metavar="TIME", help="likewise (default: now)")
    readings.add_argument(
        "--step", type=step, metavar="TIME", help="sum up in buckets of so long; 0: do not (default: what fits)"
    )
    readings.add_argument("--zone", help="the time zone in which days begin, such as Europe/Berlin (default: UTC)")
    readings.add_argument("--csv", action="store_true", help="print CSV, of any length; without --step not summed up")
    bring = group.command("import", importing.run_import, "file")
    bring.add_argument("--device", metavar="NAME", help="whose readings they are, where the file does not say")
    bring.add_argument("--add-devices", action="store_true", help="make devices that there are not")
    bring.add_argument(
        "--as", dest="rename", action="append", default=[], metavar="OLD=NEW", help="what a device is called here"
    )
    logs = group.command("logs", talking.logs, "device")
    logs.add_argument("--limit", type=int, default=100, help="how many lines (default: 100)")
    logs.add_argument("--level", choices=LEVELS, help="the lowest level that is shown")


def _add_users(group: _Group) -> None:
    group.command("list", users.list_all)
    add = group.command("add", users.add, "name")
    add.add_argument("--role", choices=ROLES, required=True, help="what the user may do")
    passwd = group.command("passwd", users.set_password, "name")
    for parser in (add, passwd):
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    group.command("role", users.set_role, "name").add_argument("role", choices=ROLES)
    group.command("reset-link", users.reset_link, "name")
    _can_confirm(group.command("remove", users.remove, "name"))


def _add_tunnels(top: _Group) -> None:
    group = top.group("tunnel", "ports that lead to devices, for tools that cannot jump")
    group.command("list", tunnels.list_all)
    opening = group.command("open", tunnels.open_port, "device")
    opening.add_argument("--port", type=int, default=22, help="the port of the device (default: 22)")
    opening.add_argument(
        "--for", dest="duration", type=duration, default=3600.0, metavar="TIME", help="for how long (default: 1h)"
    )
    opening.add_argument("--listen", metavar="ADDRESS", help="HOST, PORT or HOST:PORT (default: a port of loopback)")
    closing = group.command("close", tunnels.close_port, "device")
    closing.add_argument("--port", type=int, help="only those to this port of the device (default: all)")
    config = top.command("ssh-config", tunnels.ssh_config)
    config.add_argument(
        "--folder", type=Path, default=Path("~/.ssh/iotcenter"), help="where to write it (default: ~/.ssh/iotcenter)"
    )
    ssh = top.command("ssh", tunnels.ssh, "device")
    ssh.add_argument("words", nargs=REMAINDER, help="a command to run there")
    ssh.add_argument("-o", dest="options", action="append", default=[], metavar="OPTION", help="an option of ssh's")
    for parser in (config, ssh):
        parser.add_argument("--user", help="who you are on this server (default: your name on this machine)")
        parser.add_argument("--host", help="where this server is found (default: as it knows itself)")


def _add_keys(group: _Group) -> None:
    group.command("list", keys.list_all, "user")
    group.command("add", keys.add, "user", "file")
    _can_confirm(group.command("remove", keys.remove, "user", "fingerprint"))


def _add_tokens(group: _Group) -> None:
    group.command("list", server.list_tokens)
    create = group.command("create", server.create_token, "name")
    create.add_argument("--role", choices=ROLES, default="viewer", help="what it may do (default: viewer)")
    _can_expire(create, "how long it works (default: until it is removed)")
    _can_confirm(group.command("remove", server.remove_token, "name"))


def _add_backups(group: _Group) -> None:
    backup, restore = group.command("backup", backups.backup), group.command("restore", backups.restore)
    backup.add_argument("file", type=Path, metavar="FILE", help="where to put it; a former one is replaced")
    backup.add_argument("--encrypt", action="store_true", help="ask for a passphrase")
    backup.add_argument("--config", type=Path, metavar="FILE", help="the server's configuration (default: as it runs)")
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    restore.add_argument("--replace", action="store_true", help="put aside what is in the data directory")
    for parser in (backup, restore):
        parser.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line is the passphrase")
        parser.add_argument("--passphrase-stdin", action="store_true", help="read it from standard input")


def _can_expire(parser: ArgumentParser, about: str) -> None:
    parser.add_argument("--lifetime", type=duration, metavar="TIME", help=about)


def _can_confirm(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask first")
