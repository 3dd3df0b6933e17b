"""``iotcenter device ...`` and ``iotcenter udp ...``, as far as they are about encrypted UDP."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.asking import confirm
from iotcenter.cli.errors import CommandError
from iotcenter.cli.output import Answer, say
from iotcenter.web.udp_key import UdpKeyForms

MAX_MASTER = 1024
"""Characters that are read where a master key is expected."""


def key_answer(given: dict[str, Any]) -> Answer:
    """A device's id and key, in every form in which they are needed."""

    def show() -> None:
        forms = UdpKeyForms(given["id"], given["key"])
        print(f"The id and the key of {given['name']}. They are shown this once.\n")
        print(f"id   {given['id']}\nkey  {given['key']}\n")
        print(f"For C and Arduino:\n\n{forms.c()}\n")
        print(f"For MicroPython:\n\n{forms.micropython()}")
        if sys.stdout.isatty():
            _draw(forms.qr_text())

    return Answer(given, show)


def new_key(api: Api, given: Namespace) -> Answer:
    """Give a device a new key for UDP. The old one stops to work; one that was revoked is let in again."""
    confirm(f"Give {given.name} a new key? Its old one stops to work.", given.yes)
    return key_answer(api.post("devices", given.name, "udp-key"))


def reset_counter(api: Api, given: Namespace) -> Answer:
    """Take a sketch's next packet of version 1 whatever its counter. To be used once its EEPROM was wiped."""
    return Answer(
        api.post("devices", given.name, "reset-counter"), say(f"{given.name} may begin to count from anywhere")
    )


def allow_version1(api: Api, given: Namespace) -> Answer:
    """Take version 1 of encrypted UDP from a device that has used version 2. It is refused again when it does so."""
    return Answer(api.post("devices", given.name, "allow-v1"), say(f"{given.name} may use version 1"))


def master_key(api: Api, given: Namespace) -> Answer:
    """Let in all devices of an IotCenter 1 by its master key. Each shows up, named after its id, when it reports."""
    if given.remove:
        return Answer(api.delete("udp", "master-key"), say("No more devices are taken in by a master key"))
    if given.file is None:
        raise CommandError("name the file that has the master key, or - for standard input")
    api.post("udp", "master-key", body={"key": _read(given.file)})
    return Answer(None, say("The devices of the old installation are taken in from now on"))


def _read(file: str) -> str:
    """The hexadecimal digits in a file, however they are spaced."""
    try:
        with nullcontext(sys.stdin) if file == "-" else Path(file).open(encoding="ascii") as opened:
            text = opened.read(MAX_MASTER)
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    digits = re.sub(r"[\s:]", "", text)
    if re.fullmatch(r"([0-9A-Fa-f]{2}){16,64}", digits) is None:
        raise CommandError("a master key has 16 to 64 bytes, in hexadecimal digits")
    return digits


def _draw(text: str) -> None:
    from segno import make  # for terminals alone: it takes its time and memory

    print()
    make(text, micro=False).terminal(compact=True)
