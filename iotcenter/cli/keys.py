"""``iotcenter key ...``: the SSH keys by which users reach devices."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path

from iotcenter.cli.api import Api
from iotcenter.cli.asking import confirm
from iotcenter.cli.errors import CommandError
from iotcenter.cli.output import Answer, moment, say, table

MAX_FILE = 20_000
"""Bytes of a file that are read: a public key has at most 3,000."""


def list_all(api: Api, given: Namespace) -> Answer:
    """The SSH keys of a user."""
    keys = api.get("users", given.user, "keys")
    rows = [
        (key["fingerprint"], key["key"].partition(" ")[0], key["comment"], moment(key["last_used"]) or "never")
        for key in keys
    ]
    empty = f"{given.user} has no SSH keys. Add one with: iotcenter key add {given.user} FILE"
    return Answer(keys, table(("Fingerprint", "Type", "Comment", "Last used"), rows, empty))


def add(api: Api, given: Namespace) -> Answer:
    """Let a user reach devices by SSH with the public key in a file, such as ~/.ssh/id_ed25519.pub, or - to read it."""
    key = api.post("users", given.user, "keys", body={"key": _read(given.file)})
    return Answer(key, say(f"{key['user']} may come in by {key['fingerprint']}"))


def remove(api: Api, given: Namespace) -> Answer:
    """Take an SSH key from a user; what it holds open ends at once."""
    confirm(f"Remove the key {given.fingerprint} of {given.user}?", given.yes)
    gone = api.delete("users", given.user, "keys", fingerprint=given.fingerprint)
    return Answer(gone, say(f"{given.fingerprint} is removed"))


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read(MAX_FILE)
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as opened:
            return opened.read(MAX_FILE)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
