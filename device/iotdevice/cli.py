"""``iotdevice``: joins a device to its center, and says how it stands. The heavy parts are imported where they are
needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from iotdevice.config import data_directory
from iotdevice.registrar.arguments import fill, with_menu
from iotdevice.version import __version__


class Failed(Exception):
    """The command cannot do what it is asked for; the text is all that the user needs to read."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. The answer is the exit status: 1, and one line on standard error, where something is
    wrong."""
    words = with_menu(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    try:
        status: int | None = options.run(options)
    except Failed as error:
        print(f"iotdevice: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return status or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="iotdevice",
        description="Joins this device to an IotCenter, and says how it stands. "
        "The agent itself is run by: twistd -n iotdevice",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"iotdevice {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    enroll = commands.add_parser(
        "enroll", help="join a center, with the token that it gave", description=_enroll.__doc__, allow_abbrev=False
    )
    enroll.add_argument("token", metavar="TOKEN", help="the token, or - to read it from standard input")
    enroll.add_argument(
        "--replace", action="store_true", help="though this device is enrolled already: forget what it was"
    )
    enroll.add_argument(
        "--start-app", action="store_true", help="put an app.py into the data directory to start from, if there is none"
    )
    enroll.set_defaults(run=_enroll)
    status = commands.add_parser(
        "status", help="say who this device is, and how it stands", description=_status.__doc__, allow_abbrev=False
    )
    status.set_defaults(run=_status)
    registrar = commands.add_parser(
        "registrar",
        help="be a device with only a name and a password",
        usage="iotdevice registrar [COMMAND] DEVICE-ID HOST PORT DEVICE-PORT ...",
        description=_registrar.__doc__,
        allow_abbrev=False,
    )
    fill(registrar, _registrar)
    for command in (enroll, status):
        command.add_argument(
            "--data", metavar="DIR", help="the data directory (default: $STATE_DIRECTORY, else ./iotdevice-data)"
        )
    return parser


def _enroll(options: argparse.Namespace) -> None:
    """Make this device's key, and get its certificate from the center that the token is for. The key stays here."""
    from iotdevice import joining

    token = sys.stdin.readline(joining.MAX_LINE) if options.token == "-" else options.token
    try:
        joined = joining.join(token, data_directory(options.data), options.replace, options.start_app)
    except joining.NotJoined as error:
        raise Failed(str(error)) from None
    print(joined)


def _status(options: argparse.Namespace) -> None:
    """Say who this device is, where its server is, until when its certificate is valid, and what waits to be sent."""
    from iotdevice import status

    try:
        lines = status.status(Path(data_directory(options.data)))
    except status.Unknown as error:
        raise Failed(str(error)) from None
    print("\n".join(lines))


def _registrar(options: argparse.Namespace) -> int:
    """Speak to a center's registrar, and to the other devices that are registered there."""
    from iotdevice.registrar import command

    try:
        return command.run(options)
    except command.NotDone as error:
        raise Failed(str(error)) from None
