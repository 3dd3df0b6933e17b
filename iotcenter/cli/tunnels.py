"""``iotcenter tunnel ...``, ``ssh-config`` and ``ssh``: the way to devices."""

from __future__ import annotations

import getpass
import os
import shutil
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.errors import CommandError
from iotcenter.cli.output import Answer, age, moment, say, table

CONFIG, KNOWN_HOSTS = "config", "known_hosts"


def open_port(api: Api, given: Namespace) -> Answer:
    """Open a port of this server that leads to a device, for tools that cannot jump. It closes by itself."""
    body = {"port": given.port, "lifetime": given.duration, "listen": given.listen}
    opened = api.post("devices", given.device, "open-ports", body=body)
    until = moment(opened["expires"])
    place = f"{opened['host']}:{opened['listen_port']}"
    return Answer(opened, say(f"{place} leads to port {opened['port']} of {opened['device']} until {until}"))


def close_port(api: Api, given: Namespace) -> Answer:
    """Close the ports that were opened for a device, with what goes through them."""
    return Answer(api.delete("devices", given.device, "open-ports", port=given.port), say("closed"))


def list_all(api: Api, given: Namespace) -> Answer:
    """The ports that are open, and the tunnels that stand now."""
    ports, sessions, now = api.get("open-ports"), api.get("tunnels"), time.time()
    rows = [
        ("port", f"{one['host']}:{one['listen_port']}", f"{one['device']}:{one['port']}", one["actor"], "")
        for one in ports
    ]
    rows += [
        ("tunnel", one["way"], f"{one['device']}:{one['port']}", one["actor"], age(one["since"], now))
        for one in sessions
    ]
    shown = table(("What", "From", "To", "By", "Opened"), rows, "Nothing is open.")
    return Answer({"open_ports": ports, "tunnels": sessions}, shown)


def ssh_config(api: Api, given: Namespace) -> Answer:
    """Write what OpenSSH should know of this server and its devices: Host entries, and a known_hosts for them."""
    folder = given.folder.expanduser().absolute()
    found = _write(api, given.user, given.host, folder)
    line = f"Include {folder / CONFIG}"
    return Answer(found, say(f"{folder / CONFIG} and {KNOWN_HOSTS} are written. First line of ~/.ssh/config: {line}"))


def ssh(api: Api, given: Namespace) -> Answer:
    """Run ssh to a device, such as pi@kitchen-pi, with its host key known; what follows goes to ssh as it is."""
    program = shutil.which("ssh")
    if program is None:
        raise CommandError("there is no program ssh here: install openssh-client")
    folder = Path(tempfile.gettempdir()) / f"iotcenter-ssh-{os.getuid()}"
    _make_private(folder)
    _write(api, given.user, given.host, folder)
    options = [word for option in given.options for word in ("-o", option)]
    words = [program, "-F", str(folder / CONFIG), *options, given.device, *given.words]
    os.execv(program, words)


def _write(api: Api, user: str | None, host: str | None, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = api.get("ssh-config", user=user or getpass.getuser(), host=host)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known_hosts = folder / KNOWN_HOSTS
        known_hosts.write_text(found["known_hosts"])
        (folder / CONFIG).write_text(found["config"].replace("{known_hosts}", f'"{known_hosts}"'))
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}") from None
    return found


def _make_private(folder: Path) -> None:
    """Make ``folder``, or see that it is ours alone: a configuration of somebody else's could run anything."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        if not folder.is_dir() or folder.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise CommandError(f"{folder} is not yours alone: remove it") from None
    except OSError as error:
        raise CommandError(f"{folder}: {error.strerror}") from None
