"""What can be typed behind ``iotdevice registrar``."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path

WHERE = (
    "'iotcenter status' on the server and its page About show the fingerprint of its authority; the root itself is"
    " authority/root.pem in the server's data directory"
)
"""Where a user finds what the server is known by."""

MENU = "menu"

COMMANDS = {
    MENU: "the interactive menu; this is what runs where no command is given",
    "register": "register this device",
    "deregister": "have it forgotten",
    "login": "log in, until LOGOFF or three missed heartbeats",
    "logoff": "log off",
    "status": "send one heartbeat",
    "send": "send readings (name=value ...), or a line for the device's log",
    "query-server": "ask the center where another device is",
    "query-client": "find another device, and ask it itself",
    "listen": "log in, answer other devices, and send heartbeats until stopped",
}

WITH_PASSWORD = ("register", "deregister", "login", "listen")

EPILOG = f"""\
Over TLS the server is known by its authority, which --fingerprint or --root names:
{WHERE}.

exit status: 0 done, 1 no answer or a fault, 2 wrong usage, 3 refused, 4 not there

examples:
  iotdevice registrar cam-1 center.local 9997 5000 --fingerprint 04:E1:...
  iotdevice registrar register cam-1 center.local 9997 5000 --root root.pem --password-stdin < password
  iotdevice registrar send cam-1 center.local 9997 5000 "temperature=21.5" --root root.pem
"""


def with_menu(words: Sequence[str]) -> list[str]:
    """The words of a command line, with the command that they leave out where they begin with a device-id."""
    if list(words[:1]) != ["registrar"] or (len(words) > 1 and (words[1] in COMMANDS or words[1] in ("-h", "--help"))):
        return list(words)
    return [words[0], MENU, *words[1:]]


def fill(parser: ArgumentParser, run: Callable[[Namespace], int]) -> None:
    """Give ``parser`` the commands; ``run`` carries each of them out."""
    parser.epilog = EPILOG
    parser.formatter_class = RawDescriptionHelpFormatter
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND", dest="command")
    for name, about in COMMANDS.items():
        command = commands.add_parser(
            name, help=about, description=f"{about[:1].upper()}{about[1:]}.", allow_abbrev=False
        )
        _add_place(command)
        _add_way(command)
        if name in ("register", "deregister"):
            command.add_argument("--mac", help="the MAC address to register (default: that of the way to HOST)")
        if name in ("register", "deregister", "login", "listen", MENU):
            command.add_argument("--ip", help="where other devices find this one (default: its address towards HOST)")
        if name in WITH_PASSWORD:
            command.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        if name in ("query-server", "query-client"):
            command.add_argument("target", metavar="TARGET", help="the other device's device-id")
        if name == "send":
            command.add_argument(
                "message", metavar="MESSAGE", help='"name=value ...", {"values": {...}} as JSON, or text'
            )
            command.add_argument("--to", metavar="TARGET", help="to another device, and not to the center")
        if name not in (MENU, "listen"):
            command.add_argument("--json", action="store_true", help="print the answer as JSON")
        command.set_defaults(run=run)


def _add_place(command: ArgumentParser) -> None:
    command.add_argument("device_id", metavar="DEVICE-ID", help="what this device calls itself")
    command.add_argument("host", metavar="HOST", help="where the center is")
    command.add_argument("port", metavar="PORT", type=port, help="the port of its registrar")
    command.add_argument("device_port", metavar="DEVICE-PORT", type=port, help="where this device hears others (UDP)")


def _add_way(command: ArgumentParser) -> None:
    way = command.add_mutually_exclusive_group()
    way.add_argument("--root", type=Path, metavar="FILE", help="the root certificate of the center's authority")
    way.add_argument("--fingerprint", metavar="SHA256", help="the root's fingerprint")
    way.add_argument("--plain", choices=("tcp", "udp"), help="in clear text: whoever is on the way reads the password")


def port(text: str) -> int:
    """The number of a port."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise ArgumentTypeError(f"{text!r} is not a port: one is a number from 1 to 65535")
    return int(text)
